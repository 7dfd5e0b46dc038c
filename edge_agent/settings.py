"""Buses and devices as they stand in ``gateway.yaml``, and their plans.

Every mistake that can be known before a start is refused here, with its file and line.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

import msgspec
import numpy as np

from device_profiles import model, registry
from device_profiles.check import varied
from device_profiles.model import Point, Profile, Transport
from edge_agent import columns
from edge_agent.columns import PointSettings
from edge_agent.compiled import BusPlan, DevicePlan, SerialPlan, TcpPlan
from edge_agent.plan import TCP_COST, Limits, Span, serial_cost
from telemetry.batch import MILLISECOND_NS
from telemetry.clock import SECOND_NS
from telemetry.series import Series, identify, series_id
from telemetry.settings import Document, Step
from telemetry.topics import is_name

Where = tuple[Step, ...]
_GOLDEN_RATIO: Final = 0.618033988749895
_SHORTEST_PERIOD_S: Final = 0.01
_LONGEST_PERIOD_S: Final = 86_400.0
_AS_IN_PROFILE: Final = PointSettings()


class TcpSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A Modbus TCP server: a device, or a converter with several units behind it."""

    host: str
    """Name or address."""
    port: int = 502


class SerialSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A serial port; what is left out comes from the profile of the first device."""

    port: str
    """Device file such as ``/dev/ttyUSB0``; relative to the folder of the file."""
    baud: int | None = None
    """Bits a second; the device's own where it is left out."""
    parity: Literal["N", "E", "O"] | None = None
    """None, even or odd."""
    stop: Literal[1, 2] | None = None
    """Stop bits."""


class DeviceSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A device on a bus: its profile (a name, or the path of a file), unit number, station and period."""

    name: str
    """Its own on this gateway: lower-case letters, digits and hyphens."""
    profile: str
    """Name of a profile (``petrel profile list``), or path of a .yaml file, relative to the folder of this file."""
    station: str
    """Id of the station that it stands at."""
    period_s: float
    """Seconds from poll to poll, 0.01 to 86400."""
    unit: int = 1
    """Modbus unit (slave) number, 0 to 247, each once on a bus."""
    variant: str | None = None
    """A variant of the profile."""
    points: dict[str, PointSettings] = {}
    """What is otherwise here, by the profile's names of points."""


class BusSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A serial line or a TCP connection with its devices; ``timeout_s`` bounds the wait for each answer."""

    name: str
    """Its own on this gateway: lower-case letters, digits and hyphens."""
    devices: tuple[DeviceSettings, ...]
    tcp: TcpSettings | None = None
    """Either this or ``serial``."""
    serial: SerialSettings | None = None
    """Either this or ``tcp``."""
    timeout_s: float = 0.5
    """Longest wait for an answer, real seconds; 60 at most."""


def series_of(site: str, device: DeviceSettings, profile: Profile) -> list[Series]:
    """The series of a device, as they are announced; raises ValueError for a unit, and for two with one identity."""
    place = (device.station, device.name, device.period_s)
    found = [columns.series(point, here, *place) for point, here in _used(device, profile)]
    identify(site, found)
    return found


def catalogue(buses: Sequence[BusPlan]) -> list[Series]:
    """The series of all devices."""
    return [series for bus in buses for device in bus.devices for series in device.series]


def compile_buses(
    document: Document[Any], site: str, buses: Sequence[BusSettings], stations: Collection[str] | None = None
) -> list[BusPlan]:
    """Plans for the settings under ``buses`` of a document.

    ``stations`` are the known stations (None: not checked). Raises SettingsError at the first mistake.
    """
    _check_distinct(document, buses)
    plans = [_bus(_Place(document, site, ("buses", at), at), bus, stations) for at, bus in enumerate(buses)]
    try:
        identify(site, catalogue(plans))
    except ValueError as exc:
        raise document.error(("buses",), str(exc)) from exc
    return plans


@dataclass(frozen=True, slots=True)
class _Place:
    """Where in which document a bus or device stands, for errors."""

    document: Document[Any]
    site: str
    where: Where
    bus: int

    def at(self, *steps: Step) -> "_Place":
        return _Place(self.document, self.site, (*self.where, *steps), self.bus)

    def error(self, problem: str, *steps: Step) -> ValueError:
        return self.document.error((*self.where, *steps), problem)


def _check_distinct(document: Document[Any], buses: Sequence[BusSettings]) -> None:
    names: dict[str, Where] = {}
    lines: dict[str, Where] = {}
    for at, bus in enumerate(buses):
        line = f"{bus.tcp.host}:{bus.tcp.port}" if bus.tcp else bus.serial.port if bus.serial else bus.name
        for seen, key, step in ((names, bus.name, "name"), (lines, line, "tcp" if bus.tcp else "serial")):
            if key in seen:
                first = document.line(seen[key])
                raise document.error(("buses", at, step), f"{key!r} stands in line {first} already, expected it once")
            seen[key] = ("buses", at)


def _bus(place: _Place, bus: BusSettings, stations: Collection[str] | None) -> BusPlan:
    if (bus.tcp is None) is (bus.serial is None):
        raise place.error("tcp and serial both or neither, expected one of them")
    if not is_name(bus.name):
        raise place.error(f"{bus.name!r}, expected lower-case letters, digits and hyphens", "name")
    if not 0 < bus.timeout_s <= 60:
        raise place.error(f"{bus.timeout_s}, expected more than 0 and at most 60 seconds", "timeout_s")
    if not bus.devices:
        raise place.error("no device, expected at least one", "devices")
    profiles = [_profile(place.at("devices", at), device, bus) for at, device in enumerate(bus.devices)]
    _check_devices(place, bus.devices, stations)
    line = TcpPlan(bus.tcp.host, bus.tcp.port) if bus.tcp else _serial(place, bus.serial, profiles)
    cost = serial_cost(line.baud, line.bits) if isinstance(line, SerialPlan) else TCP_COST
    devices = tuple(
        _device(place.at("devices", at), device, profile, _fraction(place.bus, at, len(bus.devices)))
        for at, (device, profile) in enumerate(zip(bus.devices, profiles, strict=True))
    )
    return BusPlan(name=bus.name, line=line, timeout_s=bus.timeout_s, cost=cost, devices=devices)


def _check_devices(place: _Place, devices: Sequence[DeviceSettings], stations: Collection[str] | None) -> None:
    names: set[str] = set()
    units: set[int] = set()
    for at, device in enumerate(devices):
        here = place.at("devices", at)
        if not is_name(device.name) or device.name in names:
            raise here.error(f"{device.name!r}, expected a name of its own (a-z, 0-9, -)", "name")
        if not 0 <= device.unit <= 247 or device.unit in units:
            raise here.error(f"unit {device.unit}, expected 0 to 247, each once on a bus", "unit")
        if not _SHORTEST_PERIOD_S <= device.period_s <= _LONGEST_PERIOD_S:
            raise here.error(f"{device.period_s}, expected {_SHORTEST_PERIOD_S} to {_LONGEST_PERIOD_S} s", "period_s")
        if stations is not None and device.station not in stations:
            known = ", ".join(sorted(stations))
            raise here.error(f"unknown station {device.station!r}, expected one of {known}", "station")
        names.add(device.name)
        units.add(device.unit)


def _profile(place: _Place, device: DeviceSettings, bus: BusSettings) -> Profile:
    transport: Transport = "tcp" if bus.tcp else "rtu"
    try:
        profile = varied(registry.load(device.profile, place.document.path.parent), device.variant)
    except ValueError as exc:
        raise place.error(str(exc), "profile" if device.variant is None else "variant") from exc
    if transport not in profile.transports:
        problem = f"{device.profile} speaks {', '.join(profile.transports)}, expected a device that speaks {transport}"
        raise place.error(problem, "profile")
    known = {point.name for point in profile.points}
    for name in device.points:
        if name not in known:
            raise place.error(f"unknown point {name!r}, expected one of {', '.join(sorted(known))}", "points", name)
    return profile


def _serial(place: _Place, serial: SerialSettings | None, profiles: Sequence[Profile]) -> SerialPlan:
    assert serial is not None  # noqa: S101  # a bus without tcp has serial
    usual = next(profile.serial for profile in profiles if profile.serial is not None)
    baud = usual.baud if serial.baud is None else serial.baud
    if not 300 <= baud <= 1_000_000:
        raise place.error(f"{baud} baud, expected 300 to 1000000", "serial", "baud")
    return SerialPlan(port=serial.port, baud=baud, parity=serial.parity or usual.parity, stop=serial.stop or usual.stop)


def _fraction(bus: int, device: int, devices: int) -> float:
    """The part of its period by which a device is late: spread evenly on a bus, and over the buses (P3)."""
    return (device + bus * _GOLDEN_RATIO % 1.0) / devices


def _device(place: _Place, device: DeviceSettings, profile: Profile, fraction: float) -> DevicePlan:
    try:
        series = tuple(series_of(place.site, device, profile))
        gates = {name: at for at, name in enumerate(profile.gates)}
        taken = tuple(columns.column(point, here, gates) for point, here in _used(device, profile))
    except ValueError as exc:
        raise place.error(str(exc), "points") from exc
    if not series:
        raise place.error("all points skipped, expected at least one", "points")
    period_ns = round(device.period_s * SECOND_NS) // MILLISECOND_NS * MILLISECOND_NS
    ids = [series_id(place.site, one.station, one.point, one.quantity) for one in series]
    return DevicePlan(
        name=device.name,
        unit=device.unit,
        series=series,
        ids=np.array(ids, np.int64),
        columns=taken,
        gates=tuple(map(columns.gate_column, profile.gates.values())),
        limits=_limits(profile),
        period_ns=period_ns,
        phase_ns=int(period_ns * fraction) // MILLISECOND_NS * MILLISECOND_NS,
        pause_s=profile.pause_after_ms / 1000,
    )


def _used(device: DeviceSettings, profile: Profile) -> list[tuple[Point, PointSettings]]:
    """The points that a site takes, each with what it does to it."""
    both = [(point, device.points.get(point.name, _AS_IN_PROFILE)) for point in profile.points]
    return [(point, here) for point, here in both if not here.skip]


def _limits(profile: Profile) -> Limits:
    holes = (model.span(hole) for hole in profile.holes)
    return Limits(profile.max_registers, tuple(Span(table, first, end - first) for table, first, end in holes))
