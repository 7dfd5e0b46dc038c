"""From the buses of a gateway to simulated devices on them, and back to where those answer."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from msgspec.structs import replace

from device_profiles import registry
from device_profiles.check import varied
from device_profiles.field_model import FieldProfile
from device_profiles.model import Profile
from edge_agent.compile.deployments import standing
from edge_agent.settings import BusSettings, DeviceSettings, ListenSettings, SerialSettings, TcpSettings
from simulators.devices import Endpoint, Line, SerialEndpoint
from simulators.field_bus import FieldLine
from simulators.field_twin import FieldUnit
from simulators.twin import Choice, Unit
from telemetry.clock import SECOND_NS
from telemetry.settings import SettingsError, secret


def lines(buses: Sequence[BusSettings], folder: Path | None = None) -> tuple[Line | FieldLine, ...]:
    """A simulated twin of every device; profiles given by path are found in ``folder``. Raises SettingsError."""
    return tuple(_line(bus, folder) for bus in buses)


def pointed_at(buses: Sequence[BusSettings], endpoints: Mapping[str, Endpoint]) -> tuple[BusSettings, ...]:
    """The same buses, talking to the endpoints of these names; others stay as they are."""
    return tuple(_pointed_at(bus, endpoints.get(bus.name)) for bus in buses)


def _pointed_at(bus: BusSettings, endpoint: Endpoint | None) -> BusSettings:
    if endpoint is None:
        return bus
    if isinstance(endpoint, SerialEndpoint):
        serial = bus.serial or SerialSettings(port="")
        return replace(bus, tcp=None, serial_server=None, serial=replace(serial, port=str(endpoint.path)))
    if bus.listen is not None:
        listen = ListenSettings(host=endpoint.host, port=endpoint.port, connections=bus.listen.connections)
        return replace(bus, listen=listen)
    return replace(bus, tcp=TcpSettings(host=endpoint.host, port=endpoint.port), serial=None)


def _line(bus: BusSettings, folder: Path | None) -> Line | FieldLine:
    profiles = [registry.load(device.profile, folder) for device in bus.devices]
    pairs = list(zip(bus.devices, profiles, strict=True))
    modbus = [(device, profile) for device, profile in pairs if isinstance(profile, Profile)]
    if modbus:
        units = tuple(_unit(device, profile) for device, profile in modbus)
        return Line(bus=bus.name, transport="tcp" if bus.tcp else "rtu", units=units)
    if bus.tcp is not None:
        raise SettingsError(f"bus {bus.name}: a device that is called can't be simulated, expected serial or listen")
    others = [(device, profile) for device, profile in pairs if isinstance(profile, FieldProfile)]
    return FieldLine(
        bus=bus.name,
        way="serial" if bus.listen is None else "listen",
        units=tuple(_field_unit(device, profile) for device, profile in others),
        secret=None if bus.secret is None else secret(bus.secret),
    )


def _unit(device: DeviceSettings, profile: Profile) -> Unit:
    return Unit(
        device=device.name,
        unit=device.unit,
        profile=varied(profile, device.variant),
        station=device.station,
        points=_choices(device),
    )


def _field_unit(device: DeviceSettings, profile: FieldProfile) -> FieldUnit:
    return FieldUnit(
        device=device.name,
        address=device.address or profile.address or "",
        profile=profile,
        station=device.station,
        points=_choices(device),
        period_ns=round(device.period_s * SECOND_NS),
    )


def _choices(device: DeviceSettings) -> dict[str, Choice]:
    return {
        name: Choice(name=point.name, quantity=point.quantity, offset=point.offset, skip=point.skip)
        for name, point in standing(device).items()
    }
