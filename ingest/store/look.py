"""Looking at a store's file without becoming its owner."""

from pathlib import Path

import duckdb

from ingest.store import schema
from ingest.store.protocol import StoreOpenError
from telemetry.disk import unwritable


def trouble(path: Path) -> str | None:
    """One line on why a centre could not open a file as its store; nothing is made or written, None where it could.

    The file of a running centre can't be looked into: that it runs is what is said.
    """
    if (found := unwritable(path.parent)) is not None or not path.exists() or path.stat().st_size == 0:
        return found
    try:
        with duckdb.connect(str(path), read_only=True, config={"threads": 1}) as database:
            schema.check(database, path)
    except duckdb.Error as exc:
        return str(schema.open_error(path, exc))
    except StoreOpenError as exc:
        return str(exc)
    return None
