"""A station that speaks SL 651-2014 in mode M2: every report is confirmed, or sent again."""

from collections.abc import Iterator, Sequence
from functools import partial
from typing import Final

from device_profiles.field_model import FieldPoint, FieldProfile
from device_profiles.fields import sl651
from edge_agent.drivers.sl651 import frames
from edge_agent.drivers.sl651.frames import Element, End, Frame, Group
from simulators.field_twin import FieldTwin
from simulators.talk.contract import Due, Message
from telemetry.span import MINUTE_NS

_TIMED: Final = 0x32
_CENTRE: Final = 1
_PASSWORD: Final = "1234"  # noqa: S105  # what stations leave the factory with
_RIVER, _RESERVOIR, _RAIN = 0x48, 0x4B, 0x50
"""Classes of stations (annex A)."""
_UPPER_WATER, _STAGE = "3B", "39"
_WIDTHS: Final = {
    "20": (3, 1),
    "22": (3, 1),
    "26": (3, 1),
    "27": (5, 3),
    "38": (2, 2),
    "39": (4, 3),
    "3A": (4, 3),
    "3B": (4, 3),
}
"""Bytes and decimals of common elements (annex C); the identifier says them, so that others are free to choose."""
_ANY_WIDTH: Final = (4, 3)
_SERIES_LENGTH, _SERIES_STEP_NS = 12, 5 * MINUTE_NS


class Sl651:
    """The devices' side."""

    def kind(self, point: FieldPoint) -> str:
        """The function code; a point of any report is in the timed one."""
        return f"{sl651.parse(point.field).function or _TIMED:02X}"

    def messages(self, due: Due, address: str, twin: FieldTwin, secret: str | None) -> Iterator[Message]:
        """One frame, or packages; moments of observation are whole minutes."""
        function, time_ns = int(due.kind, 16), due.time_ns // MINUTE_NS * MINUTE_NS
        groups = tuple(_groups(due.points, address, twin, time_ns))
        head = Frame(
            station=address,
            centre=_CENTRE,
            password=int(secret or _PASSWORD, 16),
            function=function,
            text=b"",
            end=End.ETX,
        )
        for frame in frames.upload(head, twin.serial(0x10000), due.time_ns, groups):
            yield Message(frames.encode(frame), partial(_is_confirmed, frame) if frame.end is End.ETX else None)


def _groups(points: Sequence[FieldPoint], address: str, twin: FieldTwin, time_ns: int) -> Iterator[Group]:
    """Twelve values of five minutes, where a report has some, and the numbers of now."""
    ordered = sorted(points, key=lambda point: sl651.parse(point.field).occurrence)
    named = [(sl651.parse(point.field).element, point) for point in ordered]
    series = [(guide, point) for guide, point in named if guide in frames.SERIES]
    group = partial(Group, station=address, station_class=_class([guide for guide, _ in named]))
    if series:
        first_ns = time_ns - (_SERIES_LENGTH - 1) * _SERIES_STEP_NS
        moments = [first_ns + at * _SERIES_STEP_NS for at in range(_SERIES_LENGTH)]
        elements = (frames.series(guide, [twin.at(point, moment) for moment in moments]) for guide, point in series)
        yield group(time_ns=first_ns, elements=tuple(elements))
    rest = [_element(guide, twin.at(point, time_ns)) for guide, point in named if guide not in frames.SERIES]
    if rest:
        yield group(time_ns=time_ns, elements=tuple(rest))


def _element(guide: str, value: float) -> Element:
    if guide == frames.STATUS:
        return Element(guide, int(value).to_bytes(4, "big"))
    return frames.element(guide, value, *_WIDTHS.get(guide, _ANY_WIDTH))


def _class(guides: Sequence[str]) -> int:
    if _UPPER_WATER in guides:
        return _RESERVOIR
    return _RIVER if _STAGE in guides else _RAIN


def _is_confirmed(sent: Frame, heard: bytes) -> bool:
    answers = [found for found in frames.splitter().feed(heard) if isinstance(found, Frame)]
    ends = {
        one.end for one in answers if not one.is_up and (one.station, one.function) == (sent.station, sent.function)
    }
    return bool(ends & {End.EOT, End.ACK, End.ESC})


def of(_: FieldProfile) -> Sl651:
    """How a device speaks."""
    return Sl651()
