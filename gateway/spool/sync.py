"""Group sync: what was appended survives a power cut a moment later, and nobody waits for the disk (DESIGN 4, 11)."""

import asyncio
import os
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Protocol

from gateway.spool.store import FileStore
from telemetry.progress import Progress

INTERVAL_S: Final = 0.2
PATIENCE_S: Final = 30.0
"""A sync that takes so long will not end: the disk is stuck, which no error tells."""


@dataclass(slots=True)
class Syncs:
    """How syncing goes: a failure is done with, too."""

    done: int = 0
    under_way: bool = False
    _turn: asyncio.Event = field(default_factory=asyncio.Event)

    def turn(self) -> None:
        """Let everybody look again who waits for something to be safe."""
        self._turn.set()
        self._turn = asyncio.Event()

    async def turned(self) -> None:
        """Wait until something has been synced or has gone."""
        await self._turn.wait()

    def progress(self) -> Progress:
        """For the watchdog."""
        return Progress(done=self.done, patience_s=PATIENCE_S, idle=not self.under_way)


class Synced(Protocol):
    """What a spool offers to be synced."""

    appended: asyncio.Event
    urgent: asyncio.Event
    syncs: Syncs

    def unsynced(self) -> list[FileStore]:
        """Files whose newest records may be lost at a power cut."""

    def sync_failed(self, exc: OSError) -> None:
        """A sync failed."""


async def keep_synced(spool: Synced, interval_s: float = INTERVAL_S) -> None:
    """Sync in a thread, at most ``interval_s`` (real time) after an append, at once after one in the alarm lane."""
    while True:
        await spool.appended.wait()
        spool.syncs.under_way = True
        with suppress(TimeoutError):
            async with asyncio.timeout(interval_s):
                await spool.urgent.wait()
        spool.appended.clear()
        spool.urgent.clear()
        await sync_once(spool)
        spool.syncs.done += 1
        spool.syncs.under_way = False


def sync_files(stores: Sequence[FileStore]) -> OSError | None:
    """Sync files here and now; the first failure, if any."""
    failure = _sync(_start(stores))
    _end(stores, failure)
    return failure


async def sync_once(spool: Synced) -> None:
    """Sync what was appended so far, in a thread."""
    stores = spool.unsynced()
    job = asyncio.get_running_loop().run_in_executor(None, _sync, _start(stores))
    try:
        await asyncio.wait([job])
    finally:
        if not job.done():  # cancelled: the descriptors stay in use until the thread ends
            await asyncio.wait([job])
        failure = job.result()
        _end(stores, failure)
    if failure is not None:
        spool.sync_failed(failure)
    spool.syncs.turn()


def _start(stores: Sequence[FileStore]) -> dict[int, Path]:
    started = ((store.start_sync(), store.path.parent) for store in stores)
    return {descriptor: folder for descriptor, folder in started if descriptor is not None}


def _end(stores: Sequence[FileStore], failure: OSError | None) -> None:
    for store in stores:
        store.end_sync(failed=failure is not None)


def _sync(descriptors: dict[int, Path]) -> OSError | None:
    try:
        for descriptor in descriptors:
            os.fdatasync(descriptor)
        for folder in set(descriptors.values()):
            _sync_folder(folder)
    except OSError as exc:
        return exc
    return None


def _sync_folder(folder: Path) -> None:
    """Names of new files are data of their directory."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
