"""Modbus RTU on a serial port, or behind a serial server: there too a line, so without transaction numbers."""

from edge_agent.drivers.contract import FrameError
from edge_agent.drivers.modbus import frames
from edge_agent.drivers.modbus.driver import Call, accept
from edge_agent.lines.half_duplex import HalfDuplex
from edge_agent.lines.line import GarbledError


class RtuLine:
    """Modbus RTU over a half-duplex line."""

    def __init__(self, line: HalfDuplex) -> None:
        self.counters = line.counters
        self._line = line

    @property
    def connected(self) -> bool:
        """Whether a request can be tried."""
        return self._line.connected

    async def connect(self) -> None:
        """Open the line; raises LineDownError."""
        await self._line.connect()

    async def transact(self, call: Call) -> bytes:
        """The data of the answer; see ``Line``."""
        name = f"unit {call.request.unit}"
        frame = await self._line.exchange(call.ask, call.request.unit, name, call.pause_s)
        try:
            unit, pdu = frames.unwrap_rtu(frame)
        except FrameError as exc:
            self.counters.garbled += 1
            self._line.spoil()
            raise GarbledError(f"{name}: {exc}") from exc
        try:
            return accept(call, unit, pdu, self.counters)
        except GarbledError:  # somebody else's answer, and so the right one may be on its way
            self._line.spoil()
            raise

    def close(self) -> None:
        """Close the line."""
        self._line.close()
