"""Computing in a thread: the newest moments of a group, or a part of what is owed, and which of it is news."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass

import numpy as np

from ingest.derivation.news import news
from ingest.derivation.owed import Part
from ingest.derivation.prefetch import prefetched
from ingest.derivation.sources import Reader, Told, Waiting, anew, as_samples, cells_between, now, read
from ingest.derived.plan import Group
from ingest.derived.rows import Rows, concat
from ingest.derived.rules import span_ns
from ingest.derived.surroundings import moments
from telemetry.batch import I64


@dataclass(frozen=True, slots=True)
class Anew:
    """How many cells were computed again, and the rows that differ from what is stored."""

    cells: int
    rows: Rows


@dataclass(frozen=True, slots=True)
class Computer:
    """``kept`` are the quantities whose running sums the hot window keeps."""

    store: Reader
    kept: Collection[str]
    timezone: str

    def newest(self, groups: Sequence[Group], since_ns: int, until_ns: int) -> list[Rows | Waiting | None]:
        """All members of groups at the moments in ``(since, until]``; raises StoreRefusedError."""
        due = [group for group in groups if self._is_due(group, since_ns, until_ns)]
        store = prefetched(self.store, due, since_ns, until_ns)
        return [self._newest(store, group, since_ns, until_ns) if group in due else None for group in groups]

    def _is_due(self, group: Group, since_ns: int, until_ns: int) -> bool:
        every = group.rule.every
        return every is None or len(moments(since_ns, until_ns, span_ns(every), self.timezone)) > 0

    def _newest(self, store: Reader, group: Group, since_ns: int, until_ns: int) -> Rows | Waiting | None:
        who, at_ns = self._cells(store, group, np.arange(len(group)), since_ns, until_ns)
        return now(store, group, who, at_ns, self.timezone, self.kept) if len(who) else None

    def finished(self, found: Sequence[Rows | Waiting | None]) -> list[Told]:
        """The rows of ``newest``, once those that wait for it have looked at the hot window."""
        return [self._told(one) for one in found]

    def _told(self, found: Rows | Waiting | None) -> Told:
        if isinstance(found, Waiting):
            return found.rows(self.timezone)
        none = np.zeros(0, np.int64)
        return Told(concat([]) if found is None else found, none, none)

    def anew(self, part: Part) -> Anew:
        """What is owed, as far as it differs from what is stored; raises StoreRefusedError."""
        group = part.group
        who, at_ns = self._cells(self.store, group, part.who, int(part.since.min()), int(part.until.max()))
        since, until = (np.zeros(len(group), np.int64) for _ in range(2))
        since[part.who], until[part.who] = part.since, part.until
        mine = (at_ns > since[who]) & (at_ns <= until[who])
        who, at_ns = who[mine], at_ns[mine]
        if not len(who):
            return Anew(0, concat([]))
        return Anew(len(who), news(self.store, anew(self.store, group, who, at_ns, self.timezone)))

    def _cells(self, store: Reader, group: Group, who: I64, since_ns: int, until_ns: int) -> tuple[I64, I64]:
        """Members and moments; those of a sampled method are the times of its samples."""
        samples = as_samples(read(store, group, who, since_ns, until_ns)) if group.method.sampled else None
        return cells_between(group, who, samples, since_ns, until_ns, self.timezone)
