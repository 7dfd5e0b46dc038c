"""What the store asks of a server of time series: to take lines, to give rows, to say whether it is still the same."""

from dataclasses import dataclass
from typing import Protocol

from ingest.store.protocol import StoreRefusedError
from ingest.store.server.rows import Rows
from telemetry.batch import F64, I64
from telemetry.quality import Quality


class UnfitError(StoreRefusedError):
    """It answers, and is set up so that rows would be lost or doubled."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Ends:
    """The first and the last time of each series and layer, in milliseconds, in any order; columns of shape (k,)."""

    series: I64
    layer: I64
    first_ms: I64
    last_ms: I64


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ServerHours:
    """Hours that hold any row of a series and layer, over values of every quality; (n,), ``by_quality`` (n, 5)."""

    series: I64
    layer: I64
    hour_ms: I64
    mean: F64
    maximum: F64
    by_quality: I64


class Server(Protocol):
    """A server of time series; thread-safe, tries nothing twice. What speaks to it raises StoreRefusedError."""

    engine: str
    settle_s: float
    """After so long what it took is on its disk, if it lived on; 0 where it answers no sooner."""

    def incarnation(self) -> str:
        """A word that is another once it was started anew; answers or refuses within seconds.

        Raises UnfitError, too, which may come with any start of it.
        """

    def write(self, lines: bytes) -> None:
        """Send lines; the same lines may come again, and count once."""

    def span_ms(self, now_ms: int) -> tuple[int, int]:
        """The first and the last time that it keeps a row of."""

    def read(self, series: I64 | None, start_ms: int, stop_ms: int) -> Rows:
        """Rows of some series (sorted; None: of all) with ``start_ms <= time < stop_ms``; the rank is the layer."""

    def ends(self) -> Ends:
        """From when to when it has rows of every series in every layer."""

    def hours(self, series: I64, start_ms: int, stop_ms: int) -> ServerHours | None:
        """The hours of some series (sorted) that begin in a span of whole hours; None where it sums up none."""

    def count(self, quality: Quality | None = None) -> int:
        """Rows, or those of one quality."""

    def close(self) -> None:
        """End all connections."""
