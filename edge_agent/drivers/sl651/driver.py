"""SL 651 as stations speak it that report by themselves: unconfirmed (M1), confirmed (M2), in packages (M3)."""

import math
import re
from collections import Counter
from collections.abc import Iterator
from functools import partial
from typing import Final

from device_profiles.fields.sl651 import FUNCTIONS
from edge_agent.drivers.contract import Event, FrameError, Number, Refused, Reply, Report, Session
from edge_agent.drivers.sl651 import elements, frames
from edge_agent.drivers.sl651.elements import Group
from edge_agent.drivers.sl651.frames import End, Frame
from edge_agent.drivers.stream import SHOWN_BYTES, Packages, events
from telemetry.quality import Cause, Quality

_ADDRESS: Final = re.compile(r"[0-9A-F]{10}", re.ASCII)
_PASSWORD: Final = re.compile(r"[0-9A-Fa-f]{4}", re.ASCII)
_TEST: Final = 0x30


class Sl651:
    """The protocol; ``confirm``: whether reports are confirmed (M2). A station in mode M1 does not mind."""

    def __init__(self, *, confirm: bool = True) -> None:
        self._confirm = confirm

    def check_address(self, address: str) -> None:
        """Raises ValueError for what is no address: ten hexadecimal digits, of which hydrology begins with 00."""
        if _ADDRESS.fullmatch(address) is None:
            raise ValueError(f"address {address!r}, expected 10 digits of 0-9 and A-F as in '0012345678'")

    def session(self, secret: str | None = None) -> Session:
        """A new connection; ``secret`` is the password, four hexadecimal digits. Raises ValueError for another."""
        if secret is not None and _PASSWORD.fullmatch(secret) is None:
            raise ValueError("password, expected four hexadecimal digits")
        return _Session(confirm=self._confirm, password=None if secret is None else int(secret, 16))


class _Session:
    def __init__(self, *, confirm: bool, password: int | None) -> None:
        self._confirm, self._password = confirm, password
        self._splitter = frames.splitter()
        self._packages = Packages()

    def receive(self, data: bytes, now_ns: int) -> list[Event]:
        """See ``contract.Session``."""
        return events(self._splitter.feed(data), partial(self._take, now_ns=now_ns), _refused)

    def _take(self, frame: Frame, now_ns: int) -> Iterator[Event]:
        """What comes of one frame; an error ends it, and so keeps the confirmation back."""
        self._admit(frame)
        if frame.function == frames.KEEP_ALIVE:
            frames.read_stamp(frame.text)
            yield Report(frame.station, "keep-alive", {})
        elif frame.package is not None:
            yield from self._take_package(frame, now_ns)
        else:
            yield from _reports(frame.function, frame.text)
            yield from self._answer(frame, End.EOT if frame.end is End.ETX else End.ACK, frame.text, now_ns)

    def _admit(self, frame: Frame) -> None:
        """Raises FrameError for a frame that is not for us."""
        if not frame.is_up:
            raise FrameError("frame of a centre, expected one of a station")
        if self._password is not None and frame.password != self._password:
            raise FrameError("wrong password, expected that of this line")
        if frame.function != frames.KEEP_ALIVE and frame.function not in FUNCTIONS:
            known = ", ".join(f"{code:02X}H" for code in (frames.KEEP_ALIVE, *FUNCTIONS))
            raise FrameError(f"function {frame.function:02X}H, expected one of {known}")

    def _take_package(self, frame: Frame, now_ns: int) -> Iterator[Event]:
        """Nothing is said until the last package: then all is confirmed, or the first missing one wanted again."""
        assert frame.package is not None  # noqa: S101  # the caller has looked
        key = f"{frame.station} {frame.function:02X}H"
        yield from self._packages.make_room(key, now_ns)
        whole = self._packages.add(key, frame.package, frame.text, now_ns)
        total = frame.package[0]
        if whole is not None:
            text = b"".join(whole)
            yield from _reports(frame.function, text)
            yield from self._answer(frame, End.EOT, text, now_ns, (total, total))
        elif frame.end is End.ETX:
            first = self._packages.piece(key, 1) or bytes(len(frames.stamp(0, now_ns)))
            missing = self._packages.missing(key)
            assert missing is not None  # noqa: S101  # not whole, so one is
            yield from self._answer(frame, End.NAK, first, now_ns, (total, missing))

    def _answer(
        self, frame: Frame, end: End, text: bytes, now_ns: int, package: tuple[int, int] | None = None
    ) -> Iterator[Reply]:
        if self._confirm:
            serial = int.from_bytes(text[:2], "big")
            yield Reply(frame.station, frames.encode(frames.answer(frame, end, serial, now_ns, package)))


def _refused(frame: Frame, error: FrameError) -> Refused:
    return Refused(f"{frame.station}: {error}", frames.encode(frame)[:SHOWN_BYTES])


def _reports(function: int, text: bytes) -> list[Report]:
    """The reports in a text, by station and moment; raises FrameError."""
    frames.read_stamp(text)
    found: dict[tuple[str, int], dict[str, Number]] = {}
    for group in elements.decode(function, frames.after_stamp(text)):
        for time_ns, element, number in _values(group):
            numbers = found.setdefault((group.station, time_ns), {})
            for field in _fields(function, element):
                numbers[field] = _number(function, number)
    return [
        Report(station, FUNCTIONS[function], numbers, time_ns)
        for (station, time_ns), numbers in sorted(found.items(), key=lambda item: item[0][1])
    ]


def _values(group: Group) -> Iterator[tuple[int, str, float]]:
    """Moment (UTC ns), name and number of each value of a group, in its unit; NaN where the device has none."""
    seen: Counter[str] = Counter()
    for at, element in enumerate(group.elements):
        if group.step_ns is not None:
            yield group.time_ns + at * group.step_ns, element.guide, elements.value(element)
            continue
        seen[element.guide] += 1
        name = element.guide if seen[element.guide] == 1 else f"{element.guide}#{seen[element.guide]}"
        if element.guide in elements.SERIES:
            for place, number in enumerate(elements.series_values(element)):
                yield group.time_ns + place * elements.SERIES_STEP_NS, name, number
        else:
            yield group.time_ns, name, elements.value(element)


def _fields(function: int, element: str) -> tuple[str, ...]:
    """What a profile may call a number: with its report, and, since a test must never pass for a reading, without."""
    named = f"{function:02X}/{element}"
    return (named,) if function == _TEST else (named, element)


def _number(function: int, value: float) -> Number:
    if math.isnan(value):
        return Number(value, Quality.MISSING, Cause.DEVICE)
    return Number(value, Quality.BAD, Cause.MANUAL) if function == _TEST else Number(value)


PROTOCOL: Final = Sl651()
