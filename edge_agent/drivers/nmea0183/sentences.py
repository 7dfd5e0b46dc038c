"""What the fields of the supported sentences mean; ``compose`` goes the other way.

The order of the fields follows the documentation of gpsd ("NMEA Revealed") and was compared with recorded sentences of
Airmar and Navico instruments. A number comes under its name in ``device_profiles.fields.nmea0183``, unit included.
"""

import math
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import Enum
from typing import Final, NamedTuple

from device_profiles.fields.nmea0183 import NmeaField, parse
from edge_agent.drivers.contract import FrameError, Number
from telemetry.quality import Cause, Quality

_NUMBER: Final = re.compile(r"[+-]?(?:\d{1,12}(?:\.\d{0,12})?|\.\d{1,12})")
_CLOCK: Final = re.compile(r"(\d\d)(\d\d)(\d\d)(?:\.(\d{1,9}))?")
_DATE: Final = re.compile(r"(\d\d)(\d\d)(\d\d)")
_FIRST_YEAR: Final = 80
"""Two digits of a year from here on mean the 20th century: no receiver is older than GPS."""
_DAY_NS: Final = 86_400 * 10**9
_SET_NS: Final = 1_577_836_800 * 10**9
"""2020: a clock that shows less was never set, and can't say which day it is."""
_ANGLE: Final = {
    "NS": (re.compile(r"(\d{2})([0-5]\d(?:\.\d{1,12})?)"), 2, 90.0),
    "EW": (re.compile(r"(\d{3})([0-5]\d(?:\.\d{1,12})?)"), 3, 180.0),
}

Doubt = tuple[Quality, Cause]
_SURE: Final[Doubt] = (Quality.UNCHECKED, Cause.NONE)
_VOID: Final[Doubt] = (Quality.BAD, Cause.DEVICE)
_ESTIMATED: Final[Doubt] = (Quality.SUSPECT, Cause.DEVICE)
_MANUAL: Final[Doubt] = (Quality.SUSPECT, Cause.MANUAL)
_SIMULATED: Final[Doubt] = (Quality.BAD, Cause.MANUAL)
_NOTHING: Final = Number(math.nan, Quality.MISSING, Cause.DEVICE)

_STATUS: Final = {"A": _SURE, "V": _VOID}
_MODES: Final = {
    **dict.fromkeys(("", "A", "D", "F", "P", "R"), _SURE),
    "E": _ESTIMATED,
    "M": _MANUAL,
    "N": _VOID,
    "S": _SIMULATED,
}
_FIXES: Final = {"0": _VOID, **dict.fromkeys("12345", _SURE), "6": _ESTIMATED, "7": _MANUAL, "8": _SIMULATED}


class Form(Enum):
    """How a number and the letter beside it are read."""

    PLAIN = "the letter is the unit"
    ANGLE = "degrees and minutes in one, and a hemisphere"
    SIGNED = "the letter is the sign"


class Slot(NamedTuple):
    """Where a number stands: its field, that of the letter beside it, and the letters that may be there."""

    part: str
    at: int
    letter_at: int | None = None
    letters: str = ""
    """Without ``letter_at``: the unit that the standard fixes."""
    form: Form = Form.PLAIN
    judged: bool = True
    """Whether the sentence's own status speaks of this number."""


@dataclass(frozen=True, slots=True)
class Layout:
    """The fields of a sentence: how many, the numbers in them, and whether they are in doubt."""

    slots: tuple[Slot, ...]
    sizes: tuple[int, ...]
    reference_at: int | None = None
    doubt: Callable[[Sequence[str]], Doubt] = lambda _: _SURE
    status: tuple[int, str, str] | None = None
    """The field in which a device says that all is well, or that it is not, and how it says so."""


def _worst(fields: Sequence[str], *tables: tuple[int, Mapping[str, Doubt]]) -> Doubt:
    found = [_SURE]
    for at, table in tables:
        text = fields[at] if at < len(fields) else ""
        if text not in table:
            raise FrameError(f"status {text!r} in field {at + 1}, expected one of {', '.join(filter(None, table))}")
        found.append(table[text])
    return max(found)


