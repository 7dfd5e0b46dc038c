"""A record: samples of many series one after another, and what is found over windows of each at once.

Windows are put together from blocks of 1, 2, 4, ... samples, so that the cost grows with the logarithm of their length
and no loop goes over series or rows.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Final

import numpy as np

from telemetry.batch import F64, I64, Mask

BLOCK_ROWS: Final = 16_384
"""Columns of a block stay in the cache of a core."""


@dataclass(frozen=True, eq=False)
class Record:
    """``value`` and ``time_ms`` (UTC) of shape (n,), the series one after another and each in order of time; ``counts``
    (m,) says how many samples each has, at least one. A value that is not finite is missing.
    """

    value: F64
    time_ms: I64
    counts: I64

    def __post_init__(self) -> None:
        if not (self.value.shape == self.time_ms.shape == (int(self.counts.sum()),)) or (self.counts < 1).any():
            shapes = f"values {self.value.shape}, times {self.time_ms.shape}, counts of {self.counts.sum()}"
            raise ValueError(f"record: {shapes}, expected as many of each, and no series without samples")

    @cached_property
    def series(self) -> I64:
        """Of each row the place of its series, (n,)."""
        return np.repeat(np.arange(len(self.counts)), self.counts)

    @cached_property
    def starts(self) -> I64:
        """The first row of each series, (m,)."""
        return np.cumsum(self.counts) - self.counts

    @cached_property
    def start(self) -> I64:
        """Of each row the first row of its series, (n,)."""
        return np.repeat(self.starts, self.counts)

    @cached_property
    def missing(self) -> Mask:
        """Rows without a value, (n,)."""
        return ~np.isfinite(self.value)

    @cached_property
    def is_first(self) -> Mask:
        """Rows with which a series begins, (n,)."""
        first = np.zeros(len(self.value), np.bool_)
        first[self.starts] = True
        return first

    @cached_property
    def is_last(self) -> Mask:
        """Rows with which a series ends, (n,)."""
        return np.append(self.is_first[1:], True)[: len(self.value)]

    @cached_property
    def elapsed_ms(self) -> I64:
        """Time since the row before, 0 at the first of a series, (n,)."""
        elapsed = np.diff(self.time_ms, prepend=self.time_ms[:1])
        elapsed[self.starts] = 0
        return elapsed

    def blocks(self, rows: int = BLOCK_ROWS) -> "Iterator[tuple[Record, slice]]":
        """The same in records of about so many rows, each with the slice of its series; no series is cut."""
        block = self.starts // rows
        begins = np.flatnonzero(np.diff(block, prepend=-1))
        for begin, end in zip(begins, np.append(begins[1:], len(self.counts)), strict=True):
            first = self.starts[begin]
            some = slice(first, first + self.counts[begin:end].sum())
            yield Record(self.value[some], self.time_ms[some], self.counts[begin:end]), slice(begin, end)

    def by_row(self, parameter: F64 | float) -> F64:
        """A parameter of each series (m,), or of all, for each row (n,)."""
        if np.ndim(parameter) == 0:
            return np.broadcast_to(np.float64(parameter), self.value.shape)
        return np.asarray(parameter, np.float64)[self.series]

    def intervals_ms(self) -> F64:
        """The median time between samples of each series, (m,); NaN for a series of one."""
        median = np.full(len(self.counts), np.nan)
        several = np.flatnonzero(self.counts > 1)
        if not len(several):
            return median
        inner, series = self.elapsed_ms[~self.is_first], self.series[~self.is_first]
        starts = np.flatnonzero(np.diff(series, prepend=-1))
        low, high = np.minimum.reduceat(inner, starts), np.maximum.reduceat(inner, starts)
        median[several] = low
        odd = several[low != high]
        if len(odd):
            median[odd] = _medians(inner, series, odd)
        return median

    def extremes(self, length: I64) -> tuple[F64, F64]:
        """The least and the greatest of the last ``length`` samples up to each row, (n,) each; missing ones do not
        count, NaN where all are. ``length`` must not reach before the series of its row.
        """
        lowest, highest = np.full(len(length), np.nan), np.full(len(length), np.nan)
        value = np.where(self.missing, np.nan, self.value)
        low, high = value, value
        for size, rows in _doubling(length):
            if size > 1:
                low, high = _joined(low, size // 2, np.fmin), _joined(high, size // 2, np.fmax)
            early = rows - length[rows] + size
            lowest[rows] = np.fmin(low[rows], low[early])
            highest[rows] = np.fmax(high[rows], high[early])
        return lowest, highest

    def window(self, period_ms: F64 | float) -> I64:
        """How many samples up to each row lie in (t - ``period_ms``, t], (n,)."""
        # One search over all series: times are counted from the first of each, and series set apart by the longest.
        since = self.time_ms - self.time_ms[self.start]
        period = np.minimum(self.by_row(period_ms), 2.0**52).astype(np.int64)
        apart = int(since.max(initial=0)) + 1
        key = self.series * apart + since
        oldest = np.maximum(since - period + 1, 0) + self.series * apart
        return np.arange(len(key)) - np.searchsorted(key, oldest) + 1


def _medians(inner: I64, series: I64, wanted: I64) -> F64:
    rows = np.flatnonzero(np.isin(series, wanted))
    some, of = inner[rows], series[rows]
    some = some[np.lexsort((some, of))]
    starts = np.flatnonzero(np.diff(of, prepend=-1))
    counts = np.diff(np.append(starts, len(of)))
    halves: F64 = (some[starts + (counts - 1) // 2] + some[starts + counts // 2]) / 2
    return halves


def _doubling(length: I64) -> Iterator[tuple[int, I64]]:
    """Sizes 1, 2, 4, ... with the rows whose window is at least as long, and less than twice."""
    size, longest = 1, int(length.max(initial=0))
    while size <= longest:
        yield size, np.flatnonzero((length >= size) & (length < 2 * size))
        size *= 2


def _joined(blocks: F64, by: int, with_: np.ufunc) -> F64:
    """Blocks up to each row, joined with those that end ``by`` rows before; the first rows have none before."""
    joined = blocks.copy()
    with_(blocks[by:], blocks[:-by], out=joined[by:])
    return joined
