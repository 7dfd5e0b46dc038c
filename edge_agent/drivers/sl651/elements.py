"""The text of SL 651 messages in HEX/BCD coding: stations, moments and elements, both ways.

Source: SL 651-2014, 6.6.1 to 6.6.4 (structure of the text), 6.6.3.3 (BCD and negative numbers), table 26 (identifiers),
annex C (elements). Everything here raises FrameError and nothing else.
"""

import math
from dataclasses import dataclass
from typing import Final, NamedTuple

from edge_agent.drivers import beijing
from edge_agent.drivers.contract import FrameError
from telemetry.span import HOUR_NS, MINUTE_NS

STATION, MOMENT, STEP, EXTENDED = 0xF1, 0xF0, 0x04, 0xFF
EVEN_INTERVAL: Final = 0x31
RAIN_OF_HOUR: Final = "F4"
LEVELS_OF_HOUR: Final = tuple(f"{guide:02X}" for guide in range(0xF5, 0xFD))
SERIES: Final = {RAIN_OF_HOUR: (1, 10), **dict.fromkeys(LEVELS_OF_HOUR, (2, 100))}
"""Elements that hold twelve values of five minutes: bytes of each, and counts in one unit (mm, m); FF is no value."""
SERIES_LENGTH: Final = 12
SERIES_STEP_NS: Final = 5 * MINUTE_NS
STATUS: Final = "45"
"""The one element that is a binary number: alarm and state bits (table 58)."""
MOST_BYTES, MOST_DECIMALS = 31, 7
_STATUS_BYTES: Final = 4
_NOT_NUMBERS: Final = {0xF2: "figures entered by hand", 0xF3: "a picture", 0xFD: "velocities in bulk"}
_STEP_DESCRIPTOR: Final = 0x18
_DAY_NS: Final = 24 * HOUR_NS
_STEPS_NS: Final = (_DAY_NS, HOUR_NS, MINUTE_NS)
_MOST_STEPS: Final = (31, 23, 59)


class Element(NamedTuple):
    """An element as it came: its guide in hexadecimal, its bytes, and how many decimals its digits have."""

    guide: str
    data: bytes
    decimals: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """Elements of one station (ten hexadecimal digits, and its class, annex A) at one moment (UTC ns).

    With ``step_ns`` they are values of one element, each so much after the one before (report 31H).
    """

    station: str
    station_class: int
    time_ns: int
    elements: tuple[Element, ...]
    step_ns: int | None = None


class Cursor:
    """Takes bytes off a text one part after the other."""

    def __init__(self, text: bytes) -> None:
        self._text = text
        self._at = 0

    @property
    def left(self) -> int:
        """Bytes not yet taken."""
        return len(self._text) - self._at

    def take(self, count: int, what: str) -> bytes:
        """The next bytes; raises FrameError when there are too few."""
        if count > self.left:
            raise FrameError(f"text ends {self.left} bytes into {what}, expected {count}")
        self._at += count
        return self._text[self._at - count : self._at]

    def peek(self) -> int:
        """The next byte, which must be there."""
        return self._text[self._at]


def decode(function: int, text: bytes) -> tuple[Group, ...]:
    """The groups of a report, its serial number and time of sending already taken off; raises FrameError."""
    cursor = Cursor(text)
    groups: list[Group] = []
    station: tuple[str, int] | None = None
    while cursor.left:
        if cursor.peek() == STATION:
            station = _station(cursor)
        if station is None:
            raise FrameError(f"text begins with {cursor.peek():02X}, expected a station (F1F1)")
        _expect_twice(cursor, MOMENT, "a moment of observation")
        time_ns = beijing.to_utc_ns(cursor.take(5, "a moment").hex())
        step_ns = _step(cursor) if function == EVEN_INTERVAL else None
        elements = _even(cursor) if step_ns is not None else _elements(cursor)
        groups.append(
            Group(station=station[0], station_class=station[1], time_ns=time_ns, elements=elements, step_ns=step_ns)
        )
        if function == EVEN_INTERVAL and cursor.left:
            raise FrameError(f"{cursor.left} bytes after the values, expected one element in an even interval report")
    if not groups:
        raise FrameError("text without a station, expected at least one")
    return tuple(groups)


