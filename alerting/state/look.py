"""Looking at a state file without becoming its owner."""

import sqlite3
from pathlib import Path
from typing import Final
from urllib.parse import quote

from alerting.state.database import MIGRATIONS, held
from telemetry.disk import unwritable

_WAIT_S: Final = 2.0


def trouble(path: Path) -> str | None:
    """One line on why a centre could not open a file as its state; nothing is made or written, None where it could."""
    if (found := unwritable(path.parent)) is not None or not path.exists():
        return found
    if held(path):
        return f"{path}: another centre holds it, expected to be its only owner"
    try:
        version = _version(path)
    except sqlite3.Error as exc:
        return f"{path}: {exc}, expected a state file: restore a backup, or move the file away to begin a new one"
    return None if version is None else _unknown(path, version)


def _version(path: Path) -> str | None:
    """The revision that a file says it has, None for a file without any; raises sqlite3.Error."""
    journal = path.with_name(f"{path.name}-wal").exists()
    # without a journal nothing is missing from the file, and SQLite must not make one beside it
    way = "mode=ro" if journal else "mode=ro&immutable=1"
    database = sqlite3.connect(f"file:{quote(str(path.resolve()))}?{way}", uri=True, timeout=_WAIT_S)
    try:
        tables = database.execute("SELECT name FROM sqlite_master WHERE name = 'alembic_version'").fetchall()
        rows = database.execute("SELECT version_num FROM alembic_version").fetchall() if tables else []
    finally:
        database.close()
    return str(rows[0][0]) if rows else None


def _unknown(path: Path, version: str) -> str | None:
    from alembic.script import ScriptDirectory
    from alembic.util import CommandError

    try:
        ScriptDirectory(str(MIGRATIONS)).get_revision(version)
    except CommandError as exc:
        return f"{path}: state file of another version ({exc}), expected one that this version can read"
    return None
