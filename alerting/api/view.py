"""What the interface asks of the centre: reads of the picture, samples, health, and acknowledgements."""

from typing import TYPE_CHECKING, NamedTuple, Protocol

from alerting.api import dto
from alerting.api.fanout import Fanout

if TYPE_CHECKING:
    from alerting.api.holdings import Holdings


class UnknownError(LookupError):
    """There is no such thing: what was asked for."""


class StaleError(RuntimeError):
    """What the person saw is no longer so: what is now."""


class UnavailableError(RuntimeError):
    """A part that is needed can't answer now: which, and why."""


class Span(NamedTuple):
    """From, to (exclusive) and bucket width in nanoseconds; 0: raw samples."""

    from_ns: int
    to_ns: int
    every_ns: int


class Acknowledgement(NamedTuple):
    """Who acknowledges which version, and what they say."""

    version: int
    by: str
    note: str


class CentreView(Protocol):
    """The picture as it is now, and the few things that may be asked of the centre."""

    @property
    def fanout(self) -> Fanout:
        """The stream of snapshots and deltas."""

    @property
    def timezone(self) -> str:
        """In which times are written, and times without an offset are read."""

    @property
    def holdings(self) -> "Holdings":
        """Catalogue, register, coverage and downloads."""

    def now_ns(self) -> int:
        """Data time."""

    def site(self) -> dto.Site:
        """The site."""

    def layer(self, name: str) -> bytes:
        """A map layer (GeoJSON); raises UnknownError."""

    def stations(self) -> list[dto.Station]:
        """All stations, by identity."""

    def gateways(self) -> list[dto.Gateway]:
        """All gateways, by source."""

    def areas(self) -> list[dto.Area]:
        """All areas, in the order of the site file."""

    def alarms(self) -> list[dto.Alarm]:
        """All alarms, newest change first."""

    def alarm(self, identity: str) -> dto.Alarm:
        """One alarm; raises UnknownError."""

    async def acknowledge(self, identity: str, seen: Acknowledgement) -> dto.Alarm:
        """Acknowledge; raises UnknownError, StaleError (F23), UnavailableError."""

    def series(self, identity: str) -> dto.Series:
        """What is known of a series; raises UnknownError."""

    async def points(self, series: str, span: Span) -> dto.SeriesPoints:
        """Samples of a series; raises UnknownError, UnavailableError."""

    async def health(self) -> dto.Health:
        """How the parts are."""

    async def metrics(self) -> bytes:
        """Everything that is counted, in the text format of Prometheus."""