def encode(function: int, groups: tuple[Group, ...]) -> bytes:
    """The text of a report without its serial number and time of sending; raises FrameError."""
    text = b""
    station: tuple[str, int] | None = None
    for group in groups:
        if (group.station, group.station_class) != station:
            station = (group.station, group.station_class)
            text += _station_bytes(group)
        moment = bytes.fromhex(beijing.from_utc_ns(group.time_ns, 10))
        text += bytes((MOMENT, MOMENT)) + moment + _group_bytes(function, group)
    if decode(function, text) != groups:
        raise FrameError(f"groups of report {function:02X}H, expected ones that survive encoding")
    return text


def _station_bytes(group: Group) -> bytes:
    if len(group.station) != 10 or not 0 <= group.station_class <= 0xFF:
        raise FrameError(f"station {group.station!r} of class {group.station_class}, expected 10 digits and a byte")
    try:
        return bytes((STATION, STATION)) + bytes.fromhex(group.station) + bytes((group.station_class,))
    except ValueError as exc:
        raise FrameError(f"station {group.station!r}, expected hexadecimal digits") from exc


def _group_bytes(function: int, group: Group) -> bytes:
    if function != EVEN_INTERVAL:
        return b"".join(identifier(element) + element.data for element in group.elements)
    step = bytes((STEP, _STEP_DESCRIPTOR)) + _step_bytes(group.step_ns)
    if group.step_ns is None:
        return step + b"".join(identifier(element) + element.data for element in group.elements)
    return step + identifier(group.elements[0]) + b"".join(element.data for element in group.elements)


def identifier(element: Element) -> bytes:
    """Guide and descriptor: five bits of bytes, three of decimals; raises FrameError."""
    if not 1 <= len(element.data) <= MOST_BYTES or not 0 <= element.decimals <= MOST_DECIMALS:
        raise FrameError(
            f"element {element.guide} of {len(element.data)} bytes with {element.decimals} decimals, "
            f"expected 1 to {MOST_BYTES} and 0 to {MOST_DECIMALS}"
        )
    try:
        return bytes.fromhex(element.guide) + bytes((len(element.data) << 3 | element.decimals,))
    except ValueError as exc:
        raise FrameError(f"element {element.guide!r}, expected hexadecimal digits") from exc


def _station(cursor: Cursor) -> tuple[str, int]:
    _expect_twice(cursor, STATION, "a station")
    return cursor.take(5, "a station").hex().upper(), cursor.take(1, "the class of a station")[0]


def _expect_twice(cursor: Cursor, guide: int, what: str) -> None:
    found = cursor.take(2, what)
    if found != bytes((guide, guide)):
        raise FrameError(f"{found.hex().upper()} where {what} must stand, expected {guide:02X}{guide:02X}")


def _elements(cursor: Cursor) -> tuple[Element, ...]:
    """Elements up to the next moment or station, at least one unless a station without any follows."""
    elements: list[Element] = []
    while cursor.left and cursor.peek() not in (STATION, MOMENT):
        guide, size, decimals = _identifier(cursor)
        elements.append(Element(guide, cursor.take(size, f"element {guide}"), decimals))
        _check(elements[-1])
    if not elements:
        raise FrameError("a moment without elements, expected at least one")
    return tuple(elements)


