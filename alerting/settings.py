"""centre.yaml: one centre, its site, broker, stores, HTTP address and channels (docs/reference/settings.md)."""

import ipaddress
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, Literal, Union

import msgspec

from alerting.channels import ChannelSettings, kinds
from ingest.store.server.address import Address, check_url
from telemetry.broker import BrokerAddress, parse_broker, secured
from telemetry.quantity import QUANTITIES
from telemetry.settings import Document, SettingsError, Step, load, parse
from telemetry.tls import MACHINE_S_OWN, TlsSettings
from telemetry.topics import is_name


class StoreSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where rows are kept: in a file of the centre's, or in a server of time series, with a journal here."""

    kind: Literal["duckdb", "victoriametrics", "influxdb"] = "duckdb"
    """``duckdb``, embedded; or the server at ``url``."""
    path: str
    """The DuckDB file, or the journal of a server; relative to the folder of the file."""
    keep_free_mb: Annotated[int, msgspec.Meta(ge=0)] = 64
    """Megabytes of its disk that rows leave to the alarms: rows are refused while less is free."""
    keep_days: dict[str, Annotated[int, msgspec.Meta(ge=2)]] = {}
    """Days that rows of a quantity are kept, e.g. ``wind_speed: 400``; others for ever, and hours of all."""
    url: str | None = None
    """``http://host:port`` or ``https://`` of the server; its token in PETREL_STORE_TOKEN."""
    user: str | None = None
    """Who we are to a server with passwords: the token is then his password."""
    measurement: str = "petrel"
    """What our rows are called there: ``petrel_value`` in VictoriaMetrics."""
    org: str = "petrel"
    """The organisation, of InfluxDB."""
    bucket: str = "petrel"
    """The bucket, of InfluxDB."""
    tls: TlsSettings | None = None
    """What ``https://`` needs beyond what the machine trusts."""

    def where(self) -> str:
        """The place in words."""
        return self.path if self.url is None else f"{self.kind} at {self.url}, its journal {self.path}"

    def address(self, folder: Path) -> Address | None:
        """The server and its TLS files in ``folder``, None for DuckDB; raises ValueError for what can't be meant."""
        if self.kind == "duckdb":
            if self.url is not None:
                raise ValueError(f"{self.url!r} beside duckdb, expected kind: victoriametrics or influxdb")
            return None
        if self.url is None:
            raise ValueError(f"none for {self.kind}, expected http://host:port or https://")
        if self.keep_days:
            raise ValueError(f"{self.url!r} beside keep_days, expected the server's own retention")
        url = check_url(self.url)
        if self.tls is not None and not url.startswith("https:"):
            raise ValueError(f"{url!r} beside tls, expected https://")
        files = MACHINE_S_OWN if self.tls is None else self.tls.files(folder)
        return Address(
            url=url, measurement=self.measurement, org=self.org, bucket=self.bucket, user=self.user, files=files
        )


class StateSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where events, deliveries and operations are kept."""

    path: str
    """The SQLite file; relative to the folder of the file."""


class LimitSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How much one client (an address) may read that is heavy; alarms, events and the picture know no limit."""

    reads_per_minute: Annotated[float, msgspec.Meta(gt=0)] = 600
    """Points of series, pages of the catalogue, days of completeness; so many in the long run."""
    reads_at_once: Annotated[int, msgspec.Meta(ge=1)] = 200
    """So many in a burst."""
    downloads_per_minute: Annotated[float, msgspec.Meta(gt=0)] = 6
    """Downloads of rows; so many in the long run, and in a burst."""
    downloads_at_once: Annotated[int, msgspec.Meta(ge=1, le=16)] = 2
    """Downloads of all clients under way together."""
    download_rows: Annotated[int, msgspec.Meta(ge=1)] = 20_000_000
    """Rows of one download at most, by the announced periods."""


class CoverageSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What counts as in time."""

    timely_s: Annotated[float, msgspec.Meta(gt=0, le=86_400)] = 300
    """Seconds from the time of a sample to its commit at the centre."""


class HttpSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where the console and the interface answer; port 0 takes any free one."""

    host: str = "127.0.0.1"
    """A loopback address, as long as there are no users."""
    port: Annotated[int, msgspec.Meta(ge=0, le=65_535)] = 8460
    limits: LimitSettings = LimitSettings()
    """How much one client may read."""


class CentreSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One centre; paths are relative to the folder of the file. ``packs``: files beside the built-in rule packs."""

    site: str
    """The site file."""
    broker: str
    """``mqtt://[user@]host[:port]`` or ``mqtts://``."""
    store: StoreSettings
    state: StateSettings
    http: HttpSettings = HttpSettings()
    coverage: CoverageSettings = CoverageSettings()
    """Completeness and timeliness."""
    drill: bool = False
    """Whether this centre takes drills (and nothing else)."""
    channels: tuple[ChannelSettings, ...] = ()
    """Ways to tell somebody."""
    packs: tuple[str, ...] = ()
    """Rule packs beside the built-in ones."""
    derived: tuple[str, ...] = ()
    """Rules of derived series beside the built-in ones (docs/reference/derived.md)."""
    tls: TlsSettings | None = None
    """What ``mqtts://`` needs beyond what the machine trusts."""

    def address(self, folder: Path) -> BrokerAddress:
        """The broker and the files of its TLS in ``folder``; raises ValueError for what can't be meant."""
        return secured(parse_broker(self.broker), self.tls, folder)


def load_centre(path: Path) -> Document[CentreSettings]:
    """Read and check a centre.yaml; raises telemetry.settings.SettingsError."""
    return _checked(load(path, centre_kind()))


def parse_centre(text: str, path: Path) -> Document[CentreSettings]:
    """Check settings that were read, or made, elsewhere as if they stood in ``path``; raises SettingsError."""
    return _checked(parse(text, path, centre_kind()))


def check_bind(host: str) -> None:
    """Refuse to serve anybody but this machine while there are no users and roles; raises SettingsError."""
    if not is_loopback(host):
        raise SettingsError(
            f"http: {host!r} can be reached from outside and there are no users yet, "
            "expected a loopback address such as 127.0.0.1"
        )


def is_loopback(host: str) -> bool:
    """Whether a host, without its port, is this machine: a loopback address or ``localhost``."""
    if host.lower() == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def centre_kind() -> type[CentreSettings]:
    """The settings with the channels that exist here: each kind brings its own keys."""
    choices: Any = Union[tuple(kind.settings for kind in kinds().values())]  # noqa: UP007 - built at run time
    return msgspec.defstruct(
        "Centre",
        [("channels", tuple[choices, ...], ())],
        bases=(CentreSettings,),
        frozen=True,
        kw_only=True,
        forbid_unknown_fields=True,
    )  # type: ignore[return-value]  # defstruct's stub does not carry the base


def _checked(document: Document[CentreSettings]) -> Document[CentreSettings]:
    for where, problem in _mistakes(document.settings, document.path.parent):
        raise document.error(where, problem)
    return document


Mistake = tuple[tuple[Step, ...], str]


def _mistakes(centre: CentreSettings, folder: Path) -> Iterator[Mistake]:
    yield from _files(centre, folder)
    yield from _broker(centre, folder)
    if not is_loopback(centre.http.host):
        yield ("http", "host"), f"{centre.http.host!r}, expected a loopback address while there are no users"
    try:
        centre.store.address(folder)
    except ValueError as exc:
        yield ("store", "url"), str(exc)
    for quantity in centre.store.keep_days:
        if quantity not in QUANTITIES:
            yield ("store", "keep_days"), f"no quantity {quantity!r}, expected one as `petrel profile list` names them"
    if centre.store.path == centre.state.path:
        yield ("state", "path"), f"{centre.state.path!r} is the store's file too, expected a file of its own"
    seen: set[str] = set()
    for index, channel in enumerate(centre.channels):
        yield from _channel(("channels", index), channel, seen)
        seen.add(channel.name)


def _files(centre: CentreSettings, folder: Path) -> Iterator[Mistake]:
    if not (folder / centre.site).is_file():
        yield ("site",), f"no file {centre.site!r}, expected a site file"
    for index, pack in enumerate(centre.packs):
        if not (folder / pack).is_file():
            yield ("packs", index), f"no file {pack!r}, expected a rule pack"
    for index, rules in enumerate(centre.derived):
        if not (folder / rules).is_file():
            yield ("derived", index), f"no file {rules!r}, expected rules of derived series"


def _broker(centre: CentreSettings, folder: Path) -> Iterator[Mistake]:
    try:
        parse_broker(centre.broker)
    except ValueError as exc:
        yield ("broker",), str(exc)
        return
    try:
        centre.address(folder)
    except ValueError as exc:
        yield ("tls",), str(exc)


def _channel(where: tuple[Step, ...], channel: ChannelSettings, seen: set[str]) -> Iterator[Mistake]:
    if not is_name(channel.name):
        yield (*where, "name"), f"{channel.name!r}, expected lower-case letters, digits and hyphens, 63 at most"
    if channel.name in seen:
        yield (*where, "name"), f"{channel.name!r} stands here twice, expected it once"
    kind = next(kind for kind in kinds().values() if isinstance(channel, kind.settings))
    if problem := kind.problem(channel):
        key, _, rest = problem.partition(": ")
        yield (*where, key), rest
