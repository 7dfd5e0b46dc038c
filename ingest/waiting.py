"""Waiting: checked batches that are not committed yet, and which ones the engine has judged all the same (ADR 0005)."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Final

from ingest.admission import Name, name_of
from ingest.store.ranges import Ranges
from telemetry.batch import Batch
from telemetry.topics import is_checked

_MOST_SMALL: Final = 1100
_MOST_ROWS: Final = 40_000
"""What the window of a gateway that bundles holds, and a little more: memory has a bound whatever it sends."""


@dataclass(slots=True, eq=False)
class Held:
    """A batch in memory; ``judged`` once it was handed on to the engine unstored."""

    batch: Batch
    judged: bool
    since_s: float
    """When it came, in seconds of real time."""
    first: bool = False
    """Whether it goes before those that may wait."""


@dataclass(slots=True)
class _Load:
    """What a gateway has here."""

    batches: int = 0
    rows: int = 0


class Waiting:
    """One thread uses it. At most ``most`` judged batches of a gateway stay in memory, so that they are committed at
    once when there is room; of the others only the numbers are remembered, as ranges, since their gateway keeps them.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self.rows = 0
        """In all batches."""
        self._held: dict[Name, Held] = {}
        self._first: dict[Name, Held] = {}
        self._per_source: dict[str, _Load] = {}
        self._judged: dict[tuple[str, int], Ranges] = {}

    def __len__(self) -> int:
        return len(self._held)

    def __contains__(self, name: Name) -> bool:
        return name in self._held

    def has_judged(self, name: Name) -> bool:
        """Whether the engine has seen this batch unstored, in this run of the centre."""
        ranges = self._judged.get(name[:2])
        return ranges is not None and name[2] in ranges

    def has_room(self, source: str) -> bool:
        """Whether a gateway has less here than it may: ``most`` batches of any size, or many more small ones."""
        load = self._per_source.get(source)
        return load is None or load.batches < self._most or (load.batches < _MOST_SMALL and load.rows < _MOST_ROWS)

    def put(self, batch: Batch, since_s: float, *, first: bool = False) -> None:
        """Keep a checked batch; one that was judged before is not handed on again."""
        name = name_of(batch)
        self._held[name] = held = Held(batch, self.has_judged(name), since_s, first)
        if first:
            self._first[name] = held
        self.rows += len(batch)
        load = self._per_source.setdefault(batch.source, _Load())
        load.batches += 1
        load.rows += len(batch)

    def oldest_s(self) -> float | None:
        """When the oldest batch came that is here; None when there is none."""
        return next((held.since_s for held in self._held.values()), None)

    def group(self, most_rows: int) -> list[Held]:
        """The oldest batches, those that go first before the others, as many as make ``most_rows``; one at least.

        What writes rows again begins a group of its own: those rows may be in the batches before it, and of two in one
        commit nobody knows which is the later.
        """
        group, rows = list[Held](), 0
        for held in self._in_turn():
            if rows and (rows + len(held.batch) > most_rows or is_checked(held.batch.source)):
                break
            group.append(held)
            rows += len(held.batch)
        return group

    def _in_turn(self) -> Iterator[Held]:
        """What writes rows again goes first once it is the oldest: no row that it may mean waits any more."""
        oldest = [held for held in islice(self._held.values(), 1) if is_checked(held.batch.source)]
        yield from oldest
        yield from self._first.values()
        yield from (held for held in self._held.values() if not held.first and held not in oldest)

    def leave(self, group: Sequence[Held]) -> None:
        """These are part of the record now."""
        for held in group:
            self._forget(name_of(held.batch))

    def judge(self) -> tuple[Batch, ...]:
        """Take what the engine must see although the store does not take it; beyond ``most`` only the number stays."""
        fresh = [held for held in self._held.values() if not held.judged]
        for held in fresh:
            held.judged = True
            source, epoch, seq = name = name_of(held.batch)
            self._judged.setdefault((source, epoch), Ranges()).add(seq, seq)
            if self._per_source[source].batches > self._most:
                self._forget(name)
        return tuple(held.batch for held in fresh)

    def _forget(self, name: Name) -> None:
        held = self._held.pop(name)
        self._first.pop(name, None)
        self.rows -= len(held.batch)
        load = self._per_source[name[0]]
        load.batches -= 1
        load.rows -= len(held.batch)
        if not load.batches:
            del self._per_source[name[0]]
