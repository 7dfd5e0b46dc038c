"""One read for all rules of a tick: what most of them look at is the same hour of the same series."""

from collections.abc import Sequence
from typing import Final

import numpy as np

from ingest.derivation.owed import slack_ns
from ingest.derivation.sources import Reader
from ingest.derived.plan import NONE, Group
from ingest.derived.rules import LONGEST_NS
from ingest.store.protocol import Points
from telemetry.batch import I64
from telemetry.span import HOUR_NS, MILLISECOND_NS

_FEW: Final = 100_000
"""Rows of counters that are read at once, as far back as any sum reaches, so that nothing is read twice."""


class Prefetched:
    """A reader that answers from memory what lies in stretches that it has read, and asks the store for the rest."""

    def __init__(self, store: Reader) -> None:
        self._store = store
        self._stretches: list[tuple[I64, int, int, Points]] = []

    def fetch(self, series: I64, from_ns: int, to_ns: int) -> None:
        """Read a stretch ahead."""
        if len(series):
            self._stretches.append((series, from_ns, to_ns, self._store.samples(series, from_ns, to_ns)))

    def samples(self, series: I64, from_ns: int, to_ns: int) -> Points:
        """As the store answers."""
        for known, begin_ns, end_ns, points in self._stretches:
            if begin_ns <= from_ns and to_ns <= end_ns and np.isin(series, known, assume_unique=True).all():
                return _part(points, series, from_ns, to_ns)
        return self._store.samples(series, from_ns, to_ns)


def prefetched(store: Reader, groups: Sequence[Group], since_ns: int, until_ns: int) -> Prefetched:
    """The hour before the moments in ``(since, until]`` of every series that is asked, and two days of few counters."""
    found = Prefetched(store)
    counters = [group for group in groups if group.method.counter]
    few = sum(LONGEST_NS / max(int(period), 1) for group in counters for period in group.period_ns[group.lead]) < _FEW
    if counters and few:
        found.fetch(_series(counters), since_ns - LONGEST_NS - _slack(counters), until_ns + MILLISECOND_NS)
    rest = [group for group in groups if not (group.method.counter and few)]
    if rest:
        found.fetch(_series(rest), since_ns - HOUR_NS - _slack(rest), until_ns + MILLISECOND_NS)
    return found


def _series(groups: Sequence[Group]) -> I64:
    ids = np.unique(np.concatenate([ids for group in groups for ids in group.inputs.values()]))
    return ids[ids != NONE]


def _slack(groups: Sequence[Group]) -> int:
    return max(int(slack_ns(group).max(initial=0)) for group in groups)


def _part(points: Points, series: I64, from_ns: int, to_ns: int) -> Points:
    """Some series of rows that are ordered by series and time, between two moments."""
    asked = np.unique(series)
    first = np.searchsorted(points.series, asked)
    count = np.searchsorted(points.series, asked, side="right") - first
    row = np.arange(int(count.sum())) + np.repeat(first - np.cumsum(count) + count, count)
    row = row[(points.time_ns[row] >= from_ns) & (points.time_ns[row] < to_ns)]
    return Points(**{name: getattr(points, name)[row] for name in Points.__slots__})
