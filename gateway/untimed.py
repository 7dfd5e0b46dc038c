"""Rows whose time is not known yet: a spool of its own for each boot of the machine, with times since that boot."""

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

import structlog

from gateway.spool import Entry, Limits, Spool, SpoolError, peek
from gateway.spool.sync import sync_once
from telemetry.batch import Batch
from telemetry.clock import SystemClock
from telemetry.wire import Lane, decode_batch

_LOG = structlog.get_logger()
_LIMITS: Final = Limits(max_bytes=64 * 1024 * 1024)
_LOST: Final = ".lost"
_LOST_BOOTS: Final = 4
"""How many boots that never knew the time are kept for people."""


class _SinceBoot(SystemClock):
    """The clock of rows without a time: by it nothing among them is old."""

    def __init__(self, boot_ns: Callable[[], int]) -> None:
        self._boot_ns = boot_ns

    def now_ns(self) -> int:
        """Since the machine was started."""
        return self._boot_ns()


class Untimed:
    """The rows of this boot that wait; there is nothing on disk before the first one."""

    def __init__(self, folder: Path, source: str, boot_id: str, boot_ns: Callable[[], int]) -> None:
        self.folder = folder
        self._source = source
        self._clock = _SinceBoot(boot_ns)
        self._here = folder / boot_id
        self._lost = self._set_aside_others()
        self._spool: Spool | None = None
        if self._here.is_dir():
            self._open()

    @property
    def rows(self) -> int:
        """How many wait."""
        return self._spool.stats().rows if self._spool else 0

    @property
    def lost_rows(self) -> int:
        """Rows of earlier boots, which can have no time any more, and what found no room."""
        return self._lost + (self._spool.stats().dropped_rows if self._spool else 0)

    def put(self, batch: Batch) -> None:
        """Keep rows; a disk that takes nothing is counted, and stops nothing."""
        if self._spool is None and not self._open():
            self._lost += len(batch)
        elif self._spool is not None:
            self._spool.append(batch, Lane.BACKLOG)

    def read(self) -> Iterator[Batch]:
        """Everything that waits, oldest first; what the disk has spoilt is counted."""
        while self._spool is not None and (entry := self._spool.next_unsent(Lane.BACKLOG)) is not None:
            if (payload := self._payload(self._spool, entry)) is not None:
                yield decode_batch(payload, self._source)[0]

    def forget(self) -> None:
        """What was read is safe elsewhere."""
        if self._spool is None:
            return
        self._lost += self._spool.stats().dropped_rows
        self._spool.close()
        self._spool = None
        shutil.rmtree(self._here, ignore_errors=True)

    async def sync(self) -> None:
        """Bring to disk what was kept since the last time."""
        if self._spool is not None:
            await sync_once(self._spool)

    async def kept(self) -> None:
        """Wait until the next ``sync`` has brought everything to disk."""
        if self._spool is not None:
            await self._spool.kept()

    def close(self) -> None:
        """Leave what waits on disk."""
        if self._spool is not None:
            self._spool.close()
            self._spool = None

    def _open(self) -> bool:
        try:
            self._spool = Spool.open(self._here, _LIMITS, self._clock)
        except SpoolError as exc:
            _LOG.error("rows without a time can't be kept", reason=str(exc))
            return False
        return True

    def _payload(self, spool: Spool, entry: Entry) -> bytes | None:
        try:
            payload = spool.read(entry)
        except OSError as exc:
            _LOG.error("rows without a time can't be read", reason=exc.strerror)
            payload = None
        if payload is None:
            spool.spoil(entry)
        return payload

    def _set_aside_others(self) -> int:
        """Rows of boots that ended before the time was known: no clock reaches back to them. Returns how many."""
        others = [path for path in self.folder.glob("*") if path.is_dir() and path != self._here]
        lost = 0
        for path in others:
            if path.suffix != _LOST:
                rows = peek(path).rows
                lost += rows
                _LOG.error("rows of an earlier boot have no time", rows=rows, folder=str(path))
                path.rename(path.with_suffix(_LOST))
        kept = sorted(self.folder.glob(f"*{_LOST}"), key=lambda path: path.stat().st_mtime_ns)
        for path in kept[:-_LOST_BOOTS]:
            shutil.rmtree(path, ignore_errors=True)
        return lost
