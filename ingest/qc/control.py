"""Quality control of a group of rows: which checks run, in which order, and what GOOD means."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from ingest.qc.checks import SECOND_NS, Verdict, month, out_of_time, season, spike, went_back
from ingest.qc.limits import Limits
from ingest.qc.lull import Lulls
from ingest.qc.memory import Memory, Neighbours
from ingest.qc.neighbourhood import Neighbourhood
from ingest.qc.parameters import AnyTest
from ingest.qc.rows import NEIGHBOUR_CHECKS, RANGE_CHECKS, USUAL, Afterwards, Samples, Tolerance, out_of_tolerance
from telemetry.batch import F64, I64, U8, U16, Mask
from telemetry.quality import Cause, Quality
from telemetry.series import Series

_LEAST_MEMORY_NS: Final = 3600 * SECOND_NS
_BLOCK_ROWS: Final = 16_384
"""Columns of a block stay in the cache of a core: 120 ns a row, against 230 in groups of 200,000."""


def misdated(time_ns: I64, quality: U8, cause: U16, now_ns: int) -> Mask:
    """Which checked rows (n,) are of no moment that can be now: they are kept, and are nobody's present state.

    Quality control marked them SUSPECT with CLOCK when they came. The time is looked at again, since a gateway marks
    with CLOCK what it read just before its clock was set, and such rows are right.
    """
    marked = (cause & Cause.CLOCK != 0) & (quality >= Quality.SUSPECT)
    if not marked.any():
        return marked
    return marked & out_of_time(time_ns, now_ns, USUAL.ahead_ns, USUAL.behind_ns)


class QualityControl:
    """The checks with their limits and their memory. One thread uses it; values are never altered.

    ``tests`` are those of the site file, beside the built-in ones.
    """

    def __init__(self, tolerance: Tolerance | None = None, tests: Sequence[AnyTest] = ()) -> None:
        self.limits = Limits(tests)
        self.neighbourhood = Neighbourhood(self.limits)
        self._tolerance = USUAL if tolerance is None else tolerance
        self._memory = Memory()
        self._lulls = Lulls()
        self._rows = 0
        """Rows that were seen in earlier groups: the numbers of this group begin there."""
        self._afterwards: list[Afterwards] = []

    def learn(self, announced: Sequence[tuple[int, Series, float, float]]) -> None:
        """Take over announced series: the place of each, and the latitude and longitude of its station."""
        self.limits.put([(place, series) for place, series, _, _ in announced])
        for place, series, lat, lon in announced:
            self.neighbourhood.put(place, series.quantity, lat, lon)

    def check(
        self,
        places: NDArray[np.int32],
        time_ns: I64,
        value: F64,
        quality: U8,
        cause: U16,
        now_ns: int,
        batch: I64 | None = None,
    ) -> tuple[U8, U16]:
        """The quality and causes of rows of known series, the worst finding winning; GOOD when nothing was found.

        ``places`` are those of the catalogue, rows stand in order of arrival. MISSING rows stay what they are. What
        these rows say about those of earlier groups is given by ``afterwards``. ``batch`` (n,) numbers the batches.
        """
        quality, cause = np.maximum(quality, np.uint8(Quality.GOOD)), cause.copy()
        rows = Samples(
            places=places,
            time_ns=time_ns,
            value=value,
            limits=self.limits,
            tolerance=self._tolerance,
            now_ns=now_ns,
        )
        if batch is not None:
            self._turned_back(batch, rows, quality, cause)
        for start in range(0, len(places), _BLOCK_ROWS):
            self._check(rows, start, quality, cause)
        self._rows += len(places)
        return quality, cause

    def afterwards(self) -> list[Afterwards]:
        """What was found about rows of earlier groups since this was asked last."""
        found, self._afterwards = self._afterwards, []
        return found

    @property
    def memory_ns(self) -> int:
        """How far back ``warm`` must begin: the longest time that a test looks back."""
        looks_back_ns = np.concatenate((self.limits.flat_ns, 2 * self.limits.lull_ns))
        return int(looks_back_ns[np.isfinite(looks_back_ns)].max(initial=_LEAST_MEMORY_NS))

    def warm(self, places: NDArray[np.int32], time_ns: I64, value: F64, quality: U8, cause: U16) -> None:
        """Remember rows that an earlier run has checked, in the order of their commits, so that the next ones have
        neighbours. Rows of unknown series have a negative place.
        """
        known = (places >= 0) & (quality < Quality.BAD) & (cause & Cause.CLOCK == 0)
        rows = np.flatnonzero(known & self.limits.watched[places])
        some = Samples(
            places=places[rows],
            time_ns=time_ns[rows],
            value=value[rows],
            limits=self.limits,
            tolerance=self._tolerance,
            now_ns=0,
        )
        number = np.full(len(rows), -1)
        beside = self._compare(some, np.ones(len(rows), np.bool_), number)
        self._lull(some.take(beside.rows), beside)
        last = beside.rows[beside.is_last]
        self._memory.judged(some.places[last], quality[rows[last]], cause[rows[last]])

    def _check(self, rows: Samples, start: int, quality: U8, cause: U16) -> None:
        block = np.s_[start : start + _BLOCK_ROWS]
        some = replace(rows, places=rows.places[block], time_ns=rows.time_ns[block], value=rows.value[block])
        limits, at = self.limits, some.places
        self._range(some, quality[block], cause[block])
        self._season(some, quality[block], cause[block])
        misdated = out_of_tolerance(some)
        if misdated.any():
            _doubt(np.flatnonzero(misdated), Cause.CLOCK, quality[block], cause[block])
        trusted = (quality[block] < Quality.BAD) & (cause[block] & Cause.CLOCK == 0)
        watched = np.flatnonzero(limits.watched[at] & trusted)
        if len(watched):
            self._beside(some.take(watched), watched + start, quality, cause)

    @staticmethod
    def _turned_back(batch: I64, rows: Samples, quality: U8, cause: U16) -> None:
        """A clock that nothing keeps right and that goes back between two samples is wrong at one of them.

        Without that mark it is no evidence: loggers hand over what they kept after what they read last.
        """
        free = np.flatnonzero((cause & Cause.UNSYNCED != 0) & (quality < Quality.MISSING))
        if len(free):
            back = went_back(batch[free], rows.places[free], rows.time_ns[free])
            _doubt(free[back], Cause.CLOCK, quality, cause)

    def _range(self, rows: Samples, quality: U8, cause: U16) -> None:
        """Few rows lie outside the tightest limits, and only those are looked at more closely."""
        at, limits = rows.places, self.limits
        outside = np.flatnonzero((rows.value < limits.tight_low[at]) | (rows.value > limits.tight_high[at]))
        if len(outside):
            some = rows.take(outside)
            for check in RANGE_CHECKS:
                _note_at(check(some), outside, quality, cause)

    def _season(self, rows: Samples, quality: U8, cause: U16) -> None:
        if not self.limits.is_seasonal:
            return
        seasonal = np.flatnonzero(self.limits.seasonal[rows.places])
        at, months = rows.places[seasonal], month(rows.time_ns[seasonal])
        _note_at(season(rows.value[seasonal], self.limits.usual[at, months]), seasonal, quality, cause)

    def _beside(self, rows: Samples, which: I64, quality: U8, cause: U16) -> None:
        """Check rows against others; ``which`` says where they stand in the columns of the group."""
        beside = self._compare(rows, np.ones(len(which), np.bool_), which + self._rows)
        rows, which = rows.take(beside.rows), which[beside.rows]
        for check in NEIGHBOUR_CHECKS:
            _note_at(check(rows, beside), which, quality, cause)
        _doubt(which[self._lull(rows, beside)], Cause.FLATLINE, quality, cause)
        _doubt(which[self._alone(rows, beside)], Cause.NEIGHBOURS, quality, cause)
        self._spikes(rows, beside, quality, cause)
        last = which[beside.is_last]
        self._memory.judged(rows.places[beside.is_last], quality[last], cause[last])

    def _compare(self, rows: Samples, trusted: Mask, number: I64) -> Neighbours:
        return self._memory.compare(rows.places, rows.time_ns, rows.value, trusted, self.limits.flat_gap_ns, number)

    def _lull(self, rows: Samples, beside: Neighbours) -> I64:
        """Rows of a signal that has hardly moved for a whole period."""
        watched = np.flatnonzero(self.limits.lull_ns[rows.places] > 0)
        if not len(watched):
            return watched
        at, limits = rows.places[watched], self.limits
        columns = rows.time_ns[watched], rows.value[watched], beside.before_ns[watched]
        return watched[self._lulls.find(at, *columns, limits.lull_ns, limits.lull_least)]

    def _alone(self, rows: Samples, beside: Neighbours) -> I64:
        """Newest rows of their series that stand alone among the stations in reach."""
        asked = np.flatnonzero(beside.is_last & (self.limits.differs[rows.places] > 0))
        if not len(asked):
            return asked
        memory = self._memory
        alone = self.neighbourhood.alone(
            rows.places[asked], rows.time_ns[asked], rows.value[asked], memory.last_ns, memory.last
        )
        return asked[alone]

    def _spikes(self, rows: Samples, beside: Neighbours, quality: U8, cause: U16) -> None:
        """Flag the samples *before* these rows that are spikes now that their later neighbour is known."""
        limits, at = self.limits, rows.places
        found = np.flatnonzero(
            spike(beside.earlier, beside.before, rows.value, limits.spike[at], limits.spike_average[at])
        )
        if not len(found):
            return
        near_ns, before_ns = limits.beside_ns[at[found]], beside.before_ns[found]
        near = rows.time_ns[found] - before_ns <= near_ns
        found = found[near & (before_ns - beside.earlier_ns[found] <= near_ns)]
        row = beside.before_row[found] - self._rows
        _doubt(row[row >= 0], Cause.SPIKE, quality, cause)
        self._later(at[found[row < 0]], beside, found[row < 0])

    def _later(self, at: NDArray[np.int32], beside: Neighbours, doubted: I64) -> None:
        if not len(at):
            return
        memory = self._memory
        self._afterwards.append(
            Afterwards(
                places=at,
                time_ns=beside.before_ns[doubted],
                value=beside.before[doubted],
                quality=np.maximum(memory.quality[at], np.uint8(Quality.SUSPECT)),
                cause=memory.cause[at] | np.uint16(Cause.SPIKE),
            )
        )


def _doubt(rows: I64, why: Cause, quality: U8, cause: U16) -> None:
    """Mark rows SUSPECT."""
    quality[rows] = np.maximum(quality[rows], np.uint8(Quality.SUSPECT))
    cause[rows] |= np.uint16(why)


def _note_at(verdict: Verdict, which: I64, quality: U8, cause: U16) -> None:
    """Note verdicts about some of the rows."""
    found = np.flatnonzero(verdict.quality)
    if not len(found):
        return
    at = which[found]
    quality[at] = np.maximum(quality[at], verdict.quality[found])
    cause[at] |= verdict.cause[found]
