"""Golden frames and messages of a profile: whether our drivers make of them what the profile says, without a line."""

import math
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

from device_profiles.check import varied
from device_profiles.field_model import FieldGolden, FieldProfile, Message, message
from device_profiles.model import Exchange, Golden, Profile, Table
from edge_agent import columns
from edge_agent.attributes import in_objects, in_registers
from edge_agent.columns import PointSettings
from edge_agent.decode import Decoder
from edge_agent.drivers.contract import Ask, FrameError, Number, Polled, Pushed, Refused, Reply, Report
from edge_agent.drivers.modbus import frames, identification
from edge_agent.drivers.modbus.driver import data_of
from edge_agent.drivers.modbus.identification import Identify
from edge_agent.drivers.registry import protocol
from edge_agent.fields import FieldDecoder
from edge_agent.plan import Span
from telemetry.settings import Document, SettingsError, Step
from telemetry.span import moment_ns

_TABLES: Final = {
    frames.READ_COILS: Table.COIL,
    frames.READ_DISCRETE: Table.DISCRETE,
    frames.READ_HOLDING: Table.HOLDING,
    frames.READ_INPUT: Table.INPUT,
}
_SOME_TIME_NS: Final = 1_795_489_200 * 1_000_000_000
"""When messages are heard that carry no time."""
_NEARLY: Final = 1e-6
_NOTHING: Final = 1e-12
Mistake = tuple[tuple[Step, ...], str]


class _GoldenError(ValueError):
    """A golden that is wrong: the place in it, and what was found and expected."""

    def __init__(self, where: tuple[Step, ...], problem: str) -> None:
        super().__init__(problem)
        self.where = where


def mistakes(document: Document[Any]) -> list[SettingsError]:
    """What does not come out of the goldens of a profile that is right otherwise, one error a frame or value."""
    profile = document.settings
    compare = _field if isinstance(profile, FieldProfile) else _modbus
    return [
        document.error(("golden", at, *where), problem)
        for at, golden in enumerate(profile.golden)
        for where, problem in _found(compare, profile, golden)
    ]


def _found(compare: Callable[[Any, Any], Mapping[str, float]], profile: Any, golden: Any) -> Iterator[Mistake]:
    try:
        values = compare(profile, golden)
    except _GoldenError as exc:
        yield exc.where, str(exc)
        return
    yield from _said(profile, golden) if isinstance(golden, Golden) else ()
    for name, expected in golden.values.items():
        value, wanted = values.get(name), math.nan if expected is None else expected
        if value is None:
            yield ("values", name), f"nothing comes out of the golden, expected {_word(wanted)}"
        elif not _agrees(value, wanted):
            yield ("values", name), f"{_word(value)} comes out of the golden, expected {_word(wanted)}"


def _agrees(value: float, wanted: float) -> bool:
    if math.isnan(wanted):
        return math.isnan(value)
    return math.isclose(value, wanted, rel_tol=_NEARLY, abs_tol=_NOTHING)


def _word(value: float) -> str:
    return "null" if math.isnan(value) else f"{value:.9g}"


def _modbus(profile: Profile, golden: Golden) -> Mapping[str, float]:
    """What a poll whose requests and answers are the golden ones gives, for the points that it read."""
    pairs = _reads(golden)
    blocks = [Span(_TABLES[call.function], call.address, call.count) for call, _ in pairs]
    changed = varied(profile, golden.variant)
    gates = {name: at for at, name in enumerate(changed.gates)}
    taken = [columns.column(point, PointSettings(), gates) for point in changed.points]
    decoder = Decoder(blocks, taken, [columns.gate_column(gate) for gate in changed.gates.values()])
    found = decoder.decode([data for _, data in pairs])
    return {
        point.name: float(found.value[row])
        for row, point in enumerate(changed.points)
        if any(block.covers(taken[row].span) for block in blocks)
    }


def _said(profile: Profile, golden: Golden) -> Iterator[Mistake]:
    """What the golden says of the attributes, and does not come out of it."""
    said: dict[str, str | None] = {}
    for call, data in _exchanges(golden):
        if isinstance(call, Identify):
            said |= in_objects(profile.attributes, identification.decode_answer(call, data).objects)
        else:
            said |= in_registers(profile.attributes, Span(_TABLES[call.function], call.address, call.count), data)
    for name, expected in golden.attributes.items():
        if name not in said:
            yield ("attributes", name), f"nothing comes out of the golden, expected {expected!r}"
        elif said[name] != expected:
            yield ("attributes", name), f"{said[name]!r} comes out of the golden, expected {expected!r}"


def _reads(golden: Golden) -> list[tuple[frames.Read, bytes]]:
    return [(call, data) for call, data in _exchanges(golden) if isinstance(call, frames.Read)]


def _exchanges(golden: Golden) -> list[tuple[frames.Read | Identify, bytes]]:
    return [_exchanged(golden, at, one) for at, one in enumerate(golden.exchange)]


