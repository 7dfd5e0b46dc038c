"""Which profiles fit a device that answers: each is read once, and held against its own ranges."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from device_profiles import registry
from device_profiles.field_model import FieldProfile
from device_profiles.model import Profile
from edge_agent.compiled import BusPlan, PolledPlan
from edge_agent.device import Device
from edge_agent.drivers.modbus.driver import Line
from edge_agent.field_device import FieldDevice
from edge_agent.lines.half_duplex import HalfDuplex
from edge_agent.poll import Pollable
from gateway.tools.reading import Value, read_device
from gateway.tools.target import Named, Reach, plan
from telemetry.settings import SettingsError

_LEAST: Final = 0.5
"""Of the points must lie in their range."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fit:
    """How a profile fits: so many of its points are within their range."""

    profile: str
    in_range: int
    points: int
    all_zero: bool

    def __str__(self) -> str:
        zero = ", all zero" if self.all_zero else ""
        return f"{self.profile} ({self.in_range} of {self.points} in range{zero})"


async def fits(line: Line | HalfDuplex, reach: Reach, protocol: str, who: Named) -> list[Fit]:
    """The profiles of the catalogue that fit a device, best first. Raises LineDownError."""
    found = []
    for name in registry.names():
        profile = registry.load(name)
        device = _device(line, reach, profile, who) if profile.protocol == protocol else None
        fit = None if device is None else _judged(name, await _values(device), profile)
        if fit is not None:
            found.append(fit)
    told = [fit for fit in found if not fit.all_zero] or found  # registers that are 0 fit nearly every profile
    return sorted(told, key=lambda fit: (-fit.in_range / fit.points, -fit.points, fit.profile))


async def _values(device: Pollable) -> Sequence[Value]:
    """What it reads; asked once more where one answer was lost, since that says nothing of the profile."""
    reading = await read_device(device)
    return (reading if reading.problem is None else await read_device(device)).values


def _device(line: Line | HalfDuplex, reach: Reach, profile: Profile | FieldProfile, who: Named) -> Pollable | None:
    """The device on the line that is open, as a profile has it; None where it can't be on such a line."""
    named = Named(profile=profile.name, unit=who.unit, address=who.address)
    try:
        bus = plan(reach, named.settings())
    except SettingsError:
        return None
    if isinstance(bus, BusPlan) and not isinstance(line, HalfDuplex):
        return Device(bus.devices[0], bus.cost, line)
    if isinstance(bus, PolledPlan) and isinstance(line, HalfDuplex):
        return FieldDevice(bus.devices[0], bus.protocol, line)
    return None


def _judged(name: str, values: Sequence[Value], profile: Profile | FieldProfile) -> Fit | None:
    """None where the device lacks what the profile reads, or says what no such sensor can measure."""
    there = [one.value for one in values if one.value is not None]
    in_range = sum(one.in_range for one in values)
    if in_range < _LEAST * len(profile.points):
        return None
    return Fit(profile=name, in_range=in_range, points=len(profile.points), all_zero=not any(there))
