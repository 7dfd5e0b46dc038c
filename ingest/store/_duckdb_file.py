"""The DuckDB file and its one owner: opening, the writing transaction, readers, and opening again after an error.

DuckDB refuses everything after a failed write, so any error of the writer closes the file; the next use opens it again
and reads what it holds. Whether the group that failed is part of the record is thereby read, not guessed.
"""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import duckdb
from numpy.typing import NDArray

from ingest.store import _duckdb_queries as sql
from ingest.store import schema
from ingest.store.protocol import StoreOpenError, StoreRefusedError

Columns = dict[str, NDArray[Any]]
Connection = duckdb.DuckDBPyConnection

_CONFIG: Final[dict[str, str | bool | int | float | list[str]]] = {
    # One thread: a commit of 1,000 rows takes 1.3 ms instead of 2.2, one of 200,000 the same 33; every reader brings
    # its own thread anyway. Extensions would come from the network.
    "threads": 1,
    # A commit that ends in a checkpoint holds up what waits for the next one, an alarm too: over 20 M rows in groups of
    # 8,000 the longest took 42 ms, with 16 MB (the usual) 115, for a tenth less of rows a second.
    "checkpoint_threshold": "4MB",
    "autoinstall_known_extensions": False,
    "autoload_known_extensions": False,
}


class DuckDBFile:
    """Owner of the file. ``load`` is called with each freshly opened database, to read what it holds.

    ``transaction`` is for one thread at a time (the caller's lock); ``reading`` is for any.
    """

    def __init__(self, path: Path, memory_limit: str, load: Callable[[Connection], None]) -> None:
        self.path = path
        self._config = _CONFIG | {"memory_limit": memory_limit}
        self._load = load
        self._lock = threading.Lock()
        self._root: Connection | None = None
        self._writer: Connection | None = None
        self._incoming: dict[str, Columns] = {}
        self._readers = 0
        self._invalid = False
        self._open()

    @contextmanager
    def transaction(self) -> Iterator[Connection]:
        """One transaction; raises StoreRefusedError when it fails, its outcome then being what the file holds."""
        writer = self.ready()
        try:
            writer.begin()
            yield writer
            writer.commit()
        except BaseException as exc:
            self._drop()
            if isinstance(exc, duckdb.Error):
                raise StoreRefusedError(f"{self.path}: {schema.first_line(exc)}") from exc
            raise

    def append(self, writer: Connection, table: str, columns: Columns) -> None:
        """Append numpy columns of one length, in the order of the table, inside a transaction.

        The dictionary is registered once and refilled, which copies nothing and needs no pandas. Measured on two
        cores: 6 M rows/s in groups of 200,000.
        """
        if table not in self._incoming:
            self._incoming[table] = dict(columns)
            writer.register(f"incoming_{table}", self._incoming[table])
        self._incoming[table].update(columns)
        writer.execute(sql.APPEND[table])

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """A connection of its own for one read, beside a running commit; raises StoreRefusedError when it fails."""
        with self._lock:
            root = self._opened()
            self._readers += 1
            cursor = root.cursor()
        try:
            yield cursor
        except duckdb.Error as exc:
            self._invalid = self._invalid or isinstance(exc, duckdb.FatalException)
            raise StoreRefusedError(f"{self.path}: {schema.first_line(exc)}") from exc
        finally:
            cursor.close()
            with self._lock:
                self._readers -= 1

    def ready(self) -> Connection:
        """The writing connection, opening the file again if an error closed it."""
        if self._invalid:
            self._drop()
        with self._lock:
            self._opened()
            if self._writer is None:
                raise StoreRefusedError(f"{self.path}: closed")
            return self._writer

    def close(self) -> None:
        """Checkpoint and give the file free; a second call does nothing."""
        with self._lock:
            if self._root is not None and self._writer is not None:
                self._writer.close()
                self._root.close()
            self._root = self._writer = None

    def _opened(self) -> Connection:
        if self._root is not None:
            return self._root
        if self._readers:  # within a process a second connection would get the broken database again
            raise StoreRefusedError(f"{self.path}: closed after an error and still being read, try again")
        try:
            return self._open()
        except StoreOpenError as exc:
            raise StoreRefusedError(str(exc)) from exc

    def _open(self) -> Connection:
        if self.path.exists() and self.path.stat().st_size == 0:
            self.path.unlink()  # a power cut right after it was made: it never held anything
        root = None
        try:
            root = duckdb.connect(str(self.path), config=self._config)
            schema.upgrade(root, self.path)
            self._load(root)
            self._root, self._writer = root, root.cursor()
        except BaseException as exc:
            if root is not None:
                _close(root)
            if isinstance(exc, duckdb.Error):
                raise schema.open_error(self.path, exc) from exc
            raise
        self._incoming, self._invalid = {}, False
        return root

    def _drop(self) -> None:
        with self._lock:
            for connection in (self._writer, self._root):
                if connection is not None:
                    _close(connection)
            self._root = self._writer = None


def _close(connection: Connection) -> None:
    try:
        connection.close()
    except duckdb.Error:
        return  # the database is invalid already, and says so even when it is closed
