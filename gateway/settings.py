"""``gateway.yaml``: what a gateway is called, where it sends, what it keeps, which buses it polls."""

from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path
from typing import Final

import msgspec

from edge_agent.compile.buses import catalogue, compile_buses
from edge_agent.compiled import AnyBusPlan
from edge_agent.settings import BusSettings
from gateway.line import QuotaSettings
from gateway.metrics import MetricsSettings
from gateway.outputs.allowed import Allowed, OutputSettings, allowed_outputs
from gateway.spool import Limits
from telemetry.broker import BrokerAddress, parse_broker, secured
from telemetry.codes import shared
from telemetry.series import Station
from telemetry.settings import Document, Step, load
from telemetry.tls import TlsSettings
from telemetry.topics import DERIVED, is_name
from telemetry.wire import MAX_PAYLOAD, Announce, encode

_NAME: Final = "expected lower-case letters, digits and hyphens, 63 at most"
_LEAST_BYTES: Final = 4 * 1024 * 1024
_MOST_BYTES: Final = 64 * 1024**3
_MOST_AGE_H: Final = 24.0 * 366


class SpoolSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where the spool is (a relative path starts at the settings file) and what it may take."""

    dir: str
    """A folder of its own; relative to the folder of the file."""
    max_bytes: int = 1024 * 1024 * 1024
    """Cap on the disk, 4 MiB to 64 GiB; the oldest rows of the lowest priority go first, counted and announced."""
    max_age_h: float = 24.0 * 30
    """Cap in hours, a year at most."""

    @property
    def limits(self) -> Limits:
        """The caps."""
        return Limits(max_bytes=self.max_bytes, max_age_h=self.max_age_h)


class RemoteSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Signed orders from the centre; without this section none is taken. The keys: secret ``PETREL_GATEWAY_KEYS``."""

    dir: str = "remote"
    """A folder of its own for versions, journal and account; relative to the folder of the file."""
    configuration: bool = True
    """Whether this file may be changed from afar; its folder must be writable then."""


class GatewaySettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A gateway. ``drill`` marks everything it sends as simulated."""

    site: str
    """Id of the site: lower-case letters, digits and hyphens."""
    node: str
    """Name of this gateway, its own within the site."""
    broker: str
    """``mqtt://[user@]host[:port]`` or ``mqtts://``."""
    spool: SpoolSettings
    stations: tuple[Station, ...]
    buses: tuple[BusSettings, ...]
    drill: bool = False
    """Whether everything it sends is marked as a drill."""
    tls: TlsSettings | None = None
    """What ``mqtts://`` needs beyond what the machine trusts."""
    quota: QuotaSettings | None = None
    """What the line may carry in a month, where it is metered."""
    metrics: MetricsSettings | None = None
    """Where Prometheus may ask, if it may."""
    remote: RemoteSettings | None = None
    """Whether, and where, orders from the centre are taken."""
    outputs: tuple[OutputSettings, ...] = ()
    """What the centre may switch; needs ``remote``."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RemotePlan:
    """Where orders are accounted for, and the file that they may change (None: they may not)."""

    folder: Path
    document: Document[GatewaySettings] | None


@dataclass(frozen=True, slots=True, kw_only=True)
class GatewayPlan:
    """Settings that have been checked and compiled: nothing in here can be wrong any more."""

    source: str
    broker: BrokerAddress
    spool_dir: Path
    limits: Limits
    buses: tuple[AnyBusPlan, ...]
    announce: Announce
    quota: QuotaSettings | None = None
    """Of its own line; to another broker there is none."""
    metrics: MetricsSettings | None = None
    """Nobody scrapes a drill."""
    remote: RemotePlan | None = None
    """Orders come from its own broker alone."""
    outputs: tuple[Allowed, ...] = ()


def load_gateway(path: Path) -> Document[GatewaySettings]:
    """Read and check a gateway's settings; raises SettingsError, one line with file, line, found and expected."""
    document = load(path, GatewaySettings)
    compile_gateway(document)
    return document


def compile_gateway(
    document: Document[GatewaySettings], *, broker: BrokerAddress | None = None, spool_dir: Path | None = None
) -> GatewayPlan:
    """The plan of a gateway; ``broker`` and ``spool_dir`` take the place of its own. Raises SettingsError."""
    settings = document.settings
    for key in ("site", "node"):
        _check_name(document, (key,), getattr(settings, key))
    if settings.node == DERIVED:
        raise document.error(("node",), f"{DERIVED!r} is the centre's own, expected another name")
    _check_spool(document, settings.spool)
    _check_quota(document, settings.quota)
    _check_metrics(document, settings.metrics)
    _check_stations(document, settings.stations)
    _check_devices(document, settings.buses)
    known = {station.id for station in settings.stations}
    buses = tuple(compile_buses(document, settings.site, settings.buses, known))
    return GatewayPlan(
        source=f"{settings.site}/{settings.node}",
        broker=broker or _broker(document, settings),
        spool_dir=spool_dir or document.path.parent / settings.spool.dir,
        limits=settings.spool.limits,
        buses=buses,
        announce=_announce(document, buses),
        quota=settings.quota if broker is None else None,
        metrics=settings.metrics if broker is None else None,
        remote=_remote(document) if broker is None else None,
        outputs=allowed_outputs(document, settings.outputs, settings.buses, buses),
    )


