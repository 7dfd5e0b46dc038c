"""What another master and its devices say on a Modbus line: heard, cut into frames, and never answered.

Gaps between frames do not survive a USB adapter, so frames are told by length and CRC: an answer by the request before
it, a request by its function (MODBUS Application Protocol V1.1b3, clause 6).
"""

import asyncio
from contextlib import suppress
from typing import Final

from edge_agent.compiled import BusPlan, TcpPlan
from edge_agent.drivers.contract import FrameError
from edge_agent.drivers.modbus import frames
from edge_agent.drivers.modbus.frames import MAX_RTU, Request
from edge_agent.lines.line import LineDownError
from edge_agent.lines.trace import Trace, Way
from edge_agent.lines.wire import Ears
from edge_agent.opened import wire
from gateway.tools.ports import explained, in_use

_SHORTEST: Final = 8
"""Bytes of a request; writes of several say how many more they have."""
_MANY: Final = (frames.WRITE_COILS, frames.WRITE_REGISTERS)
_MANY_HEAD: Final = 7


async def overhear(plan: BusPlan, ear: Trace, for_s: float) -> None:
    """Listen on a bus for so many real seconds; raises LineDownError where it can't be heard."""
    if isinstance(plan.line, TcpPlan):
        raise LineDownError(f"bus {plan.name}: nobody else can be heard on TCP, expected a serial line")
    if problem := in_use(plan.line):
        raise LineDownError(problem)
    way, lost = wire(plan.line), asyncio.get_running_loop().create_future()
    cutter = Cutter(ear)
    try:
        await way.open(Ears(cutter.heard, lambda why: None if lost.done() else lost.set_result(why)), plan.timeout_s)
    except LineDownError as exc:
        raise LineDownError(explained(plan.line, str(exc))) from exc
    try:
        with suppress(TimeoutError):
            async with asyncio.timeout(for_s):
                raise LineDownError(f"{way.name}: {await lost}")
    finally:
        way.close()


class Cutter:
    """Cuts a stream of requests and answers, and finds the next frame again after anything else."""

    def __init__(self, ear: Trace) -> None:
        self.noise = 0
        """Bytes that belonged to no frame."""
        self._ear = ear
        self._buffer = b""
        self._open: Request | None = None
        """The last request, as long as its answer may come."""

    def heard(self, data: bytes) -> None:
        """Some bytes more, in whatever pieces."""
        self._buffer += data
        while len(self._buffer) >= _SHORTEST or self._open is not None:
            size = self._answer() or self._request()
            if size is None:
                if len(self._buffer) < MAX_RTU:
                    return  # more may make it whole
                size, self.noise = 1, self.noise + 1
            self._buffer = self._buffer[size:]

    def _answer(self) -> int | None:
        """The size of the answer at the head of the buffer, once it is whole and right."""
        if self._open is None:
            return None
        size = frames.rtu_answer_size(self._open, self._buffer)
        unit, pdu = _opened(self._buffer[:size])
        if unit != self._open.unit or not _answers(self._open, pdu):
            return None
        self._ear(Way.IN, self._buffer[:size])
        self._open = None
        return size

    def _request(self) -> int | None:
        """The size of the first request that is whole and right, with what stands before it."""
        for start in range(len(self._buffer) - _SHORTEST + 1):
            many = self._buffer[start + 1] in _MANY and len(self._buffer) > start + _MANY_HEAD
            size = _MANY_HEAD + 2 + self._buffer[start + _MANY_HEAD - 1] if many else _SHORTEST
            unit, pdu = _opened(self._buffer[start : start + size])
            if unit is None:
                continue
            with suppress(FrameError):
                self._open = frames.decode_request(unit, pdu)
                self.noise += start
                self._ear(Way.OUT, self._buffer[start : start + size])
                return start + size
        return None


def _answers(request: Request, pdu: bytes) -> bool:
    """Whether it is an answer to that, a refusal or not."""
    try:
        frames.decode_answer(request, pdu)
    except frames.ExceptionAnswerError:
        return True
    except FrameError:
        return False
    return True


def _opened(frame: bytes) -> tuple[int | None, bytes]:
    try:
        return frames.unwrap_rtu(frame)
    except FrameError:
        return None, b""
