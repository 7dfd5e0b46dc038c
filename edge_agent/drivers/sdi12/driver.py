"""Conversations with SDI-12 sensors: start a measurement, wait until it is ready, collect its values."""

from collections.abc import Generator, Mapping, Sequence
from functools import partial
from typing import Final

from device_profiles.fields import sdi12
from device_profiles.fields.sdi12 import Kind, Sdi12Field
from edge_agent.drivers.contract import Ask, Conversation, FrameError, Number
from edge_agent.drivers.sdi12 import frames
from edge_agent.drivers.sdi12.frames import Command, Identity, Started

_LATE_S: Final = 1.0
"""What an adapter's own delays may add to the seconds that a sensor has promised."""
_PAGES: Final = 10


class Sdi12:
    """SDI-12 1.4 through an adapter that makes the break before each command (clause 4.2)."""

    def check_address(self, address: str) -> None:
        """Raises ValueError for anything but one of 0-9, A-Z, a-z."""
        frames.check_address(address)

    def poll(self, address: str, fields: Sequence[str]) -> Conversation:
        """Each measurement once, with a CRC where any of its fields wants one; pages of values up to the last wanted.

        A sensor that says nothing when its measurement should be ready is asked for the values all the same.
        """
        wanted = {field: sdi12.parse(field) for field in fields}
        numbers: dict[str, Number] = {}
        for kind, number in dict.fromkeys((part.kind, part.number) for part in wanted.values()):
            parts = {field: part for field, part in wanted.items() if (part.kind, part.number) == (kind, number)}
            numbers |= _placed(parts, (yield from _measure(address, kind, number, tuple(parts.values()))))
        return numbers

    def identify(self, address: str) -> Generator[Ask, bytes, Mapping[str, str]]:
        """The answer to aI!; what may follow the firmware is the serial number, as most makers have it (4.4.2)."""
        found = yield from identify(address)
        return {"vendor": found.vendor, "model": found.model, "firmware": found.firmware, "serial": found.extra}


PROTOCOL: Final = Sdi12()


def find() -> Generator[Ask, bytes, str]:
    """The address of the only sensor on a line."""
    return frames.decode_acknowledge(frames.ANYONE, (yield _ask(Command(frames.ANYONE), frames.LONGEST_ACKNOWLEDGE)))


def identify(address: str) -> Generator[Ask, bytes, Identity]:
    """What the sensor at an address says it is."""
    return frames.decode_identity(address, (yield _ask(Command(address, "I"), frames.LONGEST_IDENTITY)))


def _measure(
    address: str, kind: Kind, number: int, parts: Sequence[Sdi12Field]
) -> Generator[Ask, bytes, tuple[float, ...]]:
    crc, last = any(part.crc for part in parts), max(part.place for part in parts)
    body = f"{kind}{'C' if crc else ''}{number or ('0' if kind is Kind.CONTINUOUS else '')}"
    if kind is Kind.CONTINUOUS:
        frame = yield _ask(Command(address, body), frames.LONGEST_VALUES)
        return frames.decode_values(address, frame, crc=crc)
    if kind is Kind.CONCURRENT:
        started = yield from _start_concurrent(address, body)
    else:
        started = yield from _start(address, body)
    return (yield from _collect(address, started, min(last, started.values), crc=crc))


def _start(address: str, body: str) -> Generator[Ask, bytes, Started]:
    """Until the sensor requests service, or its time is over."""
    longest = frames.LONGEST_STARTED + frames.LONGEST_ACKNOWLEDGE
    command = frames.encode_command(Command(address, body))
    answer = yield Ask(command, partial(frames.started_size, address=address), longest, character_s=frames.CHARACTER_S)
    line, end, request = answer.partition(frames.END)
    started = frames.decode_started(address, line + end, concurrent=False)
    if started.ready_s and started.values and not request:
        size = partial(frames.answer_size, address=address, longest=frames.LONGEST_ACKNOWLEDGE)
        request = yield Ask(b"", size, frames.LONGEST_ACKNOWLEDGE, wait_s=started.ready_s + _LATE_S, optional=True)
    if request:
        frames.decode_acknowledge(address, request)
    return started


def _start_concurrent(address: str, body: str) -> Generator[Ask, bytes, Started]:
    """Until the time of the sensor is over, in which it must keep silent (clause 4.4.8)."""
    frame = yield _ask(Command(address, body), frames.LONGEST_STARTED)
    started = frames.decode_started(address, frame, concurrent=True)
    if started.ready_s and started.values:
        yield Ask(b"", _refuse, longest=0, wait_s=started.ready_s, optional=True)
    return started


def _collect(address: str, started: Started, last: int, *, crc: bool) -> Generator[Ask, bytes, tuple[float, ...]]:
    values: tuple[float, ...] = ()
    for page in range(_PAGES):
        if len(values) >= last:
            break
        frame = yield _ask(Command(address, f"D{page}"), frames.LONGEST_VALUES)
        more = frames.decode_values(address, frame, crc=crc)
        if not more:
            raise FrameError(
                f"{address}D{page}! brought no value, expected {started.values} in all: measurement aborted"
            )
        values += more
    if not last <= len(values) <= started.values:
        raise FrameError(f"{len(values)} values, expected {started.values} as the sensor had said")
    return values


def _placed(parts: Mapping[str, Sdi12Field], values: Sequence[float]) -> dict[str, Number]:
    return {field: Number(values[part.place - 1]) for field, part in parts.items() if part.place <= len(values)}


def _ask(command: Command, longest: int) -> Ask:
    size = partial(frames.answer_size, address=command.address, longest=longest)
    return Ask(frames.encode_command(command), size, longest, character_s=frames.CHARACTER_S)


def _refuse(start: bytes) -> int | None:
    raise FrameError(f"{start[:8]!r} from a sensor that measures, expected silence")
