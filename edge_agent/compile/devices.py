"""A device with its profile: its series, and how each number is taken from what it sends."""

from collections.abc import Sequence
from typing import Any, Final, TypedDict, TypeVar

import numpy as np

from device_profiles import model
from device_profiles.field_model import FieldProfile
from device_profiles.model import Measured, Profile
from edge_agent import columns
from edge_agent.columns import PointSettings
from edge_agent.compile.deployments import announced, standing
from edge_agent.compile.place import Place
from edge_agent.compiled import DevicePlan, FieldDevicePlan
from edge_agent.plan import Limits, Span
from edge_agent.screening import Screening
from edge_agent.settings import DeviceSettings
from telemetry.batch import I64, MILLISECOND_NS
from telemetry.clock import SECOND_NS
from telemetry.codes import Codes
from telemetry.deployment import Deployment
from telemetry.series import Series, identify, series_id

P = TypeVar("P", bound=Measured)
_AS_IN_PROFILE: Final = PointSettings()


def modbus_device(place: Place, device: DeviceSettings, profile: Profile, fraction: float) -> DevicePlan:
    """A Modbus device; ``fraction`` is the part of its period by which it is polled late. Raises SettingsError."""
    taken = used(device, profile.points)
    try:
        common = _common(place, device, taken, [device.period_s] * len(taken), fraction)
        gates = {name: at for at, name in enumerate(profile.gates)}
        found = tuple(columns.column(point, here, gates) for point, here in taken)
    except ValueError as exc:
        raise place.error(str(exc), "points") from exc
    return DevicePlan(
        **common,
        address=f"unit {device.unit}",
        pause_s=profile.pause_after_ms / 1000,
        unit=device.unit,
        columns=found,
        gates=tuple(map(columns.gate_column, profile.gates.values())),
        limits=_limits(profile),
        attributes=tuple(profile.attributes.items()),
    )


def field_device(place: Place, device: DeviceSettings, profile: FieldProfile, fraction: float) -> FieldDevicePlan:
    """A device of another protocol, as ``modbus_device``."""
    taken = used(device, profile.points)
    periods_s = [device.period_s if point.period_s is None else point.period_s for point, _ in taken]
    try:
        common = _common(place, device, taken, periods_s, fraction)
        found = tuple(columns.field_column(point, here) for point, here in taken)
    except ValueError as exc:
        raise place.error(str(exc), "points") from exc
    return FieldDevicePlan(
        **common,
        address=address(device, profile),
        pause_s=profile.pause_after_ms / 1000,
        columns=found,
        periods_ns=np.array([_whole_ns(period_s) for period_s in periods_s], np.int64),
    )


def address(device: DeviceSettings, profile: FieldProfile) -> str:
    """What a device is called on its line, empty where nobody has said."""
    return device.address or profile.address or ""


def used(device: DeviceSettings, points: Sequence[P]) -> list[tuple[P, PointSettings]]:
    """The points that a site takes, each with what it does to it."""
    found = standing(device)
    both = [(point, found.get(point.name, _AS_IN_PROFILE)) for point in points]
    return [(point, here) for point, here in both if not here.skip]


class _Common(TypedDict):
    name: str
    series: tuple[Series, ...]
    codes: tuple[Codes, ...]
    ids: I64
    screenings: tuple[Screening, ...]
    period_ns: int
    phase_ns: int
    deployments: tuple[Deployment, ...]


def _common(
    place: Place,
    device: DeviceSettings,
    taken: Sequence[tuple[Any, PointSettings]],
    periods_s: Sequence[float],
    fraction: float,
) -> _Common:
    if not taken:
        raise ValueError("all points skipped, expected at least one")
    screenings = tuple(columns.screened(point, here) for point, here in taken)
    # The centre waits for a series as long as it may be held back here.
    waits_s = [max(period_s, one.longest_s) for period_s, one in zip(periods_s, screenings, strict=True)]
    series = tuple(
        columns.series(point, here, device.station, device.name, wait_s)
        for (point, here), wait_s in zip(taken, waits_s, strict=True)
    )
    identify(place.site, series)
    ids = [series_id(place.site, one.station, one.point, one.quantity) for one in series]
    period_ns = _whole_ns(device.period_s)
    return {
        "name": device.name,
        "series": series,
        "codes": _codes(taken, ids),
        "ids": np.array(ids, np.int64),
        "screenings": screenings,
        "period_ns": period_ns,
        "phase_ns": int(period_ns * fraction) // MILLISECOND_NS * MILLISECOND_NS,
        "deployments": announced(device, taken, series),
    }


def _codes(taken: Sequence[tuple[Measured, PointSettings]], ids: Sequence[int]) -> tuple[Codes, ...]:
    """The words of the points that are codes; a site that adds something to one has a code of its own."""
    return tuple(
        Codes(series=(series,), states=point.states, bits=point.bits)
        for (point, here), series in zip(taken, ids, strict=True)
        if (point.states or point.bits) and not here.offset
    )


def _whole_ns(period_s: float) -> int:
    """A period in whole milliseconds."""
    return round(period_s * SECOND_NS) // MILLISECOND_NS * MILLISECOND_NS


def _limits(profile: Profile) -> Limits:
    holes = (model.span(hole) for hole in profile.holes)
    return Limits(profile.max_registers, tuple(Span(table, first, end - first) for table, first, end in holes))
