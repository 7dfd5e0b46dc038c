"""Modbus RTU on a serial port or pseudo-terminal, without a thread: the port's descriptor is watched by the loop.

Nothing on a serial line says which request a frame answers, so time has to: after a timeout the line is drained and
left silent for as long as the reply could still take, and the unit that was silent is not asked again before twice
its timeout has passed. An answer that comes later than that is refused by unit, function, length or CRC.
"""

import asyncio
import os
import time
from typing import Final

import serial

from edge_agent.compiled import SerialPlan
from edge_agent.drivers.modbus import frames
from edge_agent.drivers.modbus.driver import Call, GarbledError, LineCounters, LineDownError, NoAnswerError, accept

TURNAROUND_S: Final = 5e-3
_MAX_BABBLE_S: Final = 2.0
_READ_BYTES: Final = 4096


class SerialLine:
    """A serial port. ``timeout_s`` bounds the wait for the start of an answer, in real time."""

    def __init__(self, plan: SerialPlan, timeout_s: float) -> None:
        self.counters = LineCounters()
        self._plan, self._timeout_s = plan, timeout_s
        self._silence_s = plan.silence_s
        self._port: serial.Serial | None = None
        self._buffer = bytearray()
        self._call: Call | None = None
        self._frame: asyncio.Future[bytes] | None = None
        self._busy_until = 0.0
        self._shy_until: dict[int, float] = {}

    @property
    def connected(self) -> bool:
        """Whether a request can be tried."""
        return self._port is not None

    async def connect(self) -> None:
        """Open the port for this process alone; raises LineDownError."""
        self.close()
        plan = self._plan
        try:
            self._port = serial.Serial(
                plan.port, plan.baud, parity=plan.parity, stopbits=plan.stop, timeout=0, write_timeout=0, exclusive=True
            )
        except (OSError, ValueError) as exc:
            self.counters.connect_failures += 1
            raise LineDownError(f"{plan.port}: {exc}") from exc
        asyncio.get_running_loop().add_reader(self._port.fileno(), self._readable)
        self.counters.connects += 1
        self._occupy(0.0)

    async def transact(self, call: Call) -> bytes:
        """The data of the answer; see ``Line``."""
        await self._wait_for_silence(call.request.unit)
        frame = await self._exchange(call)
        self._occupy(call.pause_s)
        try:
            unit, pdu = frames.unwrap_rtu(frame)
        except frames.FrameError as exc:
            self.counters.garbled += 1
            self._occupy(self._reply_s(call))
            raise GarbledError(f"unit {call.request.unit}: {exc}") from exc
        return accept(call, unit, pdu, self.counters)

    def close(self) -> None:
        """Close the port."""
        if self._port is not None:
            asyncio.get_running_loop().remove_reader(self._port.fileno())
            self._port.close()
            self._port = None
        self._fail(LineDownError(f"{self._plan.port}: closed"))

    async def _exchange(self, call: Call) -> bytes:
        loop = asyncio.get_running_loop()
        self._buffer.clear()
        self._call, self._frame = call, loop.create_future()
        self.counters.requests += 1
        sending_s = len(call.rtu) * self._plan.character_s
        deadline = loop.call_later(sending_s + self._timeout_s + self._reply_s(call), self._expire)
        try:
            self._send(call.rtu)
            self._occupy(sending_s)
            return await self._frame
        finally:
            deadline.cancel()
            self._call = self._frame = None

    def _send(self, frame: bytes) -> None:
        """Hand the frame to the port; a failure reaches the waiting transaction."""
        try:
            sent = os.write(self._port.fileno(), frame) if self._port is not None else 0
        except OSError as exc:
            self._lost(str(exc))
            return
        if sent != len(frame):
            self._lost(f"took {sent} of {len(frame)} bytes")

    def _readable(self) -> None:
        try:
            data = os.read(self._port.fileno(), _READ_BYTES) if self._port is not None else b""
        except BlockingIOError:
            return
        except OSError as exc:
            self._lost(str(exc))
            return
        if not data:
            self._lost("hung up")
            return
        self._occupy(0.0)
        if self._frame is None or self._frame.done():
            self.counters.late += len(data)
            return
        self._buffer += data
        self._examine()

    def _examine(self) -> None:
        """Take the frame as soon as it is complete: waiting for silence would only cost line time."""
        assert self._call is not None  # noqa: S101  # set together with the future
        assert self._frame is not None  # noqa: S101
        size = frames.rtu_answer_size(self._call.request, bytes(self._buffer[:2]))
        if len(self._buffer) == size:
            self._frame.set_result(bytes(self._buffer))
        elif len(self._buffer) > size:
            self._garbled(f"{len(self._buffer)} bytes, expected {size}")

    def _expire(self) -> None:
        """No complete answer: leave the line to whatever is still on its way."""
        if self._call is None:
            return
        self._occupy(self._reply_s(self._call))
        self._shy_until[self._call.request.unit] = time.monotonic() + self._timeout_s
        unit = self._call.request.unit
        if self._buffer:
            self._garbled(f"{len(self._buffer)} bytes {bytes(self._buffer[:8]).hex(' ')}, then silence")
            return
        self.counters.timeouts += 1
        self._fail(NoAnswerError(f"unit {unit}: no answer within {self._timeout_s} s"))

    def _garbled(self, problem: str) -> None:
        assert self._call is not None  # noqa: S101  # only while a call waits
        self.counters.garbled += 1
        self._occupy(self._reply_s(self._call))
        self._fail(GarbledError(f"unit {self._call.request.unit}: {problem}"))

    def _reply_s(self, call: Call) -> float:
        """The longest that the reply to a call occupies the line."""
        return call.answer_bytes * self._plan.character_s + TURNAROUND_S

    def _occupy(self, for_s: float) -> None:
        """The line is in use for so long, and must be silent after that."""
        self._busy_until = max(self._busy_until, time.monotonic() + for_s + self._silence_s)

    async def _wait_for_silence(self, unit: int) -> None:
        """Wait until the line is silent and the unit can't be late any more; every byte that comes starts it anew."""
        started = time.monotonic()
        until = max(self._busy_until, self._shy_until.pop(unit, 0.0))
        patience_s = _MAX_BABBLE_S + max(0.0, until - started)
        while (left_s := until - time.monotonic()) > 0:
            if time.monotonic() - started > patience_s:
                self.counters.garbled += 1
                raise GarbledError(f"{self._plan.port}: the line does not fall silent")
            await asyncio.sleep(left_s)
            until = max(until, self._busy_until)

    def _lost(self, reason: str) -> None:
        self._fail(LineDownError(f"{self._plan.port}: {reason}"))
        self.close()

    def _fail(self, error: NoAnswerError | GarbledError | LineDownError) -> None:
        if self._frame is not None and not self._frame.done():
            self._frame.set_exception(error)