def _even(cursor: Cursor) -> tuple[Element, ...]:
    """One identifier, then as many values as there are."""
    guide, size, decimals = _identifier(cursor)
    if not cursor.left or cursor.left % size:
        raise FrameError(f"{cursor.left} bytes of element {guide}, expected values of {size}")
    elements = [Element(guide, cursor.take(size, guide), decimals) for _ in range(cursor.left // size)]
    for element in elements:
        _check(element)
    return tuple(elements)


def _identifier(cursor: Cursor) -> tuple[str, int, int]:
    first = cursor.take(1, "an element")[0]
    if first in _NOT_NUMBERS or first in (STATION, MOMENT, STEP, 0x00, 0xFE):
        raise FrameError(f"{first:02X} ({_NOT_NUMBERS.get(first, 'structure')}), expected an element with a number")
    guide = f"{first:02X}" if first != EXTENDED else "FF" + cursor.take(1, "an extended element").hex().upper()
    descriptor = cursor.take(1, f"element {guide}")[0]
    if descriptor >> 3 == 0:
        raise FrameError(f"element {guide} of no bytes, expected 1 to {MOST_BYTES}")
    return guide, descriptor >> 3, descriptor & 0b111


def _check(element: Element) -> None:
    """Raises FrameError for data that is not what the element must hold."""
    if element.guide in SERIES:
        expected = SERIES_LENGTH * SERIES[element.guide][0]
    elif element.guide == STATUS:
        expected = _STATUS_BYTES
    else:
        value(element)
        return
    if (len(element.data), element.decimals) != (expected, 0):
        raise FrameError(
            f"element {element.guide} of {len(element.data)} bytes with {element.decimals} decimals, "
            f"expected {expected} with 0"
        )


def _step(cursor: Cursor) -> int | None:
    """The time step of an even interval report; None where twelve values of an hour follow instead."""
    found = cursor.take(2, "a time step")
    if found != bytes((STEP, _STEP_DESCRIPTOR)):
        raise FrameError(f"{found.hex().upper()} where a time step must stand, expected 0418")
    digits = cursor.take(3, "a time step").hex()
    if not digits.isdecimal():
        raise FrameError(f"time step {digits}, expected decimal digits")
    counts = tuple(int(digits[at : at + 2]) for at in (0, 2, 4))
    if sum(map(bool, counts)) > 1 or any(count > most for count, most in zip(counts, _MOST_STEPS, strict=True)):
        raise FrameError(f"time step {digits}, expected days to 31, hours to 23 or minutes to 59")
    return sum(count * unit for count, unit in zip(counts, _STEPS_NS, strict=True)) or None


def _step_bytes(step_ns: int | None) -> bytes:
    for at, (unit, most) in enumerate(zip(_STEPS_NS, _MOST_STEPS, strict=True)):
        if step_ns is not None and step_ns % unit == 0 and step_ns // unit <= most:
            counts = ["00", "00", "00"]
            counts[at] = f"{step_ns // unit:02}"
            return bytes.fromhex("".join(counts))
    if step_ns is not None:
        raise FrameError(f"time step of {step_ns} ns, expected whole days, hours or minutes")
    return bytes(3)


def value(element: Element) -> float:
    """The number of an element in its unit, NaN where all its digits are F; raises FrameError for what is no BCD."""
    if element.guide == STATUS:
        return float(int.from_bytes(element.data, "big"))
    digits = element.data.hex()
    if not digits.strip("f"):
        return math.nan
    sign, digits = (-1, digits[2:]) if digits.startswith("ff") else (1, digits)
    if not digits.isdecimal():
        raise FrameError(f"element {element.guide} with {element.data.hex(' ')}, expected BCD digits or FF")
    return sign * int(digits) / 10**element.decimals


def element(guide: str, number: float, size: int, decimals: int) -> Element:
    """A number as an element of so many bytes (for simulated devices); raises FrameError for one that does not fit."""
    if math.isnan(number):
        return Element(guide, b"\xff" * size, decimals)
    scaled = round(abs(number) * 10**decimals)
    digits = 2 * size - (2 if number < 0 else 0)
    text = f"{scaled:0{max(digits, 0)}}"
    if len(text) != digits or size > MOST_BYTES:
        raise FrameError(f"{number} with {decimals} decimals in {size} bytes, expected one that fits")
    return Element(guide, bytes.fromhex(("ff" if number < 0 else "") + text), decimals)


def series_values(element: Element) -> list[float]:
    """The twelve values of an hour in mm or m, NaN where the device has none."""
    size, per_unit = SERIES[element.guide]
    counts = (int.from_bytes(element.data[at : at + size], "big") for at in range(0, len(element.data), size))
    return [math.nan if count == 256**size - 1 else count / per_unit for count in counts]


def series(guide: str, values: list[float]) -> Element:
    """Twelve values of an hour as an element (for simulated devices); raises FrameError."""
    size, per_unit = SERIES[guide]
    counts = [256**size - 1 if math.isnan(number) else round(number * per_unit) for number in values]
    if len(counts) != SERIES_LENGTH or any(not 0 <= count < 256**size for count in counts):
        raise FrameError(f"values {values} of element {guide}, expected {SERIES_LENGTH} that fit {size} bytes")
    return Element(guide, b"".join(count.to_bytes(size, "big") for count in counts))
