"""Attenuated signals: series that hardly moved in a whole period, found as their rows arrive.

Periods stand side by side, from the epoch of UTC on, so that what is found depends on no grouping of the rows.
"""

from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from telemetry.batch import F64, I64, Mask

_NEVER: Final = -(2**62)
_LEAST_SAMPLES: Final = 3
_LEAST_PART: Final = 0.75
"""Of a period that samples must span, or it says nothing."""


class Lulls:
    """By place the extremes of the period under way, and whether the one before it was a lull."""

    def __init__(self) -> None:
        self._period: I64 = np.full(0, _NEVER, np.int64)
        self._low: F64 = np.full(0, np.nan)
        self._high: F64 = np.full(0, np.nan)
        self._count: I64 = np.zeros(0, np.int64)
        self._first_ns: I64 = np.zeros(0, np.int64)
        self._last_ns: I64 = np.zeros(0, np.int64)
        self._lull: Mask = np.zeros(0, np.bool_)

    def find(self, places: NDArray[np.int32], time_ns: I64, value: F64, period_ns: F64, least: F64) -> Mask:
        """Which rows follow on a period in which their series moved by less than ``least``, shape (n,).

        Rows in order of place, then time, and not earlier than those before. Less than three samples in a period, or
        samples of less than three quarters of it, say nothing.
        """
        self._grow(int(places.max(initial=-1)) + 1)
        if not len(places):
            return np.zeros(0, np.bool_)
        period = (time_ns // period_ns).astype(np.int64)
        first = np.concatenate(([True], places[1:] != places[:-1]))
        begins = np.flatnonzero(first | np.concatenate(([True], period[1:] != period[:-1])))
        count = np.diff(np.append(begins, len(places)))
        at, first = places[begins], first[begins]
        found = _Pieces(
            period[begins],
            np.fmin.reduceat(value, begins),
            np.fmax.reduceat(value, begins),
            count,
            time_ns[begins],
            time_ns[begins + count - 1],
        )
        kept = _Pieces(*(getattr(self, name)[at] for name in _KEPT))
        same = first & (found.period == kept.period)
        pieces = found.joined(kept, same)
        quiet, was_quiet = pieces.quiet(period_ns[begins], least[begins]), kept.quiet(period_ns[begins], least[begins])
        before = np.concatenate(([False], quiet[:-1])) & (found.period == np.roll(found.period, 1) + 1)
        resumed = np.where(same, self._lull[at], was_quiet & (found.period == kept.period + 1))
        lull = np.where(first, resumed, before)
        last = np.append(first[1:], True)
        for name, column in zip((*_KEPT, "_lull"), (*pieces, lull), strict=True):
            getattr(self, name)[at[last]] = column[last]
        return np.repeat(lull, count)

    def _grow(self, size: int) -> None:
        missing = size - len(self._low)
        if missing > 0:
            missing = max(missing, len(self._low))
            for name, column in list(vars(self).items()):
                blank = {"_period": _NEVER, "_low": np.nan, "_high": np.nan}.get(name, 0)
                setattr(self, name, np.concatenate((column, np.full(missing, blank, column.dtype))))


class _Pieces(NamedTuple):
    """Parts of periods, each of one series: number of the period, extremes, samples, first and last time; (k,)."""

    period: I64
    low: F64
    high: F64
    samples: I64
    first_ns: I64
    last_ns: I64

    def joined(self, before: "_Pieces", same: Mask) -> "_Pieces":
        """These, with what came before of those that go on (``same``)."""
        return self._replace(
            low=np.where(same, np.fmin(self.low, before.low), self.low),
            high=np.where(same, np.fmax(self.high, before.high), self.high),
            samples=np.where(same, self.samples + before.samples, self.samples),
            first_ns=np.where(same, before.first_ns, self.first_ns),
        )

    def quiet(self, period_ns: F64, least: F64) -> Mask:
        """Which moved by less than ``least``, as far as that can be said."""
        told = (self.samples >= _LEAST_SAMPLES) & (self.last_ns - self.first_ns >= _LEAST_PART * period_ns)
        found: Mask = told & (self.high - self.low < least)
        return found


_KEPT: Final = ("_period", "_low", "_high", "_count", "_first_ns", "_last_ns")
