"""The deployments of a device: checked against its points, what stands now, and what is announced of them."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

import msgspec

from device_profiles import convert
from device_profiles.model import Measured
from edge_agent.columns import PointSettings
from edge_agent.compile.place import Place
from edge_agent.settings import DeviceSettings
from telemetry.deployment import Deployment, DeploymentError, check, renamed
from telemetry.series import Series

_AS_IN_PROFILE: Final = PointSettings()


def standing(device: DeviceSettings) -> dict[str, PointSettings]:
    """What a site does with each point of a device now: the zero of the newest deployment is its ``offset``."""
    if not device.deployments:
        return device.points
    zeros = device.deployments[-1].zeros
    levelled = {
        point: msgspec.structs.replace(device.points.get(point, _AS_IN_PROFILE), offset=zero.height)
        for point, zero in zeros.items()
    }
    return {**device.points, **levelled}


def check_deployments(place: Place, device: DeviceSettings, points: Sequence[Measured]) -> None:
    """Whether the history of a device can be; raises SettingsError."""
    try:
        for at, deployment in enumerate(device.deployments):
            _check_points(at, deployment, device.points, {point.name: point for point in points})
        check(device.deployments)
    except DeploymentError as exc:
        raise place.error(str(exc), "deployments", *exc.steps) from exc


def _check_points(
    at: int, deployment: Deployment, here: Mapping[str, PointSettings], points: Mapping[str, Measured]
) -> None:
    for key, names in (("zeros", deployment.zeros), ("baselines", deployment.baselines)):
        for name in names:
            if name not in points or here.get(name, _AS_IN_PROFILE).skip:
                known = ", ".join(sorted(points))
                raise DeploymentError(f"unknown point {name!r}, expected one that is read of {known}", at, key, name)
    for name in deployment.zeros:
        if here.get(name, _AS_IN_PROFILE).offset:
            raise DeploymentError(f"{name} has an offset, too, expected one of zero and offset", at, "zeros", name)
    for name, number in deployment.baselines.items():
        _check_baseline(points[name], number, (at, "baselines", name))


def _check_baseline(point: Measured, number: float, where: tuple[str | int, ...]) -> None:
    if point.modulus is None:
        raise DeploymentError(f"{point.name} is no totaliser, expected a point with a modulus", *where)
    if number >= point.modulus:
        raise DeploymentError(f"{number:g}, expected less than {point.modulus:g}", *where)


def announced(
    device: DeviceSettings, taken: Sequence[tuple[Any, PointSettings]], series: Sequence[Series]
) -> tuple[Deployment, ...]:
    """The deployments by ``point/quantity`` of the series, baselines in canonical units."""
    names = {point.name: one.key for (point, _), one in zip(taken, series, strict=True)}
    gains = {one.key: _gain(point, here) for (point, here), one in zip(taken, series, strict=True)}
    return tuple(_canonical(renamed(one, names), gains) for one in device.deployments)


def _canonical(deployment: Deployment, gains: Mapping[str, float]) -> Deployment:
    baselines = {key: number * gains[key] for key, number in deployment.baselines.items()}
    return msgspec.structs.replace(deployment, baselines=baselines)


def _gain(point: Measured, here: PointSettings) -> float:
    """Canonical units in one of the device's."""
    linear = convert.linear(point, here.quantity, here.offset)
    return linear.numerator / linear.denominator / point.scale
