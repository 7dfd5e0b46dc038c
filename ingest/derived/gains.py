"""What counters gained in windows, from running sums that know rollover and reset (``ingest.window.totals``).

A window reaches from the sample that stood at its beginning to the newest one in it. Where none stood there, for one
and a half periods, the window begins with the first one after: what a counter gained in that gap fell partly before.
"""

from typing import Protocol

import numpy as np

from ingest.derived.samples import Samples
from ingest.window.grid import Span
from telemetry.batch import F64, I64
from telemetry.span import MINUTE_NS


class Sums(Protocol):
    """Running sums per series and minute (``ingest.window.Window``)."""

    def slots(self, series: I64) -> I64:
        """Slots of series by identity."""

    def span(self, quantity: str, slots: I64, at_ns: I64, minutes: int | I64) -> Span:
        """Sums over the minutes that end with the one that holds ``at_ns``; (n,) each."""


class Reach:
    """The minutes between which a counter is read, (n,): after ``lower``, up to ``upper``; ``known`` where it spoke."""

    __slots__ = ("lower", "series", "upper")

    def __init__(self, series: I64, lower: I64, upper: I64) -> None:
        self.series, self.lower, self.upper = series, lower, upper


def reach(series: I64, at_ns: I64, length_ns: I64, period_ns: I64, samples: Samples) -> Reach:
    """Where the windows of counters begin and end; ``samples`` hold the usable rows around both moments. (n,) each."""
    begin_ns = at_ns - length_ns
    base, last = samples.last(series, begin_ns), samples.last(series, at_ns)
    base_ns = _time(samples, base, begin_ns)
    stood = (base >= 0) & (begin_ns - base_ns <= 1.5 * period_ns)
    lower = np.where(stood, _minute(base_ns, begin_ns, period_ns), begin_ns // MINUTE_NS - 1)
    upper = np.where(last >= 0, _minute(_time(samples, last, at_ns), at_ns, period_ns), lower)
    return Reach(series, lower, np.maximum(lower, upper))


def gained(sums: Sums, quantity: str, between: Reach) -> F64:
    """Gain, samples and doubtful samples of each window. (n, 3)."""
    slots = sums.slots(between.series)
    found = sums.span(quantity, np.maximum(slots, 0), between.upper * MINUTE_NS, between.upper - between.lower)
    known = (slots >= 0)[:, None]
    return np.where(known, np.stack([found.total, found.count, found.suspect], axis=1), 0.0)


def _time(samples: Samples, row: I64, otherwise_ns: I64) -> I64:
    if not len(samples):
        return otherwise_ns
    return np.where(row >= 0, samples.time_ns[np.maximum(row, 0)], otherwise_ns)


def _minute(time_ns: I64, edge_ns: I64, period_ns: I64) -> I64:
    """The minute of a sample; the one before where the sample is the first of several in a minute that goes on."""
    return time_ns // MINUTE_NS - ((time_ns == edge_ns) & (period_ns < MINUTE_NS))