def _exchanged(golden: Golden, at: int, one: Exchange) -> tuple[frames.Read | Identify, bytes]:
    """The read that was asked and the data that came; raises _GoldenError for frames that can't have been.

    Of a device identification the data are the whole answer.
    """
    number, unit, asked = _unwrapped(golden, ("exchange", at, "request"), one.request)
    same, answering, answered = _unwrapped(golden, ("exchange", at, "answer"), one.answer)
    is_identify = asked[:1] == bytes((identification.FUNCTION,))
    decode = identification.decode_request if is_identify else frames.decode_request
    call = _right(("exchange", at, "request"), decode, unit, asked)
    if not isinstance(call, frames.Read | Identify):
        raise _GoldenError(("exchange", at, "request"), f"function {call.function}, expected a read")
    if (same, answering) != (number, unit):
        raise _GoldenError(
            ("exchange", at, "answer"), f"from unit {answering}, expected unit {unit} and its transaction"
        )
    return call, _right(("exchange", at, "answer"), data_of, call, answered)


def _unwrapped(golden: Golden, where: tuple[Step, ...], text: str) -> tuple[int, int, bytes]:
    """Transaction (0 on a serial line), unit and PDU of a frame."""
    frame = bytes.fromhex(text)
    if golden.frame == "rtu":
        return (0, *_right(where, frames.unwrap_rtu, frame))
    return _right(where, frames.unwrap_tcp, frame)


def _right(where: tuple[Step, ...], ask: Callable[..., Any], *arguments: Any) -> Any:
    """What ``ask`` answers, or its refusal of a frame at a place of the golden."""
    try:
        return ask(*arguments)
    except FrameError as exc:
        raise _GoldenError(where, str(exc)) from exc


def _field(profile: FieldProfile, golden: FieldGolden) -> Mapping[str, float]:
    """What the messages of a golden give, for the points that were sent."""
    talk = protocol(profile)
    numbers = _asked(profile, golden, talk) if isinstance(talk, Polled) else _heard(golden, talk)
    decoder = FieldDecoder([columns.field_column(point, PointSettings()) for point in profile.points])
    sent, found = decoder.sent(numbers), decoder.decode(numbers)
    return {point.name: float(found.value[row]) for row, point in enumerate(profile.points) if sent[row]}


def _heard(golden: FieldGolden, talk: Pushed) -> Mapping[str, Number]:
    """What a session makes of the messages, whose replies must be the golden ones."""
    now_ns = _SOME_TIME_NS if golden.time is None else _golden_ns(golden.time)
    session, numbers = talk.session(), dict[str, Number]()
    for at, one in enumerate(golden.messages):
        events = session.receive(message(one.sent), now_ns)
        for event in events:
            if isinstance(event, Refused):
                raise _GoldenError(("messages", at, "sent"), event.reason)
            if isinstance(event, Report):
                _check_time(golden, event)
                numbers |= event.numbers
        replied = b"".join(event.data for event in events if isinstance(event, Reply))
        if one.reply and replied != message(one.reply):
            raise _GoldenError(("messages", at, "reply"), f"we reply {replied.hex(' ')}, expected {one.reply}")
    return numbers


def _check_time(golden: FieldGolden, report: Report) -> None:
    if golden.time is not None and report.time_ns != _golden_ns(golden.time):
        raise _GoldenError(("time",), f"{golden.time}, expected the time in the message, {report.time_ns} ns UTC")


def _golden_ns(text: str) -> int:
    try:
        return moment_ns(text)
    except ValueError as exc:
        raise _GoldenError(("time",), str(exc)) from exc


def _asked(profile: FieldProfile, golden: FieldGolden, talk: Polled) -> Mapping[str, Number]:
    """What a poll brings when the golden answers come back on the golden requests, which must be those that we send."""
    address = golden.address or profile.address
    if address is None:
        raise _GoldenError(("address",), "none, expected what the device that spoke is called on the line")
    fields = [point.field for point in profile.points if point.name in golden.values]
    left = list(enumerate(golden.messages))
    try:
        talk.check_address(address)
        conversation = talk.poll(address, fields)
        ask = next(conversation)
        while True:
            ask = conversation.send(_answer(left, ask))
    except StopIteration as done:
        numbers: Mapping[str, Number] = done.value
    except _GoldenError:
        raise
    except ValueError as exc:  # of a frame, or of the address
        at = len(golden.messages) - len(left) - 1
        raise _GoldenError(("messages", at, "sent") if at >= 0 else ("address",), str(exc)) from exc
    if left:
        raise _GoldenError(("messages", left[0][0]), "we never ask for it, expected the messages of one poll")
    return numbers


def _answer(left: list[tuple[int, Message]], ask: Ask) -> bytes:
    """The next golden answer, once it is sure that we ask the golden request."""
    if not left:
        raise _GoldenError(("messages",), f"we ask {ask.request.hex(' ')} too, expected its answer")
    at, one = left.pop(0)
    if ask.request != message(one.asked):
        raise _GoldenError(("messages", at, "asked"), f"{one.asked}, expected what we ask: {ask.request.hex(' ')}")
    return message(one.sent)
