"""What the reading 901Fh of a meter holds, both ways and without I/O.

Source: CJ/T 188-2004, annexes on data formats: water, gas and others 19 bytes, heat 43 bytes. Numbers are BCD, low byte
first; those with a unit carry its code behind them. Makers send other numbers under the same identifier in as many
bytes, so that every unit code is held against what should stand there.
"""

from collections.abc import Mapping
from fractions import Fraction
from typing import Final, NamedTuple

from device_profiles.fields.cjt188 import UNIT_OF_CODE, Dimension
from edge_agent.drivers.beijing import from_utc_ns, to_utc_ns
from edge_agent.drivers.contract import FrameError
from edge_agent.drivers.envelope import bcd_bytes, bcd_number

_HEAT_TYPES: Final = range(0x20, 0x2A)
_CLOCK, _STATUS = 7, 2


class Item(NamedTuple):
    """A number in a reading: bytes of BCD, decimals, and what is measured by the unit whose code follows, if any."""

    name: str
    size: int
    decimals: int
    dimension: Dimension | None = None

    @property
    def span(self) -> int:
        """Bytes with its unit code."""
        return self.size + (self.dimension is not None)


class Status(NamedTuple):
    """The status ST: the first byte as in the standard, the second is the maker's own."""

    valve: int
    """0 open, 1 closed, 3 faulty."""
    battery_low: bool
    rest: int = 0
    """The other bits of the first byte: reserved, or the maker's."""
    maker: int = 0


class Quantity(NamedTuple):
    """A number, None where the meter has none, and the code of its unit."""

    value: Fraction | None
    code: int | None = None


class Reading(NamedTuple):
    """A meter's reading; ``time_ns`` (UTC) is None where its clock was never set."""

    quantities: Mapping[str, Quantity]
    time_ns: int | None
    status: Status


_WATER: Final = (Item("total", 4, 2, Dimension.VOLUME), Item("settled", 4, 2, Dimension.VOLUME))
_HEAT: Final = (
    Item("settled", 4, 2, Dimension.ENERGY),
    Item("heat", 4, 2, Dimension.ENERGY),
    Item("power", 4, 2, Dimension.POWER),
    Item("flow", 4, 4, Dimension.FLOW),
    Item("volume", 4, 2, Dimension.VOLUME),
    Item("supply", 3, 2),
    Item("return", 3, 2),
    Item("hours", 3, 0),
)


def layout(meter_type: int) -> tuple[Item, ...]:
    """The numbers in the reading of a type of meter, in their order."""
    return _HEAT if meter_type in _HEAT_TYPES else _WATER


def encode_reading(meter_type: int, reading: Reading) -> bytes:
    """The data of a reading (for simulated meters); raises FrameError for one that can't be."""
    data = b""
    for item in layout(meter_type):
        value, code = reading.quantities[item.name]
        _check_unit(item, code)
        digits = b"\xff" * item.size if value is None else bcd_bytes(_digits(item, value), item.size)
        data += digits + (b"" if code is None else bytes((code,)))
    return data + _encode_time(reading.time_ns) + _encode_status(reading.status)


def _check_unit(item: Item, code: int | None) -> None:
    found = None if code is None else UNIT_OF_CODE.get(code)
    if (code is not None and found is None) or (found and found.dimension) is not item.dimension:
        shown = "none" if code is None else f"{code:02x}"
        raise FrameError(f"{item.name} with unit code {shown}, expected that of {item.dimension or 'no unit'}")


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
    digits, code = data[: item.size], data[item.size] if item.dimension else None
    _check_unit(item, code)
    value = None if digits == b"\xff" * item.size else Fraction(bcd_number(digits), 10**item.decimals)
    return Quantity(value, code)


def _encode_time(time_ns: int | None) -> bytes:
    return bytes(_CLOCK) if time_ns is None else bcd_bytes(int(from_utc_ns(time_ns, 2 * _CLOCK)), _CLOCK)


def _decode_time(data: bytes) -> int | None:
    return None if data in (bytes(_CLOCK), b"\xff" * _CLOCK) else to_utc_ns(data[::-1].hex())


def _encode_status(status: Status) -> bytes:
    first = status.valve & 3 | status.battery_low << 2 | status.rest & 0xF8
    return bytes((first, status.maker & 0xFF))


def _decode_status(data: bytes) -> Status:
    return Status(data[0] & 3, bool(data[0] & 4), data[0] & 0xF8, data[1])
