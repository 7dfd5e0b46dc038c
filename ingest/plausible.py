"""What can't be of an announcement: each check gives the reason, or nothing."""

from typing import Final

import msgspec

from ingest.qc.checks import ABSURD
from telemetry.deployment import Deployment, DeploymentError, check
from telemetry.quantity import QUANTITIES
from telemetry.series import Series, Station
from telemetry.topics import is_name
from telemetry.wire import Announce

_DANGERS: Final = ("high", "low", "both", "none")
_PERIOD_S: Final = (0.001, 366 * 86_400.0)
_MODULUS: Final = (1e-6, ABSURD)


def impossible(series: Series) -> str | None:
    """Why a series can't be what it says, or None."""
    quantity = QUANTITIES.get(series.quantity)
    low, high = series.valid
    if not (is_name(series.station) and is_name(series.point)):
        return f"name {series.station}/{series.point}, expected lower-case letters, digits and hyphens"
    if quantity is None:
        return f"unknown quantity {series.quantity!r}"
    if series.unit != quantity.unit:
        return f"unit {series.unit!r}, expected {quantity.unit!r}, the canonical unit of {series.quantity}"
    if series.danger not in _DANGERS:
        return f"danger {series.danger!r}, expected one of {', '.join(_DANGERS)}"
    if not -ABSURD <= low < high <= ABSURD:
        return f"valid range {low} to {high}, expected two finite numbers in ascending order, {ABSURD:g} at most"
    return _outside("period", series.period_s, _PERIOD_S, " s") or _outside("modulus", series.modulus, _MODULUS)


def _outside(name: str, number: float | None, bounds: tuple[float, float], unit: str = "") -> str | None:
    low, high = bounds
    if number is None or low <= number <= high:
        return None
    return f"{name} {number}{unit}, expected {low:.9g} to {high:.9g}"


def nowhere(station: Station) -> str | None:
    """Why a station can't stand where it says, or None."""
    if -90 <= station.lat <= 90 and -180 <= station.lon <= 180:
        return None
    return f"station {station.id} at {station.lat}, {station.lon}, expected degrees of latitude and longitude"


def deployments_of(announce: Announce) -> dict[str, tuple[Deployment, ...]]:
    """The history of each device that has one."""
    return {} if announce.deployments is msgspec.UNSET else announce.deployments


def unlikely(announce: Announce) -> dict[str, str]:
    """Devices whose history can't be, and why."""
    found = {}
    for device, deployments in deployments_of(announce).items():
        try:
            check(deployments)
        except DeploymentError as exc:
            found[device] = f"deployments of {device}: {exc}"
    return found
