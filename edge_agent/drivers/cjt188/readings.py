"""What the reading 901Fh of a meter holds, both ways and without I/O.

Source: CJ/T 188-2004, annexes on data formats: water, gas and others 19 bytes, heat 43 bytes. Numbers are BCD, low byte
first; those with a unit carry its code behind them.
"""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta, timezone
from fractions import Fraction
from typing import Final, NamedTuple

from device_profiles.fields.cjt188 import UNIT_OF_CODE
from edge_agent.drivers.contract import FrameError
from edge_agent.drivers.envelope import bcd_bytes, bcd_number

CHINA: Final = timezone(timedelta(hours=8))
_HEAT_TYPES: Final = range(0x20, 0x2A)
_CLOCK, _STATUS = 7, 2


class Item(NamedTuple):
    """A number in a reading: bytes of BCD, decimals, and whether a unit code follows."""

    name: str
    size: int
    decimals: int
    has_unit: bool

    @property
    def span(self) -> int:
        """Bytes with its unit code."""
        return self.size + self.has_unit


class Status(NamedTuple):
    """The status ST: the first byte as in the standard, the second is the maker's own."""

    valve: int
    """0 open, 1 closed, 3 faulty."""
    battery_low: bool
    rest: int = 0
    """The other bits of the first byte: reserved, or the maker's."""
    maker: int = 0


class Quantity(NamedTuple):
    """Digits of a number with its decimals applied, None where the meter has none; and the code of its unit."""

    value: Fraction | None
    code: int | None = None


class Reading(NamedTuple):
    """A meter's reading; ``time`` is None where its clock was never set."""

    quantities: Mapping[str, Quantity]
    time: datetime | None
    status: Status


_WATER: Final = (Item("total", 4, 2, has_unit=True), Item("settled", 4, 2, has_unit=True))
_HEAT: Final = (
    Item("settled", 4, 2, has_unit=True),
    Item("heat", 4, 2, has_unit=True),
    Item("power", 4, 2, has_unit=True),
    Item("flow", 4, 4, has_unit=True),
    Item("volume", 4, 2, has_unit=True),
    Item("supply", 3, 2, has_unit=False),
    Item("return", 3, 2, has_unit=False),
    Item("hours", 3, 0, has_unit=False),
)


def layout(meter_type: int) -> tuple[Item, ...]:
    """The numbers in the reading of a type of meter, in their order."""
    return _HEAT if meter_type in _HEAT_TYPES else _WATER


def encode_reading(meter_type: int, reading: Reading) -> bytes:
    """The data of a reading (for simulated meters); raises FrameError for one that can't be."""
    data = b""
    for item in layout(meter_type):
        value, code = reading.quantities[item.name]
        if item.has_unit is (code is None) or (code is not None and code not in UNIT_OF_CODE):
            raise FrameError(f"{item.name} with unit code {code}, expected {'one' if item.has_unit else 'none'}")
        digits = b"\xff" * item.size if value is None else bcd_bytes(_digits(item, value), item.size)
        data += digits + (b"" if code is None else bytes((code,)))
    return data + _encode_time(reading.time) + _encode_status(reading.status)


def _digits(item: Item, value: Fraction) -> int:
    digits = value * 10**item.decimals
    if digits.denominator != 1:
        raise FrameError(f"{item.name} {value}, expected at most {item.decimals} decimals")
    return digits.numerator


def decode_reading(meter_type: int, data: bytes) -> Reading:
    """The reading in some data; raises FrameError."""
    items = layout(meter_type)
    size = sum(item.span for item in items) + _CLOCK + _STATUS
    if len(data) != size:
        raise FrameError(f"reading of {len(data)} bytes from a meter of type {meter_type:02X}, expected {size}")
    quantities, at = {}, 0
    for item in items:
        quantities[item.name] = _quantity(item, data[at : at + item.span])
        at += item.span
    return Reading(quantities, _decode_time(data[at:-_STATUS]), _decode_status(data[-_STATUS:]))


def _quantity(item: Item, data: bytes) -> Quantity:
    digits, code = data[: item.size], data[item.size] if item.has_unit else None
    value = None if digits == b"\xff" * item.size else Fraction(bcd_number(digits), 10**item.decimals)
    return Quantity(value, code)


def _encode_time(time: datetime | None) -> bytes:
    return bytes(_CLOCK) if time is None else bcd_bytes(int(time.astimezone(CHINA).strftime("%Y%m%d%H%M%S")), _CLOCK)


def _decode_time(data: bytes) -> datetime | None:
    if data in (bytes(_CLOCK), b"\xff" * _CLOCK):
        return None
    text = f"{bcd_number(data):014}"
    try:
        return datetime.strptime(f"{text}+0800", "%Y%m%d%H%M%S%z").astimezone(UTC)
    except (ValueError, OverflowError) as exc:
        raise FrameError(f"clock {text}, expected a time as YYYYMMDDhhmmss") from exc


def _encode_status(status: Status) -> bytes:
    first = status.valve & 3 | status.battery_low << 2 | status.rest & 0xF8
    return bytes((first, status.maker & 0xFF))


def _decode_status(data: bytes) -> Status:
    return Status(data[0] & 3, bool(data[0] & 4), data[0] & 0xF8, data[1])
