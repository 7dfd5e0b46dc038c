"""Where the bytes of a segment are: a file, or memory while the disk takes nothing."""

import os
from pathlib import Path
from typing import Protocol


class Store(Protocol):
    """Bytes that are written once, read by position, and thrown away together."""

    durable: bool
    synced: int
    """Up to here what was written survives a power cut."""

    def write(self, at: int, data: bytes) -> None:
        """Put ``data`` at ``at``; raises OSError and leaves nothing behind when it does not fit."""

    def read(self, at: int, length: int) -> bytes:
        """``length`` bytes of what was written at ``at``; fewer when the store is shorter. Raises OSError."""

    def forget(self, at: int) -> None:
        """What was written at ``at`` is not needed any more."""

    def seal(self) -> None:
        """Nothing more will be written."""

    def remove(self) -> None:
        """Throw everything away. Raises OSError."""


class FileStore:
    """A file that grows. Its descriptor stays open until it is sealed and synced."""

    durable = True

    def __init__(self, path: Path, descriptor: int | None = None) -> None:
        self.path = path
        self.dirty = False
        self.synced = 0
        self._written = self._syncing_to = 0
        self._descriptor = descriptor
        self._syncing = False
        self._sealed = descriptor is None

    @classmethod
    def create(cls, path: Path) -> "FileStore":
        """A new empty file; raises OSError."""
        return cls(path, os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o640))

    def write(self, at: int, data: bytes) -> None:
        """Write all of ``data``, or cut off what a full disk let through and raise OSError."""
        if self._descriptor is None:
            raise ValueError(f"{self.path}: sealed, expected a file that grows")
        view = memoryview(data)
        try:
            while view:
                view = view[os.pwrite(self._descriptor, view, at + len(data) - len(view)) :]
        except OSError:
            os.ftruncate(self._descriptor, at)
            raise
        self.dirty, self._written = True, at + len(data)

    def read(self, at: int, length: int) -> bytes:
        """Read by name, since a thread may read while the file is sealed and its descriptor used for another."""
        with self.path.open("rb", buffering=0) as file:
            return os.pread(file.fileno(), length, at)

    def forget(self, at: int) -> None:
        """A file is thrown away as a whole."""

    def start_sync(self) -> int | None:
        """The descriptor to sync, which stays open until ``end_sync``; None when there is nothing to sync."""
        if not self.dirty or self._syncing or self._descriptor is None:
            return None
        self.dirty, self._syncing, self._syncing_to = False, True, self._written
        return self._descriptor

    def end_sync(self, *, failed: bool) -> None:
        """The descriptor is not in use any more; what a sync failed on stays doubtful for ever."""
        if self._syncing and not failed:
            self.synced = self._syncing_to
        self._syncing = False
        self._close_if_done()

    def seal(self) -> None:
        """Close, once everything is synced."""
        self._sealed = True
        self._close_if_done()

    def remove(self) -> None:
        """Unlink; a file that is gone already is as good."""
        self.dirty = False
        self.seal()
        self.path.unlink(missing_ok=True)

    def _close_if_done(self) -> None:
        if self._sealed and not self.dirty and not self._syncing and self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None


class MemoryStore:
    """Records in memory, each freed as soon as it is not needed."""

    durable = False
    synced = 0

    def __init__(self) -> None:
        self._records: dict[int, bytes] = {}

    def write(self, at: int, data: bytes) -> None:
        """Keep ``data``."""
        self._records[at] = data

    def read(self, at: int, length: int) -> bytes:
        """What was written at ``at``, or nothing once it is forgotten."""
        return self._records.get(at, b"")[:length]

    def forget(self, at: int) -> None:
        """Free what was written at ``at``."""
        self._records.pop(at, None)

    def seal(self) -> None:
        """Memory grows or not, all the same."""

    def remove(self) -> None:
        """Free all."""
        self._records.clear()
