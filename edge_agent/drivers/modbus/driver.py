"""One transaction at a time over a line: what a line promises.

A line hands back the data of an answer only when the answer can belong to nothing but the request: same unit, function
and byte count, on TCP the same transaction, on a serial line a right CRC and no byte too many.
"""

from dataclasses import dataclass
from functools import partial
from typing import Protocol

from edge_agent.drivers.contract import Ask, FrameError
from edge_agent.drivers.modbus import frames, identification
from edge_agent.drivers.modbus.identification import Identify
from edge_agent.lines.line import GarbledError, LineCounters


@dataclass(frozen=True, slots=True)
class Call:
    """A request made ready once, for many polls. ``pause_s`` is the rest that the device needs afterwards."""

    request: frames.Request | Identify
    pdu: bytes
    ask: Ask
    """The request as it goes over a serial line."""
    pause_s: float = 0.0

    @staticmethod
    def of(request: frames.Request | Identify, pause_s: float = 0.0) -> "Call":
        """Encode a request; raises FrameError for one that can't be."""
        if isinstance(request, Identify):
            return Call._identify(request, pause_s)
        pdu = frames.encode_request(request)
        size = partial(frames.rtu_answer_size, request)
        ask = Ask(frames.wrap_rtu(request.unit, pdu), size, longest=frames.rtu_answer_size(request, b""))
        return Call(request, pdu, ask, pause_s)

    @staticmethod
    def _identify(request: Identify, pause_s: float) -> "Call":
        pdu = identification.encode_request(request)
        size = identification.rtu_answer_size
        return Call(request, pdu, Ask(frames.wrap_rtu(request.unit, pdu), size, longest=frames.MAX_RTU), pause_s)


class Line(Protocol):
    """A connection or port that carries one transaction at a time; its owner connects it again when it is down."""

    counters: LineCounters

    @property
    def connected(self) -> bool:
        """Whether a request can be tried."""

    async def connect(self) -> None:
        """Open it; raises LineDownError within the line's timeout."""

    async def transact(self, call: Call) -> bytes:
        """The data of the answer.

        Raises NoAnswerError, GarbledError, LineDownError, or frames.ExceptionAnswerError when the device refused.
        """

    def close(self) -> None:
        """Let go of it; it can be opened again."""


def accept(call: Call, unit: int, pdu: bytes, counters: LineCounters) -> bytes:
    """The data of an answer that belongs to the call; counts, and raises GarbledError or ExceptionAnswerError."""
    if unit != call.request.unit:
        counters.garbled += 1
        raise GarbledError(f"answer of unit {unit}, expected unit {call.request.unit}")
    try:
        data = data_of(call.request, pdu)
    except frames.ExceptionAnswerError:
        counters.refusals += 1
        raise
    except FrameError as exc:
        counters.garbled += 1
        raise GarbledError(f"unit {unit}: {exc}") from exc
    counters.answers += 1
    return data


def data_of(request: frames.Request | Identify, pdu: bytes) -> bytes:
    """The data of the answer; of an identification all of it, once it is sure that it is one."""
    if isinstance(request, Identify):
        identification.decode_answer(request, pdu)
        return pdu
    return frames.decode_answer(request, pdu)
