"""The directory of a spool: one process at a time, and a bounded corner for what is set aside for people."""

import errno
import fcntl
import os
from collections.abc import Callable
from pathlib import Path
from typing import Final

import structlog

from gateway.spool.record import HEADER_BYTES

_LOG = structlog.get_logger()
_ASIDE_FILES: Final = 256
_ASIDE_BYTES: Final = 16 * 1024 * 1024


class SpoolError(Exception):
    """A spool that can't be opened: one line that says what was found and what was expected."""


class Lock:
    """The exclusive right to a spool; the operating system gives it back when the process dies."""

    def __init__(self, folder: Path) -> None:
        """Take it; raises SpoolError when another process holds it or the directory can't be written.

        A disk that turned read-only, as a worn one does, is no reason not to start: then rows are kept in memory.
        """
        path = folder / "lock"
        try:
            folder.mkdir(parents=True, exist_ok=True)
            self._descriptor = _opened(path)
        except OSError as exc:
            raise SpoolError(f"{path}: {exc.strerror}, expected a directory that can be written") from exc
        try:
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as exc:
            holder = os.pread(self._descriptor, 32, 0).decode(errors="replace").strip() or "unknown"
            os.close(self._descriptor)
            raise SpoolError(f"{folder}: in use by process {holder}, expected one gateway for each spool") from exc
        self._sign()

    def release(self) -> None:
        """Give it back; again does nothing."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1

    def _sign(self) -> None:
        """Leave the process id for people; a full disk must not stop a start."""
        try:
            os.ftruncate(self._descriptor, 0)
            os.pwrite(self._descriptor, f"{os.getpid()}\n".encode(), 0)
        except OSError:
            os.lseek(self._descriptor, 0, os.SEEK_SET)


def _opened(path: Path) -> int:
    try:
        return os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o640)
    except OSError as exc:
        if exc.errno != errno.EROFS:
            raise
    return os.open(path, os.O_RDONLY | os.O_CLOEXEC)


def holder(folder: Path) -> str | None:
    """The process that holds a spool, without touching anything; None when nobody does."""
    try:
        with (folder / "lock").open("rb") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
            except OSError:
                return file.read(32).decode(errors="replace").strip() or "unknown"
    except OSError:
        return None
    return None


def set_aside(path: Path, data: bytes) -> bool:
    """Keep ``data`` for people, the newest ones only; False when it was kept before. Raises OSError."""
    if path.exists():
        return False
    path.parent.mkdir(parents=True, exist_ok=True)
    _make_room(path, len(data))
    path.write_bytes(data)
    return True


def keep_refused(folder: Path, key: tuple[int, int], reason: str, read: Callable[[], bytes]) -> None:
    """Keep a batch that the centre will never take, with its reason; what can't be read or written is said."""
    place = folder / "refused" / "{}-{}".format(*key)
    try:
        set_aside(place.with_suffix(".batch"), read()[HEADER_BYTES:])
        set_aside(place.with_suffix(".reason"), f"{reason}\n".encode())
    except OSError as exc:
        _LOG.error("refused batch can't be kept", epoch=key[0], seq=key[1], reason=exc.strerror)


def _make_room(path: Path, n_bytes: int) -> None:
    """Delete the oldest of the files that were set aside beside ``path``, until there is room for one more."""
    others = sorted(path.parent.glob(f"*{path.suffix}"), key=lambda other: other.stat().st_mtime_ns)
    sizes = [other.stat().st_size for other in others]
    while others and (len(others) >= _ASIDE_FILES or sum(sizes) + n_bytes > _ASIDE_BYTES):
        others.pop(0).unlink(missing_ok=True)
        sizes.pop(0)
