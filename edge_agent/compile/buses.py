"""The buses of a gateway as plans: ``compile_buses`` is the way in."""

from collections.abc import Collection, Sequence
from typing import Any, Final, cast

from device_profiles import registry
from device_profiles.check import varied
from device_profiles.field_model import FieldProfile
from device_profiles.model import Profile
from edge_agent.compile import lines
from edge_agent.compile.deployments import check_deployments
from edge_agent.compile.devices import address, field_device, modbus_device
from edge_agent.compile.place import Place, Where
from edge_agent.compiled import (
    AnyBusPlan,
    BusPlan,
    FieldDevicePlan,
    ListenPlan,
    PolledPlan,
    PushedPlan,
    SerialPlan,
    SerialServerPlan,
    TcpPlan,
)
from edge_agent.drivers.contract import Choosy, Polled, Pushed
from edge_agent.drivers.registry import protocol
from edge_agent.plan import TCP_COST, serial_cost
from edge_agent.settings import BusSettings, DeviceSettings
from telemetry.series import Series, identify
from telemetry.settings import Document, secret
from telemetry.topics import is_name

_GOLDEN_RATIO: Final = 0.618033988749895
_SHORTEST_PERIOD_S: Final = 0.01
_LONGEST_PERIOD_S: Final = 86_400.0
_HIGHEST_UNIT: Final = 255
"""Modbus reserves what is beyond 247; but over TCP it is 255 where the number means nothing (MODBUS Messaging on TCP/IP
V1.0b), and SL 651-2014, 5.2.1.2.1 lets sensors on serial lines have any."""
AnyProfile = Profile | FieldProfile


def catalogue(buses: Sequence[AnyBusPlan]) -> list[Series]:
    """The series of all devices."""
    return [series for bus in buses for device in bus.devices for series in device.series]


def compile_buses(
    document: Document[Any], site: str, buses: Sequence[BusSettings], stations: Collection[str] | None = None
) -> list[AnyBusPlan]:
    """Plans for the settings under ``buses`` of a document.

    ``stations`` are the known stations (None: not checked). Raises SettingsError at the first mistake.
    """
    _check_distinct(document, buses)
    plans = [_bus(Place(document, site, ("buses", at), at), bus, stations) for at, bus in enumerate(buses)]
    try:
        identify(site, catalogue(plans))
    except ValueError as exc:
        raise document.error(("buses",), str(exc)) from exc
    return plans


def _check_distinct(document: Document[Any], buses: Sequence[BusSettings]) -> None:
    names: dict[str, Where] = {}
    ends: dict[str, Where] = {}
    for at, bus in enumerate(buses):
        end, line = lines.end(bus)
        for seen, key, step in ((names, bus.name, "name"), (ends, line, end)):
            if key in seen:
                first = document.line(seen[key])
                raise document.error(("buses", at, step), f"{key!r} stands in line {first} already, expected it once")
            seen[key] = ("buses", at)


def _bus(place: Place, bus: BusSettings, stations: Collection[str] | None) -> AnyBusPlan:
    lines.check_end(place, bus)
    if not is_name(bus.name):
        raise place.error(f"{bus.name!r}, expected lower-case letters, digits and hyphens", "name")
    if not 0 < bus.timeout_s <= 60:
        raise place.error(f"{bus.timeout_s}, expected more than 0 and at most 60 seconds", "timeout_s")
    if not bus.devices:
        raise place.error("no device, expected at least one", "devices")
    profiles = [_profile(place.at("devices", at), device, bus) for at, device in enumerate(bus.devices)]
    _check_devices(place, bus, stations)
    _check_one_protocol(place, profiles)
    line = lines.line(place, bus, profiles)
    if isinstance(profiles[0], FieldProfile):
        return _other_bus(place, bus, cast("list[FieldProfile]", profiles), line)
    return _modbus_bus(place, bus, cast("list[Profile]", profiles), line)


def _modbus_bus(place: Place, bus: BusSettings, profiles: Sequence[Profile], line: lines.AnyLine) -> BusPlan:
    if isinstance(line, ListenPlan):
        raise place.error("Modbus devices do not call, expected tcp, serial or serial_server", "listen")
    _check_once(place, bus.devices, [str(device.unit) for device in bus.devices])
    cost = TCP_COST if isinstance(line, TcpPlan) else serial_cost(line.baud, line.bits)
    devices = tuple(
        modbus_device(place.at("devices", at), device, profile, _fraction(place.bus, at, len(bus.devices)))
        for at, (device, profile) in enumerate(zip(bus.devices, profiles, strict=True))
    )
    return BusPlan(name=bus.name, line=line, timeout_s=bus.timeout_s, cost=cost, devices=devices)


