"""One SQLite file, one connection, one thread: the event loop never waits for the disk."""

import asyncio
import fcntl
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Final, TypeVar

from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.exc import DatabaseError
from sqlalchemy.pool import StaticPool

T = TypeVar("T")
_BUSY_MS: Final = 5_000
_LITTLE_ROOM: Final = 1_000_000
MIGRATIONS: Final = Path(__file__).with_name("migrations")
_PRAGMAS: Final = (
    "PRAGMA journal_mode = WAL",
    "PRAGMA synchronous = FULL",  # an alarm that was recorded survives a power cut
    f"PRAGMA busy_timeout = {_BUSY_MS}",
    "PRAGMA foreign_keys = ON",
)


class StateError(RuntimeError):
    """The state can't be opened or written: the file, and what the database says."""


class Database:
    """The open file; ``run`` gives a function a transaction of its own in the one thread."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="state")
        self._lock = _lock(path)
        self._engine = _engine(path)

    async def open(self) -> None:
        """Bring the file to the tables of today; raises StateError."""
        await self.run(_migrate)

    async def run(self, work: Callable[..., T], *args: object) -> T:
        """Run ``work(connection, *args)`` in one transaction; all or nothing. Raises StateError."""
        return await asyncio.get_running_loop().run_in_executor(self._thread, self._transact, work, args)

    def _transact(self, work: Callable[..., T], args: tuple[object, ...]) -> T:
        try:
            with self._engine.begin() as connection:
                return work(connection, *args)
        except DatabaseError as exc:
            reason = f"{exc.orig}{_if_full(self._path.parent)}"
            raise StateError(f"{self._path}: {reason}, expected a state file that can be written") from exc

    async def close(self) -> None:
        """Finish what is under way and close the file."""
        await asyncio.get_running_loop().run_in_executor(self._thread, self._engine.dispose)
        self._thread.shutdown()
        os.close(self._lock)


def _if_full(folder: Path) -> str:
    """SQLite calls a full disk an I/O error when it is its shared memory that finds no room."""
    disk = os.statvfs(folder)
    free = disk.f_bavail * disk.f_frsize
    return f", {free} bytes free on its disk" if free < _LITTLE_ROOM else ""


def _lock(path: Path) -> int:
    """Refuse a second owner: two centres on one file would deliver everything twice."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(path.with_name(path.name + ".lock"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as exc:
        raise StateError(f"{path}: {exc.strerror}, expected a place where the state can be kept") from exc
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as exc:
        os.close(descriptor)
        raise StateError(f"{path}: another centre holds it, expected to be its only owner") from exc
    return descriptor


def held(path: Path) -> bool:
    """Whether a centre holds a file; nothing is made, and the lock is tried by a shared one for an instant alone."""
    try:
        lock = path.with_name(path.name + ".lock").open("rb")
    except OSError:
        return False
    with lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
    return False


def _engine(path: Path) -> Engine:
    engine = create_engine(f"sqlite:///{path}", poolclass=StaticPool, connect_args={"check_same_thread": False})
    event.listen(engine, "connect", _prepare)
    event.listen(engine, "begin", _begin)
    return engine


def _prepare(connection: Any, _record: object) -> None:
    connection.isolation_level = None  # the driver would otherwise begin late, and never around a SELECT
    for pragma in _PRAGMAS:
        connection.execute(pragma)


def _begin(connection: Connection) -> None:
    connection.exec_driver_sql("BEGIN IMMEDIATE")


def _migrate(connection: Connection) -> None:
    # alembic and its template engine take a tenth of a second to import: only who opens a state file pays for it
    from alembic import command
    from alembic.config import Config
    from alembic.util import CommandError

    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    config.attributes["connection"] = connection
    try:
        command.upgrade(config, "head")
    except CommandError as exc:
        raise StateError(f"state file of another version ({exc}), expected one that this version can read") from exc