def _remote(document: Document[GatewaySettings]) -> RemotePlan | None:
    remote = document.settings.remote
    if remote is None:
        if document.settings.outputs:
            raise document.error(("outputs",), "outputs without remote, expected a section remote beside them")
        return None
    if not remote.dir:
        raise document.error(("remote", "dir"), "empty, expected a directory")
    folder = document.path.parent / remote.dir
    return RemotePlan(folder=folder, document=document if remote.configuration else None)


def _broker(document: Document[GatewaySettings], settings: GatewaySettings) -> BrokerAddress:
    try:
        address = parse_broker(settings.broker)
    except ValueError as exc:
        raise document.error(("broker",), str(exc)) from exc
    try:
        return secured(address, settings.tls, document.path.parent)
    except ValueError as exc:
        raise document.error(("tls",), str(exc)) from exc


def _check_quota(document: Document[GatewaySettings], quota: QuotaSettings | None) -> None:
    if quota is None:
        return
    if quota.month_bytes <= 0:
        raise document.error(("quota", "month_bytes"), f"{quota.month_bytes}, expected more than 0")
    if not 0 < quota.warn_share <= 1:
        raise document.error(("quota", "warn_share"), f"{quota.warn_share}, expected more than 0 and at most 1")


def _check_metrics(document: Document[GatewaySettings], metrics: MetricsSettings | None) -> None:
    if metrics is not None and (complaint := metrics.complaint()):
        raise document.error(("metrics", complaint[0]), complaint[1])


def _check_spool(document: Document[GatewaySettings], spool: SpoolSettings) -> None:
    if not spool.dir:
        raise document.error(("spool", "dir"), "empty, expected a directory")
    if not _LEAST_BYTES <= spool.max_bytes <= _MOST_BYTES:
        raise document.error(("spool", "max_bytes"), f"{spool.max_bytes}, expected {_LEAST_BYTES} to {_MOST_BYTES}")
    if not 0 < spool.max_age_h <= _MOST_AGE_H:
        problem = f"{spool.max_age_h}, expected more than 0 and at most {_MOST_AGE_H:g} hours"
        raise document.error(("spool", "max_age_h"), problem)


def _check_stations(document: Document[GatewaySettings], stations: Sequence[Station]) -> None:
    first: dict[str, int] = {}
    for at, station in enumerate(stations):
        where = ("stations", at)
        _check_name(document, (*where, "id"), station.id)
        _check_once(document, first, (*where, "id"), station.id)
        if not station.town.strip():
            raise document.error((*where, "town"), "empty, expected the code of a township-level unit")
        for key, most in (("lat", 90.0), ("lon", 180.0)):
            if not -most <= getattr(station, key) <= most:
                problem = f"{getattr(station, key)}, expected {-most:g} to {most:g} degrees (WGS 84)"
                raise document.error((*where, key), problem)


def _check_devices(document: Document[GatewaySettings], buses: Sequence[BusSettings]) -> None:
    """Device names stand alone in the status, so they are unique over all buses; the rest is the buses' own check."""
    first: dict[str, int] = {}
    for at, bus in enumerate(buses):
        for number, device in enumerate(bus.devices):
            _check_once(document, first, ("buses", at, "devices", number, "name"), device.name)


def _check_name(document: Document[GatewaySettings], where: Sequence[Step], name: str) -> None:
    if not is_name(name):
        raise document.error(where, f"{name!r}, {_NAME}")


def _check_once(document: Document[GatewaySettings], first: dict[str, int], where: Sequence[Step], name: str) -> None:
    if name in first:
        raise document.error(where, f"{name!r} stands in line {first[name]} already, expected it once")
    first[name] = document.line(where)


def _announce(document: Document[GatewaySettings], buses: Sequence[AnyBusPlan]) -> Announce:
    settings = document.settings
    series = tuple(catalogue(buses))
    codes = shared(one for bus in buses for device in bus.devices for one in device.codes)
    deployments = {device.name: device.deployments for bus in buses for device in bus.devices if device.deployments}
    announce = Announce(
        revision="",
        drill=settings.drill,
        stations=settings.stations,
        series=series,
        codes=codes or msgspec.UNSET,
        deployments=deployments or msgspec.UNSET,
    )
    announce = msgspec.structs.replace(announce, revision=_revision(announce))
    if (size := len(encode(announce))) > MAX_PAYLOAD:
        problem = f"{len(series)} series make an announcement of {size} bytes, expected at most {MAX_PAYLOAD}"
        raise document.error(("buses",), f"{problem}: split the buses between two gateways")
    return announce


def _revision(announce: Announce) -> str:
    """A digest of what is announced: the same content has the same revision."""
    return blake2b(encode(announce), digest_size=8).hexdigest()
