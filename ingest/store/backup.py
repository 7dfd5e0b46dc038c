"""Copies of a store: taken while it runs, looked at afterwards, and put back where there is none.

A backup is a folder with ``store.duckdb`` and its closed days. It travels as one tar stream, from the running centre or
from a file that nobody holds: the same bytes, so that there is one way to take and to check it.
"""

import shutil
import tarfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import IO, Final

import duckdb

from ingest.store._day_queries import quoted
from ingest.store.days import Day, Days, days_in, sync
from ingest.store.duckdb import DuckDBStore
from ingest.store.protocol import StoreError, StoreOpenError, StoreRefusedError

NAME: Final = "store.duckdb"
_PIECE: Final = 1 << 20
_BLOCK: Final = 512


class BackupError(StoreError):
    """A backup that can't be taken, is not whole, or has no place to go: what was found, what was expected."""


@contextmanager
def snapshot(store: DuckDBStore) -> Iterator[list[tuple[str, Path]]]:
    """A moment of a store, as names and files, while it goes on; raises StoreRefusedError."""
    with (
        TemporaryDirectory(dir=store.path.parent, prefix=f".{store.path.name}.backup-") as name,
        store.reading() as reader,
    ):
        copy = Path(name) / NAME
        (own,) = reader.execute("SELECT current_database()").fetchall()[0]
        reader.execute(f"ATTACH {quoted(copy)} AS backup_copy")
        try:
            reader.execute(f'COPY FROM DATABASE "{own}" TO backup_copy')
        finally:
            reader.execute("DETACH backup_copy")
        yield [(NAME, copy), *_day_files(copy, store.days)]


def _day_files(copy: Path, days: Days) -> list[tuple[str, Path]]:
    """The files of the days that a copied store has: those of that moment stay as long as somebody reads."""
    with duckdb.connect(str(copy), read_only=True) as database:
        found: list[Day] = days_in(database)
    paths = [path for day in found for path in (days.rows_path(day), days.hours_path(day))]
    return [(f"{NAME}.days/{path.name}", path) for path in paths if path.exists()]


def tar_bytes(files: list[tuple[str, Path]]) -> int:
    """How long the stream will be."""
    return sum(_BLOCK + -(-path.stat().st_size // _BLOCK) * _BLOCK for _, path in files) + 2 * _BLOCK


def tar(files: list[tuple[str, Path]]) -> Iterator[bytes]:
    """The files as a tar stream, a megabyte at once."""
    for name, path in files:
        entry = tarfile.TarInfo(name)
        entry.size = path.stat().st_size
        yield entry.tobuf(tarfile.USTAR_FORMAT)
        with path.open("rb") as file:
            while piece := file.read(_PIECE):
                yield piece
        yield bytes(-entry.size % _BLOCK)
    yield bytes(2 * _BLOCK)


def take(stream: IO[bytes], target: Path) -> list[str]:
    """Write a stream into a new folder, and look at it; what is wrong with it, a line each. Raises BackupError."""
    if target.exists():
        raise BackupError(f"{target}: is there already, expected a name for a new folder")
    part = target.with_name(target.name + ".part")
    shutil.rmtree(part, ignore_errors=True)
    try:
        part.mkdir(parents=True)
        with tarfile.open(fileobj=stream, mode="r|") as archive:
            archive.extractall(part, filter="data")
    except (OSError, tarfile.TarError, EOFError) as exc:
        raise BackupError(f"{part}: {exc}, expected room, and a stream to its end: what came is left there") from exc
    found = problems(part)
    if not found:
        for path in part.rglob("*"):
            sync(path)
        part.rename(target)
        sync(target.parent)
    return found


def problems(folder: Path) -> list[str]:
    """What is wrong with a backup, a line each; it is opened as a store is, so no other process may hold it."""
    path = folder / NAME
    if not path.is_file():
        return [f"{folder}: no {NAME}, expected the folder of a backup"]
    try:
        store = DuckDBStore(path)
    except StoreOpenError as exc:
        return [str(exc)]
    try:
        return list(store.check())
    except StoreRefusedError as exc:
        return [str(exc)]
    finally:
        store.close()


def restore(folder: Path, target: Path, told: Callable[[int, int, str], None] = lambda *_: None) -> None:
    """Put a backup where a store shall be; raises BackupError, before anything is written, where it can't be."""
    days = target.with_name(target.name + ".days")
    for path in (target, days, target.with_name(target.name + ".wal")):
        if path.exists():
            raise BackupError(f"{path}: is there already, expected a place without a store: move it away first")
    if found := problems(folder):
        raise BackupError(f"{folder}: {len(found)} findings, expected a whole backup; the first: {found[0]}")
    made = target.with_name(target.name + ".part"), days.with_name(days.name + ".part")
    try:
        _copy(folder, *made, told)
        if made[1].exists():
            made[1].rename(days)
        made[0].rename(target)  # last: without it there is no store
        sync(target.parent)
    except OSError as exc:
        raise BackupError(f"{target}: {exc.strerror}, expected a folder with room for the backup") from exc


def _copy(folder: Path, file: Path, days: Path, told: Callable[[int, int, str], None]) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    shutil.rmtree(days, ignore_errors=True)
    found = sorted((folder / f"{NAME}.days").glob("*.parquet"))
    if found:
        days.mkdir()
    for done, path in enumerate([folder / NAME, *found]):
        place = file if path.name == NAME else days / path.name
        shutil.copyfile(path, place)
        sync(place)
        told(done + 1, len(found) + 1, path.name)
