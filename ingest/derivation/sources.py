"""Where the samples come from: the store, and for what counters gained the hot window, or one made for the purpose."""

from collections.abc import Collection
from typing import NamedTuple, Protocol

import numpy as np

from ingest.derivation.owed import slack_ns
from ingest.derived.gains import Reach, Sums, gained, heard, reach
from ingest.derived.plan import NONE, Group
from ingest.derived.rows import Rows, compute, lengths
from ingest.derived.rules import reach_ns, span_ns
from ingest.derived.samples import Samples
from ingest.derived.surroundings import moments
from ingest.store.protocol import Points
from ingest.window import Window
from telemetry.batch import F64, I64, Mask
from telemetry.span import MILLISECOND_NS, MINUTE_NS


class Reader(Protocol):
    """What is asked of the store (``ingest.store.protocol.Store``)."""

    def samples(self, series: I64, from_ns: int, to_ns: int) -> Points:
        """Samples of many series, ordered by series and time, the later commit winning."""


def as_samples(points: Points) -> Samples:
    """Rows of the store as the methods look at them."""
    return Samples(points.series, points.time_ns, points.value, points.quality, points.cause)


def read(store: Reader, group: Group, who: I64, begin_ns: int, end_ns: int) -> Points:
    """The rows of all inputs of members in ``(begin, end]`` and as far before as their windows and pairs reach."""
    slack = int(slack_ns(group)[who].max(initial=0))
    return store.samples(_ids(group, who), begin_ns - slack, end_ns + MILLISECOND_NS)


def cells_between(
    group: Group, who: I64, samples: Samples | None, begin_ns: int, end_ns: int, timezone: str
) -> tuple[I64, I64]:
    """Members ``who`` at every moment in ``(begin, end]`` at which they have a row: members and moments, (n,) each.

    The moments of a sampled method are the times of the ``samples`` of its leading input.
    """
    if samples is None or group.rule.every is not None:
        every_ns = MINUTE_NS if group.rule.every is None else span_ns(group.rule.every)
        at = moments(begin_ns, end_ns, every_ns, timezone)
        return np.repeat(who, len(at)), np.tile(at, len(who))
    lead = group.inputs[group.lead][who]
    order = np.argsort(lead)
    row = np.flatnonzero((samples.time_ns > begin_ns) & (samples.time_ns <= end_ns))
    at = np.minimum(np.searchsorted(lead[order], samples.series[row]), len(lead) - 1)
    mine = lead[order[at]] == samples.series[row]
    return who[order[at][mine]], samples.time_ns[row[mine]]


def anew(store: Reader, group: Group, who: I64, at_ns: I64, timezone: str) -> Rows:
    """Compute cells, (n,) each, from the store alone."""
    begin, end = int(at_ns.min()) - reach_ns(group.rule), int(at_ns.max())
    points = read(store, group, np.unique(who), begin, end)
    samples = as_samples(points)
    if not group.method.counter:
        return compute(group, who, at_ns, samples, timezone)
    between = _reach(group, who, at_ns, samples, timezone)
    return compute(
        group, who, at_ns, samples, timezone, _gained(group, _window(group, who, points, begin, end), between)
    )


def now(store: Reader, group: Group, who: I64, at_ns: I64, timezone: str, kept: Collection[str]) -> "Rows | Waiting":
    """Compute cells at the newest moments; of counters that the hot window keeps, only where to look into it."""
    if not group.method.counter or quantity_of(group) not in kept:
        return anew(store, group, who, at_ns, timezone)
    length = lengths(group, at_ns, timezone)
    slack = int(slack_ns(group)[who].max(initial=0))
    ids = _ids(group, who)
    edges = {(int(edge.min()), int(edge.max())) for edge in (at_ns, at_ns - length)}
    parts = [store.samples(ids, low - slack, high + MILLISECOND_NS) for low, high in sorted(edges)]
    samples = as_samples(_joined(parts))
    return Waiting(group, who, at_ns, samples, _reach(group, who, at_ns, samples, timezone))


class Waiting:
    """Cells of counters whose gain must be read where the hot window is."""

    def __init__(self, group: Group, who: I64, at_ns: I64, samples: Samples, between: Reach) -> None:
        self._group, self._who, self._at_ns, self._samples, self._between = group, who, at_ns, samples, between
        self._passed: Mask = np.ones(len(who), np.bool_)
        self._gain: F64 = np.zeros((0, 3))

    def look(self, window: Sums) -> None:
        """Read the window; quick, for the thread that owns it."""
        between, self._passed = heard(window, self._between, self._at_ns)
        self._gain = _gained(self._group, window, between.take(~self._passed))

    def rows(self, timezone: str) -> "Told":
        """The rows, with what the window said, and the cells that it could not say any more."""
        passed = self._passed
        who, at_ns = self._who[~passed], self._at_ns[~passed]
        rows = compute(self._group, who, at_ns, self._samples, timezone, self._gain)
        return Told(rows, self._who[passed], self._at_ns[passed])


class Told(NamedTuple):
    """Rows, and the members and moments (k,) that must be computed from the store."""

    rows: Rows
    who: I64
    at_ns: I64


def quantity_of(group: Group) -> str:
    """The quantity of the leading input."""
    return group.rule.inputs[group.lead]


def _ids(group: Group, who: I64) -> I64:
    found = np.unique(np.concatenate([ids[who] for ids in group.inputs.values()]))
    return found[found != NONE]


def _reach(group: Group, who: I64, at_ns: I64, samples: Samples, timezone: str) -> Reach:
    series, period = group.inputs[group.lead][who], group.period_ns[group.lead][who]
    return reach(series, at_ns, lengths(group, at_ns, timezone), period, samples.usable())


def _gained(group: Group, sums: Sums, between: Reach) -> F64:
    return gained(sums, quantity_of(group), between)


def _window(group: Group, who: I64, points: Points, begin_ns: int, end_ns: int) -> Window:
    """A window of its own over the rows of counters, wide enough for all of them."""
    slack = int(slack_ns(group)[who].max(initial=0))
    window = Window([quantity_of(group)], (end_ns - begin_ns + slack) // MINUTE_NS + 2)
    leads = (group.members[member].entries[0] for member in np.unique(who).tolist())
    window.announce({entry.id: entry.series for entry in leads if entry is not None})
    slots = window.slots(points.series)
    window.insert(slots, points.time_ns, points.value, points.quality, points.cause)
    return window


def _joined(parts: list[Points]) -> Points:
    """Rows of several stretches as one, each row once, in the order of series and time."""
    columns = {name: np.concatenate([getattr(part, name) for part in parts]) for name in Points.__slots__}
    order = np.lexsort((columns["time_ns"], columns["series"]))
    series, time_ns = columns["series"][order], columns["time_ns"][order]
    once = order[(np.diff(series, prepend=-1) != 0) | (np.diff(time_ns, prepend=-1) != 0)]
    return Points(**{name: column[once] for name, column in columns.items()})
