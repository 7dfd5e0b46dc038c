"""The memory of quality control: the last trusted samples of every series, in arrays by place."""

from collections.abc import Sequence
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from telemetry.batch import F64, I64, U8, U16, Mask

_NEVER_NS: Final = -(2**62)
_NO_ROW: Final = -1


class Neighbours(NamedTuple):
    """For each row the samples before it in its series, and since when its value has been the same.

    ``before`` is NaN where there is none, or where the row came too late to be compared; ``earlier`` is the one before
    that. ``before_row`` is the number of the row that holds ``before``, -1 where nobody knows it. ``order`` are the
    rows that were compared, by series and time, and ``newest`` those of them that are now the last of their series.
    """

    before_ns: I64
    before: F64
    since_ns: I64
    earlier_ns: I64
    earlier: F64
    before_row: I64
    order: I64
    newest: I64


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
        self,
        places: NDArray[np.int32],
        time_ns: I64,
        value: F64,
        trusted: Mask,
        longest_gap_ns: F64,
        number: I64 | None = None,
    ) -> Neighbours:
        """Find the neighbours of the trusted rows and remember the newest of each series; ``number`` names the rows.

        A gap longer than ``longest_gap_ns`` ends a run of equal values: nobody knows what happened in it.
        """
        self._grow(int(places.max(initial=-1)) + 1)
        n = len(places)
        found = Neighbours(
            time_ns.copy(),
            np.full(n, np.nan),
            time_ns.copy(),
            np.full(n, _NEVER_NS, np.int64),
            np.full(n, np.nan),
            np.full(n, _NO_ROW, np.int64),
            np.zeros(0, np.int64),
            np.zeros(0, np.int64),
        )
        rows = np.flatnonzero(trusted & (time_ns > self.last_ns[places]))
        if not len(rows):
            return found
        rows = rows[_by_series_and_time(places[rows], time_ns[rows])]
        names = np.full(len(rows), _NO_ROW) if number is None else number[rows]
        return self._follow(rows, places[rows], time_ns[rows], value[rows], longest_gap_ns[rows], names, found)

    def judged(self, places: NDArray[np.int32], quality: U8, cause: U16) -> None:
        """Note what was found about the last samples of these series."""
        self.quality[places], self.cause[places] = quality, cause

    def _follow(
        self,
        rows: I64,
        places: NDArray[np.int32],
        time_ns: I64,
        value: F64,
        longest_gap_ns: F64,
        names: I64,
        found: Neighbours,
    ) -> Neighbours:
        first = np.concatenate(([True], places[1:] != places[:-1]))
        begins, at = np.flatnonzero(first), places[first]
        before_ns, before, before_row = _after(
            begins, (time_ns, value, names), (self.last_ns, self.last, self._row), at
        )
        earlier_ns, earlier = _after(begins, (before_ns, before), (self._before_ns, self._before), at)
        moved = (value != before) | (time_ns - before_ns > longest_gap_ns)
        since_ns = np.where(moved, time_ns, self._since_ns[places])
        start = np.maximum.accumulate(np.where(moved | first, np.arange(len(rows)), 0))
        since_ns = since_ns[start]
        columns = (before_ns, before, since_ns, earlier_ns, earlier, before_row)
        for column, kept in zip(found, columns, strict=False):
            column[rows] = kept
        last = np.concatenate((first[1:], [True]))
        at = places[last]
        self.last_ns[at], self.last[at], self._since_ns[at] = time_ns[last], value[last], since_ns[last]
        self._before_ns[at], self._before[at], self._row[at] = before_ns[last], before[last], names[last]
        return found._replace(order=rows, newest=rows[last])

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


def _after(
    begins: I64, columns: Sequence[NDArray[Any]], kept: Sequence[NDArray[Any]], places: NDArray[np.int32]
) -> list[NDArray[Any]]:
    """The columns moved on by one row within each series, with what is remembered before its first."""
    moved = []
    for column, memory in zip(columns, kept, strict=True):
        shifted = np.concatenate((column[:1], column[:-1]))
        shifted[begins] = memory[places]
        moved.append(shifted)
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
