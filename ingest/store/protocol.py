"""What the centre asks of a store, and the words they share."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

from ingest.commit import Commit
from telemetry.batch import F64, I64, U8, U16, Batch


class StoreError(Exception):
    """The store can't do what was asked: what was found, what was expected, and the way out."""


class StoreRefusedError(StoreError):
    """The store can't take or give rows now (disk full, I/O error); the same call may work later."""


class StoreOpenError(StoreError):
    """The store can't be opened: held by another process, damaged, or of another version."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CommitResult:
    """What became of a group: ``fresh[i]`` is False for a batch that had been committed before.

    ``number`` is the commit's number, 0 when nothing in the group was fresh.
    """

    number: int
    fresh: tuple[bool, ...]
    rows: int


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Points:
    """Raw samples, in time order; all columns of shape (n,), times in UTC nanoseconds, values in canonical units."""

    series: I64
    time_ns: I64
    value: F64
    quality: U8
    cause: U16

    def __len__(self) -> int:
        return len(self.series)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Buckets:
    """Samples of one series summed up per bucket of time; all columns of shape (n,).

    ``minimum``, ``mean`` and ``maximum`` are over the ``count`` samples better than BAD (NaN when there are none);
    ``quality`` is the worst of all samples in the bucket.
    """

    time_ns: I64
    minimum: F64
    mean: F64
    maximum: F64
    count: I64
    quality: U8


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Spans:
    """From when to when rows of each series are held, by ascending identity; columns of shape (n,), UTC nanoseconds."""

    series: I64
    first_ns: I64
    last_ns: I64


@dataclass(frozen=True, slots=True, kw_only=True)
class Tally:
    """Rows of one gateway in a stretch of commits: all, the different (series, time) among them, and the missing."""

    rows: int
    distinct: int
    missing: int


@dataclass(frozen=True, slots=True, kw_only=True)
class StoreInfo:
    """What a person wants to know of a store; sizes in bytes."""

    path: str
    engine: str
    schema: int
    rows: int
    commits: int
    sources: int
    file_bytes: int
    log_bytes: int


class Store(Protocol):
    """Rows, the committed batch numbers and the announcements; thread-safe.

    ``commit`` and ``save_announcement`` are called by one thread; reads may come from any and do not hold up commits.
    Every method raises StoreRefusedError when the store can't answer now.
    """

    def commit(self, batches: Sequence[Batch]) -> CommitResult:
        """Write the rows of all batches not yet committed and their numbers, in one transaction."""

    def is_committed(self, source: str, epoch: int, seq: int) -> bool:
        """Whether a batch is already part of the record."""

    def last_commit(self) -> int:
        """The number of the newest commit, 0 in an empty store."""

    def rows_after(self, number: int, limit: int | None = None) -> Iterator[Commit]:
        """The commits after a number, in order, ``limit`` of them at most; for the engine's start."""

    def passed(self, number: int) -> None:
        """The engine's cursor is durable at a commit: what is kept for ``rows_after`` alone may go. Returns at once."""

    def recent(self, since_ns: int, upto: int | None = None) -> Iterator[Commit]:
        """Rows sampled at or after a moment, up to commit ``upto``, in order of commit; to warm the window."""

    def points(self, series: int, from_ns: int, to_ns: int, most: int | None = None) -> Points:
        """Samples of one series with ``from_ns <= time < to_ns``, the first ``most`` of them where that is said."""

    def samples(self, series: I64, from_ns: int, to_ns: int) -> Points:
        """Samples of many series (k,) with ``from_ns <= time < to_ns``, ordered by series and time.

        One row for each (series, time): that of the later commit.
        """

    def buckets(self, series: int, from_ns: int, to_ns: int, every_ns: int) -> Buckets:
        """Samples of one series summed up per ``every_ns``, aligned to the epoch of UTC."""

    def latest(self, since_ns: int, until_ns: int | None = None) -> Points:
        """The newest sample of every series between two moments, ordered by series; none whose time was doubted."""

    def spans(self) -> Spans:
        """From when to when rows of each series are held; may look at every row, so it is asked seldom."""

    def count(self) -> int:
        """Rows in the store."""

    def distinct_count(self) -> int:
        """Different (series, time) pairs: less than ``count`` when a sample was written twice."""

    def missing_count(self) -> int:
        """Rows that say that there was no reading."""

    def tally(self, source: str, after: int) -> Tally:
        """What a gateway's commits after a number brought."""

    def save_announcement(self, source: str, revision: str, payload: bytes) -> None:
        """Keep an announcement as it came, as the newest of its gateway, and the few before it."""

    def announcements(self) -> list[tuple[str, bytes]]:
        """The (source, payload) that are kept, in the order in which they were heard; the last of a source counts."""

    def info(self) -> StoreInfo:
        """Sizes and versions."""

    def close(self) -> None:
        """Write what is open and give the file free."""
