"""A device that somebody named on the command line, as the plan of a bus with that device alone."""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

from device_profiles import registry
from device_profiles.check import varied
from device_profiles.field_model import FieldProfile
from device_profiles.model import Measured, Profile
from edge_agent.compile.buses import compile_buses
from edge_agent.compiled import AnyBusPlan
from edge_agent.settings import (
    BusSettings,
    DeviceSettings,
    ListenSettings,
    SerialServerSettings,
    SerialSettings,
    TcpSettings,
)
from telemetry.settings import Document, SettingsError

Parity = Literal["N", "E", "O"]
Stop = Literal[1, 2]

_TYPED: Final = Path("command line")
_PLACE: Final = re.compile(rf"^{_TYPED}:\d+: (?:buses\[0\]\.?)?(?:devices\[0\]\.?)?")


@dataclass(frozen=True, slots=True, kw_only=True)
class Reach:
    """How a device is reached: one of the four, as it was typed. What is left out comes from its profile."""

    tcp: tuple[str, int] | None = None
    serial: str | None = None
    serial_server: tuple[str, int] | None = None
    listen: tuple[str, int] | None = None
    baud: int | None = None
    parity: Parity | None = None
    stop: Stop | None = None
    echo: bool = False
    timeout_s: float = 0.5

    @property
    def data(self) -> Literal[8] | None:
        """Data bits: without parity eight, also where a profile has seven, whose eighth is the parity."""
        return 8 if self.parity == "N" else None

    @property
    def end(self) -> str:
        """The far end in a few words."""
        if self.serial is not None:
            return self.serial
        host, port = self.tcp or self.serial_server or self.listen or ("nowhere", 0)
        return f"{host}:{port}"

    def bus(self, *devices: DeviceSettings) -> BusSettings:
        """A bus there."""
        serial = server = None
        if self.serial is not None:
            serial = SerialSettings(
                port=self.serial, echo=self.echo, baud=self.baud, parity=self.parity, stop=self.stop, data=self.data
            )
        if self.serial_server is not None:
            host, port = self.serial_server
            server = SerialServerSettings(
                host=host, port=port, baud=self.baud, parity=self.parity, stop=self.stop, data=self.data
            )
        return BusSettings(
            name="line",
            devices=devices,
            tcp=None if self.tcp is None else TcpSettings(host=self.tcp[0], port=self.tcp[1]),
            serial=serial,
            serial_server=server,
            listen=None if self.listen is None else ListenSettings(host=self.listen[0], port=self.listen[1]),
            timeout_s=self.timeout_s,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Named:
    """A device as it was typed; ``profile`` is a name or a file."""

    profile: str
    unit: int | None = None
    address: str | None = None
    variant: str | None = None

    def settings(self) -> DeviceSettings:
        """The device as it would stand in gateway.yaml; raises SettingsError for an unknown profile."""
        found = registry.load(self.profile)
        unit = self.unit if self.unit is not None else found.unit if isinstance(found, Profile) else 1
        address = self.address or (found.address if isinstance(found, FieldProfile) else None)
        return DeviceSettings(
            name="device", profile=self.profile, station="here", period_s=60.0, unit=unit, address=address,
            variant=self.variant,
        )  # fmt: skip


def plan(reach: Reach, device: DeviceSettings) -> AnyBusPlan:
    """The plan of a line with one device; raises SettingsError."""
    bus = reach.bus(device)
    document: Document[BusSettings] = Document(_TYPED, bus, {})
    try:
        (found,) = compile_buses(document, "here", [bus])
    except SettingsError as exc:
        raise SettingsError(_PLACE.sub("", str(exc))) from exc
    return found


def points(named: Named) -> tuple[Measured, ...]:
    """The points of a device as its profile, or the variant of it, has them; raises SettingsError."""
    found = registry.load(named.profile)
    return varied(found, named.variant).points if isinstance(found, Profile) else found.points
