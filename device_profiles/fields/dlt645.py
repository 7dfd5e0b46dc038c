"""Fields of DL/T 645-2007: a number by its data identifier (DI3 DI2 DI1 DI0 in hexadecimal, annex A).

    02010100                      voltage of phase A; width, decimals and sign of the common identifiers are known
    04000401 bcd6 .0              any other: six bytes of BCD without decimals
    02030000 bcd3 .4 signed       the highest bit is a sign
    0201FF00 bcd2 .1 at 2         the number at byte 2 of a block: voltage of phase B, in one request with its sisters

What a field says itself goes before what is known of its identifier: meters differ.
"""

import re
from typing import Final, NamedTuple


class Format(NamedTuple):
    """How a number is written: bytes of BCD, decimals, and whether the highest bit is a sign."""

    size: int
    decimals: int
    signed: bool = False


class Dlt645Field(NamedTuple):
    """A number; ``at`` is its place in a block of data, None where it is all of the data."""

    identifier: int
    format: Format
    at: int | None = None


_FIELD: Final = re.compile(r"([0-9A-F]{8})(?: bcd([1-8]) \.([0-9])( signed)?(?: at ([0-9]{1,3}))?)?", re.ASCII)
_EXPECTED: Final = "expected like '02010100', '04000401 bcd6 .0', '02030000 bcd3 .4 signed' or '0201FF00 bcd2 .1 at 2'"
_ENERGY, _VARIABLE = 0x00, 0x02
_MAX_TARIFF, _MAX_SETTLEMENT = 0x3F, 0x0C
_ENERGY_SUM: Final = Format(4, 2, signed=True)
_ENERGY_PLAIN: Final = Format(4, 2)
_ENERGIES: Final = {kind: _ENERGY_SUM if kind in (0x00, 0x03, 0x04) else _ENERGY_PLAIN for kind in range(0x0B)}
"""DI2: combined active, active in and out, combined reactive 1 and 2, four quadrants, apparent in and out."""
_PHASE_ENERGIES: Final = (0x15, 0x16, 0x29, 0x2A, 0x3D, 0x3E)
"""DI2: active energy in and out of phases A, B and C."""
_VOLTAGE, _CURRENT, _POWER = Format(2, 1), Format(3, 3, signed=True), Format(3, 4, signed=True)
_FACTOR, _ANGLE, _DISTORTION = Format(2, 3, signed=True), Format(2, 1), Format(2, 2)
_TOTAL_AND_PHASES, _PHASES = range(4), range(1, 4)
_VARIABLES: Final = {
    **{0x02010000 | phase << 8: _VOLTAGE for phase in _PHASES},
    **{0x02020000 | phase << 8: _CURRENT for phase in _PHASES},
    **{0x02030000 | phase << 8: _POWER for phase in _TOTAL_AND_PHASES},
    **{0x02040000 | phase << 8: _POWER for phase in _TOTAL_AND_PHASES},
    **{0x02050000 | phase << 8: _POWER for phase in _TOTAL_AND_PHASES},
    **{0x02060000 | phase << 8: _FACTOR for phase in _TOTAL_AND_PHASES},
    **{0x02070000 | phase << 8: _ANGLE for phase in _PHASES},
    **{0x02080000 | phase << 8: _DISTORTION for phase in _PHASES},
    **{0x02090000 | phase << 8: _DISTORTION for phase in _PHASES},
    0x02800001: _CURRENT,  # in the neutral conductor
    0x02800002: Format(2, 2),  # frequency
    0x02800003: _POWER,  # active, mean of a minute
    0x02800004: _POWER,  # demand: active, reactive, apparent
    0x02800005: _POWER,
    0x02800006: _POWER,
    0x02800007: Format(2, 1, signed=True),  # temperature in the meter
    0x02800008: Format(2, 2),  # voltage of the clock's battery
    0x02800009: Format(2, 2),  # voltage of the battery that serves without mains
    0x0280000A: Format(4, 0),  # minutes on battery
}
"""Table A.3; V, A, kW, kvar, kVA, degrees, %, Hz, Celsius."""


def known(identifier: int) -> Format | None:
    """How the number of a common identifier is written; None for others."""
    group, kind, tariff, settlement = identifier.to_bytes(4, "big")
    if group != _ENERGY:
        return _VARIABLES.get(identifier)
    if tariff > (_MAX_TARIFF if kind in _ENERGIES else 0) or settlement > _MAX_SETTLEMENT:
        return None
    return _ENERGIES.get(kind, _ENERGY_PLAIN if kind in _PHASE_ENERGIES else None)


def parse(text: str) -> Dlt645Field:
    """Read a field; raises ValueError."""
    found = _FIELD.fullmatch(text)
    if found is None:
        raise ValueError(f"{text!r} is no DL/T 645 field, {_EXPECTED}")
    identifier = int(found[1], 16)
    if found[2] is None:
        if (format_ := known(identifier)) is None:
            raise ValueError(f"{text!r} is no identifier whose width is known, {_EXPECTED}")
        return Dlt645Field(identifier, format_)
    size, decimals, at = int(found[2]), int(found[3]), int(found[5]) if found[5] else None
    return Dlt645Field(identifier, Format(size, decimals, signed=bool(found[4])), at)
