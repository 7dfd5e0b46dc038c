"""One recording on one device: which column stands at which point, what fits its registers, and where it plays."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from device_profiles import convert, model
from device_profiles.model import Point, Profile
from simulators.recorded import Column, Played, Recording
from simulators.twin import OWN, Choice, Unit
from telemetry.quantity import QUANTITIES
from telemetry.settings import SettingsError
from telemetry.units import conversion

STATION = "recorded"


@dataclass(frozen=True, slots=True, kw_only=True)
class Head:
    """Where a recording stands: at ``from_ns`` of its own time when data time is ``begins_ns``.

    ``speed`` recorded seconds pass in one of data time; with ``loop``, what follows ``end_ns`` is the time from
    ``from_ns`` on again.
    """

    from_ns: int
    end_ns: int
    begins_ns: int
    speed: float = 1.0
    loop: bool = False

    def __call__(self, time_ns: int) -> int:
        """The recorded time of a moment of data time."""
        played = round((time_ns - self.begins_ns) * self.speed)
        return self.from_ns + (played % (self.end_ns - self.from_ns) if self.loop else played)

    def until_ns(self) -> int | None:
        """The data time at which the recording is over; None when it never is."""
        return None if self.loop else self.begins_ns + round((self.end_ns - self.from_ns) / self.speed)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Play:
    """A recording and the device that shows it; ``profile`` with its variant applied."""

    profile: Profile
    recording: Recording
    unit: int

    def device(self) -> Unit:
        """The device; points that were not recorded are not asked for."""
        skipped = {name: Choice(skip=True) for name in self.unrecorded}
        return Unit(device=self.profile.name, unit=self.unit, profile=self.profile, station=STATION, points=skipped)

    @property
    def points(self) -> tuple[Point, ...]:
        """The points that show the recording, in the order of the profile."""
        return tuple(point for point in self.profile.points if point.name in self.recording.values)

    @property
    def unrecorded(self) -> tuple[str, ...]:
        """The points that the recording has nothing for: their registers rest at 0, or as gates need them."""
        return tuple(point.name for point in self.profile.points if point.name not in self.recording.values)

    def shown(self, head: Head, time_ns: int) -> dict[str, float]:
        """What stands on the device at a moment by point, in the device's own units; NaN where it shows a gap."""
        observe = Played(self.recording, head)
        return {
            point.name: _as_shown(point, observe(STATION, point.name, point.quantity, time_ns)) for point in self.points
        }


def columns(profile: Profile, chosen: Sequence[str], headers: Iterable[str]) -> dict[str, Column]:
    """What the columns of a file are, by point: ``HEADER=POINT`` or ``HEADER=POINT:UNIT`` each.

    Without a unit a column is in the unit of the device. Without any choice, every header that names a point is taken.
    Raises SettingsError for a point, a unit or a choice that can't be.
    """
    points = {point.name: point for point in profile.points}
    if not chosen:
        return _by_name(points, headers)
    found: dict[str, Column] = {}
    for text in chosen:
        header, _, target = text.rpartition("=")
        name, _, unit = target.partition(":")
        if not header:
            raise SettingsError(f"--column {text!r}, expected HEADER=POINT or HEADER=POINT:UNIT")
        if name not in points or name in found:
            problem = "has its column already" if name in found else f"is no point of {profile.name}"
            raise SettingsError(f"--column {text!r}: {name!r} {problem}, expected one of {', '.join(points)}")
        found[name] = _column(text, header, unit, points[name])
    return found


def fits(play: Play, path: Path) -> None:
    """Refuse a recording that the device can't show, rather than play something else.

    Raises SettingsError for the first value that is too large or too small for its register.
    """
    for point in play.points:
        spot, values = model.register(point.register), play.recording.values[point.name]
        raw = convert.linear(point).raw(values)
        low, high = convert.limits(spot, point.mask)
        rounded = raw if spot.type.is_float else np.rint(raw)
        beyond = np.flatnonzero((rounded < low) | (rounded > high))
        if beyond.size:
            row = beyond[0]
            raise SettingsError(
                f"{path}:{play.recording.lines[row]}: {point.name} {values[row]:g} {QUANTITIES[point.quantity].unit} "
                f"is {raw[row]:g} in {point.register!r}, expected {low:g} to {high:g}"
            )


def _by_name(points: Mapping[str, Point], headers: Iterable[str]) -> dict[str, Column]:
    """Columns called like points, whatever stands between the words."""
    known = tuple(headers)
    alike = {header.strip().lower().replace("_", "-").replace(" ", "-"): header for header in known}
    found = {name: Column(alike[name], p.unit, p.quantity) for name, p in points.items() if name in alike}
    if not found:
        raise SettingsError(
            f"no column of {', '.join(known)} is called like a point, expected --column HEADER=POINT with a point of "
            f"{', '.join(points)}"
        )
    return found


def _column(text: str, header: str, unit: str, point: Point) -> Column:
    if point.quantity in OWN:
        raise SettingsError(f"--column {text!r}: {point.name!r} is the device's own, expected a point that it measures")
    try:
        conversion(unit or point.unit, QUANTITIES[point.quantity].unit)
    except ValueError as exc:
        raise SettingsError(f"--column {text!r}: {exc}") from exc
    return Column(header, unit or point.unit, point.quantity)


def _as_shown(point: Point, value: float) -> float:
    raw = convert.linear(point).raw(value)
    whole = raw if model.register(point.register).type.is_float or np.isnan(raw) else round(raw)
    return convert.shown(point, whole)
