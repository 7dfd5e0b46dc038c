"""What a spool may take, what it holds, and what it had to give up."""

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

from gateway.spool.log import Log
from telemetry.clock import HOUR_NS, MINUTE_NS, SECOND_NS


class Loss(StrEnum):
    """Why rows were given up before the centre had them."""

    FULL = "spool full"
    OLD = "older than the spool keeps"
    MEMORY = "disk takes nothing and memory is full"
    CORRUPT = "corrupt on disk"


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """Caps of a spool: bytes on disk, age of data, and bytes of memory while the disk takes nothing."""

    max_bytes: int = 1024 * 1024 * 1024
    max_age_h: float = 24.0 * 30
    memory_bytes: int = 4 * 1024 * 1024

    @property
    def segment_bytes(self) -> int:
        """The size at which a segment is full: small beside the cap, since a segment is dropped as a whole."""
        return min(max(self.max_bytes // 32, 4 * 1024), 16 * 1024 * 1024)


@dataclass(frozen=True, slots=True, kw_only=True)
class Stats:
    """A moment of a spool: what it holds, and counts since it was opened."""

    epoch: int
    batches: int
    rows: int
    payload_bytes: int
    disk_bytes: int
    memory_batches: int
    oldest_ns: int | None
    hours_until_full: float | None
    acked_rows: int = 0
    refused_batches: int = 0
    lost_rows: dict[Loss, int] = field(default_factory=dict)
    corrupt_pieces: int = 0
    torn_bytes: int = 0
    sync_failures: int = 0
    failing: str | None = None
    """Why the disk takes nothing at present."""
    drain_rows_per_s: float | None = None
    """Rows acknowledged a second; None while there is too little to tell."""

    @property
    def notes(self) -> tuple[str, ...]:
        """What people should know of it, a line each."""
        found = []
        if self.failing is not None:
            found.append(
                f"the disk of the spool takes nothing: {self.failing}; {self.memory_batches} batches in memory"
            )
        if self.corrupt_pieces:
            found.append(f"{self.corrupt_pieces} corrupt pieces of the spool were set aside: look at its disk")
        if self.sync_failures:
            found.append(f"the disk of the spool failed to sync {self.sync_failures} times: look at it")
        return tuple(found)

    @property
    def dropped_rows(self) -> int:
        """Rows given up, for whatever reason."""
        return sum(self.lost_rows.values())


@dataclass(slots=True)
class Counts:
    """What happened since the spool was opened."""

    acked_rows: int = 0
    refused_batches: int = 0
    corrupt_pieces: int = 0
    torn_bytes: int = 0
    sync_failures: int = 0
    lost_rows: dict[Loss, int] = field(default_factory=dict)

    def lose(self, reason: Loss, rows: int) -> None:
        """Count rows that were given up."""
        self.lost_rows[reason] = self.lost_rows.get(reason, 0) + rows


_WINDOW_NS: Final = 10 * MINUTE_NS
_STEP_NS: Final = 10 * SECOND_NS
_ENOUGH_NS: Final = MINUTE_NS


class Rate:
    """How much of something there is a second, over the last ten minutes of data time."""

    def __init__(self) -> None:
        self._total = 0
        self._samples: deque[tuple[int, int]] = deque(maxlen=_WINDOW_NS // _STEP_NS + 1)

    def add(self, n: int, now_ns: int) -> None:
        """Count some more."""
        if not self._samples or not 0 <= now_ns - self._samples[-1][0] < _STEP_NS:
            if self._samples and now_ns < self._samples[-1][0]:
                self._samples.clear()  # the clock was set back: what was measured before means nothing now
            self._samples.append((now_ns, self._total))
        self._total += n

    def per_s(self, now_ns: int) -> float | None:
        """So many a second; None while there is too little to tell."""
        while len(self._samples) > 1 and now_ns - self._samples[1][0] >= _WINDOW_NS:
            self._samples.popleft()
        if not self._samples or now_ns - self._samples[0][0] < _ENOUGH_NS:
            return None
        since_ns, total = self._samples[0]
        return (self._total - total) / (now_ns - since_ns) * SECOND_NS

    def hours_for(self, amount: int, now_ns: int) -> float | None:
        """Hours until there has been so much more; None while that can't be told, or when there is nothing."""
        rate = self.per_s(now_ns)
        return max(amount, 0) / rate * SECOND_NS / HOUR_NS if rate else None


def summary(
    logs: Sequence[Log],
    counts: Counts,
    *,
    epoch: int = 0,
    hours: float | None = None,
    drain: float | None = None,
    failing: str | None = None,
) -> Stats:
    """The statistics of a spool from its logs and counts; without the rest, of one that nobody has opened."""
    segments = [segment for log in logs for segment in log.segments]
    oldest = [ns for ns in (segment.oldest_open_ns() for segment in segments) if ns is not None]
    return Stats(
        epoch=epoch,
        hours_until_full=hours,
        failing=failing,
        drain_rows_per_s=drain,
        oldest_ns=min(oldest, default=None),
        batches=sum(segment.open_records for segment in segments),
        rows=sum(segment.open_rows for segment in segments),
        payload_bytes=sum(segment.open_bytes for segment in segments),
        disk_bytes=sum(log.disk_bytes for log in logs),
        memory_batches=sum(segment.open_records for segment in segments if not segment.store.durable),
        acked_rows=counts.acked_rows,
        refused_batches=counts.refused_batches,
        lost_rows=dict(counts.lost_rows),
        corrupt_pieces=counts.corrupt_pieces,
        torn_bytes=counts.torn_bytes,
        sync_failures=counts.sync_failures,
    )
