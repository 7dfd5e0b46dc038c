"""One device of another protocol than Modbus being polled: a conversation on a line that it may share."""

from typing import Final

from edge_agent.compiled import FieldDevicePlan
from edge_agent.drivers.contract import Ask, FrameError, Polled, RefusedError
from edge_agent.fields import FieldDecoder
from edge_agent.lines.conversation import carry
from edge_agent.lines.half_duplex import HalfDuplex
from edge_agent.lines.line import GarbledError, LineError
from edge_agent.poll import Poll

_LONGEST: Final = 256


class FieldDevice:
    """Asks for all fields of a device, and takes its numbers."""

    def __init__(self, plan: FieldDevicePlan, protocol: Polled, line: HalfDuplex) -> None:
        self.plan, self._protocol, self._line = plan, protocol, line
        self._decoder = FieldDecoder(plan.columns)

    @property
    def longest(self) -> int:
        """Bytes of an answer at most, whatever is asked."""
        return _LONGEST

    async def poll(self, due_ns: int) -> Poll:  # it learns nothing for the next one
        """Ask for everything; a conversation that breaks off brings nothing, a refusal is the device's own word."""
        try:
            numbers = await carry(self._protocol.poll(self.plan.address, self._decoder.fields), self._ask)
        except LineError as exc:
            return Poll(None, exc)
        except RefusedError as exc:
            return Poll(self._decoder.decode({}), exc)
        except FrameError as exc:
            self._line.counters.garbled += 1
            self._line.spoil()
            return Poll(None, GarbledError(f"{self.plan.address}: {exc}"))
        return Poll(self._decoder.decode(numbers))

    async def _ask(self, ask: Ask) -> bytes:
        frame = await self._line.exchange(ask, self.plan.address, self.plan.address, self.plan.pause_s)
        self._line.counters.answers += 1
        return frame
