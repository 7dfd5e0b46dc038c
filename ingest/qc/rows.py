"""The checks that need one row, or the sample before it, as the stream makes them: literal lists in one place."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from ingest.qc.checks import (
    SECOND_NS,
    Verdict,
    counted,
    flat_line,
    gross_range,
    out_of_time,
    plausible_range,
    rate_of_change,
)
from ingest.qc.limits import Limits
from ingest.qc.memory import Neighbours
from telemetry.batch import F64, I64, U8, U16, Mask


@dataclass(frozen=True, slots=True, kw_only=True)
class Tolerance:
    """How far the time of a sample may be from now: ahead for clocks that differ, behind for what spools keep."""

    ahead_ns: int = 60 * SECOND_NS
    behind_ns: int = 366 * 86_400 * SECOND_NS


USUAL: Final = Tolerance()
"""The tolerance of a centre whose settings say nothing else."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Samples:
    """A group of rows as the checks see it; columns of shape (n,), limits by place."""

    places: NDArray[np.int32]
    time_ns: I64
    value: F64
    limits: Limits
    tolerance: Tolerance
    now_ns: int

    def take(self, rows: I64) -> "Samples":
        """Some of the rows."""
        return replace(self, places=self.places[rows], time_ns=self.time_ns[rows], value=self.value[rows])


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Afterwards:
    """Rows of earlier groups about which a later neighbour has said more, with all that is found about them now; (n,).

    ``places`` name their series. They are in the record, or on the way there, with less found about them.
    """

    places: NDArray[np.int32]
    time_ns: I64
    value: F64
    quality: U8
    cause: U16

    def __len__(self) -> int:
        return len(self.places)


def _range(rows: Samples) -> Verdict:
    limits, at = rows.limits, rows.places
    return gross_range(rows.value, limits.low[at], limits.high[at], limits.danger_low[at], limits.danger_high[at])


def _plausible(rows: Samples) -> Verdict:
    return plausible_range(rows.value, rows.limits.plausible_low[rows.places], rows.limits.plausible_high[rows.places])


def out_of_tolerance(rows: Samples) -> Mask:
    """Which rows are of no moment that can be now, (n,)."""
    return out_of_time(rows.time_ns, rows.now_ns, rows.tolerance.ahead_ns, rows.tolerance.behind_ns)


def _rate(rows: Samples, beside: Neighbours) -> Verdict:
    limits, at = rows.limits, rows.places
    before, counts = beside.before, limits.counts[at]
    if counts.any():
        gain = counted(rows.value[counts], before[counts], limits.modulus[at[counts]])
        before = before.copy()
        before[counts] = rows.value[counts] - gain
    return rate_of_change(rows.time_ns, rows.value, beside.before_ns, before, limits.rate_per_s[at], limits.step[at])


def _flat(rows: Samples, beside: Neighbours) -> Verdict:
    return flat_line(rows.time_ns, beside.since_ns, rows.limits.flat_ns[rows.places])


RANGE_CHECKS: Final[tuple[Callable[[Samples], Verdict], ...]] = (_range, _plausible)
"""Checks that need only the value, made of those outside the tightest of their limits."""
NEIGHBOUR_CHECKS: Final[tuple[Callable[[Samples, Neighbours], Verdict], ...]] = (_rate, _flat)
"""Checks against the sample before; what the first ones found BAD or out of time is no such sample."""
