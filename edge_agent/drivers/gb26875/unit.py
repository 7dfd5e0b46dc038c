"""The data unit of GB/T 26875.3-2011 packets (clauses 7 and 8), both ways.

A unit is a type, a count, and so many objects of that type, each with its own time where the type has one.
"""

import struct
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from edge_agent.drivers import beijing
from edge_agent.drivers.contract import FrameError
from edge_agent.drivers.gb26875 import items
from edge_agent.drivers.gb26875.items import Item

_TEXT: Final = 31
"""Bytes of a component's description."""
_CODE: Final = "gb18030"
_PADDING: Final = "\0 "
_LABEL: Final = 6
_NO_LABEL: Final = bytes(_LABEL)


@dataclass(frozen=True, slots=True)
class _Layout:
    """How the objects of a type follow one another; ``most`` in one unit (clause 8.3.1)."""

    item: Any
    parts: struct.Struct
    most: int
    kind: str
    is_worded: bool = False
    """Whether a length and so many bytes of text follow the parts."""

    @property
    def is_timed(self) -> bool:
        return "time_ns" in self.item._fields


def _layout(item: Any, parts: str, most: int, kind: str, *, is_worded: bool = False) -> _Layout:
    return _Layout(item, struct.Struct(f"<{parts}"), most, kind, is_worded)


_LAYOUTS: Final = {
    1: _layout(items.SystemState, "2BH", 102, "system"),
    2: _layout(items.ComponentState, f"3B3H{_TEXT}s", 22, "component"),
    3: _layout(items.Analog, "3B2HBh", 63, "analog"),
    4: _layout(items.SystemOperation, "4B", 102, "operation"),
    5: _layout(items.SystemVersion, "4B", 1, "version"),
    6: _layout(items.SystemText, "2B", 3, "configuration", is_worded=True),
    7: _layout(items.ComponentText, f"3B2H{_TEXT}s", 26, "component-configuration"),
    8: _layout(items.SystemTime, "2B", 1, "clock"),
    21: _layout(items.TransmitterState, "B", 1, "transmitter"),
    24: _layout(items.TransmitterOperation, "2B", 127, "transmitter-operation"),
    25: _layout(items.TransmitterVersion, "2B", 1, "transmitter-version"),
    26: _layout(items.TransmitterText, "", 1, "transmitter-configuration", is_worded=True),
    28: _layout(items.TransmitterTime, "", 1, "transmitter-clock"),
}
_TYPES: Final = {layout.item: code for code, layout in _LAYOUTS.items()}


def kind(item: Item) -> str:
    """What an object is, in a word."""
    return _LAYOUTS[_TYPES[type(item)]].kind


def decode_unit(unit: bytes) -> tuple[Item, ...]:
    """The objects of a data unit; raises FrameError for an unknown type and for any byte too few or too many."""
    if len(unit) < 2:
        raise FrameError(f"data unit of {len(unit)} bytes, expected a type and a count")
    layout, count = _LAYOUTS.get(unit[0]), unit[1]
    if layout is None:
        raise FrameError(f"data unit of type {unit[0]}, expected one of {', '.join(map(str, _LAYOUTS))}")
    if not 1 <= count <= layout.most:
        raise FrameError(f"{count} objects of type {unit[0]}, expected 1 to {layout.most}")
    at, found = 2, []
    try:
        for _ in range(count):
            item, at = _decode(layout, unit, at)
            found.append(item)
    except (struct.error, IndexError) as exc:
        raise FrameError(f"{len(unit)} bytes for {count} objects of type {unit[0]}, expected more") from exc
    if at != len(unit):
        raise FrameError(f"{len(unit)} bytes for {count} objects of type {unit[0]}, expected {at}")
    return tuple(found)


def _decode(layout: _Layout, unit: bytes, at: int) -> tuple[Item, int]:
    values: list[Any] = [
        _read_text(part) if isinstance(part, bytes) else part for part in layout.parts.unpack_from(unit, at)
    ]
    at += layout.parts.size
    if layout.is_worded:
        length = unit[at]
        (text,) = struct.unpack_from(f"{length}s", unit, at + 1)
        values.append(_read_text(text))
        at += 1 + length
    if layout.is_timed:
        (written,) = struct.unpack_from(f"{_LABEL}s", unit, at)
        values.append(label_time(written))
        at += _LABEL
    return layout.item(*values), at


def encode_unit(objects: Sequence[Item]) -> bytes:
    """A data unit of objects of one type; raises FrameError for more than fit, and for what does not fit its bytes."""
    types = {_TYPES[type(item)] for item in objects}
    if len(types) != 1:
        raise FrameError(f"{len(objects)} objects of {len(types)} types in one unit, expected some of one type")
    (code,) = types
    layout = _LAYOUTS[code]
    if len(objects) > layout.most:
        raise FrameError(f"{len(objects)} objects of type {code}, expected at most {layout.most}")
    return bytes((code, len(objects))) + b"".join(_encode(layout, item) for item in objects)


def _encode(layout: _Layout, item: Item) -> bytes:
    values: list[Any] = list(item)
    time = label(values.pop()) if layout.is_timed else b""
    text = _write_text(values.pop(), 0xFF) if layout.is_worded else None
    parts = [_write_text(value, _TEXT) if isinstance(value, str) else value for value in values]
    try:
        head = layout.parts.pack(*parts)
    except struct.error as exc:
        raise FrameError(f"{item}: {exc}, expected numbers that fit their bytes") from exc
    return head + (b"" if text is None else bytes((len(text),)) + text) + time


def _read_text(raw: bytes) -> str:
    """Words for people; what is no GB 18030 in them spoils no number."""
    return raw.decode(_CODE, "replace").rstrip(_PADDING)


def _write_text(text: str, most: int) -> bytes:
    raw = text.encode(_CODE, "replace")
    if len(raw) > most:
        raise FrameError(f"{text!r} of {len(raw)} bytes, expected at most {most}")
    return raw


def label_time(written: bytes) -> int | None:
    """A time label (second, minute, hour, day, month, year; Beijing time) as UTC nanoseconds, None for no moment.

    A clock that was never set must not keep a fire alarm back, so a label that is no moment is not refused.
    """
    if any(part > 99 for part in written):
        return None
    try:
        return beijing.to_utc_ns("".join(f"{part:02d}" for part in reversed(written)))
    except FrameError:
        return None


def label(time_ns: int | None) -> bytes:
    """A moment of this century as a time label in whole seconds; zeros for None and any other moment."""
    if time_ns is None:
        return _NO_LABEL
    try:
        digits = beijing.from_utc_ns(time_ns, 12)
    except FrameError:
        return _NO_LABEL
    return bytes(int(digits[at : at + 2]) for at in range(10, -1, -2))
