"""The ledger: which batches are committed, and the small numbers that rows carry in place of a gateway's name."""

from collections.abc import Iterable, Sequence

import numpy as np

from ingest.store.ranges import Ranges, merged
from telemetry.batch import I64, Batch

Found = dict[tuple[str, int], Ranges]
"""Ranges of batch numbers by (source, epoch)."""


class Ledger:
    """What the store has committed, in memory; the file is read once when it is opened."""

    def __init__(self, sources: dict[str, int], rows: Iterable[tuple[str, int, int, int, int]] = ()) -> None:
        self.sources = sources
        self.last = 0
        self.written = 0
        """Ranges in the file; more than ``merged_count`` until they are merged there too."""
        self._found: Found = {}
        for source, epoch, first, final, number in rows:
            self._found.setdefault((source, epoch), Ranges()).add(first, final)
            self.last = max(self.last, number)
            self.written += 1

    def __contains__(self, name: tuple[str, int, int]) -> bool:
        ranges = self._found.get(name[:2])
        return ranges is not None and name[2] in ranges

    @property
    def merged_count(self) -> int:
        """The fewest ranges that say the same."""
        return sum(map(len, self._found.values()))

    def fresh(self, batches: Sequence[Batch]) -> tuple[bool, ...]:
        """Which batches are neither committed nor named before in the same group."""
        seen: set[tuple[str, int, int]] = set()
        fresh = []
        for batch in batches:
            name = (batch.source, batch.epoch, batch.seq)
            fresh.append(name not in seen and name not in self)
            seen.add(name)
        return tuple(fresh)

    def strangers(self, batches: Sequence[Batch]) -> dict[str, int]:
        """Numbers for the gateways that have none yet."""
        names = sorted({batch.source for batch in batches} - self.sources.keys())
        return {name: number for number, name in enumerate(names, start=len(self.sources) + 1)}

    def record(self, number: int, found: Found, sources: dict[str, int]) -> None:
        """Take over what a commit wrote."""
        self.sources = self.sources | sources
        self.last = number
        for name, ranges in found.items():
            known = self._found.setdefault(name, Ranges())
            for first, final in ranges:
                known.add(first, final)
            self.written += len(ranges)

    def everything(self) -> Found:
        """All ranges."""
        return self._found


def ranges_of(batches: Sequence[Batch]) -> Found:
    """The batch numbers of a group as ranges."""
    numbers: dict[tuple[str, int], list[int]] = {}
    for batch in batches:
        numbers.setdefault((batch.source, batch.epoch), []).append(batch.seq)
    return {name: merged(found) for name, found in numbers.items()}


def range_columns(number: int, found: Found, sources: dict[str, int]) -> dict[str, I64]:
    """Ranges as columns of the table ``committed``."""
    rows = [
        (number, sources[source], epoch, first, final)
        for (source, epoch), ranges in found.items()
        for first, final in ranges
    ]
    table = np.array(rows, np.int64).reshape(-1, 5)
    names = ("commit_no", "source", "epoch", "first_seq", "last_seq")
    return {name: np.ascontiguousarray(table[:, at]) for at, name in enumerate(names)}
