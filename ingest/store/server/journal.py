"""The journal: one SQLite file with what a server of rows can't keep; a power cut at any moment loses nothing."""

import fcntl
import os
import sqlite3
import threading
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Final

import msgspec

from ingest.commit import Commit
from ingest.store.ledger import Found, Ledger
from ingest.store.protocol import StoreOpenError, StoreRefusedError
from ingest.store.ranges import merged
from ingest.store.server.layers import Layers
from ingest.store.server.lines import Names
from telemetry.batch import Batch
from telemetry.wire import Lane, encode_batch, unpack_batch

SCHEMA: Final = 1
_KEPT_ANNOUNCEMENTS: Final = 16
_PRAGMAS: Final = (
    "PRAGMA journal_mode = WAL",
    "PRAGMA synchronous = FULL",  # a group that was acknowledged survives a power cut
    "PRAGMA busy_timeout = 5000",
)


class _Packed(msgspec.Struct, frozen=True, array_like=True):
    names: list[tuple[str, int, int]]
    batches: list[tuple[str, bytes]]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Entry:
    """A group of one commit: the names of its batches, and of them those with rows that the server is to keep."""

    number: int
    names: tuple[tuple[str, int, int], ...]
    batches: tuple[Batch, ...]

    def ranges(self) -> Found:
        """The numbers of its batches."""
        numbers: dict[tuple[str, int], list[int]] = {}
        for source, epoch, seq in self.names:
            numbers.setdefault((source, epoch), []).append(seq)
        return {name: merged(found) for name, found in numbers.items()}

    def commit(self) -> Commit:
        """As the engine reads it."""
        return Commit(number=self.number, batches=self.batches, stored=True)


class Journal:
    """The owner of the file; any thread may call, one at a time gets in. All raise StoreRefusedError."""

    def __init__(self, path: Path) -> None:
        """Open or make the file; raises StoreOpenError."""
        self.path = path
        self._turn = threading.Lock()
        self._held = _lock(path)
        try:
            self._file = _opened(path)
        except BaseException:
            os.close(self._held)
            raise

    def ledger(self) -> Ledger:
        """What is committed."""
        with self._reading() as file:
            rows = file.execute(
                "SELECT source, epoch, first_seq, last_seq, commit_no FROM committed ORDER BY 1, 2, 3"
            ).fetchall()
        return Ledger({}, rows)

    def layers(self) -> tuple[int, Layers]:
        """The layers that were kept, and after which commit."""
        with self._reading() as file:
            number, packed = file.execute("SELECT number, packed FROM layers").fetchone()
        return number, Layers.unpack(packed)

    def entries(self, after: int, limit: int | None = None, *, done: bool = True) -> Iterator[Entry]:
        """The groups after a commit, in order: those that are committed, or the one that is under way."""
        left = -1 if limit is None else limit
        while left:
            with self._reading() as file:
                query = "SELECT number, payload FROM commits WHERE number > ? AND done = ? ORDER BY number LIMIT 1"
                found = file.execute(query, (after, done)).fetchone()
            if found is None:
                return
            yield _unpacked(*found)
            after, left = found[0], left - 1

    def oldest(self) -> int | None:
        """The first commit whose group is here."""
        with self._reading() as file:
            return file.execute("SELECT min(number) FROM commits WHERE done").fetchone()[0]

    def begin(self, entry: Entry) -> None:
        """Write down a group before its rows go to the server."""
        payload = msgspec.msgpack.encode(
            _Packed(list(entry.names), [(batch.source, encode_batch(batch, Lane.BACKLOG)) for batch in entry.batches])
        )
        with self._writing() as file:
            file.execute("INSERT OR REPLACE INTO commits VALUES (?, 0, ?)", (entry.number, payload))

    def finish(self, number: int, found: Found) -> None:
        """The server has the rows of a group: it is committed."""
        with self._writing() as file:
            file.execute("UPDATE commits SET done = 1 WHERE number = ?", (number,))
            file.executemany("INSERT INTO committed VALUES (?, ?, ?, ?, ?)", _range_rows(number, found))

    def merge(self, number: int, found: Found) -> None:
        """Write all ranges anew."""
        with self._writing() as file:
            file.execute("DELETE FROM committed")
            file.executemany("INSERT INTO committed VALUES (?, ?, ?, ?, ?)", _range_rows(number, found))

    def release(self, upto: int, number: int, layers: Layers) -> None:
        """Forget groups that nobody needs, up to and with one, and keep the layers as they are after another."""
        with self._writing() as file:
            file.execute("UPDATE layers SET number = ?, packed = ?", (number, layers.pack()))
            file.execute("DELETE FROM commits WHERE done AND number <= ?", (upto,))

    def names(self) -> dict[int, Names]:
        """What the series are called."""
        with self._reading() as file:
            return {series: Names(*rest) for series, *rest in file.execute("SELECT * FROM names")}

    def announce(self, source: str, revision: str, payload: bytes, names: dict[int, Names]) -> None:
        """Keep an announcement as the newest of its gateway, and the few before it, and what its series are called."""
        with self._writing() as file:
            file.execute("DELETE FROM announcements WHERE source = ? AND revision = ?", (source, revision))
            file.execute(
                "INSERT INTO announcements SELECT coalesce(max(number), 0) + 1, ?, ?, ? FROM announcements",
                (source, revision, payload),
            )
            kept = "SELECT number FROM announcements WHERE source = ? ORDER BY number DESC LIMIT ?"
            file.execute(
                f"DELETE FROM announcements WHERE source = ? AND number NOT IN ({kept})",  # noqa: S608 - our own text
                (source, source, _KEPT_ANNOUNCEMENTS),
            )
            file.executemany("INSERT OR IGNORE INTO names VALUES (?, ?, ?, ?)", [(k, *v) for k, v in names.items()])

    def announcements(self) -> list[tuple[str, bytes]]:
        """The announcements that are kept, in the order in which they were heard."""
        with self._reading() as file:
            return file.execute("SELECT source, payload FROM announcements ORDER BY number").fetchall()

    def close(self) -> None:
        """Give the file free; closing again is nothing."""
        with self._turn:
            self._file.close()
            if self._held >= 0:
                os.close(self._held)
            self._held = -1

    @contextmanager
    def _reading(self) -> Iterator[sqlite3.Connection]:
        with self._turn, _refusals(self.path):
            yield self._file

    @contextmanager
    def _writing(self) -> Iterator[sqlite3.Connection]:
        with self._turn, _refusals(self.path), self._file:
            self._file.execute("BEGIN IMMEDIATE")
            yield self._file


