"""The book's file: SQLite with one row a day, written together with the number of the commit that they hold."""

import sqlite3
from collections.abc import Mapping
from datetime import date
from pathlib import Path
from typing import Final, NamedTuple

_SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS days (day TEXT PRIMARY KEY, body BLOB NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS head (
    id INTEGER PRIMARY KEY CHECK (id = 1), version INTEGER NOT NULL, cursor INTEGER NOT NULL, since_ms INTEGER NOT NULL,
    written_ms INTEGER NOT NULL, roll BLOB NOT NULL
);
"""
_VERSION: Final = 1
_PATIENCE_S: Final = 0.5
"""Nobody else writes it; whoever holds it for longer is waited for until the next minute."""


class Head(NamedTuple):
    """The newest commit that is counted, since when there is counting, data time of the writing, the roll as bytes."""

    cursor: int
    since_ms: int
    written_ms: int
    roll: bytes


class Shelf:
    """One file and its one owner; any thread, one at a time. Raises sqlite3.Error, ValueError for another version."""

    def __init__(self, path: Path) -> None:
        self._database = sqlite3.connect(path, check_same_thread=False, isolation_level=None, timeout=_PATIENCE_S)
        try:
            self._database.execute("PRAGMA journal_mode = WAL")
            self._database.execute(
                "PRAGMA synchronous = NORMAL"
            )  # a power cut loses what is counted again at the start
            self._database.executescript(_SCHEMA)
            self._check(path)
        except (sqlite3.Error, ValueError):
            self._database.close()
            raise

    def head(self) -> Head | None:
        """What was written last; None in a new file."""
        rows = self._database.execute("SELECT cursor, since_ms, written_ms, roll FROM head").fetchall()
        return Head(*rows[0]) if rows else None

    def day(self, day: date) -> bytes | None:
        """A day's bytes; None where nothing was counted on it."""
        rows = self._database.execute("SELECT body FROM days WHERE day = ?", [day.isoformat()]).fetchall()
        return rows[0][0] if rows else None

    def write(self, head: Head, days: Mapping[date, bytes]) -> None:
        """Write days and the head in one transaction."""
        with self._database:
            self._database.execute("BEGIN")
            self._database.executemany(
                "INSERT OR REPLACE INTO days VALUES (?, ?)", [(day.isoformat(), body) for day, body in days.items()]
            )
            self._database.execute("INSERT OR REPLACE INTO head VALUES (1, ?, ?, ?, ?, ?)", [_VERSION, *head])

    def close(self) -> None:
        """Give the file free."""
        self._database.close()

    def _check(self, path: Path) -> None:
        found = self._database.execute("SELECT version FROM head").fetchall()
        if found and found[0][0] != _VERSION:
            raise ValueError(f"{path}: version {found[0][0]}, expected {_VERSION}")
