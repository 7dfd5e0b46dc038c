"""The shelf: where records are put, within the caps; when the disk takes nothing, in memory."""

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

import structlog

from gateway.spool import journal, record
from gateway.spool.account import Limits, Loss
from gateway.spool.log import Damage, Kind, Log
from gateway.spool.segment import Segment
from telemetry.clock import HOUR_NS, MINUTE_NS

_LOG = structlog.get_logger()
_RETRY_S: Final = 1.0

Lose = Callable[[Log, Segment, list[int], Loss], None]
"""Gives records up: releases them and counts them."""


class Shelf:
    """The logs of a spool, and the policy of what goes when there is no room: the oldest samples first, alarms last."""

    def __init__(self, folder: Path, limits: Limits, epoch: int, lose: Lose) -> None:
        self.folder = folder
        self.failing: str | None = None
        self.samples = Log(folder, Kind.SAMPLES)
        self.alarms = Log(folder, Kind.ALARMS)
        self._limits = limits
        self._epoch = epoch
        self._lose = lose
        self._number = 0
        self._retry_s = 0.0
        self._expired_ns: int | None = None

    @property
    def logs(self) -> tuple[Log, Log]:
        """What is dropped first comes first."""
        return self.samples, self.alarms

    @property
    def segments(self) -> Iterator[Segment]:
        """Those of all logs."""
        return (segment for log in self.logs for segment in log.segments)

    @property
    def disk_bytes(self) -> int:
        """Bytes of all files of records."""
        return sum(log.disk_bytes for log in self.logs)

    def load(self, released: journal.Ranges, *, repair: bool) -> Damage:
        """Find what former runs left."""
        damage = Damage()
        for log in self.logs:
            found = log.load(released, repair=repair)
            damage.corrupt_pieces += found.corrupt_pieces
            damage.torn_bytes += found.torn_bytes
        names = (path.name.partition(".")[0] for path in self.folder.iterdir())
        self._number = max((int(name) for name in names if name.isdecimal()), default=0)
        return damage

    def first_unsafe(self, epoch: int) -> int | None:
        """The lowest number of an epoch that is needed and that a power cut may take."""
        found = (segment.first_unsafe() for _, segment in self.of_epoch(epoch))
        return min((seq for seq in found if seq is not None), default=None)

    def of_epoch(self, epoch: int) -> Iterator[tuple[Log, Segment]]:
        """The segments with numbers of an epoch; they may go meanwhile."""
        return iter([(log, segment) for log in self.logs for segment in log.segments if segment.epoch == epoch])

    def gone(self) -> Iterator[journal.Released]:
        """All that a journal must remember: what is released in files that are still there."""
        for log in self.logs:
            for segment in log.segments:
                if segment.store.durable:
                    yield from ((log.kind, segment.epoch, first, last) for first, last in segment.gone())

    def put(self, log: Log, data: bytes, header: record.Header) -> tuple[Segment, int]:
        """Write a record to disk, or keep it in memory while that fails; makes room by giving up what is oldest."""
        if self.failing is None or time.monotonic() >= self._retry_s:
            try:
                return self._put_on_disk(log, data, header)
            except OSError as exc:
                self._fails(log, exc)
        return self._put_in_memory(log, data, header)

    def expire(self, now_ns: int) -> None:
        """Give up what is older than the cap, looking once a minute of data time."""
        if self._expired_ns is not None and 0 <= now_ns - self._expired_ns < MINUTE_NS:
            return
        self._expired_ns = now_ns
        cutoff_ns = now_ns - int(self._limits.max_age_h * HOUR_NS)
        for log in self.logs:
            for segment in list(log.segments):
                old = segment.older(cutoff_ns)
                if old:
                    self._lose(log, segment, old, Loss.OLD)
                if segment.open_records:
                    break

    def _put_on_disk(self, log: Log, data: bytes, header: record.Header) -> tuple[Segment, int]:
        self._make_room(len(data))
        active = log.active()
        if active is None or not active.store.durable or active.size + len(data) > self._limits.segment_bytes:
            self._number += 1
            active = log.grow(self._number, self._epoch, on_disk=True)
        index = active.append(data, header)
        if self.failing is not None:
            _LOG.warning("disk takes data again", spool=str(self.folder))
            self.failing = None
            self._rescue()
        return active, index

    def _rescue(self) -> None:
        """Bring to disk what is in memory; what it does not take now stays there until it takes data again."""
        inside = [(log, segment) for log in self.logs for segment in log.segments if not segment.store.durable]
        for log, segment in inside:
            try:
                self._make_room(segment.open_bytes + record.HEADER_BYTES * segment.open_records)
                if segment.open_records:
                    log.rescue(segment)
            except OSError as exc:
                self._fails(log, exc)
                return

    def _put_in_memory(self, log: Log, data: bytes, header: record.Header) -> tuple[Segment, int]:
        active = log.active()
        if active is None or active.store.durable:
            self._number += 1
            active = log.grow(self._number, self._epoch, on_disk=False)
        index = active.append(data, header)
        while sum(log.memory_bytes for log in self.logs) > self._limits.memory_bytes:
            self._drop_from_memory()
        return active, index

    def _fails(self, log: Log, exc: OSError) -> None:
        if self.failing is None:
            _LOG.error("disk takes nothing, batches are kept in memory", spool=str(self.folder), reason=exc.strerror)
        self.failing = exc.strerror or str(exc)
        self._retry_s = time.monotonic() + _RETRY_S
        active = log.active()
        if active is not None and not len(active.seq):
            log.seal()

    def _make_room(self, n_bytes: int) -> None:
        """Drop whole segments, since nothing less gives bytes back to the disk."""
        while self.disk_bytes and self.disk_bytes + n_bytes > self._limits.max_bytes:
            log, segment = next((log, each) for log in self.logs for each in log.segments if each.store.durable)
            if not segment.sealed:
                log.seal()
            if segment in log.segments:
                self._lose(log, segment, segment.kept(), Loss.FULL)

    def _drop_from_memory(self) -> None:
        for log in self.logs:
            for segment in log.segments:
                if not segment.store.durable and (index := segment.oldest()) is not None:
                    self._lose(log, segment, [index], Loss.MEMORY)
                    return
