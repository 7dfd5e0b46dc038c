"""What is owed: which members must be computed anew since when and until when, because rows came late."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from ingest.derived.plan import NONE, Group
from ingest.derived.rules import reach_ns
from telemetry.batch import F64, I64
from telemetry.span import HOUR_NS

NEVER: Final = 2**62
_SLICE_NS: Final = 6 * HOUR_NS
_MOST_SAMPLES: Final = 1_000_000


@dataclass(frozen=True, slots=True, eq=False)
class Late:
    """Series (n,), each once, with the times of the first and the last of its late rows."""

    series: I64
    first_ns: I64
    last_ns: I64


def late_rows(series: I64, time_ns: I64) -> Late:
    """Rows (n,) by series."""
    ids, which = np.unique(series, return_inverse=True)
    first, last = np.full(len(ids), NEVER, np.int64), np.full(len(ids), -NEVER, np.int64)
    np.minimum.at(first, which, time_ns)
    np.maximum.at(last, which, time_ns)
    return Late(ids, first, last)


class Owed:
    """By group and member the moments in ``(since, until]``; one stretch each, so that what is between is done too."""

    def __init__(self, groups: Sequence[Group]) -> None:
        self._groups = tuple(groups)
        self._since = [np.full(len(group), NEVER, np.int64) for group in groups]
        self._until = [np.full(len(group), -NEVER, np.int64) for group in groups]
        parts = [_inputs(number, group) for number, group in enumerate(groups)]
        table = np.concatenate(parts) if parts else np.zeros((0, 4), np.int64)
        order = np.argsort(table[:, 0], kind="stable")
        self._series, self._group, self._member, self._slack = table[order].T

    @property
    def members(self) -> int:
        """How many members are owed something."""
        return sum(int((until > since).sum()) for since, until in zip(self._since, self._until, strict=True))

    @property
    def since_ns(self) -> int:
        """The oldest moment that is owed; NEVER when none is."""
        return min((int(since.min(initial=NEVER)) for since in self._since), default=NEVER)

    def late(self, rows: "Late", done_ns: int) -> None:
        """Note rows that came after the moments they belong to had been computed, up to ``done_ns``."""
        series = rows.series
        stop = np.searchsorted(self._series, series, side="right")
        begin = np.searchsorted(self._series, series)
        count = stop - begin
        row = np.repeat(np.arange(len(series)), count)
        at = np.arange(len(row)) - np.repeat(np.cumsum(count) - count, count) + begin[row]
        for number in np.unique(self._group[at]).tolist():
            mine = self._group[at] == number
            first, last, slack = rows.first_ns[row[mine]], rows.last_ns[row[mine]], self._slack[at[mine]]
            until = np.minimum(last + reach_ns(self._groups[number].rule) + slack, done_ns)
            self.add(number, self._member[at[mine]], first - slack - 1, until)

    def strangers(self, rows: "Late") -> "Late":
        """The rows of series that no member looks at."""
        at = np.minimum(np.searchsorted(self._series, rows.series), max(len(self._series) - 1, 0))
        known = self._series[at] == rows.series if len(self._series) else np.zeros(len(rows.series), np.bool_)
        return Late(rows.series[~known], rows.first_ns[~known], rows.last_ns[~known])

    def add(self, group: int, member: I64, since_ns: I64, until_ns: I64) -> None:
        """Owe members their moments in ``(since, until]``; all of shape (n,)."""
        some = until_ns > since_ns
        np.minimum.at(self._since[group], member[some], since_ns[some])
        np.maximum.at(self._until[group], member[some], until_ns[some])

    def everything(self, since_ns: int, until_ns: int) -> None:
        """Owe all members the moments in ``(since, until]``."""
        for number, group in enumerate(self._groups):
            n = len(group)
            self.add(number, np.arange(n), np.full(n, since_ns), np.full(n, until_ns))

    def stretches(self) -> Iterator[tuple[Group, I64, I64]]:
        """Each group, and by member since when and until when it is owed."""
        return zip(self._groups, self._since, self._until, strict=True)

    def take(self) -> "Part | None":
        """The oldest part of what is owed, small enough to be done at once; it is owed no longer."""
        if not self.members:
            return None
        number = int(np.argmin([int(since.min(initial=NEVER)) for since in self._since]))
        group, since, until = self._groups[number], self._since[number], self._until[number]
        begin = int(since.min())
        end = min(begin + _SLICE_NS, int(until[since < begin + _SLICE_NS].max()))
        chosen = np.flatnonzero(since < end)[: _members_at_once(group, end - begin)]
        part = Part(group, chosen, since[chosen].copy(), np.minimum(until[chosen], end))
        since[chosen] = end
        finished = chosen[until[chosen] <= end]
        since[finished], until[finished] = NEVER, -NEVER
        return part

    def give_back(self, part: "Part") -> None:
        """Owe a part again that could not be done."""
        if part.group in self._groups:
            self.add(self._groups.index(part.group), part.who, part.since, part.until)

    def carry(self, older: "Owed") -> None:
        """Take over what an older plan owed, by the identity of the first output."""
        for number, group in enumerate(self._groups):
            for before, since, until in older.stretches():
                if before.rule.id == group.rule.id and before.rule.method == group.rule.method:
                    _, mine, theirs = np.intersect1d(group.outputs[0], before.outputs[0], return_indices=True)
                    self.add(number, mine, since[theirs], until[theirs])


class Part:
    """Members (n,) of a group, and the moments in ``(since, until]`` that they are owed, (n,) each."""

    __slots__ = ("group", "since", "until", "who")

    def __init__(self, group: Group, who: I64, since: I64, until: I64) -> None:
        self.group, self.who, self.since, self.until = group, who, since, until


def slack_ns(group: Group) -> I64:
    """How far from a moment, beyond its window, a sample may count for it: by member (m,)."""
    longest = np.max(list(group.period_ns.values()), axis=0)
    return 2 * longest if group.method.counter or group.method.paired else np.zeros(len(group), np.int64)


def _inputs(number: int, group: Group) -> I64:
    """Series, group, member and slack of every input, (k, 4)."""
    members, slack = np.arange(len(group)), slack_ns(group)
    parts = [
        np.stack([ids, np.full(len(group), number), members, slack], axis=1)[ids != NONE]
        for ids in group.inputs.values()
    ]
    return np.concatenate(parts)


def _members_at_once(group: Group, stretch_ns: int) -> int:
    shortest = np.min([period[period > 0].min(initial=NEVER) for period in group.period_ns.values()])
    samples: F64 = (reach_ns(group.rule) + stretch_ns) / np.maximum(shortest, 1) * len(group.inputs)
    return max(1, int(_MOST_SAMPLES / max(float(samples), 1.0)))
