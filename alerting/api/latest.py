"""The newest sample of every series, as arrays indexed by the place that the catalogue gives a series."""

from typing import Final, Protocol

import numpy as np

from ingest.catalogue import Catalogue
from ingest.qc.control import misdated
from telemetry.batch import F64, I64, U8, U16, Mask
from telemetry.quality import Quality

NEVER: Final = np.iinfo(np.int64).min
_STALE_PERIODS: Final = 3
_SECOND_NS: Final = 1_000_000_000


class Columns(Protocol):
    """Rows of samples; all of shape (n,)."""

    @property
    def series(self) -> I64:
        """Identities."""

    @property
    def time_ns(self) -> I64:
        """UTC."""

    @property
    def value(self) -> F64:
        """In canonical units."""

    @property
    def quality(self) -> U8:
        """Quality."""

    @property
    def cause(self) -> U16:
        """Cause."""


class Latest:
    """Columns of shape (places,); ``time_ns`` is NEVER where no sample has come yet.

    A sample whose time can't be is nobody's newest: ``doubted`` says where one came last.
    """

    def __init__(self, catalogue: Catalogue) -> None:
        self._catalogue = catalogue
        self.time_ns: I64 = np.zeros(0, np.int64)
        self.value: F64 = np.zeros(0)
        self.quality: U8 = np.zeros(0, np.uint8)
        self.cause: U16 = np.zeros(0, np.uint16)
        self.doubted: Mask = np.zeros(0, np.bool_)
        self.touched: Mask = np.zeros(0, np.bool_)
        self._period_ns: I64 = np.zeros(0, np.int64)
        self._was_stale: Mask = np.zeros(0, np.bool_)
        self._revision = -1

    def learn(self) -> bool:
        """Make room for what was announced; whether anything was."""
        if self._revision == self._catalogue.revision:
            return False
        self._revision = self._catalogue.revision
        entries = list(self._catalogue.entries())
        self._grow(max((entry.place for entry in entries), default=-1) + 1)
        places = np.array([entry.place for entry in entries], np.int64)
        self._period_ns[places] = [round(entry.series.period_s * _SECOND_NS) for entry in entries]
        self.touched[places] = True
        return True

    def take(self, rows: Columns, now_ns: int) -> None:
        """Keep what is at least as new as what is here, and not of the future."""
        self.learn()
        places = self._catalogue.places(rows.series)
        known = (places >= 0) & (places < len(self.time_ns))
        wrong = misdated(rows.time_ns, rows.quality, rows.cause, now_ns)
        if wrong.any():
            at = places[known & wrong]
            self.doubted[at] = self.touched[at] = True
        chosen = np.flatnonzero(known & ~wrong)
        chosen = chosen[np.argsort(rows.time_ns[chosen], kind="stable")]
        chosen = chosen[rows.time_ns[chosen] >= self.time_ns[places[chosen]]]
        into = places[chosen]  # of several rows of one series the last, which is the newest, stands
        self.time_ns[into] = rows.time_ns[chosen]
        self.value[into] = rows.value[chosen]
        self.quality[into] = rows.quality[chosen]
        self.cause[into] = rows.cause[chosen]
        self.doubted[into] = False
        self.touched[into] = True

    def stale(self, now_ns: int) -> Mask:
        """Whose newest sample is older than three of its periods, or never came. Shape (places,)."""
        never = self.time_ns == NEVER
        age_ns = now_ns - np.where(never, now_ns, self.time_ns)
        return never | (age_ns > _STALE_PERIODS * self._period_ns)

    def changed(self, now_ns: int) -> I64:
        """The places that changed, or became stale or fresh, since the last call."""
        stale = self.stale(now_ns)
        places = np.flatnonzero(self.touched | (stale != self._was_stale))
        self._was_stale = stale
        self.touched[:] = False
        return places

    def _grow(self, places: int) -> None:
        extra = places - len(self.time_ns)
        if extra <= 0:
            return
        self.time_ns = np.concatenate([self.time_ns, np.full(extra, NEVER)])
        self.value = np.concatenate([self.value, np.full(extra, np.nan)])
        self.quality = np.concatenate([self.quality, np.full(extra, Quality.MISSING, np.uint8)])
        self.cause = np.concatenate([self.cause, np.zeros(extra, np.uint16)])
        self.doubted = np.concatenate([self.doubted, np.zeros(extra, np.bool_)])
        self.touched = np.concatenate([self.touched, np.zeros(extra, np.bool_)])
        self._period_ns = np.concatenate([self._period_ns, np.zeros(extra, np.int64)])
        self._was_stale = np.concatenate([self._was_stale, np.zeros(extra, np.bool_)])
