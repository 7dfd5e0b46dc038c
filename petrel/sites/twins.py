"""From the buses of a gateway to simulated devices on them, and back to where those answer."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from msgspec.structs import replace

from device_profiles import registry
from device_profiles.check import varied
from edge_agent.settings import BusSettings, DeviceSettings, SerialSettings, TcpSettings
from simulators.devices import Endpoint, Line, SerialEndpoint
from simulators.twin import Choice, Unit


def lines(buses: Sequence[BusSettings], folder: Path | None = None) -> tuple[Line, ...]:
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
        return replace(bus, tcp=None, serial=replace(serial, port=str(endpoint.path)))
    return replace(bus, tcp=TcpSettings(host=endpoint.host, port=endpoint.port), serial=None)


def _line(bus: BusSettings, folder: Path | None) -> Line:
    units = tuple(_unit(device, folder) for device in bus.devices)
    return Line(bus=bus.name, transport="tcp" if bus.tcp else "rtu", units=units)


def _unit(device: DeviceSettings, folder: Path | None) -> Unit:
    profile = varied(registry.modbus(device.profile, folder), device.variant)
    choices = {
        name: Choice(name=point.name, quantity=point.quantity, offset=point.offset, skip=point.skip)
        for name, point in device.points.items()
    }
    return Unit(device=device.name, unit=device.unit, profile=profile, station=device.station, points=choices)
