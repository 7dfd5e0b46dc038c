"""The memory of quality control: the last trusted samples of every series, in arrays by place."""

from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from telemetry.batch import F64, I64, U8, U16, Mask

_NEVER_NS: Final = -(2**62)
_NO_ROW: Final = -1


class Neighbours(NamedTuple):
    """The rows that were compared, by series and time, shape (k,), and for each the samples before it in its series.

    ``rows`` says where they stand in the columns that were given. ``before`` is NaN where there is none, ``earlier`` is
    the sample before that, ``since_ns`` since when the value has been the same. ``before_row`` is the number of the row
    that holds ``before``, -1 where nobody knows it. ``is_last`` marks the rows that are now the last of their series.
    """

    rows: I64
    before_ns: I64
    before: F64
    since_ns: I64
    earlier_ns: I64
    earlier: F64
    before_row: I64
    is_last: Mask


class Memory:
    """The last two samples, and the begin of the present run of equal values, by place; late rows update nothing."""

    def __init__(self) -> None:
        self.last_ns: I64 = np.full(0, _NEVER_NS, np.int64)
        self.last: F64 = np.full(0, np.nan)
        self.quality: U8 = np.zeros(0, np.uint8)
        self.cause: U16 = np.zeros(0, np.uint16)
        """What was found about the last sample, once it has been judged."""
        self._row: I64 = np.full(0, _NO_ROW, np.int64)
        self._since_ns: I64 = np.full(0, _NEVER_NS, np.int64)
        self._before_ns: I64 = np.full(0, _NEVER_NS, np.int64)
        self._before: F64 = np.full(0, np.nan)

    def compare(
        self, places: NDArray[np.int32], time_ns: I64, value: F64, trusted: Mask, longest_gap_ns: F64, number: I64
    ) -> Neighbours:
        """Find the neighbours of the trusted rows that are not late, and remember the newest of each series.

        A gap longer than ``longest_gap_ns`` (by place) ends a run of equal values: nobody knows what happened in it.
        ``number`` names the rows.
        """
        self._grow(int(places.max(initial=-1)) + 1)
        rows = np.flatnonzero(trusted & (time_ns > self.last_ns[places]))
        rows = rows[_by_series_and_time(places[rows], time_ns[rows])]
        return self._follow(rows, places[rows], time_ns[rows], value[rows], longest_gap_ns, number[rows])

    def judged(self, places: NDArray[np.int32], quality: U8, cause: U16) -> None:
        """Note what was found about the last samples of these series."""
        self.quality[places], self.cause[places] = quality, cause

    def _follow(
        self, rows: I64, at: NDArray[np.int32], time_ns: I64, value: F64, longest_gap_ns: F64, number: I64
    ) -> Neighbours:
        new = at[1:] != at[:-1]
        first, is_last = np.ones((2, len(at)), np.bool_)
        first[1:], is_last[:-1] = new, new
        begins = None if new.all() else np.flatnonzero(first)
        before_ns, before, before_row = (
            _after(begins, column, kept, at)
            for column, kept in ((time_ns, self.last_ns), (value, self.last), (number, self._row))
        )
        earlier_ns, earlier = (
            _after(begins, column, kept, at) for column, kept in ((before_ns, self._before_ns), (before, self._before))
        )
        moved = (value != before) | (time_ns - before_ns > longest_gap_ns[at])
        since_ns = np.where(moved, time_ns, self._since_ns[at])
        if begins is not None:
            since_ns = since_ns[np.maximum.accumulate(np.where(moved | first, np.arange(len(at)), 0))]
        found = Neighbours(rows, before_ns, before, since_ns, earlier_ns, earlier, before_row, is_last)
        self._keep(at, time_ns, value, number, found)
        return found

    def _keep(self, at: NDArray[np.int32], time_ns: I64, value: F64, number: I64, found: Neighbours) -> None:
        last = np.s_[:] if found.is_last.all() else found.is_last
        at = at[last]
        self.last_ns[at], self.last[at], self._row[at] = time_ns[last], value[last], number[last]
        self._before_ns[at], self._before[at] = found.before_ns[last], found.before[last]
        self._since_ns[at] = found.since_ns[last]

    def _grow(self, size: int) -> None:
        missing = size - len(self.last)
        if missing <= 0:
            return
        missing = max(missing, len(self.last))
        for name, blank in _BLANK.items():
            column = getattr(self, name)
            setattr(self, name, np.concatenate((column, np.full(missing, blank, column.dtype))))


_BLANK: Final = {
    "last_ns": _NEVER_NS,
    "last": np.nan,
    "quality": 0,
    "cause": 0,
    "_row": _NO_ROW,
    "_since_ns": _NEVER_NS,
    "_before_ns": _NEVER_NS,
    "_before": np.nan,
}
"""What is remembered of a series that nothing was heard of."""


def _after(begins: I64 | None, column: NDArray[Any], kept: NDArray[Any], at: NDArray[np.int32]) -> NDArray[Any]:
    """A column moved on by one row within each series, with what is remembered before its first.

    ``begins`` are the first rows; None: each row is that of another series.
    """
    if begins is None:
        return kept[at]
    moved = np.concatenate((column[:1], column[:-1]))
    moved[begins] = kept[at[begins]]
    return moved


def _by_series_and_time(places: NDArray[np.int32], time_ns: I64) -> I64:
    """Row numbers in order of place, then time, then arrival.

    Rows of one series nearly always arrive in order of time, and sorting (place, row) packed in one integer is many
    times quicker than a stable sort by two columns, so that is tried first.
    """
    shift = len(places).bit_length()
    packed = places.astype(np.int64) << shift | np.arange(len(places))
    packed.sort()
    order = packed & ((1 << shift) - 1)
    sorted_places, sorted_ns = places[order], time_ns[order]
    if np.any((sorted_places[1:] == sorted_places[:-1]) & (sorted_ns[1:] < sorted_ns[:-1])):
        return np.lexsort((time_ns, places))
    return order
