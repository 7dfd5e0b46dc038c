"""What counters gained in windows, from running sums that know rollover and reset (``ingest.window.totals``).

A window reaches from the sample that stood at its beginning to the newest one in it. Where none stood there, for one
and a half periods, the window begins with the first one after: what a counter gained in that gap fell partly before.
"""

from dataclasses import dataclass
from typing import Protocol

import numpy as np

from ingest.derived.samples import Samples
from ingest.window.grid import Span
from telemetry.batch import F64, I64, Mask
from telemetry.span import MINUTE_NS


class Sums(Protocol):
    """Running sums per series and minute (``ingest.window.Window``)."""

    @property
    def usable_ns(self) -> I64:
        """By slot the time of the newest usable row; 0: none."""

    def slots(self, series: I64) -> I64:
        """Slots of series by identity, -1 for unknown ones."""

    def span(self, quantity: str, slots: I64, at_ns: I64, minutes: int | I64) -> Span:
        """Sums over the minutes that end with the one that holds ``at_ns``; (n,) each."""


@dataclass(frozen=True, slots=True, eq=False)
class Reach:
    """The minutes between which counters are read, (n,): after ``lower``, up to ``upper``.

    ``silent``: no sample was found near the end of the window, and ``upper`` is ``lower``.
    """

    series: I64
    lower: I64
    upper: I64
    silent: Mask

    def take(self, chosen: Mask) -> "Reach":
        """Some of them."""
        return Reach(self.series[chosen], self.lower[chosen], self.upper[chosen], self.silent[chosen])


def reach(series: I64, at_ns: I64, length_ns: I64, period_ns: I64, samples: Samples) -> Reach:
    """Where the windows of counters begin and end; ``samples`` hold the usable rows around both moments. (n,) each."""
    begin_ns = at_ns - length_ns
    base, last = samples.last(series, begin_ns), samples.last(series, at_ns)
    base_ns = _time(samples, base, begin_ns)
    last_ns = _time(samples, last, begin_ns)
    stood = (base >= 0) & (begin_ns - base_ns <= 1.5 * period_ns)
    lower = np.where(stood, _minute(base_ns, begin_ns, period_ns), begin_ns // MINUTE_NS - 1)
    silent = (last < 0) | (last_ns <= begin_ns)
    upper = np.where(silent, lower, _minute(last_ns, at_ns, period_ns))
    return Reach(series, lower, np.maximum(lower, upper), silent)


def heard(sums: Sums, between: Reach, at_ns: I64) -> tuple[Reach, Mask]:
    """The same where only rows near both ends were looked at: who was silent at the end spoke last when the sums say.

    The mask tells of those that have spoken since, or that the sums do not know yet: what they gained by then is for
    the store to tell.
    """
    slots = sums.slots(between.series)
    newest = np.append(sums.usable_ns, 0)[slots]
    upper = np.where(between.silent, np.maximum(between.lower, newest // MINUTE_NS), between.upper)
    return Reach(between.series, between.lower, upper, between.silent), (between.silent & (newest > at_ns)) | (
        slots < 0
    )


def gained(sums: Sums, quantity: str, between: Reach) -> F64:
    """Gain, samples and doubtful samples of each window. (n, 3)."""
    slots = sums.slots(between.series)
    if not (slots >= 0).any():
        return np.zeros((len(slots), 3))
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
