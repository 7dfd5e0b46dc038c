"""The memory of quality control: the last trusted sample of every series, in arrays by place."""

from typing import Final, NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray

from telemetry.batch import F64, I64, Mask

N = TypeVar("N", bound=np.generic)

_NEVER_NS: Final = -(2**62)


class Neighbours(NamedTuple):
    """For each row the sample before it in its series, and since when its value has been the same.

    ``before`` is NaN where there is none, or where the row came too late to be compared.
    """

    before_ns: I64
    before: F64
    since_ns: I64


class Memory:
    """Last time, value, and begin of the present run of equal values by place; rows later than that update nothing."""

    def __init__(self) -> None:
        self._last_ns: I64 = np.full(0, _NEVER_NS, np.int64)
        self._last: F64 = np.full(0, np.nan)
        self._since_ns: I64 = np.full(0, _NEVER_NS, np.int64)

    def compare(
        self, places: NDArray[np.int32], time_ns: I64, value: F64, trusted: Mask, longest_gap_ns: F64
    ) -> Neighbours:
        """Find the neighbours of the trusted rows and remember the newest of each series.

        A gap longer than ``longest_gap_ns`` ends a run of equal values: nobody knows what happened in it.
        """
        self._grow(int(places.max(initial=-1)) + 1)
        found = Neighbours(time_ns.copy(), np.full(len(places), np.nan), time_ns.copy())
        rows = np.flatnonzero(trusted & (time_ns > self._last_ns[places]))
        if len(rows):
            rows = rows[_by_series_and_time(places[rows], time_ns[rows])]
            self._follow(rows, places[rows], time_ns[rows], value[rows], longest_gap_ns[rows], found)
        return found

    def _follow(
        self, rows: I64, places: NDArray[np.int32], time_ns: I64, value: F64, longest_gap_ns: F64, found: Neighbours
    ) -> None:
        first = np.concatenate(([True], places[1:] != places[:-1]))
        before_ns, before = _shifted(time_ns), _shifted(value)
        before_ns[first], before[first] = self._last_ns[places[first]], self._last[places[first]]
        moved = (value != before) | (time_ns - before_ns > longest_gap_ns)
        since_ns = np.where(moved, time_ns, self._since_ns[places])
        start = np.maximum.accumulate(np.where(moved | first, np.arange(len(rows)), 0))
        since_ns = since_ns[start]
        found.before_ns[rows], found.before[rows], found.since_ns[rows] = before_ns, before, since_ns
        last = np.concatenate((first[1:], [True]))
        at = places[last]
        self._last_ns[at], self._last[at], self._since_ns[at] = time_ns[last], value[last], since_ns[last]

    def _grow(self, size: int) -> None:
        missing = size - len(self._last)
        if missing > 0:
            missing = max(missing, len(self._last))
            self._last_ns = np.concatenate((self._last_ns, np.full(missing, _NEVER_NS, np.int64)))
            self._last = np.concatenate((self._last, np.full(missing, np.nan)))
            self._since_ns = np.concatenate((self._since_ns, np.full(missing, _NEVER_NS, np.int64)))


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


def _shifted(column: NDArray[N]) -> NDArray[N]:
    return np.concatenate((column[:1], column[:-1]))
