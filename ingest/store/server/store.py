"""The store whose rows are in a server; ``ingest.store.protocol.Store`` says what the methods promise."""

import os
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import structlog

from ingest.commit import Commit
from ingest.store.hourly import Hours
from ingest.store.protocol import Buckets, CommitResult, Points, Spans, StoreError, StoreInfo, StoreRefusedError, Tally
from ingest.store.server import hours
from ingest.store.server import rows as columns
from ingest.store.server.delivery import Delivery
from ingest.store.server.journal import SCHEMA, Entry, Journal
from ingest.store.server.lines import names_of
from ingest.store.server.protocol import Server
from ingest.store.server.rows import Rows
from telemetry.batch import I64, MILLISECOND_NS, Batch
from telemetry.clock import HOUR_NS, MINUTE_NS
from telemetry.quality import Quality

_LOG: Final = structlog.get_logger(__name__)
_COMPACT_RANGES: Final = 20_000
_BEYOND_MS: Final = 2**43 - 1
_PIECE_MS: Final = HOUR_NS // MILLISECOND_NS
_FIRST_LOOK_MS: Final = 10 * MINUTE_NS // MILLISECOND_NS
_ASKED_AT_ONCE: Final = 500


@dataclass(slots=True, kw_only=True)
class Figures:
    """Counts since the start. ``unkept``: rows with a time that the server does not keep."""

    unkept: int = 0


