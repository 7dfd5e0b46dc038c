"""Buses and devices as they stand in ``gateway.yaml``; ``edge_agent.compile`` makes plans of them."""

from typing import Literal

import msgspec

from edge_agent.columns import PointSettings
from telemetry.deployment import Deployment


class CharacterSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How characters go over a serial line; what is left out comes from the profile of the first device."""

    baud: int | None = None
    """Bits a second; the device's own where it is left out."""
    parity: Literal["N", "E", "O"] | None = None
    """None, even or odd."""
    stop: Literal[1, 2] | None = None
    """Stop bits."""
    data: Literal[7, 8] | None = None
    """Data bits."""


class TcpSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A Modbus TCP server: a device, or a converter with several units behind it."""

    host: str
    """Name or address."""
    port: int = 502


class SerialServerSettings(CharacterSettings, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A serial server that hands bytes through (RTU over TCP), and how the line behind it is set."""

    host: str
    """Name or address."""
    port: int


class SerialSettings(CharacterSettings, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A serial port of the gateway."""

    port: str
    """Device file; ``/dev/serial/by-id/...`` stays the same over restarts. Relative to the folder of the file."""
    rs485: bool = False
    """The port's driver switches the direction of an RS-485 line, by its RTS."""
    echo: bool = False
    """The adapter hears what it sends: the echo is taken off."""


class ListenSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An address at which devices call: data loggers, fire alarm transmitters."""

    host: str
    """Address of the gateway's own network port; ``0.0.0.0`` is every one."""
    port: int
    connections: int = 64
    """At once at most; one more is turned away."""


class DeviceSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A device on a bus: its profile (a name, or the path of a file), unit number, station and period."""

    name: str
    """Its own on this gateway: lower-case letters, digits and hyphens."""
    profile: str
    """Name of a profile (``petrel profile list``), or path of a .yaml file, relative to the folder of this file."""
    station: str
    """Id of the station that it stands at."""
    period_s: float
    """Seconds from poll to poll, or from report to report of a device that calls, 0.01 to 86400."""
    unit: int = 1
    """Modbus unit (slave) number, 1 to 255 and over TCP also 0, each once on a bus."""
    address: str | None = None
    """Of a device that does not speak Modbus: what it is called on the line; each once on a bus."""
    variant: str | None = None
    """A variant of the profile."""
    points: dict[str, PointSettings] = {}
    """What is otherwise here, by the profile's names of points."""
    deployments: tuple[Deployment, ...] = ()
    """Which instruments have stood here since when, oldest first; the last one is there now."""


class BusSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A serial line or a TCP connection with its devices; ``timeout_s`` bounds the wait for each answer to begin."""

    name: str
    """Its own on this gateway: lower-case letters, digits and hyphens."""
    devices: tuple[DeviceSettings, ...]
    tcp: TcpSettings | None = None
    """One of ``tcp``, ``serial``, ``serial_server`` and ``listen``."""
    serial: SerialSettings | None = None
    serial_server: SerialServerSettings | None = None
    listen: ListenSettings | None = None
    secret: str | None = None
    """Name of the environment variable with the password that devices must show when they call."""
    timeout_s: float = 0.5
    """Longest wait for an answer, real seconds; 60 at most."""
