"""The limits of every known series as arrays by place."""

from collections.abc import Sequence
from typing import Final

import numpy as np

from ingest.qc.checks import SECOND_NS
from ingest.qc.parameters import (
    AnyTest,
    AttenuatedSignal,
    Climatology,
    FlatLine,
    Neighbours,
    PlausibleRange,
    RateOfChange,
    Spike,
    chosen,
)
from telemetry.batch import F64, Mask
from telemetry.quantity import QUANTITIES, Kind
from telemetry.series import Series

_FIRST_SIZE: Final = 1024
_SAMPLES_IN_A_FLAT_LINE: Final = 3
_ONE_PERIOD: Final = 1.5
"""Samples further apart than so many periods are not next to each other: one of them is missing in between."""


class Limits:
    """Limits by place, arrays of shape (places,): grown when series are announced, read by every check.

    A test that is not made of a series has NaN, an infinite time, or a range without end. ``site_tests``: those of the
    site file.
    """

    def __init__(self, site_tests: Sequence[AnyTest] = (), size: int = _FIRST_SIZE) -> None:
        self._site_tests = tuple(site_tests)
        self.low: F64 = np.full(size, -np.inf)
        self.high: F64 = np.full(size, np.inf)
        self.danger_low: Mask = np.zeros(size, np.bool_)
        self.danger_high: Mask = np.zeros(size, np.bool_)
        self.plausible_low: F64 = np.full(size, -np.inf)
        self.plausible_high: F64 = np.full(size, np.inf)
        self.tight_low: F64 = np.full(size, -np.inf)
        self.tight_high: F64 = np.full(size, np.inf)
        """The tightest of the ranges."""
        self.rate_per_s: F64 = np.full(size, np.nan)
        self.step: F64 = np.full(size, np.nan)
        self.counts: Mask = np.zeros(size, np.bool_)
        self.modulus: F64 = np.full(size, np.nan)
        self.flat_ns: F64 = np.full(size, np.inf)
        self.flat_gap_ns: F64 = np.full(size, np.inf)
        """Longer than that without a sample ends a flat line."""
        self.spike: F64 = np.full(size, np.nan)
        self.spike_average: Mask = np.zeros(size, np.bool_)
        self.beside_ns: F64 = np.zeros(size)
        self.lull_ns: F64 = np.full(size, np.nan)
        self.lull_least: F64 = np.full(size, np.nan)
        self.seasonal: Mask = np.zeros(size, np.bool_)
        self.is_seasonal = False
        """Whether any series is."""
        self.usual: F64 = np.full((size, 12, 2), np.nan)
        """Lowest and highest by month."""
        self.differs: F64 = np.full(size, np.nan)
        self.reach_km: F64 = np.full(size, np.nan)
        self.newest_ns: F64 = np.full(size, np.nan)
        self.watched: Mask = np.zeros(size, np.bool_)
        """Whether samples are compared with others."""

    def __len__(self) -> int:
        return len(self.low)

    def put(self, announced: Sequence[tuple[int, Series]]) -> None:
        """Take over the limits of announced series, each with its place."""
        places = np.array([place for place, _ in announced], np.int64)
        self._grow(1 + int(places.max(initial=-1)))
        blank = Limits(size=1)
        for name, column in self._columns():
            column[places] = getattr(blank, name)[0]
        for place, series in announced:
            self._announced(place, series)
            for test in chosen(series, self._site_tests):
                self._set(place, test)
        self.tight_low[places] = np.maximum(self.low, self.plausible_low)[places]
        self.tight_high[places] = np.minimum(self.high, self.plausible_high)[places]

    def _announced(self, place: int, series: Series) -> None:
        self.low[place], self.high[place] = series.valid
        self.danger_low[place] = series.danger in ("low", "both")
        self.danger_high[place] = series.danger in ("high", "both")
        self.counts[place] = QUANTITIES[series.quantity].kind is Kind.TOTAL
        self.modulus[place] = np.nan if series.modulus is None else series.modulus
        self.beside_ns[place] = _ONE_PERIOD * series.period_s * SECOND_NS

    def _set(self, place: int, test: AnyTest) -> None:
        """Take over one test of one series."""
        self.watched[place] |= not isinstance(test, PlausibleRange | Climatology)
        match test:
            case PlausibleRange(low=low, high=high):
                self.plausible_low[place] = -np.inf if low is None else low
                self.plausible_high[place] = np.inf if high is None else high
            case RateOfChange(per_s=per_s, step=step):
                self.rate_per_s[place], self.step[place] = per_s, step
            case FlatLine(seconds=seconds):
                self.flat_ns[place] = seconds * SECOND_NS
                self.flat_gap_ns[place] = self.flat_ns[place] / _SAMPLES_IN_A_FLAT_LINE
            case Spike(threshold=threshold, method=method):
                self.spike[place], self.spike_average[place] = threshold, method == "average"
            case AttenuatedSignal(seconds=seconds, least=least):
                self.lull_ns[place], self.lull_least[place] = seconds * SECOND_NS, least
            case Climatology(months=months, low=low, high=high):
                self.seasonal[place] = self.is_seasonal = True
                self.usual[place, np.array(months) - 1] = low, high
            case Neighbours(reach_km=reach_km, difference=difference, newest_s=newest_s):
                self.reach_km[place], self.differs[place] = reach_km, difference
                self.newest_ns[place] = newest_s * SECOND_NS

    def _columns(self) -> list[tuple[str, F64]]:
        return [(name, column) for name, column in vars(self).items() if isinstance(column, np.ndarray)]

    def _grow(self, size: int) -> None:
        old = len(self)
        if size <= old:
            return
        fresh = Limits(size=max(size, 2 * old))
        for name, column in self._columns():
            longer = getattr(fresh, name)
            longer[:old] = column
            setattr(self, name, longer)
