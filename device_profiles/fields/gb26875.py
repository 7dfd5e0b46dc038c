"""Numbers of GB/T 26875.3-2011, which fire alarm transmitters send: bits of states, whole states, analog values.

Systems are named by type and address, components by zone and number (the low and the high half of the component
address), all decimal::

    system/1.0/fire              fire alarm system (type 1) with address 0: 1 while it reports a fire
    system/1.0/state             its sixteen bits as one number
    component/1.1/10.2/fire      component 2 in zone 10 of system 1.1
    component/1.1/10.2/state     its sixteen bits as one number
    analog/1.1/10.2/temperature  analog value in the standard's steps (here 0.1 degrees Celsius)
    analog/1.1/10.2/130          analog value of a type that the user defined (128 to 255)
    operation/1.0/reset          what somebody did at the system: 1 when it was done
    transmitter/mains-fault      the transmitter itself; transmitter/state for its eight bits
    transmitter-operation/duty-answer
"""

import re
from typing import Final, NamedTuple

_COMMON: Final = ("normal", "fire", "fault", "shielded", "supervised", "started", "feedback", "delayed")
_DONE: Final = ("reset", "muted", "manual-alarm", "alarm-cleared", "self-test")
BITS: Final = {
    "system": (*_COMMON, "mains-fault", "backup-fault", "bus-fault", "manual", "changed", "reset"),
    "component": (*_COMMON, "power-fault"),
    "operation": (*_DONE, "confirmed", "tested"),
    "transmitter": ("normal", "fire", "fault", "mains-fault", "backup-fault", "link-fault", "line-fault"),
    "transmitter-operation": (*_DONE, "duty-answer", "tested"),
}
"""Names of the bits from bit 0 on (clauses 8.2.1.1, 8.2.1.2, 8.2.1.4, 8.2.1.8 and 8.2.1.9)."""

STATE: Final = "state"
ANALOGS: Final = (
    *("count", "height", "temperature", "pressure-mpa", "pressure-kpa", "gas"),
    *("time", "voltage", "current", "flow", "air-flow", "wind-speed"),
)
"""Analog types from 1 on (clause 8.2.1.3)."""
USER_ANALOGS: Final = range(128, 256)

_PARTS: Final = {"system": 1, "component": 2, "analog": 2, "operation": 1, "transmitter": 0, "transmitter-operation": 0}
"""Pairs of numbers between the kind and the last part."""
_PAIR: Final = re.compile(r"(0|[1-9]\d{0,4})\.(0|[1-9]\d{0,4})")
_LIMITS: Final = (0xFF, 0xFFFF)


class Gb26875Field(NamedTuple):
    """A number's name in its parts; ``str`` writes it as a profile does."""

    kind: str
    """``system``, ``component``, ``analog``, ``operation``, ``transmitter`` or ``transmitter-operation``."""
    system: tuple[int, int] | None
    """Type and address."""
    component: tuple[int, int] | None
    """Zone and number."""
    part: str

    def __str__(self) -> str:
        pairs = (f"{pair[0]}.{pair[1]}" for pair in (self.system, self.component) if pair is not None)
        return "/".join((self.kind, *pairs, self.part))


def analog_name(code: int) -> str | None:
    """What an analog type is called in a field, None for one that the standard reserves."""
    if code in USER_ANALOGS:
        return str(code)
    return ANALOGS[code - 1] if 1 <= code <= len(ANALOGS) else None


def parse(text: str) -> Gb26875Field:
    """Read a field; raises ValueError that says what was found and what was expected."""
    kind, *places, part = text.split("/")
    if _PARTS.get(kind) != len(places):
        expected = "'system/1.0/fire', 'component/1.1/10.2/fire', 'analog/1.1/10.2/temperature' or 'transmitter/fire'"
        raise ValueError(f"{text!r} is no field, expected like {expected}")
    pairs = [_pair(text, place, limit) for place, limit in zip(places, _LIMITS, strict=False)]
    _check_part(kind, part)
    system, component = (*pairs, None, None)[:2]
    return Gb26875Field(kind, system, component, part)


def _pair(text: str, place: str, limit: int) -> tuple[int, int]:
    found = _PAIR.fullmatch(place)
    if found is None or max(int(found[1]), int(found[2])) > limit:
        raise ValueError(f"{place!r} in {text!r}, expected two numbers from 0 to {limit} like '1.0'")
    return int(found[1]), int(found[2])


def _check_part(kind: str, part: str) -> None:
    if kind == "analog":
        if part not in ANALOGS and not (part.isdecimal() and part.isascii() and int(part) in USER_ANALOGS):
            raise ValueError(f"analog type {part!r}, expected 128 to 255 or one of {', '.join(ANALOGS)}")
    elif part != STATE and part not in BITS[kind]:
        raise ValueError(f"part {part!r} of {kind}, expected {STATE} or one of {', '.join(BITS[kind])}")