def _pairs(*slots: tuple[str, int, str]) -> tuple[Slot, ...]:
    return tuple(Slot(part, at, at + 1, letters) for part, at, letters in slots)


LAYOUTS: Final = {
    "MWV": Layout(
        (Slot("angle", 0), Slot("speed", 2, 3, "KMNS")),
        (5,),
        reference_at=1,
        doubt=lambda fields: _worst(fields, (4, _STATUS)),
        status=(4, "A", "V"),
    ),
    "MWD": Layout(_pairs(("direction", 0, "T"), ("direction", 2, "M"), ("speed", 4, "N"), ("speed", 6, "M")), (8,)),
    "MTW": Layout(_pairs(("temperature", 0, "C")), (2,)),
    "MDA": Layout(
        (
            *_pairs(("pressure", 0, "I"), ("pressure", 2, "B"), ("air", 4, "C"), ("water", 6, "C")),
            Slot("humidity", 8),
            Slot("absolute-humidity", 9),
            *_pairs(("dew-point", 10, "C"), ("direction", 12, "T"), ("direction", 14, "M")),
            *_pairs(("speed", 16, "N"), ("speed", 18, "M")),
        ),
        (20,),
    ),
    "GGA": Layout(
        (
            Slot("latitude", 1, 2, "NS", Form.ANGLE),
            Slot("longitude", 3, 4, "EW", Form.ANGLE),
            Slot("quality", 5, judged=False),
            Slot("satellites", 6, judged=False),
            Slot("hdop", 7, judged=False),
            *_pairs(("altitude", 8, "M"), ("separation", 10, "M")),
        ),
        (14,),
        doubt=lambda fields: _worst(fields, (5, _FIXES)),
        status=(5, "1", "0"),
    ),
    "RMC": Layout(
        (
            Slot("latitude", 2, 3, "NS", Form.ANGLE),
            Slot("longitude", 4, 5, "EW", Form.ANGLE),
            Slot("speed", 6, letters="N"),
            Slot("course", 7, letters="T"),
            Slot("variation", 9, 10, "EW", Form.SIGNED),
        ),
        (11, 12, 13),
        doubt=lambda fields: _worst(fields, (1, _STATUS), (11, _MODES)),
        status=(1, "A", "V"),
    ),
    "VTG": Layout(
        _pairs(("course", 0, "T"), ("course", 2, "M"), ("speed", 4, "N"), ("speed", 6, "K")),
        (8, 9),
        doubt=lambda fields: _worst(fields, (8, _MODES)),
        status=(8, "A", "N"),
    ),
    "HDT": Layout(_pairs(("heading", 0, "T")), (2,)),
}
"""The sentences whose fields are fixed; XDR, which names its own, is read apart."""


@dataclass(frozen=True, slots=True)
class Sentence:
    """A sentence: who talks (``P``: its maker, not the standard, defines it), of what, and the fields as text.

    ``start`` is ``$``, or ``!`` where the fields carry something encapsulated (AIS).
    """

    talker: str
    kind: str
    fields: tuple[str, ...] = ()
    start: str = "$"


def numbers(sentence: Sentence) -> dict[str, Number] | None:
    """The numbers of a sentence by field, None for a sentence that is not supported; raises FrameError."""
    if sentence.kind == "XDR":
        return _transducers(sentence.fields)
    layout = LAYOUTS.get(sentence.kind)
    if layout is None:
        return None
    fields = sentence.fields
    if len(fields) not in layout.sizes:
        raise FrameError(f"{len(fields)} fields in {sentence.kind}, expected {' or '.join(map(str, layout.sizes))}")
    doubt = layout.doubt(fields)
    reference = "" if layout.reference_at is None else _letter(fields[layout.reference_at], "RT")
    found: dict[str, Number] = {}
    for slot in layout.slots:
        unit = _unit(slot, fields)
        if unit is not None:
            name = str(NmeaField(sentence.kind, reference, slot.part, unit))
            found[name] = _number(slot, fields, doubt if slot.judged else _SURE)
    return found


