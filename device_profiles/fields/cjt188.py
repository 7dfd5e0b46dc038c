"""Fields of CJ/T 188-2004: a number in the meter's reading, by data identifier, name and unit.

    901F.total m3        water and gas: volume in all          901F.settled m3     at the last settlement day
    901F.heat kWh        heat: energy in all                   901F.settled kWh    at the last settlement day
    901F.power kW        901F.flow m3/h        901F.volume m3
    901F.supply          901F.return           (Celsius)
    901F.hours           hours in work
    901F.clock           the meter's clock, seconds since 1970 UTC; it runs on China Standard Time
    901F.valve           0 open, 1 closed, 3 faulty
    901F.battery         0 well, 1 low

The two bytes of the identifier go over the line as written: editions and makers differ, and ``1F90.total m3`` sends 1F
first. The unit is the one that the number is wanted in; the meter sends its own, and is converted.
"""

from dataclasses import dataclass
from enum import StrEnum
from fractions import Fraction
from typing import Final, NamedTuple


class Dimension(StrEnum):
    """What a unit measures."""

    ENERGY = "energy"
    POWER = "power"
    VOLUME = "volume"
    FLOW = "flow"


@dataclass(frozen=True, slots=True)
class Unit:
    """A unit of CJ/T 188, its code on the line, and how many J, W, L or L/h it is."""

    code: int
    dimension: Dimension
    size: int


UNITS: Final = {
    "J": Unit(0x01, Dimension.ENERGY, 1),
    "Wh": Unit(0x02, Dimension.ENERGY, 3600),
    "kWh": Unit(0x05, Dimension.ENERGY, 3600 * 10**3),
    "MWh": Unit(0x08, Dimension.ENERGY, 3600 * 10**6),
    "100MWh": Unit(0x0A, Dimension.ENERGY, 3600 * 10**8),
    "kJ": Unit(0x0B, Dimension.ENERGY, 10**3),
    "MJ": Unit(0x0E, Dimension.ENERGY, 10**6),
    "GJ": Unit(0x11, Dimension.ENERGY, 10**9),
    "100GJ": Unit(0x13, Dimension.ENERGY, 10**11),
    "W": Unit(0x14, Dimension.POWER, 1),
    "kW": Unit(0x17, Dimension.POWER, 10**3),
    "MW": Unit(0x1A, Dimension.POWER, 10**6),
    "L": Unit(0x29, Dimension.VOLUME, 1),
    "m3": Unit(0x2C, Dimension.VOLUME, 10**3),
    "L/h": Unit(0x32, Dimension.FLOW, 1),
    "m3/h": Unit(0x35, Dimension.FLOW, 10**3),
}
UNIT_OF_CODE: Final = {unit.code: unit for unit in UNITS.values()}
ORDERS: Final = ("901F", "1F90")
_DIMENSIONS: Final = {
    "total": (Dimension.VOLUME,),
    "settled": (Dimension.VOLUME, Dimension.ENERGY),
    "heat": (Dimension.ENERGY,),
    "power": (Dimension.POWER,),
    "flow": (Dimension.FLOW,),
    "volume": (Dimension.VOLUME,),
    "supply": (),
    "return": (),
    "hours": (),
    "clock": (),
    "valve": (),
    "battery": (),
}


class Cjt188Field(NamedTuple):
    """A number of a reading; ``unit`` is the one that it is wanted in, None where it has no unit code."""

    identifier: str
    name: str
    unit: str | None


def convert(number: Fraction, code: int, unit: str) -> float:
    """A number from the unit of a code to another; raises ValueError where that can't be."""
    found, wanted = UNIT_OF_CODE.get(code), UNITS[unit]
    if found is None or found.dimension is not wanted.dimension:
        raise ValueError(f"unit code {code:02x}, expected one of {wanted.dimension}")
    return float(number * found.size / wanted.size)


def parse(text: str) -> Cjt188Field:
    """Read a field; raises ValueError."""
    identifier, dot, rest = text.partition(".")
    name, space, unit = rest.partition(" ")
    if identifier not in ORDERS or not dot or name not in _DIMENSIONS:
        raise ValueError(f"{text!r} is no CJ/T 188 field, expected 901F or 1F90 and one of {', '.join(_DIMENSIONS)}")
    units = [known for known, of in UNITS.items() if of.dimension in _DIMENSIONS[name]]
    if (bool(space) is not bool(units)) or (space and unit not in units):
        raise ValueError(f"{text!r} in {unit or 'no unit'}, expected {' or '.join(units) or 'none'}")
    return Cjt188Field(identifier, name, unit or None)
