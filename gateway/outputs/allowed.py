"""``outputs`` in gateway.yaml: the only outputs that can be commanded, and on what conditions."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import msgspec

from device_profiles import model, registry
from device_profiles.model import Profile, Register
from device_profiles.output import Output
from device_profiles.output_check import check_number, writable
from edge_agent.compiled import AnyBusPlan
from edge_agent.outputs import Interlock, OutputPlan, Spot
from edge_agent.settings import BusSettings, DeviceSettings
from telemetry.settings import Document, Step
from telemetry.topics import is_name

_LONGEST_PULSE_S: Final = 3600.0


class InterlockSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a register of a Modbus device must read, or else the output stays at rest: a key switch, a door, a hand."""

    device: str
    register: str
    must_be: float
    says: str
    """What it is, for people: ``local/remote key switch``."""


class OutputSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An output that the centre may command. What does not stand here can't be switched by anyone."""

    name: str
    """What commands call it: lower-case letters, digits and hyphens."""
    device: str
    """A Modbus device of this gateway."""
    output: str
    """One of the ``outputs`` of its profile."""
    range: tuple[float, float] | None = None
    """Lowest and highest number, within the profile's; it must hold the number at rest."""
    pulse_s: float | None = None
    """As in the profile, in its place; 3600 at most."""
    drills: bool = False
    """Whether a command of a drill really switches it."""
    interlocks: tuple[InterlockSettings, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Allowed:
    """An output that may be commanded, compiled."""

    name: str
    device: str
    series: frozenset[int]
    """What the device measures: work on any of it is work on the device."""
    plan: OutputPlan
    low: float
    high: float
    pulse_s: float | None
    drills: bool


def allowed_outputs(
    document: Document[Any],
    outputs: Sequence[OutputSettings],
    buses: Sequence[BusSettings],
    plans: Sequence[AnyBusPlan],
) -> tuple[Allowed, ...]:
    """The outputs under ``outputs`` of a document whose buses have been compiled; raises SettingsError."""
    places = {device.name: (bus, device) for bus in buses for device in bus.devices}
    series = {device.name: frozenset(device.ids.tolist()) for plan in plans for device in plan.devices}
    found: dict[str, Allowed] = {}
    for at, settings in enumerate(outputs):
        where: tuple[Step, ...] = ("outputs", at)
        if not is_name(settings.name) or settings.name in found:
            problem = f"{settings.name!r}, expected a name of its own (a-z, 0-9, -)"
            raise document.error((*where, "name"), problem)
        try:
            found[settings.name] = _allowed(document, settings, places, series)
        except ValueError as exc:
            raise document.error(where, str(exc)) from exc
    return tuple(found.values())


_Places = dict[str, tuple[BusSettings, DeviceSettings]]


def _allowed(
    document: Document[Any], settings: OutputSettings, places: _Places, series: Mapping[str, frozenset[int]]
) -> Allowed:
    spot, profile = _spot(document, places, settings.device)
    output = _output(profile, settings.output)
    register = writable(output.register)
    low, high = output.range if settings.range is None else settings.range
    _check_range(register, output, low, high)
    pulse_s = output.pulse_s if settings.pulse_s is None else settings.pulse_s
    if pulse_s is not None and not 0 < pulse_s <= _LONGEST_PULSE_S:
        raise ValueError(f"pulse_s {pulse_s:g}, expected more than 0 and at most {_LONGEST_PULSE_S:g}")
    plan = OutputPlan(
        spot=spot(register),
        shows=spot(model.register(output.read_back or output.register)),
        safe=output.safe,
        settle_s=output.settle_s,
        multiple=output.multiple,
        interlocks=tuple(_interlock(document, places, lock) for lock in settings.interlocks),
    )
    return Allowed(
        name=settings.name,
        device=settings.device,
        series=series[settings.device],
        plan=plan,
        low=low,
        high=high,
        pulse_s=pulse_s,
        drills=settings.drills,
    )


@dataclass(frozen=True, slots=True)
class _Spots:
    """Registers of one device."""

    bus: str
    unit: int
    pause_s: float

    def __call__(self, register: Register) -> Spot:
        return Spot(bus=self.bus, unit=self.unit, register=register, pause_s=self.pause_s)


def _spot(document: Document[Any], places: _Places, name: str) -> tuple[_Spots, Profile]:
    if name not in places:
        raise ValueError(f"unknown device {name!r}, expected one of {', '.join(sorted(places))}")
    bus, device = places[name]
    profile = registry.modbus(device.profile, document.path.parent)
    if device.unit == 0:
        raise ValueError(f"{name} has unit 0, which never answers: expected 1 to 247")
    return _Spots(bus.name, device.unit, profile.pause_after_ms / 1000), profile


def _output(profile: Profile, name: str) -> Output:
    for output in profile.outputs:
        if output.name == name:
            return output
    known = ", ".join(output.name for output in profile.outputs) or "none at all"
    raise ValueError(f"{profile.name} has no output {name!r}, expected one of: {known}")


def _check_range(register: Register, output: Output, low: float, high: float) -> None:
    least, most = output.range
    if not least <= low <= output.safe <= high <= most:
        problem = f"range {low:g} to {high:g}, expected one within {least:g} to {most:g} that holds {output.safe:g}"
        raise ValueError(problem)
    for number in (low, high):
        check_number(register, number)


def _interlock(document: Document[Any], places: _Places, settings: InterlockSettings) -> Interlock:
    spot, _ = _spot(document, places, settings.device)
    return Interlock(spot=spot(model.register(settings.register)), must_be=settings.must_be, says=settings.says)
