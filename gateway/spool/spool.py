"""The spool: keeps every batch until the centre says that it is committed (DESIGN 4; PAINS P5, P10, P13, P15)."""

import asyncio
import errno
import os
import secrets
from collections.abc import Iterable
from contextlib import suppress
from functools import partial
from pathlib import Path

import structlog

from gateway.spool import journal, record
from gateway.spool.account import Counts, Limits, Loss, Rate, Stats, summary
from gateway.spool.folder import Lock, keep_refused, set_aside
from gateway.spool.live import Fresh, LiveQueue
from gateway.spool.log import Log
from gateway.spool.segment import Entry, Key, Segment, State
from gateway.spool.shelf import Shelf
from gateway.spool.store import FileStore
from gateway.spool.sync import Syncs, sync_files
from telemetry.batch import Batch, parts
from telemetry.clock import Clock, SystemClock
from telemetry.wire import Lane, Refusal, encode_batch

_LOG = structlog.get_logger()


class Spool:
    """An open spool. Belongs to one thread; only ``read`` may run in another one.

    ``appended`` is set by every append and ``urgent`` by one in the alarm lane; who waits for them clears them.
    Nothing is given up for its age unless ``believes_clock``: a clock that leaps by years must not cost a backlog.
    """

    def __init__(self, folder: Path, limits: Limits, clock: Clock, lock: Lock, epoch: int) -> None:
        self.folder = folder
        self.epoch = epoch
        self.appended = asyncio.Event()
        self.urgent = asyncio.Event()
        self.syncs = Syncs()
        self.believes_clock = True
        self._limits = limits
        self._clock = clock
        self._lock = lock
        self._last = 0
        self._live = LiveQueue()
        self._fresh = Fresh()
        self._holding_clock: set[int] = set()
        self._fill, self._drain = Rate(), Rate()
        self._counts = Counts()
        self._shelf = Shelf(folder, limits, epoch, self._lose)
        self._journal = journal.Journal(folder / "released")
        self._load()

    @classmethod
    def open(cls, folder: Path, limits: Limits, clock: Clock, *, epoch: int | None = None) -> "Spool":
        """Open or create; raises SpoolError only when it is in use or can't be written at all.

        An epoch must never be used twice, also not by a drill with a seed, so it comes from the operating system.
        """
        return cls(folder, limits, clock, Lock(folder), epoch or secrets.randbelow(2**62 - 1) + 1)

    def append(self, batch: Batch, lane: Lane) -> tuple[Entry, ...]:
        """Number and keep a batch, in parts when it is too large; it holds a drill's clock until it is gone.

        A disk that takes nothing is no error: the batch stays in memory and ``stats`` says so.
        """
        entries = tuple(self._append(part, lane) for part in parts(batch))
        self.appended.set()
        if lane is Lane.ALARM:
            self.urgent.set()
        return entries

    def next_unsent(self, lane: Lane) -> Entry | None:
        """The next batch of a lane to send; from now on it counts as sent."""
        if lane is Lane.LIVE:
            return self._live.take()
        found = (self._shelf.alarms if lane is Lane.ALARM else self._shelf.samples).first(State.OPEN)
        if found is None:
            return None
        segment, index = found
        segment.state[index] = State.SENT
        return segment.entry(index, lane)

    def next_held(self) -> Entry | None:
        """The oldest batch that is held, as backlog; from now on it counts as sent."""
        for log in reversed(self._shelf.logs):
            if (found := log.first(State.HELD)) is not None:
                segment, index = found
                segment.state[index] = State.SENT
                return segment.entry(index, Lane.BACKLOG)
        return None

    def read(self, entry: Entry) -> bytes | None:
        """The payload to send; None when the disk has not kept it (``spoil`` it). Raises OSError when it may later."""
        fresh = self._fresh.get(entry.key)
        if fresh is not None:
            return fresh
        try:
            return entry.segment.payload(entry.index)
        except OSError as exc:
            if exc.errno in (errno.EIO, errno.ENOENT):
                return None
            raise

    def is_fresh(self, entry: Entry) -> bool:
        """Whether ``read`` needs no disk."""
        return not entry.segment.store.durable or entry.key in self._fresh

    def spoil(self, entry: Entry) -> None:
        """Set aside a batch that can't be read back, counted as lost; nothing happens when it is gone."""
        if entry.is_gone:
            return
        self._counts.corrupt_pieces += 1
        with suppress(OSError):
            name = f"{entry.segment.number:010d}.{entry.seq}.corrupt"
            set_aside(self.folder / name, entry.segment.raw(entry.index))
        _LOG.error("corrupt batch set aside", epoch=entry.epoch, seq=entry.seq, rows=entry.rows)
        self._lose(self._log_of(entry.segment), entry.segment, [entry.index], Loss.CORRUPT)

    def acknowledge(self, epoch: int, ranges: Iterable[tuple[int, int]]) -> list[Key]:
        """Release what the centre has committed: inclusive ranges of numbers. Returns what went.

        Ranges that name nothing we hold (acknowledged before, dropped, never sent) do nothing.
        """
        gone, rows = list[Key](), 0
        for first, last in ranges:
            for log, segment in self._shelf.of_epoch(epoch):
                indices = list(segment.between(first, last))
                rows += sum(segment.rows[index] for index in indices)
                gone += ((epoch, segment.seq[index]) for index in indices)
                self._release(log, segment, indices)
        self._counts.acked_rows += rows
        self._drain.add(rows, self._clock.now_ns())
        return gone

    def refuse(self, epoch: int, refusal: Refusal) -> bool:
        """Set aside a batch that the centre will never take, with its reason; False when we do not hold it."""
        for log, segment in self._shelf.of_epoch(epoch):
            index = segment.find(refusal.seq)
            if index is None:
                continue
            self._counts.refused_batches += 1
            _LOG.warning("batch refused", epoch=epoch, seq=refusal.seq, reason=refusal.reason)
            keep_refused(self.folder, (epoch, refusal.seq), refusal.reason, partial(segment.raw, index))
            self._release(log, segment, [index])
            return True
        return False

    def hold(self, epoch: int, ranges: Iterable[tuple[int, int]]) -> list[Key]:
        """Keep for later what the centre has judged but can't store now; a drill's clock is held by it no longer."""
        held: list[Key] = []
        for first, last in ranges:
            for _, segment in self._shelf.of_epoch(epoch):
                held += ((epoch, segment.seq[index]) for index in segment.hold(first, last))
        for key in held:
            self._let_clock_go(key)
        return held

    def held_batches(self) -> int:
        """How many batches are held."""
        return sum(segment.state.count(State.HELD) for segment in self._shelf.segments)

    def unhold(self) -> None:
        """What is held is to be sent again at once, since it was judged by a centre that is no more."""
        for segment in self._shelf.segments:
            segment.unhold()

    def rewind(self) -> None:
        """Everything else that is not gone is to be sent again: after a reconnect, or when the centre asks."""
        self._live.clear()
        for segment in self._shelf.segments:
            segment.rewind()

    def stats(self) -> Stats:
        """What it holds and has lost."""
        return summary(
            self._shelf.logs,
            self._counts,
            epoch=self.epoch,
            hours=self._hours_left(),
            drain=self._drain.per_s(self._clock.now_ns()),
            failing=self._shelf.failing,
        )

    def unsynced(self) -> list[FileStore]:
        """Files whose newest records may still be lost at a power cut."""
        stores = (segment.store for segment in self._shelf.segments)
        return [store for store in stores if isinstance(store, FileStore) and store.dirty]

    async def kept(self) -> None:
        """Have all that was appended so far synced, and wait until no power cut can take it; the caller bounds it.

        What a full disk leaves in memory, or a failed sync in doubt, is kept as soon as the centre has it.
        """
        last = self._last
        while (unsafe := self._shelf.first_unsafe(self.epoch)) is not None and unsafe <= last:
            if self.unsynced():
                self.appended.set()
                self.urgent.set()
            await self.syncs.turned()

    def sync(self) -> None:
        """Wait until everything appended so far survives a power cut; not for an event loop (``keep_synced``)."""
        if (failure := sync_files(self.unsynced())) is not None:
            self.sync_failed(failure)
        self.syncs.turn()

    def sync_failed(self, exc: OSError) -> None:
        """A sync failed: what was written is doubtful, so nothing more goes into the same files."""
        self._counts.sync_failures += 1
        _LOG.error("spool can't be synced", spool=str(self.folder), reason=exc.strerror)
        for log in self._shelf.logs:
            log.seal()

    def close(self) -> None:
        """Sync, close the files, give the directory back; a drill's clock is held no longer."""
        self.sync()
        for log in self._shelf.logs:
            log.seal()
        self._rewrite_journal()
        self._journal.close()
        for _ in self._holding_clock:
            self._clock.release()
        self._holding_clock.clear()
        self._lock.release()

    def _load(self) -> None:
        released, bad = journal.read(self.folder / "released")
        damage = self._shelf.load(released, repair=True)
        self._counts.corrupt_pieces += damage.corrupt_pieces + bad
        self._counts.torn_bytes += damage.torn_bytes
        self._rewrite_journal()

    def _append(self, batch: Batch, lane: Lane) -> Entry:
        now_ns, seq = self._clock.now_ns(), self._last + 1
        self._last = seq
        payload = encode_batch(batch.numbered(self.epoch, seq), lane)
        header = record.head(payload, self.epoch, seq, int(batch.time_ns.min()), len(batch), lane)
        if not isinstance(self._clock, SystemClock):  # that one waits for nobody, and weeks of batches may
            self._clock.hold()
            self._holding_clock.add(seq)
        if self.believes_clock:
            self._shelf.expire(now_ns)
        self._fill.add(record.HEADER_BYTES + len(payload), now_ns)
        log = self._shelf.alarms if lane is Lane.ALARM else self._shelf.samples
        segment, index = self._shelf.put(log, record.pack(header, payload), header)
        entry = segment.entry(index, lane)
        if lane is not Lane.BACKLOG:
            self._fresh.put(entry.key, payload)
        if lane is Lane.LIVE:
            self._live.put(entry)
        return entry

    def _lose(self, log: Log, segment: Segment, indices: list[int], reason: Loss) -> None:
        rows = sum(segment.rows[index] for index in indices)
        self._counts.lose(reason, rows)
        _LOG.warning("rows given up", reason=reason, rows=rows, batches=len(indices))
        self._release(log, segment, indices)

    def _release(self, log: Log, segment: Segment, indices: list[int]) -> None:
        """Let records go that follow each other, but for some that are gone already."""
        if segment.store.durable and indices:
            self._note((log.kind, segment.epoch, segment.seq[indices[0]], segment.seq[indices[-1]]))
        for index in indices:
            segment.release(index)
            key = (segment.epoch, segment.seq[index])
            self._fresh.drop(key)
            self._let_clock_go(key)
        log.tidy(segment)
        self.syncs.turn()

    def _let_clock_go(self, key: Key) -> None:
        if key[0] == self.epoch and key[1] in self._holding_clock:
            self._holding_clock.remove(key[1])
            self._clock.release()

    def _note(self, released: journal.Released) -> None:
        try:
            self._journal.append((released,))
        except OSError:
            return  # the batches are sent again after a restart, and the centre recognises them
        if self._journal.is_long:
            self._rewrite_journal()

    def _rewrite_journal(self) -> None:
        with suppress(OSError):  # as above
            self._journal.rewrite(self._shelf.gone())

    def _log_of(self, segment: Segment) -> Log:
        return next(log for log in self._shelf.logs if segment in log.segments)

    def _hours_left(self) -> float | None:
        stat = os.statvfs(self.folder)
        held = sum(segment.open_bytes for segment in self._shelf.segments)
        free = min(self._limits.max_bytes - held, stat.f_bavail * stat.f_frsize)
        hours = self._fill.hours_for(free, self._clock.now_ns())
        return None if hours is None else min(hours, self._limits.max_age_h)
