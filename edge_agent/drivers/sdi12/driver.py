"""Conversations with SDI-12 sensors: start a measurement, wait until it is ready, collect its values."""

import math
from collections.abc import Generator, Iterator, Mapping, Sequence
from functools import partial
from typing import Final

from device_profiles.fields import sdi12
from device_profiles.fields.sdi12 import Kind, Sdi12Field
from edge_agent.drivers.contract import Ask, Conversation, FrameError, Nameplate, Number
from edge_agent.drivers.sdi12 import frames, metadata
from edge_agent.drivers.sdi12.frames import Command, Identity, Started
from telemetry.quality import Cause, Quality

_LATE_S: Final = 1.0
"""What an adapter's own delays may add to the seconds that a sensor has promised."""
_BYTE: Final = 8
Page = Generator[Ask, bytes, tuple[float, ...]]


class Sdi12:
    """SDI-12 1.4 through an adapter that makes the break before each command (clause 4.2)."""

    def check_address(self, address: str) -> None:
        """Raises ValueError for anything but one of 0-9, A-Z, a-z."""
        frames.check_address(address)

    def check_data_bits(self, bits: int, fields: Sequence[str]) -> None:
        """Raises ValueError for high volume in binary behind an adapter that drops the eighth bit."""
        high = [field for field in fields if sdi12.parse(field).kind is Kind.HIGH_BINARY]
        if high and bits < _BYTE:
            raise ValueError(
                f"{high[0]} in characters of {bits} bits, expected an adapter that is asked with 8 data bits and no "
                "parity, or HA"
            )

    def poll(self, address: str, fields: Sequence[str]) -> Conversation:
        """Each measurement once, with a CRC where any of its fields wants one; pages of values up to the last wanted.

        A sensor that says nothing when its measurement should be ready is asked for the values all the same.
        """
        wanted = {field: sdi12.parse(field) for field in fields}
        numbers: dict[str, Number] = {}
        for parts in sdi12.measurements(wanted):
            numbers |= _placed(parts, (yield from _measure(address, tuple(parts.values()))))
        return numbers

    def identify(self, address: str, fields: Sequence[str]) -> Generator[Ask, bytes, Nameplate]:
        """The answer to aI!; what may follow the firmware is the serial number, as most makers have it (4.4.2).

        Of a sensor that speaks 1.4 or newer, also what it says of the values that the fields take (clause 6).
        """
        found = yield from identify(address)
        said = {"vendor": found.vendor, "model": found.model, "firmware": found.firmware, "serial": found.extra}
        if found.version < metadata.SINCE:
            return Nameplate(said)
        more = yield from metadata.described(address, fields)
        return Nameplate({**said, **more.attributes}, more.units, more.lacking)


PROTOCOL: Final = Sdi12()


def find() -> Generator[Ask, bytes, str]:
    """The address of the only sensor on a line."""
    return frames.decode_acknowledge(frames.ANYONE, (yield _ask(Command(frames.ANYONE), frames.LONGEST_ACKNOWLEDGE)))


def acknowledge(address: str) -> Generator[Ask, bytes, str]:
    """The address, once a sensor there has said that it is there."""
    return frames.decode_acknowledge(address, (yield _ask(Command(address), frames.LONGEST_ACKNOWLEDGE)))


def identify(address: str) -> Generator[Ask, bytes, Identity]:
    """What the sensor at an address says it is."""
    return frames.decode_identity(address, (yield _ask(Command(address, "I"), frames.LONGEST_IDENTITY)))


def _measure(address: str, parts: Sequence[Sdi12Field]) -> Page:
    """The values of one measurement, up to the last that is wanted or all that there are."""
    kind, body, crc = parts[0].kind, sdi12.command(parts), any(part.crc for part in parts)
    if kind is Kind.CONTINUOUS:
        return (yield from _page(Command(address, body), crc=crc))
    if kind is Kind.CONCURRENT:
        started = yield from _start_concurrent(address, body)
    else:
        started = yield from _start(address, body, frames.DIGITS[kind])
    if kind is Kind.HIGH_BINARY:
        pages = _packets(address, started.values)
    else:
        pages = _pages(address, frames.PAGES_HIGH if kind.is_high else frames.PAGES, crc=crc)
    return (yield from _collect(pages, started, min(max(part.place for part in parts), started.values)))


