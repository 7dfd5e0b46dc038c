"""The tables of the DuckDB file: one numbered SQL file per version, applied in order, each in one transaction."""

import re
from importlib.resources import files
from pathlib import Path
from typing import Final

import duckdb

from ingest.store.protocol import StoreOpenError

_NAME: Final = re.compile(r"(\d{4})_\w+\.sql")
VERSION: Final = 2
"""The newest version that this program knows; a test compares it with the files."""


def steps() -> dict[int, str]:
    """SQL text by version, in order."""
    found = {}
    for entry in files(__name__).iterdir():
        if match := _NAME.fullmatch(entry.name):
            found[int(match[1])] = entry.read_text("utf-8")
    return dict(sorted(found.items()))


def check(database: duckdb.DuckDBPyConnection, path: Path) -> int:
    """The version of a file, 0 for an empty one; raises StoreOpenError for one that a newer program wrote."""
    if not database.execute("SELECT 1 FROM duckdb_tables() WHERE table_name = 'schema_version'").fetchall():
        return 0
    found: int = database.execute("SELECT coalesce(max(version), 0) FROM schema_version").fetchall()[0][0]
    if found > VERSION:
        raise StoreOpenError(
            f"{path}: store of schema {found}, expected at most {VERSION}: a newer petrel wrote it; run that one, or "
            "move the file away to begin a new store"
        )
    return found


def upgrade(database: duckdb.DuckDBPyConnection, path: Path) -> None:
    """Bring a file to the newest version; raises StoreOpenError for one that a newer program wrote."""
    found = check(database, path)
    database.execute("CREATE TABLE IF NOT EXISTS schema_version (version INTEGER NOT NULL)")
    for version, sql in steps().items():
        if version > found:
            database.begin()
            database.execute(sql)
            database.execute("INSERT INTO schema_version VALUES (?)", [version])
            database.commit()


def open_error(path: Path, exc: duckdb.Error) -> StoreOpenError:
    """Say in one line why a file does not open, and what to do about it."""
    found = first_line(exc)
    if "Conflicting lock" in found:
        found = found.split(": ", 1)[-1].split(". See also")[0]
        return StoreOpenError(
            f"{path}: in use by another process ({found}), expected to be its only owner: stop that one, or ask it "
            "over HTTP"
        )
    if isinstance(exc, duckdb.IOException) and not path.exists():
        return StoreOpenError(f"{path}: can't be created ({found}), expected a folder that can be written")
    return StoreOpenError(
        f"{path}: can't be opened ({found}), expected a store of DuckDB {duckdb.__version__}: restore a backup, or "
        "move the file away to begin a new store; gateways resend what their spools still hold"
    )


def first_line(exc: duckdb.Error) -> str:
    """The first line of what DuckDB says."""
    return str(exc).strip().partition("\n")[0]
