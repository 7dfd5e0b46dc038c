"""Fields of SDI-12 1.4: a value of a measurement, by its command and its place in the answer, counted from 1.

    M.1      first value of aM!                  M3.2     second value of aM3!
    C.4      fourth value of aC! (concurrent)    C1.20    twentieth value of aC1!
    R0.3     third value of aR0! (continuous)    V.1      first value of aV! (verification)
    HA.17    value of aHA! (high volume, text)   HB.256   value of aHB! (high volume, binary)

A C after the letter asks for a CRC, the only protection beyond parity that SDI-12 has: ``MC.1``, ``MC3.2``, ``CC.4``,
``RC0.3`` are values of aMC!, aMC3!, aCC! and aRC0!. High volume always has one.
"""

import re
from collections.abc import Iterable, Mapping
from enum import StrEnum
from typing import Final, NamedTuple


class Kind(StrEnum):
    """How a sensor measures (clauses 4.4.5 to 4.4.11 and 5)."""

    MEASURE = "M"
    CONCURRENT = "C"
    CONTINUOUS = "R"
    VERIFY = "V"
    HIGH_ASCII = "HA"
    HIGH_BINARY = "HB"

    @property
    def is_high(self) -> bool:
        """Whether it is of high volume."""
        return self in (Kind.HIGH_ASCII, Kind.HIGH_BINARY)


class Sdi12Field(NamedTuple):
    """One value of a measurement."""

    kind: Kind
    number: int
    """Which of the sensor's measurements, 0 to 9; aM!, aHA! and aHB! are 0."""
    crc: bool
    place: int
    """From 1."""


_FIELD: Final = re.compile(r"(?:([MC])(C?)([1-9]?)|(R)(C?)([0-9])|(V|HA|HB)()())\.([1-9][0-9]{0,2})", re.ASCII)
_MOST: Final = {
    Kind.MEASURE: 9,
    Kind.VERIFY: 9,
    Kind.CONCURRENT: 99,
    Kind.CONTINUOUS: 37,
    Kind.HIGH_ASCII: 999,
    Kind.HIGH_BINARY: 999,
}
"""Values in one measurement: what one to three digits can count, or 75 characters hold."""


def parse(text: str) -> Sdi12Field:
    """Read a field; raises ValueError."""
    found = _FIELD.fullmatch(text)
    if found is None:
        raise ValueError(
            f"{text!r} is no SDI-12 field, expected like 'M.1', 'M3.2', 'MC.1', 'CC1.4', 'R0.3', 'V.1', 'HA.17' or "
            "'HB.17'"
        )
    kind, crc, number = (part for part in found.groups()[:-1] if part is not None)
    field = Sdi12Field(Kind(kind), int(number or 0), crc == "C" or Kind(kind).is_high, int(found[10]))
    if field.place > _MOST[field.kind]:
        raise ValueError(f"{text!r} is value {field.place}, expected 1 to {_MOST[field.kind]} for {field.kind}")
    return field


def measurements(wanted: Mapping[str, Sdi12Field]) -> list[dict[str, Sdi12Field]]:
    """Fields by the measurement that brings them, in the order in which the measurements are named first."""
    found: dict[tuple[Kind, int], dict[str, Sdi12Field]] = {}
    for text, field in wanted.items():
        found.setdefault((field.kind, field.number), {})[text] = field
    return list(found.values())


def command(fields: Iterable[Sdi12Field]) -> str:
    """What starts the measurement that brings some fields, without address: ``MC3``; with a CRC if any wants one."""
    first, *_ = all_ = tuple(fields)
    crc = "C" if any(field.crc for field in all_) and not first.kind.is_high else ""
    return f"{first.kind}{crc}{first.number if first.number or first.kind is Kind.CONTINUOUS else ''}"
