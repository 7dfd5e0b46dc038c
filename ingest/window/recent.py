"""The last rows of every series, so that one that is written again finds the row in whose place it comes."""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from telemetry.batch import F64, I64, U8, Mask
from telemetry.quality import Quality

_KEPT: Final = 8
"""Rows a series: quality control flags a row by the next one or two."""


class Recent:
    """A ring of rows per slot, in order of arrival; times are never 0 where there is a row."""

    def __init__(self) -> None:
        self._time_ns: I64 = np.zeros((0, _KEPT), np.int64)
        self._value: F64 = np.zeros((0, _KEPT))
        self._quality: U8 = np.zeros((0, _KEPT), np.uint8)
        self._next: I64 = np.zeros(0, np.int64)

    def grow(self, slots: int) -> None:
        """Make room for more series."""
        extra = slots - len(self._next)
        for name in ("_time_ns", "_value", "_quality"):
            column: NDArray[np.generic] = getattr(self, name)
            setattr(self, name, np.concatenate([column, np.zeros((extra, _KEPT), column.dtype)]))
        self._next = np.concatenate([self._next, np.zeros(extra, np.int64)])

    def find(self, slots: I64, time_ns: I64) -> tuple[Mask, I64]:
        """Which rows (n,) are here, and their flat places."""
        same = (self._time_ns[slots] == time_ns[:, None]) & (time_ns[:, None] != 0)
        return same.any(axis=1), slots * _KEPT + same.argmax(axis=1)

    def value(self, places: I64) -> F64:
        """Values at flat places."""
        return self._value.reshape(-1)[places]

    def quality(self, places: I64) -> U8:
        """Qualities at flat places."""
        return self._quality.reshape(-1)[places]

    def rewrite(self, places: I64, value: F64, quality: U8) -> None:
        """Other values and qualities at flat places."""
        self._value.reshape(-1)[places] = value
        self._quality.reshape(-1)[places] = quality

    def remember(self, slots: I64, time_ns: I64, value: F64, quality: U8) -> None:
        """Take in rows that are not here, sorted by slot."""
        if not len(slots):
            return
        begins = np.flatnonzero(np.append(True, slots[1:] != slots[:-1]))
        sizes = np.diff(np.append(begins, len(slots)))
        rank = np.arange(len(slots)) - np.repeat(begins, sizes)
        last = np.repeat(sizes, sizes) - rank <= _KEPT
        at, column = slots[last], (self._next[slots[last]] + rank[last]) % _KEPT
        self._time_ns[at, column], self._value[at, column] = time_ns[last], value[last]
        self._quality[at, column] = quality[last]
        self._next[slots[begins]] += sizes

    def newest_usable_ns(self, slots: I64) -> I64:
        """When the newest of the rows that are here was taken that is better than BAD; 0: none. (n,) -> (n,)."""
        usable = self._quality[slots] < Quality.BAD
        return np.where(usable, self._time_ns[slots], 0).max(axis=1, initial=0)
