"""Every frame on a line, told in words as it goes by, and kept as a recording that the simulator can replay."""

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Final, Literal

from edge_agent.compiled import AnyBusPlan, BusPlan, ListenPlan, PushedPlan, TcpPlan
from edge_agent.drivers.contract import FrameError
from edge_agent.drivers.modbus import frames, identification
from edge_agent.lines.trace import Way
from gateway.tools.bench import line_words
from gateway.tools.reading import DeviceReading, read_bus
from telemetry.clock import SECOND_NS, Clock
from telemetry.plain import plain
from telemetry.recording import Head, Piece

MOST_PIECES: Final = 1_000_000
_SHOWN_BYTES: Final = 24
_LABELS: Final = {1: "coil", 2: "discrete", 3: "holding", 4: "input"}
Framing = Literal["rtu", "tcp", "bytes"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One frame in words."""

    at_s: float
    way: Way
    hex: str
    says: str


@dataclass(slots=True)
class Tracer:
    """Takes pieces off a wire; ``tell`` is given each frame once it is whole, or once something else follows it."""

    framing: Framing
    tell: Callable[[Line], None]
    began_s: float = field(default_factory=time.monotonic)
    pieces: list[Piece] = field(default_factory=list)
    dropped: int = 0
    _asked: bytes = b""
    _heard: bytes = b""
    _heard_s: float = 0.0

    def __call__(self, way: Way, data: bytes) -> None:
        """The hook of a wire."""
        at_s = round(time.monotonic() - self.began_s, 6)
        if len(self.pieces) < MOST_PIECES:
            self.pieces.append(Piece(at_s=at_s, way=way.value, hex=data.hex()))
        else:
            self.dropped += 1
        if way is Way.OUT:
            self.flush()
            self._asked = data
            self.tell(Line(at_s=at_s, way=way, hex=data.hex(), says=asked(self.framing, data)))
            return
        self._heard_s = self._heard_s if self._heard else at_s
        self._heard += data
        if self.framing == "bytes" or _is_whole(self.framing, self._heard):
            self.flush()

    def flush(self) -> None:
        """Tell what has been heard, whole or not."""
        if self._heard:
            says = answered(self.framing, self._asked, self._heard)
            self.tell(Line(at_s=self._heard_s, way=Way.IN, hex=self._heard.hex(), says=says))
        self._heard = b""


def tracer(plan: AnyBusPlan, tell: Callable[[Line], None]) -> Tracer:
    """A tracer for a bus."""
    return Tracer(_framing(plan), tell)


def head(plan: AnyBusPlan, protocol: str, clock: Clock) -> Head:
    """The head of a recording of a bus that begins now."""
    return Head(
        bus=plan.name,
        line=line_words(plan.line),
        protocol=protocol,
        framing=_framing(plan),
        calls=isinstance(plan, PushedPlan),
        devices=tuple(f"{device.name}: {device.address}" for device in plan.devices),
        began=datetime.fromtimestamp(clock.now_ns() // SECOND_NS, UTC).isoformat(),
    )


async def trace(
    plan: AnyBusPlan, ear: Tracer, read: Callable[[DeviceReading], None], *, rounds: int, every_s: float, wait_s: float
) -> None:
    """Read all devices of a bus so many times; each reading goes to ``read`` after its frames."""
    for number in range(rounds):
        if number:
            await asyncio.sleep(every_s)
        for reading in await read_bus(plan, wait_s=wait_s, trace=ear):
            read(reading)
        ear.flush()


def asked(framing: Framing, data: bytes) -> str:
    """A request in words."""
    if framing == "bytes":
        return text(data)
    try:
        unit, pdu = _opened(framing, data)
        if _identifies(pdu):
            identify = identification.decode_request(unit, pdu)
            return f"unit {unit}: read device identification, category {identify.category} from {identify.object}"
        request = frames.decode_request(unit, pdu)
    except FrameError as exc:
        return f"no Modbus request: {exc}"
    verb = "read" if isinstance(request, frames.Read) else "write"
    where = _LABELS.get(request.function, f"function {request.function}")
    return f"unit {unit}: {verb} {where} 0x{request.address:04X} x {request.count}"


def answered(framing: Framing, request: bytes, data: bytes) -> str:
    """An answer in words; ``request`` is the last one before it."""
    if framing == "bytes":
        return text(data)
    try:
        unit, pdu = _opened(framing, data)
        asked_unit, asked_pdu = _opened(framing, request)
        says = _objects(asked_unit, asked_pdu, pdu) if _identifies(asked_pdu) else _data(asked_unit, asked_pdu, pdu)
    except frames.ExceptionAnswerError as exc:
        return f"unit {unit}: {exc}"
    except FrameError as exc:
        return f"no answer to that: {exc}"
    other = "" if unit == asked_unit else f", but unit {asked_unit} was asked"
    return f"unit {unit}: {says}{other}"


def _identifies(pdu: bytes) -> bool:
    return pdu[:1] == bytes((identification.FUNCTION,))


def _data(unit: int, asked: bytes, answer: bytes) -> str:
    return _words(frames.decode_answer(frames.decode_request(unit, asked), answer))


def _objects(unit: int, asked: bytes, answer: bytes) -> str:
    found = identification.decode_answer(identification.decode_request(unit, asked), answer)
    said = [f"{number} {plain(one.decode(errors='backslashreplace'))}" for number, one in found.objects.items()]
    said += [] if found.following is None else [f"more from {found.following}"]
    return ", ".join(said) or "nothing"


def text(data: bytes) -> str:
    """Bytes as text where they are text."""
    shown = data.rstrip(b"\r\n\0")
    return shown.decode("latin-1") if shown and all(32 <= byte < 127 for byte in shown) else f"{len(data)} bytes"


def _words(data: bytes) -> str:
    if len(data) % 2:
        return data.hex(" ")
    words = [str(int.from_bytes(data[at : at + 2], "big")) for at in range(0, len(data), 2)]
    return " ".join(words[:_SHOWN_BYTES]) + (" ..." if len(words) > _SHOWN_BYTES else "")


def _framing(plan: AnyBusPlan) -> Framing:
    if not isinstance(plan, BusPlan):
        return "bytes"
    return "tcp" if isinstance(plan.line, TcpPlan) else "rtu"


def _opened(framing: Framing, data: bytes) -> tuple[int, bytes]:
    if framing == "tcp":
        return frames.unwrap_tcp(data)[1:]
    return frames.unwrap_rtu(data)


def _is_whole(framing: Framing, data: bytes) -> bool:
    try:
        _opened(framing, data)
    except FrameError:
        return False
    return True


def where_played(plan: AnyBusPlan) -> str:
    """The options with which `petrel sim replay` plays a recording of a bus."""
    if isinstance(plan.line, ListenPlan):
        return "--call HOST:PORT"
    return "--tcp 127.0.0.1:0" if isinstance(plan.line, TcpPlan) else f"--serial {plan.name}"