def _start(address: str, body: str, digits: int) -> Generator[Ask, bytes, Started]:
    """Until the sensor requests service, or its time is over.

    Sources differ on whether a sensor requests service after aHA! and aHB!: it is listened for, and not missed.
    """
    longest = frames.LONGEST_STARTED + frames.LONGEST_ACKNOWLEDGE
    command = frames.encode_command(Command(address, body))
    answer = yield Ask(command, partial(frames.started_size, address=address), longest, character_s=frames.CHARACTER_S)
    line, end, request = answer.partition(frames.END)
    started = frames.decode_started(address, line + end, digits)
    if started.ready_s and started.values and not request:
        size = partial(frames.answer_size, address=address, longest=frames.LONGEST_ACKNOWLEDGE)
        request = yield Ask(b"", size, frames.LONGEST_ACKNOWLEDGE, wait_s=started.ready_s + _LATE_S, optional=True)
    if request:
        frames.decode_acknowledge(address, request)
    return started


def _start_concurrent(address: str, body: str) -> Generator[Ask, bytes, Started]:
    """Until the time of the sensor is over, in which it must keep silent (clause 4.4.8)."""
    frame = yield _ask(Command(address, body), frames.LONGEST_STARTED)
    started = frames.decode_started(address, frame, frames.DIGITS[Kind.CONCURRENT])
    if started.ready_s and started.values:
        yield Ask(b"", _refuse, longest=0, wait_s=started.ready_s, optional=True)
    return started


def _pages(address: str, most: int, *, crc: bool) -> Iterator[Page]:
    """The answers to aD0! and so on."""
    for page in range(most):
        yield _page(Command(address, f"D{page}"), crc=crc)


def _packets(address: str, values: int) -> Iterator[Page]:
    """The answers to aDB0! and so on."""
    for page in range(frames.PAGES_HIGH):
        yield _packet(Command(address, f"DB{page}"), frames.longest_packet(values))


def _page(command: Command, *, crc: bool) -> Page:
    return frames.decode_values(command.address, (yield _ask(command, frames.LONGEST_VALUES)), crc=crc)


def _packet(command: Command, longest: int) -> Page:
    size = partial(frames.packet_size, address=command.address)
    frame = yield Ask(frames.encode_command(command), size, longest, character_s=frames.CHARACTER_S)
    return frames.decode_packet(command.address, frame)


def _collect(pages: Iterator[Page], started: Started, last: int) -> Page:
    """The values of as many pages as it takes to have the last that is wanted."""
    values: tuple[float, ...] = ()
    while len(values) < last and (page := next(pages, None)) is not None:
        more = yield from page
        if not more:
            raise FrameError(f"no value after {len(values)}, expected {started.values} in all: measurement aborted")
        values += more
    if not last <= len(values) <= started.values:
        raise FrameError(f"{len(values)} values, expected {started.values} as the sensor had said")
    return values


def _placed(parts: Mapping[str, Sdi12Field], values: Sequence[float]) -> dict[str, Number]:
    return {field: _number(values[part.place - 1]) for field, part in parts.items() if part.place <= len(values)}


def _number(value: float) -> Number:
    """A packet can hold what is no number."""
    return Number(value) if math.isfinite(value) else Number(math.nan, Quality.MISSING, Cause.DEVICE)


def _ask(command: Command, longest: int) -> Ask:
    size = partial(frames.answer_size, address=command.address, longest=longest)
    return Ask(frames.encode_command(command), size, longest, character_s=frames.CHARACTER_S)


def _refuse(start: bytes) -> int | None:
    raise FrameError(f"{start[:8]!r} from a sensor that measures, expected silence")
