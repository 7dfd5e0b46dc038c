"""Closed days: which there are, their files, and whether a file still is what was written.

A day is one of UTC: it begins at 08:00 in Beijing, as the hydrological day does, never has 23 or 25 hours, and buckets
are aligned to it. Files are written aside, synced and renamed, and count from the commit of their row in ``days`` on;
what has no such row is an orphan of a process that died, and is removed when the store is opened.
"""

import os
import re
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, fields
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

import duckdb

DAY_MS: Final = 86_400_000
HOUR_MS: Final = 3_600_000
_NAME: Final = re.compile(r"\d{4}-\d{2}-\d{2}\.\d{4,}\.(rows|hours)\.parquet(\.part)?")
_PIECE: Final = 1 << 20
_LOOK_BYTES: Final = 256_000_000
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class Day:
    """A closed day as the table ``days`` has it; ``upto`` is the last commit whose rows its file holds."""

    day: int
    generation: int
    upto: int
    rows: int
    missing: int
    first_commit: int
    first_ms: int
    last_ms: int
    rows_bytes: int
    rows_crc: int
    hours_bytes: int
    hours_crc: int
    forgotten: int

    @property
    def name(self) -> str:
        """Its date."""
        return date_of(self.day)


def days_in(database: duckdb.DuckDBPyConnection) -> list[Day]:
    """The closed days that a database has."""
    names = [one.name for one in fields(Day)]
    found = database.execute(f"SELECT {', '.join(names)} FROM days ORDER BY day").fetchall()  # noqa: S608 - our own
    return [Day(**dict(zip(names, row, strict=True))) for row in found]


def date_of(day: int) -> str:
    """The date of a number of days since 1970."""
    return f"{_EPOCH + timedelta(days=day):%Y-%m-%d}"


def crc_of(path: Path) -> int:
    """The CRC-32 of a file; raises OSError."""
    found = 0
    with path.open("rb") as file:
        while piece := file.read(_PIECE):
            found = zlib.crc32(piece, found)
    return found


def sync(path: Path) -> None:
    """Bring a file, or the names in a folder, to the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@dataclass(slots=True, eq=False)
class Days:
    """The closed days of a store, and the folder of their files."""

    folder: Path
    by_day: dict[int, Day] = field(default_factory=dict)
    damaged: dict[int, str] = field(default_factory=dict)
    """What is wrong with a day, in a line: reads leave its file out, and nothing there is taken for normal."""
    _known: set[tuple[int, int]] = field(default_factory=set)

    def path(self, day: int, generation: int, kind: str) -> Path:
        """A file's place; ``kind`` is rows or hours."""
        return self.folder / f"{date_of(day)}.{generation:04}.{kind}.parquet"

    def rows_path(self, day: Day) -> Path:
        """The rows of a day."""
        return self.path(day.day, day.generation, "rows")

    def hours_path(self, day: Day) -> Path:
        """The hours of a day."""
        return self.path(day.day, day.generation, "hours")

    def within(self, start_ms: int, stop_ms: int) -> list[Day]:
        """The sound days with rows in a span, in order; a file is looked at in full when it is first asked for."""
        found = [day for day in self.by_day.values() if day.last_ms >= start_ms and day.first_ms < stop_ms and day.rows]
        return sorted((day for day in found if self.is_sound(day)), key=lambda day: day.day)

    def is_sound(self, day: Day) -> bool:
        """Whether the files of a day are there and are what was written."""
        problem = self._problem(day)
        if problem is None:
            self.damaged.pop(day.day, None)
            return True
        self._known.discard((day.day, day.generation))
        self.damaged[day.day] = problem
        return False

    def look(self) -> None:
        """Look at all files: that they are there, and at the newest ones in full, 256 MB of them."""
        left = _LOOK_BYTES
        for number in sorted(self.by_day, reverse=True):
            day = self.by_day[number]
            left -= day.rows_bytes + day.hours_bytes
            if left > 0:
                self.is_sound(day)
            elif (problem := self._size_problem(day)) is not None:
                self.damaged[number] = problem

    def check(self) -> Iterator[str]:
        """Read every file anew; a line for each that is not what was written."""
        self._known.clear()
        for number in sorted(self.by_day):
            if not self.is_sound(self.by_day[number]):
                yield self.damaged[number]

    def orphans(self) -> list[Path]:
        """Files that no closed day has: of a process that died, or replaced ones."""
        used = {path for day in self.by_day.values() for path in (self.rows_path(day), self.hours_path(day))}
        there = self.folder.iterdir() if self.folder.is_dir() else ()
        return [path for path in there if _NAME.fullmatch(path.name) and path not in used]

    def remove(self, paths: Iterable[Path]) -> None:
        """Remove files that nobody reads any more."""
        for path in paths:
            path.unlink(missing_ok=True)

    def _problem(self, day: Day) -> str | None:
        if (problem := self._size_problem(day)) is not None:
            return problem
        if (day.day, day.generation) in self._known:
            return None
        for path, crc in ((self.rows_path(day), day.rows_crc), (self.hours_path(day), day.hours_crc)):
            try:
                found = crc_of(path)
            except OSError as exc:
                return _said(path, str(exc.strerror), "a file that can be read")
            if found != crc:
                return _said(path, f"checksum {found:08x}", f"{crc:08x}")
        self._known.add((day.day, day.generation))
        return None

    def _size_problem(self, day: Day) -> str | None:
        for path, size in ((self.rows_path(day), day.rows_bytes), (self.hours_path(day), day.hours_bytes)):
            try:
                found = path.stat().st_size
            except OSError as exc:
                return _said(path, str(exc.strerror), f"a file of {size} bytes")
            if found != size:
                return _said(path, f"{found} bytes", str(size))
        return None


def _said(path: Path, found: str, expected: str) -> str:
    return f"{path}: {found}, expected {expected}; the other days can be read: copy this file back from a backup"