def _other_bus(
    place: Place, bus: BusSettings, profiles: Sequence[FieldProfile], line: lines.AnyLine
) -> PolledPlan | PushedPlan:
    talk = protocol(profiles[0])
    for at, (device, profile) in enumerate(zip(bus.devices, profiles, strict=True)):
        try:
            talk.check_address(address(device, profile))
        except ValueError as exc:
            raise place.error(str(exc), "devices", at, "address") from exc
    devices = tuple(
        field_device(place.at("devices", at), device, profile, _fraction(place.bus, at, len(bus.devices)))
        for at, (device, profile) in enumerate(zip(bus.devices, profiles, strict=True))
    )
    _check_once(place, bus.devices, [device.address for device in devices])
    if isinstance(talk, Polled):
        if not isinstance(line, SerialPlan | SerialServerPlan):
            raise place.error(f"{profiles[0].protocol} devices are asked on a line, expected serial or serial_server")
        if isinstance(talk, Choosy):
            for at, one in enumerate(devices):
                _check_data_bits(place.at("devices", at), line.data, one, talk)
        cost = serial_cost(line.baud, line.bits)
        return PolledPlan(name=bus.name, line=line, timeout_s=bus.timeout_s, cost=cost, protocol=talk, devices=devices)
    return PushedPlan(
        name=bus.name,
        line=line,
        timeout_s=bus.timeout_s,
        protocol=talk,
        devices=devices,
        secret=_secret(place, bus, talk),
    )


def _check_data_bits(place: Place, bits: int, device: FieldDevicePlan, talk: Choosy) -> None:
    try:
        talk.check_data_bits(bits, [column.field for column in device.columns])
    except ValueError as exc:
        raise place.error(str(exc), "profile") from exc


def _secret(place: Place, bus: BusSettings, talk: Pushed) -> str | None:
    if bus.secret is None:
        return None
    found = secret(bus.secret)
    if not found:
        raise place.error(f"environment variable {bus.secret} is not set, expected the devices' password", "secret")
    try:
        talk.session(found)
    except ValueError as exc:
        raise place.error(str(exc), "secret") from exc
    return found


def _check_devices(place: Place, bus: BusSettings, stations: Collection[str] | None) -> None:
    names: set[str] = set()
    lowest = 0 if bus.tcp else 1  # to unit 0 of a serial line all listen and nobody answers
    for at, device in enumerate(bus.devices):
        here = place.at("devices", at)
        if not is_name(device.name) or device.name in names:
            raise here.error(f"{device.name!r}, expected a name of its own (a-z, 0-9, -)", "name")
        if not lowest <= device.unit <= _HIGHEST_UNIT:
            raise here.error(f"unit {device.unit}, expected {lowest} to {_HIGHEST_UNIT}, each once on a bus", "unit")
        if not _SHORTEST_PERIOD_S <= device.period_s <= _LONGEST_PERIOD_S:
            raise here.error(f"{device.period_s}, expected {_SHORTEST_PERIOD_S} to {_LONGEST_PERIOD_S} s", "period_s")
        if stations is not None and device.station not in stations:
            known = ", ".join(sorted(stations))
            raise here.error(f"unknown station {device.station!r}, expected one of {known}", "station")
        names.add(device.name)


def _check_once(place: Place, devices: Sequence[DeviceSettings], addresses: Sequence[str]) -> None:
    """Refuse two devices under one address."""
    for at, one in enumerate(addresses):
        if one in addresses[:at]:
            where = place.at("devices", at)
            if devices[at].address is None:
                raise where.error(f"unit {one} stands here twice, expected it once on a bus", "unit")
            raise where.error(f"address {one!r} stands here twice, expected it once on a bus", "address")


def _check_one_protocol(place: Place, profiles: Sequence[AnyProfile]) -> None:
    """A line has one protocol: devices of two would take each other's frames for noise at best."""
    first = profiles[0].protocol
    for at, profile in enumerate(profiles):
        if profile.protocol != first:
            problem = f"{profile.name} speaks {profile.protocol}, expected {first} as the first device of the bus does"
            raise place.error(problem, "devices", at, "profile")


def _profile(place: Place, device: DeviceSettings, bus: BusSettings) -> AnyProfile:
    try:
        profile = registry.load(device.profile, place.document.path.parent)
        if isinstance(profile, Profile):
            profile = varied(profile, device.variant)
    except ValueError as exc:
        raise place.error(str(exc), "profile" if device.variant is None else "variant") from exc
    transport = _transport(bus, profile)
    converted = isinstance(profile, Profile) and transport == "tcp"  # by a converter, where a device does not itself
    if transport not in profile.transports and not converted:
        problem = f"{device.profile} speaks {', '.join(profile.transports)}, expected a device that speaks {transport}"
        raise place.error(problem, "profile")
    known = {point.name for point in profile.points}
    for name in device.points:
        if name not in known:
            raise place.error(f"unknown point {name!r}, expected one of {', '.join(sorted(known))}", "points", name)
    check_deployments(place, device, profile.points)
    return profile


def _transport(bus: BusSettings, profile: AnyProfile) -> str:
    """How a device must speak on this bus, in the words of its profile."""
    if bus.serial or bus.serial_server:
        return "rtu" if isinstance(profile, Profile) else "serial"
    return "tcp" if bus.tcp else "listen"


def _fraction(bus: int, device: int, devices: int) -> float:
    """The part of its period by which a device is late: spread evenly on a bus, and over the buses (P3)."""
    return (device + bus * _GOLDEN_RATIO % 1.0) / devices
