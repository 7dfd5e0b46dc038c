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
    """By place the extremes of the period under way and its end, and whether the one before it was a lull."""

    def __init__(self) -> None:
        self._until_ns: I64 = np.full(0, _NEVER, np.int64)
        self._low: F64 = np.full(0, np.nan)
        self._high: F64 = np.full(0, np.nan)
        self._samples: I64 = np.zeros(0, np.int64)
        self._first_ns: I64 = np.zeros(0, np.int64)
        self._lull: Mask = np.zeros(0, np.bool_)

    def find(self, at: NDArray[np.int32], time_ns: I64, value: F64, before_ns: I64, period_ns: F64, least: F64) -> Mask:
        """Which rows follow on a period in which their series moved by less than ``least``, shape (n,).

        Rows in order of place, then time, none earlier than those before; ``before_ns`` is the time of the sample
        before each. ``period_ns`` and ``least`` are by place. Less than three samples in a period, or samples of less
        than three quarters of it, say nothing.
        """
        self._grow(int(at.max(initial=-1)) + 1)
        goes_on = time_ns < self._until_ns[at]
        if goes_on.all() and (at[1:] != at[:-1]).all():
            self._low[at], self._high[at] = np.fmin(self._low[at], value), np.fmax(self._high[at], value)
            self._samples[at] += 1
            return self._lull[at]
        return self._pieces(at, time_ns, value, before_ns, period_ns, least)

    def _pieces(
        self, at: NDArray[np.int32], time_ns: I64, value: F64, before_ns: I64, period_ns: F64, least: F64
    ) -> Mask:
        until_ns = ((time_ns // period_ns[at] + 1) * period_ns[at]).astype(np.int64)
        first = np.concatenate(([True], at[1:] != at[:-1]))
        begins = np.flatnonzero(first | np.concatenate(([True], until_ns[1:] != until_ns[:-1])))
        samples = np.diff(np.append(begins, len(at)))
        end_ns, last_ns = until_ns[begins], time_ns[begins + samples - 1]
        low, high = np.fmin.reduceat(value, begins), np.fmax.reduceat(value, begins)
        found = _Pieces(low, high, samples, time_ns[begins], last_ns)
        at, first, longest_ns, least = at[begins], first[begins], period_ns[at[begins]], least[at[begins]]
        kept_until_ns = self._until_ns[at]
        kept = _Pieces(self._low[at], self._high[at], self._samples[at], self._first_ns[at], before_ns[begins])
        same = first & (end_ns == kept_until_ns)
        pieces = found.joined(kept, same)
        was_quiet = kept.quiet(longest_ns, least) & _next(kept_until_ns, end_ns, longest_ns)
        quiet = pieces.quiet(longest_ns, least)
        before = np.concatenate(([False], quiet[:-1])) & _next(np.roll(end_ns, 1), end_ns, longest_ns)
        lull = np.where(first, np.where(same, self._lull[at], was_quiet), before)
        last = np.append(first[1:], True)
        self._keep(at[last], end_ns[last], _Pieces(*(column[last] for column in pieces)), lull[last])
        return np.repeat(lull, samples)

    def _keep(self, at: NDArray[np.int32], until_ns: I64, pieces: "_Pieces", lull: Mask) -> None:
        self._until_ns[at], self._lull[at] = until_ns, lull
        self._low[at], self._high[at] = pieces.low, pieces.high
        self._samples[at], self._first_ns[at] = pieces.samples, pieces.first_ns

    def _grow(self, size: int) -> None:
        missing = size - len(self._low)
        if missing > 0:
            missing = max(missing, len(self._low))
            for name, column in list(vars(self).items()):
                blank = {"_until_ns": _NEVER, "_low": np.nan, "_high": np.nan}.get(name, 0)
                setattr(self, name, np.concatenate((column, np.full(missing, blank, column.dtype))))


class _Pieces(NamedTuple):
    """Parts of periods, each of one series: extremes, samples, first and last time; (k,)."""

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


def _next(until_ns: I64, end_ns: I64, period_ns: F64) -> Mask:
    """Whether the period that ends at ``end_ns`` is the one after that which ended at ``until_ns``."""
    found: Mask = end_ns - until_ns == period_ns
    return found
