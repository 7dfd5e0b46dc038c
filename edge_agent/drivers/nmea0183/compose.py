"""Sentences out of numbers: the device's side."""

import math
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Final

from device_profiles.fields.nmea0183 import NmeaField, parse
from edge_agent.drivers.contract import FrameError
from edge_agent.drivers.nmea0183.sentences import LAYOUTS, Form, Layout, Sentence, Slot

_DECIMALS: Final = 4


def compose(
    talker: str, kind: str, values: Mapping[str, float], *, time_ns: int | None = None, valid: bool = True
) -> Sentence:
    """A sentence that says these numbers by field, with four decimals at most; NaN leaves its place empty.

    ``time_ns`` (UTC) is for RMC and GGA, ``valid`` for the status of MWV, RMC, VTG and GGA. Raises FrameError for a
    field that is not of this sentence.
    """
    try:
        named = {parse(name): value for name, value in values.items()}
    except ValueError as exc:
        raise FrameError(str(exc)) from exc
    if strange := [str(field) for field in named if field.sentence != kind]:
        raise FrameError(f"{strange[0]} in {kind}, expected numbers of this sentence only")
    if kind == "XDR":
        return Sentence(talker, kind, _transducers(named))
    layout = LAYOUTS.get(kind)
    if layout is None:
        raise FrameError(f"unknown sentence {kind!r}, expected XDR or one of {', '.join(LAYOUTS)}")
    fields = [""] * layout.sizes[0]
    _write_status(layout, fields, named, valid=valid)
    for field, value in named.items():
        _write(_slot(layout, field), field, value, fields)
    if time_ns is not None and kind in ("RMC", "GGA"):
        _write_time(kind, fields, time_ns)
    return Sentence(talker, kind, tuple(fields))


def _transducers(named: Mapping[NmeaField, float]) -> tuple[str, ...]:
    return tuple(
        text for field, value in named.items() for text in (field.reference, _text(value), field.unit, field.part)
    )


def _slot(layout: Layout, field: NmeaField) -> Slot:
    return next(slot for slot in layout.slots if slot.part == field.part and field.unit in (*slot.letters, ""))


def _write_status(layout: Layout, fields: list[str], named: Mapping[NmeaField, float], *, valid: bool) -> None:
    if layout.status is not None:
        at, good, bad = layout.status
        fields += [""] * (at + 1 - len(fields))
        fields[at] = good if valid else bad
    if layout.reference_at is not None:
        references = {field.reference for field in named} or {"R"}
        if len(references) > 1:
            raise FrameError("angles of two references in one sentence, expected one")
        (fields[layout.reference_at],) = references


def _write(slot: Slot, field: NmeaField, value: float, fields: list[str]) -> None:
    if slot.form is Form.PLAIN:
        fields[slot.at] = _text(value)
        if slot.letter_at is not None:
            fields[slot.letter_at] = field.unit
        return
    if math.isnan(value) or slot.letter_at is None:
        return
    fields[slot.letter_at] = slot.letters[value < 0]
    fields[slot.at] = _text(abs(value)) if slot.form is Form.SIGNED else _angle(abs(value), slot.letters)


def _angle(degrees: float, letters: str) -> str:
    """Degrees and minutes; minutes are rounded before they are split off, so that 60 never stands there."""
    minutes = round(degrees * 60 * 10**_DECIMALS)
    whole, rest = divmod(minutes, 60 * 10**_DECIMALS)
    return f"{whole:0{2 if letters == 'NS' else 3}d}{rest / 10**_DECIMALS:0{3 + _DECIMALS}.{_DECIMALS}f}"


def _text(value: float) -> str:
    if math.isnan(value):
        return ""
    if not abs(value) < 10**9:
        raise FrameError(f"{value}, expected less than {10**9}")
    text = f"{value:.{_DECIMALS}f}".rstrip("0").rstrip(".")
    return "0" if text == "-0" else text


def _write_time(kind: str, fields: list[str], time_ns: int) -> None:
    moment = datetime.fromtimestamp(time_ns // 10**9, UTC)
    fields[0] = f"{moment:%H%M%S}.{time_ns % 10**9 // 10**7:02d}"
    if kind == "RMC":
        fields[8] = f"{moment:%d%m%y}"