class ServerStore:
    """Rows in a server, everything else in a journal beside the centre; see the ADR named in the package."""

    def __init__(
        self,
        server: Server,
        path: Path,
        *,
        measurement: str = "petrel",
        place: str = "",
        keep_free: int = 0,
        now_ns: Callable[[], int],
        now_s: Callable[[], float] = time.monotonic,
    ) -> None:
        """Open or make the journal; the server need not be there yet. Raises StoreOpenError.

        ``place`` is what people know the server by; ``keep_free`` bytes of the journal's disk are left to others.
        """
        self.figures = Figures()
        self._server, self._place, self._keep_free, self._now_ns = server, place, keep_free, now_ns
        self._committing = threading.Lock()
        self._journal = Journal(path)
        try:
            self._take_up()
            self._ledger = self._journal.ledger()
            self._delivery = Delivery(server, self._journal, measurement, now_s)
        except BaseException:
            self._journal.close()
            raise

    def commit(self, batches: Sequence[Batch]) -> CommitResult:
        """Write what is new of a group; after StoreRefusedError, committing the same group again is always right."""
        with self._committing:
            self._leave_room()
            finished = self._record(self._delivery.ready(virgin=not self._ledger.last))
            self._compact()
            fresh = self._ledger.fresh(batches)
            taken = [batch for batch, new in zip(batches, fresh, strict=True) if new]
            if taken:
                names = tuple((batch.source, batch.epoch, batch.seq) for batch in taken)
                entry = Entry(number=self._ledger.last + 1, names=names, batches=self._kept(taken))
                self._delivery.deliver(entry)
                self._record(entry)
            late = () if finished is None else finished.names
            new = tuple(
                one or (batch.source, batch.epoch, batch.seq) in late for one, batch in zip(fresh, batches, strict=True)
            )
            rows = sum(len(batch) for batch, one in zip(batches, new, strict=True) if one)
            return CommitResult(number=self._ledger.last if any(new) else 0, fresh=new, rows=rows)

    def is_committed(self, source: str, epoch: int, seq: int) -> bool:
        """Whether a batch is part of the record."""
        return (source, epoch, seq) in self._ledger

    def last_commit(self) -> int:
        """The number of the newest commit, 0 in an empty store."""
        return self._ledger.last

    def rows_after(self, number: int, limit: int | None = None) -> Iterator[Commit]:
        """The commits after a number, in order; those that the engine has passed may be gone."""
        for entry in self._journal.entries(number, limit):
            yield entry.commit()

    def passed(self, number: int) -> None:
        """The engine's cursor is durable at a commit: the journal lets go what it keeps for ``rows_after`` alone."""
        self._delivery.passed(number)

    def recent(self, since_ns: int, upto: int | None = None) -> Iterator[Commit]:
        """Rows sampled since a moment, in order of time, without those of commits after ``upto``; of no source."""
        number = self._ledger.last if upto is None else upto
        later = columns.together([columns.of_batches(entry.batches, 0) for entry in self._journal.entries(number)])
        start, width = max(_ceil_ms(since_ns), 0), _PIECE_MS
        stop = int(self._delivery.layers.newest()[1].max(initial=-1)) + 1
        while start < stop:
            rows = columns.without(self._read(None, start, start + width), later)
            if len(rows):
                yield Commit(number=number, batches=_batches(rows), stored=True)
            start, width = start + width, _PIECE_MS if len(rows) else 2 * width

    def points(self, series: int, from_ns: int, to_ns: int, most: int | None = None) -> Points:
        """Samples of one series in time order, all of them or the first ``most``."""
        rows = self._read(np.array([series], np.int64), _ceil_ms(from_ns), _ceil_ms(to_ns))
        return rows.take(slice(0, most)).points()

    def samples(self, series: I64, from_ns: int, to_ns: int) -> Points:
        """Samples of many series, ordered by series and time."""
        return self._read(np.unique(series), _ceil_ms(from_ns), _ceil_ms(to_ns)).points()

    def buckets(self, series: int, from_ns: int, to_ns: int, every_ns: int) -> Buckets:
        """Samples of one series per bucket; raises ValueError for buckets finer than a millisecond."""
        if every_ns < MILLISECOND_NS:
            raise ValueError(f"buckets of {every_ns} ns, expected at least {MILLISECOND_NS}")
        return columns.buckets(self.points(series, from_ns, to_ns), every_ns)

    def latest(self, since_ns: int, until_ns: int | None = None) -> Points:
        """The newest sample of every series since a moment: looks back further and further for those without one."""
        start = _ceil_ms(since_ns)
        ids, newest_ms = self._delivery.layers.newest()
        left, found, width = ids[newest_ms >= start], list[Rows](), _FIRST_LOOK_MS
        edge = min(_BEYOND_MS if until_ns is None else _ceil_ms(until_ns), int(newest_ms.max(initial=-1)) + 1)
        while len(left) and edge > start:
            begin = max(start, edge - width)
            found.append(columns.newest_trusted(self._read(left, begin, edge)))
            left = np.setdiff1d(left, found[-1].series)
            edge, width = begin, 6 * width
        return columns.latest_ranks(columns.together(found)).points()

    def hours(self, series: I64, from_ns: int, to_ns: int) -> Hours:
        """The hours of many series that begin in a span."""
        start, stop = (-(-_ceil_ms(at) // _PIECE_MS) * _PIECE_MS for at in (from_ns, to_ns))
        asked = np.unique(series)
        found = self._server.hours(asked, start, stop) if start < stop and len(asked) else None
        if found is None:
            return hours.summed(self.samples(asked, start * MILLISECOND_NS, stop * MILLISECOND_NS))
        late = columns.within(columns.together(self._delivery.unsettled()), asked, start, stop)
        return hours.completed(found, late, self.samples)

    def spans(self) -> Spans:
        """From when to when rows of each series are held."""
        ends = self._server.ends()
        late = columns.together(self._delivery.unsettled())
        first, last = np.append(ends.first_ms, late.time_ms), np.append(ends.last_ms, late.time_ms)
        series, at = np.unique(np.append(ends.series, late.series), return_inverse=True)
        first_ns, last_ns = np.full(len(series), 2**63 - 1, np.int64), np.zeros(len(series), np.int64)
        np.minimum.at(first_ns, at, first * MILLISECOND_NS)
        np.maximum.at(last_ns, at, last * MILLISECOND_NS)
        return Spans(series=series, first_ns=first_ns, last_ns=last_ns)

    def count(self) -> int:
        """Rows in the server."""
        return self._server.count()

    def distinct_count(self) -> int:
        """Different (series, time) pairs; reads every series that has late rows whole."""
        rows_held, late, again = self._server.count(), self._delivery.layers.above(1), 0
        for at in range(0, len(late), _ASKED_AT_ONCE):
            rows = self._server.read(late[at : at + _ASKED_AT_ONCE], 0, _BEYOND_MS)
            again += len(rows) - len(columns.latest_ranks(rows))
        return rows_held - again

    def missing_count(self) -> int:
        """Rows without a reading."""
        return self._server.count(Quality.MISSING)

    def tally(self, source: str, after: int) -> Tally:
        """What a gateway's commits after a number brought; raises StoreError where the journal has let them go."""
        oldest = self._journal.oldest() or self._ledger.last + 1
        if after + 1 < oldest:
            raise StoreError(f"{self._place}: commits up to {oldest - 1} are past, expected a later one to count from")
        batches = [one for entry in self._journal.entries(after) for one in entry.batches if one.source == source]
        rows = columns.of_batches(batches, 0)
        missing = int((rows.quality == Quality.MISSING).sum())
        return Tally(rows=len(rows), distinct=len(columns.latest_ranks(rows)), missing=missing)

    def save_announcement(self, source: str, revision: str, payload: bytes) -> None:
        """Keep an announcement as the newest of its gateway, and the names of its series for people at the server."""
        with self._committing:
            names = names_of(source, payload)
            self._journal.announce(source, revision, payload, names)
            self._delivery.names = names | dict(self._delivery.names)

    def announcements(self) -> list[tuple[str, bytes]]:
        """The announcements that are kept, in the order in which they were heard."""
        return self._journal.announcements()

    def info(self) -> StoreInfo:
        """Sizes and versions; the bytes are those of the journal."""
        path = self._journal.path
        log = path.with_name(path.name + "-wal")
        return StoreInfo(
            path=f"{self._place}, journal {path}",
            engine=self._server.engine,
            schema=SCHEMA,
            rows=self.count(),
            commits=self.last_commit(),
            sources=len({source for source, _ in self._ledger.everything()}),
            file_bytes=path.stat().st_size,
            log_bytes=log.stat().st_size if log.exists() else 0,
        )

    def close(self) -> None:
        """Give journal and server free."""
        with self._committing:
            self._journal.close()
            self._server.close()

    def _take_up(self) -> None:
        """The group on its way when a process died: the journal has it whole, so it is committed, and sent later.

        The engine finds it after its cursor. Were it left for later, it could be committed behind the engine's back.
        """
        for entry in self._journal.entries(0, done=False):
            self._journal.finish(entry.number, entry.ranges())

    def _record(self, entry: Entry | None) -> Entry | None:
        if entry is not None:
            self._ledger.record(entry.number, entry.ranges(), {})
        return entry

    def _leave_room(self) -> None:
        disk = os.statvfs(self._journal.path.parent)
        free = disk.f_bavail * disk.f_frsize
        if free < self._keep_free:
            raise StoreRefusedError(
                f"{self._journal.path}: {free / 1e6:.1f} MB free on its disk,"
                f" expected at least {self._keep_free / 1e6:.0f} MB: the rest is kept for alarms"
            )

    def _compact(self) -> None:
        """Write all ranges anew, merged, under the number of the last commit."""
        ledger = self._ledger
        if ledger.written > _COMPACT_RANGES + 2 * ledger.merged_count:
            self._journal.merge(ledger.last, ledger.everything())
            ledger.written = ledger.merged_count

    def _kept(self, batches: Sequence[Batch]) -> tuple[Batch, ...]:
        """The batches without the rows whose time the server does not keep, which it would drop in silence."""
        first, last = self._server.span_ms(self._now_ns() // MILLISECOND_NS)
        kept, dropped = list[Batch](), 0
        for batch in batches:
            fits = (batch.time_ns >= first * MILLISECOND_NS) & (batch.time_ns <= last * MILLISECOND_NS)
            dropped += len(batch) - int(fits.sum())
            if fits.any():
                kept.append(batch if fits.all() else batch.take(fits))
        if dropped:
            self.figures.unkept += dropped
            _LOG.warning(
                "times that the server does not keep", rows=dropped, sources=[one.source for one in batches][:3]
            )
        return tuple(kept)

    def _read(self, series: I64 | None, start_ms: int, stop_ms: int) -> Rows:
        """One row for each (series, time), of the server and of what it may not show yet; naming series is dear."""
        many = series is not None and len(series) > max(_ASKED_AT_ONCE, len(self._delivery.layers.newest()[0]) // 2)
        held = self._server.read(None if many else series, start_ms, stop_ms)
        parts = [held, *self._delivery.unsettled()]
        return columns.latest_ranks(columns.together([columns.within(one, series, start_ms, stop_ms) for one in parts]))


def _ceil_ms(time_ns: int) -> int:
    """The first whole millisecond at or after a moment: both ends of a half-open span become one of these."""
    return min(-(-time_ns // MILLISECOND_NS), _BEYOND_MS)


def _batches(rows: Rows) -> tuple[Batch, ...]:
    points = rows.take(np.argsort(rows.time_ms, kind="stable")).points()
    one = Batch(
        source="", epoch=0, seq=0, series=points.series, time_ns=points.time_ns, value=points.value,
        quality=points.quality, cause=points.cause,
    )  # fmt: skip
    return (one,)
