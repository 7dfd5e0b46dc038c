"""Samples of many series as windows: rectangular arrays with one row per moment that something is computed for."""

from dataclasses import dataclass
from typing import Final

import numpy as np

from telemetry.batch import F64, I64, U8, U16, Mask
from telemetry.quality import Cause, Quality
from telemetry.span import HOUR_NS, MILLISECOND_NS

NEVER: Final = -(2**62)


@dataclass(frozen=True, slots=True, eq=False)
class Windows:
    """Windows of samples, (n, w) each, oldest first and padded: value (NaN: none), time, whether it is doubtful."""

    value: F64
    time_ns: I64
    suspect: Mask

    @property
    def held(self) -> Mask:
        """Where there is a usable sample."""
        return ~np.isnan(self.value)

    @property
    def count(self) -> I64:
        """Usable samples of each window, (n,)."""
        return self.held.sum(axis=1)


class Samples:
    """Rows ordered by series and time, one for each (series, time). BAD, MISSING and misdated ones have no value."""

    def __init__(self, series: I64, time_ns: I64, value: F64, quality: U8, cause: U16) -> None:
        doubted = (cause & Cause.CLOCK != 0) & (quality >= Quality.SUSPECT)
        self.series, self.time_ns = series[~doubted], time_ns[~doubted]
        usable = quality[~doubted] <= Quality.SUSPECT
        self.value = np.where(usable, value[~doubted], np.nan)
        self.suspect = quality[~doubted] == Quality.SUSPECT
        self._ids, rank = np.unique(self.series, return_inverse=True)
        self._begin = int(self.time_ns.min(initial=2**62)) // MILLISECOND_NS
        self._width = int(self.time_ns.max(initial=0)) // MILLISECOND_NS - self._begin + 2
        self._key = rank * self._width + self.time_ns // MILLISECOND_NS - self._begin + 1

    def __len__(self) -> int:
        return len(self.series)

    def usable(self) -> "Samples":
        """Those with a value alone."""
        kept = ~np.isnan(self.value)
        quality = np.where(self.suspect[kept], np.uint8(Quality.SUSPECT), np.uint8(Quality.GOOD))
        n = int(kept.sum())
        return Samples(self.series[kept], self.time_ns[kept], self.value[kept], quality, np.zeros(n, np.uint16))

    def until(self, series: I64, time_ns: I64) -> I64:
        """The number of the row after the last one at or before each moment, of each series; both (n,)."""
        if not len(self._ids):
            return np.zeros(len(series), np.int64)
        at = np.minimum(np.searchsorted(self._ids, series), len(self._ids) - 1)
        known = self._ids[at] == series
        offset = np.clip(time_ns // MILLISECOND_NS - self._begin + 1, 0, self._width - 1)
        return np.where(known, np.searchsorted(self._key, at * self._width + offset, side="right"), 0)

    def last(self, series: I64, time_ns: I64) -> I64:
        """The row number of the newest sample of each series at or before each moment; -1 where there is none. (n,)."""
        row = self.until(series, time_ns) - 1
        mine = (row >= 0) & (self.series[np.maximum(row, 0)] == series) if len(self) else np.zeros(len(row), np.bool_)
        return np.where(mine, row, -1)

    def nearest(self, series: I64, time_ns: I64, within_ns: I64) -> I64:
        """The row number of the sample of each series nearest to each moment; -1 where none is so near. (n,)."""
        if not len(self):
            return np.full(len(series), -1, np.int64)
        after = self.until(series, time_ns)
        best, gap = np.full(len(series), -1), within_ns + 1
        for row in (after - 1, after):
            inside = np.clip(row, 0, len(self) - 1)
            found = (row == inside) & (self.series[inside] == series)
            distance = np.where(found, np.abs(self.time_ns[inside] - time_ns), NEVER * -1)
            best, gap = np.where(distance < gap, inside, best), np.minimum(distance, gap)
        return best

    def windows(self, series: I64, begin_ns: I64, end_ns: I64) -> Windows:
        """The samples of each series in ``(begin, end]``; all of shape (n,)."""
        first, stop = self.until(series, begin_ns), self.until(series, end_ns)
        width = int((stop - first).max(initial=0))
        rows = stop[:, None] - width + np.arange(width)
        held = rows >= first[:, None]
        rows = np.where(held, rows, 0)
        if not len(self):
            return Windows(np.zeros(rows.shape), np.zeros(rows.shape, np.int64), np.zeros(rows.shape, np.bool_))
        return Windows(
            np.where(held, self.value[rows], np.nan),
            np.where(held, self.time_ns[rows], NEVER),
            held & self.suspect[rows],
        )

    def widest(self, series: I64, begin_ns: I64, end_ns: I64) -> int:
        """Samples in the fullest of these windows, by which callers choose how many to make at a time."""
        return int((self.until(series, end_ns) - self.until(series, begin_ns)).max(initial=0))

    def at(self, row: I64) -> F64:
        """Values of rows by number, NaN for -1. (n,) -> (n,)."""
        if not len(self):
            return np.full(len(row), np.nan)
        return np.where(row >= 0, self.value[np.maximum(row, 0)], np.nan)


def on_grid(windows: Windows, end_ns: I64, period_ns: I64, columns: int) -> F64:
    """Values by the period that they fall in, counted back from each end, NaN: none did. (n, w) -> (n, columns)."""
    n, _ = windows.value.shape
    back = np.rint((end_ns[:, None] - windows.time_ns) / period_ns[:, None])
    held = windows.held & (back >= 0) & (back < columns)
    grid = np.full((n, columns), np.nan)
    row, at = np.nonzero(held)
    grid[row, columns - 1 - back[row, at].astype(np.int64)] = windows.value[row, at]
    return grid


def hourly(windows: Windows, end_ns: I64, hours: int, period_ns: I64, least: float) -> tuple[F64, F64]:
    """Means of the hours before each end, oldest first, and samples of them: (n, w) -> (n, hours) each.

    An hour with less than the share ``least`` of the samples due has no mean.
    """
    n, _ = windows.value.shape
    back = (end_ns[:, None] - windows.time_ns) // HOUR_NS
    held = windows.held & (back >= 0) & (back < hours)
    row, at = np.nonzero(held)
    cell = row * hours + hours - 1 - back[row, at]
    count = np.bincount(cell, minlength=n * hours).reshape(n, hours)
    total = np.bincount(cell, windows.value[row, at], n * hours).reshape(n, hours)
    due = np.maximum(HOUR_NS / np.maximum(period_ns, 1), 1.0)[:, None]
    enough = (count > 0) & (count >= least * due - 1e-9)
    return np.where(enough, total / np.maximum(count, 1), np.nan), count.astype(np.float64)
