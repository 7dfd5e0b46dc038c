"""Rows as columns: what goes into the tables of the DuckDB store, and what comes out of them."""

from collections.abc import Iterator, Sequence
from typing import Any, Final

import duckdb
import numpy as np
from numpy.typing import NDArray

from ingest.commit import Commit
from telemetry.batch import MILLISECOND_NS, Batch

Columns = dict[str, NDArray[Any]]
_BATCH: Final = ("series", "time_ns", "value", "quality", "cause")
_COMMIT_ROWS: Final = 200_000


def ceil_ms(time_ns: int) -> int:
    """The first whole millisecond at or after a moment: both ends of a half-open span become one of these."""
    return -(-time_ns // MILLISECOND_NS)


def plain(result: duckdb.DuckDBPyConnection) -> Columns:
    """A result as arrays without masks."""
    return {name: np.ma.getdata(column) for name, column in result.fetchnumpy().items()}


def sample_columns(number: int, batches: Sequence[Batch], sources: dict[str, int]) -> Columns:
    """The rows of a group as columns of the table ``samples``."""
    sizes = [len(batch) for batch in batches]
    columns: Columns = {
        "commit_no": np.full(sum(sizes), number, np.int64),
        "source": np.repeat(np.array([sources[batch.source] for batch in batches], np.int32), sizes),
        "series": np.concatenate([batch.series for batch in batches]),
        "time_ms": np.concatenate([batch.time_ns for batch in batches]) // MILLISECOND_NS,
        "value": np.concatenate([batch.value for batch in batches]),
        "quality": np.concatenate([batch.quality for batch in batches]),
        "cause": np.concatenate([batch.cause for batch in batches]),
    }
    return columns


def commits(rows: Columns, names: dict[int, str]) -> list[Commit]:
    """Rows in order of commit as commits; neighbouring batches of one gateway come back as one, without its number."""
    number, source = rows["commit_no"], rows["source"]
    cuts = np.flatnonzero((np.diff(number) != 0) | (np.diff(source) != 0)) + 1
    found: dict[int, list[Batch]] = {}
    for start, stop in zip([0, *cuts.tolist()], [*cuts.tolist(), len(number)], strict=True):
        columns: Any = {name: rows[name][start:stop] for name in _BATCH}
        batch = Batch(source=names[int(source[start])], epoch=0, seq=0, **columns)
        found.setdefault(int(number[start]), []).append(batch)
    return [Commit(number=at, batches=tuple(batches), stored=True) for at, batches in found.items()]


def day_commits(rows: Columns, names: dict[int, str]) -> Iterator[Commit]:
    """Rows of a closed day, by gateway, series and time, as commits of about 200,000 rows under its last number."""
    order = np.argsort(rows["source"], kind="stable")
    sorted_rows = {name: column[order] for name, column in rows.items()}
    for at in range(0, len(order), _COMMIT_ROWS):
        yield from commits({name: column[at : at + _COMMIT_ROWS] for name, column in sorted_rows.items()}, names)


def later_of_each(found: Columns) -> Columns:
    """Ordered by series and time, of each (series, time) the row of the later commit; takes ``commit_no`` away."""
    number = found.pop("commit_no")
    order = np.lexsort((number, found["time_ns"], found["series"]))
    rows = {name: column[order] for name, column in found.items()}
    last = (np.diff(rows["series"], append=-1) != 0) | (np.diff(rows["time_ns"], append=-1) != 0)
    return {name: column[last] for name, column in rows.items()}