def _letter(text: str, letters: str) -> str:
    if len(text) != 1 or text not in letters:
        raise FrameError(f"letter {text!r}, expected one of {', '.join(letters)}")
    return text


def _unit(slot: Slot, fields: Sequence[str]) -> str | None:
    """The unit in the name of a number; None where neither a number nor its unit was sent."""
    if slot.form is not Form.PLAIN:
        return ""
    if slot.letter_at is None:
        return slot.letters
    text = fields[slot.letter_at]
    if text or fields[slot.at]:
        return _letter(text, slot.letters)
    return slot.letters if len(slot.letters) == 1 else None


def _number(slot: Slot, fields: Sequence[str], doubt: Doubt) -> Number:
    text = fields[slot.at]
    if not text:
        return _NOTHING
    value = _angle(text, slot.letters) if slot.form is Form.ANGLE else _plain(text)
    if slot.form is not Form.PLAIN and slot.letter_at is not None:
        value = -value if _letter(fields[slot.letter_at], slot.letters) in "SW" else value
    return Number(value, *doubt)


def _plain(text: str) -> float:
    if not _NUMBER.fullmatch(text):
        raise FrameError(f"{text!r}, expected a number")
    return float(text)


def _angle(text: str, letters: str) -> float:
    pattern, digits, limit = _ANGLE[letters]
    found = pattern.fullmatch(text)
    value = int(found[1]) + float(found[2]) / 60 if found else math.inf
    if value > limit:
        raise FrameError(f"{text!r}, expected {digits} digits of degrees and minutes up to {limit:g} degrees")
    return value


def _transducers(fields: Sequence[str]) -> dict[str, Number]:
    if len(fields) % 4:
        raise FrameError(f"{len(fields)} fields in XDR, expected type, number, unit and name of each transducer")
    found: dict[str, Number] = {}
    for at in range(0, len(fields), 4):
        kind, text, unit, name = fields[at : at + 4]
        field = _named(str(NmeaField("XDR", kind, name, unit)))
        if field in found:
            raise FrameError(f"{field} twice in one sentence, expected it once")
        found[field] = Number(_plain(text)) if text else _NOTHING
    return found


def _named(text: str) -> str:
    try:
        return str(parse(text))
    except ValueError as exc:
        raise FrameError(f"transducer {text}, expected type, name and unit like 'XDR/C/AIRT/C'") from exc


def time_of(sentence: Sentence, now_ns: int) -> int | None:
    """The time in UTC that a sentence itself gives, None where it gives none or does not vouch for it.

    RMC carries a date; GGA the time of a day, which is taken as the one nearest to ``now_ns`` (none while that clock
    was never set). Raises FrameError.
    """
    fields = sentence.fields
    if sentence.kind not in ("RMC", "GGA") or not fields[0] or LAYOUTS[sentence.kind].doubt(fields) != _SURE:
        return None
    of_day = _clock(fields[0])
    if sentence.kind == "RMC":
        return _date(fields[8]) + of_day if fields[8] else None
    if now_ns < _SET_NS:
        return None
    midnight = now_ns // _DAY_NS * _DAY_NS
    return min((midnight + days * _DAY_NS + of_day for days in (-1, 0, 1)), key=lambda time: abs(time - now_ns))


def _clock(text: str) -> int:
    found = _CLOCK.fullmatch(text)
    if not found or int(found[1]) > 23 or int(found[2]) > 59 or int(found[3]) > 59:
        raise FrameError(f"time {text!r}, expected hhmmss.ss")
    seconds = int(found[1]) * 3600 + int(found[2]) * 60 + int(found[3])
    return seconds * 10**9 + int((found[4] or "").ljust(9, "0"))


def _date(text: str) -> int:
    found = _DATE.fullmatch(text)
    if not found:
        raise FrameError(f"date {text!r}, expected ddmmyy")
    day, month, year = map(int, found.groups())
    try:
        date = datetime(year + (1900 if year >= _FIRST_YEAR else 2000), month, day, tzinfo=UTC)
    except ValueError as exc:
        raise FrameError(f"date {text!r}, expected a day of the calendar as ddmmyy") from exc
    return int(date.timestamp()) * 10**9
