"""Quality control of a group of rows: which checks run, in which order, and what GOOD means."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from ingest.qc.checks import Verdict, clock, flat_line, gross_range, out_of_time, rate_of_change
from ingest.qc.limits import Limits
from ingest.qc.memory import Memory, Neighbours
from telemetry.batch import F64, I64, U8, U16, Mask
from telemetry.quality import Cause, Quality

_SECOND_NS: Final = 1_000_000_000
_SAMPLES_IN_A_FLAT_LINE: Final = 3
_LEAST_MEMORY_NS: Final = 3600 * _SECOND_NS
_BLOCK_ROWS: Final = 16_384
"""Columns of a block stay in the cache of a core: 120 ns a row, against 230 in groups of 200,000."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tolerance:
    """How far the time of a sample may be from now: ahead for clocks that differ, behind for what spools keep."""

    ahead_ns: int = 60 * _SECOND_NS
    behind_ns: int = 366 * 86_400 * _SECOND_NS


USUAL: Final = Tolerance()
"""The tolerance of a centre whose settings say nothing else."""


def misdated(time_ns: I64, quality: U8, cause: U16, now_ns: int) -> Mask:
    """Which checked rows (n,) are of no moment that can be now: they are kept, and are nobody's present state.

    Quality control marked them SUSPECT with CLOCK when they came. The time is looked at again, since a gateway marks
    with CLOCK what it read just before its clock was set, and such rows are right.
    """
    marked = (cause & Cause.CLOCK != 0) & (quality >= Quality.SUSPECT)
    if not marked.any():
        return marked
    return marked & out_of_time(time_ns, now_ns, USUAL.ahead_ns, USUAL.behind_ns)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Samples:
    """A group of rows as the checks see it; columns of shape (n,), limits by place."""

    places: NDArray[np.int32]
    time_ns: I64
    value: F64
    limits: Limits
    tolerance: Tolerance
    now_ns: int


def _range(rows: Samples) -> Verdict:
    limits, at = rows.limits, rows.places
    return gross_range(rows.value, limits.low[at], limits.high[at], limits.danger_low[at], limits.danger_high[at])


def _clock(rows: Samples) -> Verdict:
    return clock(rows.time_ns, rows.now_ns, rows.tolerance.ahead_ns, rows.tolerance.behind_ns)


def _rate(rows: Samples, beside: Neighbours) -> Verdict:
    limits, at = rows.limits, rows.places
    return rate_of_change(
        rows.time_ns, rows.value, beside.before_ns, beside.before, limits.rate_per_s[at], limits.step[at]
    )


def _flat(rows: Samples, beside: Neighbours) -> Verdict:
    return flat_line(rows.time_ns, beside.since_ns, rows.limits.flat_ns[rows.places])


ROW_CHECKS: Final[tuple[Callable[[Samples], Verdict], ...]] = (_range, _clock)
"""Checks that need only the row itself."""
NEIGHBOUR_CHECKS: Final[tuple[Callable[[Samples, Neighbours], Verdict], ...]] = (_rate, _flat)
"""Checks against the sample before; what the first ones found BAD or out of time is no such sample."""


class QualityControl:
    """The checks with their limits and their memory. One thread uses it; values are never altered."""

    def __init__(self, tolerance: Tolerance | None = None) -> None:
        self.limits = Limits()
        self._tolerance = USUAL if tolerance is None else tolerance
        self._memory = Memory()

    def check(
        self, places: NDArray[np.int32], time_ns: I64, value: F64, quality: U8, cause: U16, now_ns: int
    ) -> tuple[U8, U16]:
        """The quality and causes of rows of known series, the worst finding winning; GOOD when nothing was found.

        ``places`` are those of the catalogue, rows stand in order of arrival. MISSING rows stay what they are.
        """
        quality, cause = np.maximum(quality, np.uint8(Quality.GOOD)), cause.copy()
        for start in range(0, len(places), _BLOCK_ROWS):
            block = slice(start, start + _BLOCK_ROWS)
            rows = Samples(
                places=places[block],
                time_ns=time_ns[block],
                value=value[block],
                limits=self.limits,
                tolerance=self._tolerance,
                now_ns=now_ns,
            )
            self._check(rows, quality[block], cause[block])
        return quality, cause

    @property
    def memory_ns(self) -> int:
        """How far back ``warm`` must begin: the longest time after which a quantity counts as standing still."""
        flat_ns = self.limits.flat_ns[np.isfinite(self.limits.flat_ns)]
        return int(flat_ns.max(initial=_LEAST_MEMORY_NS))

    def warm(self, places: NDArray[np.int32], time_ns: I64, value: F64, quality: U8, cause: U16) -> None:
        """Remember rows that an earlier run has checked, in the order of their commits, so that the next ones have
        neighbours. Rows of unknown series have a negative place.
        """
        known = (places >= 0) & (quality < Quality.BAD) & (cause & Cause.CLOCK == 0)
        rows = np.flatnonzero(known & self.limits.watched[places])
        at = places[rows]
        gap_ns = self.limits.flat_ns[at] / _SAMPLES_IN_A_FLAT_LINE
        self._memory.compare(at, time_ns[rows], value[rows], np.ones(len(rows), np.bool_), gap_ns)

    def _check(self, rows: Samples, quality: U8, cause: U16) -> None:
        for check in ROW_CHECKS:
            _note(check(rows), quality, cause)
        watched = np.flatnonzero(self.limits.watched[rows.places])
        if len(watched):
            self._beside(rows, watched, quality, cause)

    def _beside(self, rows: Samples, watched: I64, quality: U8, cause: U16) -> None:
        some = Samples(
            places=rows.places[watched],
            time_ns=rows.time_ns[watched],
            value=rows.value[watched],
            limits=rows.limits,
            tolerance=rows.tolerance,
            now_ns=rows.now_ns,
        )
        in_time = _clock(some).quality == Quality.UNCHECKED
        trusted = in_time & (quality[watched] < Quality.BAD)
        gap_ns = self.limits.flat_ns[some.places] / _SAMPLES_IN_A_FLAT_LINE
        beside = self._memory.compare(some.places, some.time_ns, some.value, trusted, gap_ns)
        part_quality, part_cause = quality[watched], cause[watched]
        for check in NEIGHBOUR_CHECKS:
            _note(check(some, beside), part_quality, part_cause)
        quality[watched], cause[watched] = part_quality, part_cause


def _note(verdict: Verdict, quality: U8, cause: U16) -> None:
    np.maximum(quality, verdict.quality, out=quality)
    np.bitwise_or(cause, verdict.cause, out=cause)