@contextmanager
def _refusals(path: Path) -> Iterator[None]:
    try:
        yield
    except sqlite3.Error as exc:
        raise StoreRefusedError(f"{path}: {exc}, expected a journal that can be written") from exc


def _opened(path: Path) -> sqlite3.Connection:
    try:
        file = sqlite3.connect(path, check_same_thread=False, isolation_level=None)
    except sqlite3.Error as exc:
        raise StoreOpenError(f"{path}: {exc}, expected a folder that can be written") from exc
    try:
        _prepare(file, path)
    except sqlite3.Error as exc:
        file.close()
        raise StoreOpenError(
            f"{path}: can't be opened ({exc}), expected the journal of a store: restore a backup, or move it away to "
            "begin a new one; gateways resend what their spools still hold"
        ) from exc
    except BaseException:
        file.close()
        raise
    return file


def _prepare(file: sqlite3.Connection, path: Path) -> None:
    for pragma in _PRAGMAS:
        file.execute(pragma)
    version = file.execute("PRAGMA user_version").fetchone()[0]
    if version > SCHEMA:
        raise StoreOpenError(f"{path}: journal of schema {version}, expected at most {SCHEMA}: a newer petrel wrote it")
    if version == 0:
        text = files(__package__).joinpath("tables.sql").read_text("utf-8")
        file.executescript(f"BEGIN; {text}; PRAGMA user_version = {SCHEMA}; COMMIT")


def _lock(path: Path) -> int:
    """Refuse a second owner: two centres would give one number to two groups."""
    try:
        held = os.open(path.with_name(path.name + ".lock"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as exc:
        raise StoreOpenError(
            f"{path}: can't be created ({exc.strerror}), expected a folder that can be written"
        ) from exc
    try:
        fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as exc:
        os.close(held)
        raise StoreOpenError(
            f"{path}: in use by another process, expected to be its only owner: stop that one"
        ) from exc
    return held


def _unpacked(number: int, payload: bytes) -> Entry:
    packed = msgspec.msgpack.decode(payload, type=_Packed)
    batches = tuple(unpack_batch(one, source)[0] for source, one in packed.batches)
    return Entry(number=number, names=tuple(packed.names), batches=batches)


def _range_rows(number: int, found: Found) -> Iterable[Sequence[object]]:
    for (source, epoch), ranges in found.items():
        for first, last in ranges:
            yield source, epoch, first, last, number
