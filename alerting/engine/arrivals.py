"""The rows of a commit in steps of event time: in each step a station has rows of one moment."""

from collections.abc import Iterator
from dataclasses import dataclass, fields, replace

import numpy as np

from ingest.commit import Commit
from telemetry.batch import F64, I64, U8, U16, Mask
from telemetry.topics import is_checked


@dataclass(frozen=True, slots=True)
class Arrivals:
    """Rows of known series, arrays of shape (n,)."""

    slot: I64
    time_ns: I64
    value: F64
    quality: U8
    cause: U16
    answered_ns: I64

    def __len__(self) -> int:
        return len(self.slot)

    def take(self, chosen: Mask | I64) -> "Arrivals":
        """Some of the rows."""
        return Arrivals(*(getattr(self, field.name)[chosen] for field in fields(self)))


def identities(commit: Commit) -> I64:
    """The series of all rows of a commit, in its order."""
    parts = [batch.series for batch in commit.batches]
    return np.concatenate(parts) if parts else np.zeros(0, np.int64)


def parted(commit: Commit) -> tuple[Commit, Commit]:
    """The rows of a commit, and those of earlier ones that it holds again because a later neighbour doubts them."""
    again = tuple(batch for batch in commit.batches if is_checked(batch.source))
    rows = tuple(batch for batch in commit.batches if not is_checked(batch.source)) if again else commit.batches
    return replace(commit, batches=rows), replace(commit, batches=again)


def newest_ns(commit: Commit) -> int:
    """The newest sample time of a commit; 0 for an empty one."""
    return max((int(batch.time_ns.max(initial=0)) for batch in commit.batches), default=0)


def arrivals(commit: Commit, slots: I64) -> Arrivals:
    """The rows of a commit whose series are known; ``slots`` (n,) in the order of the commit, -1 for unknown."""
    if not len(slots):
        return Arrivals(slots, slots, np.zeros(0), np.zeros(0, np.uint8), np.zeros(0, np.uint16), slots)
    batches = commit.batches
    answered = np.repeat(
        np.array([batch.answered_ns for batch in batches], np.int64), [len(batch) for batch in batches]
    )
    rows = Arrivals(
        slots,
        np.concatenate([batch.time_ns for batch in batches]),
        np.concatenate([b.value for b in batches]),
        np.concatenate([batch.quality for batch in batches]),
        np.concatenate([batch.cause for batch in batches]),
        answered,
    )
    return rows if slots.min() >= 0 else rows.take(slots >= 0)


def steps(rows: Arrivals, station: I64) -> Iterator[Arrivals]:
    """Rows by the rank of their moment within their station; ``station`` is (n,)."""
    order = np.lexsort((rows.slot, rows.time_ns, station))
    rows, station = rows.take(order), station[order]
    new_station = np.append(True, station[1:] != station[:-1])
    new_moment = np.append(False, rows.time_ns[1:] != rows.time_ns[:-1]) & ~new_station
    count = np.cumsum(new_moment)
    begins = np.flatnonzero(new_station)
    rank = count - np.repeat(count[begins], np.diff(np.append(begins, len(count))))
    last = int(rank.max(initial=-1))
    if last == 0:
        yield rows
        return
    for turn in range(last + 1):
        yield rows.take(rank == turn)
