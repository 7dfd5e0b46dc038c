"""Rows for others: chosen rows of any store as CSV or Parquet, in pieces, so that memory stays small whatever the span.

Both are written by DuckDB, in a scratch database of its own. Columns: ``time`` (CSV: ISO 8601 with the offset of the
timezone), ``station``, ``point``, ``quantity``, ``value`` (empty: no reading), ``unit``, ``quality`` (our word),
``qartod`` (1 good, 2 not evaluated, 3 suspect, 4 bad, 9 missing), ``cause`` (words, blank between them), ``series``.
"""

from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

import duckdb
import numpy as np

from ingest.store.protocol import Points, Store
from telemetry.batch import I64
from telemetry.clock import HOUR_NS, MINUTE_NS
from telemetry.quality import QARTOD, Cause

_PIECE_ROWS: Final = 200_000
_ROW_GROUP: Final = 100_000
_SELECT: Final = """
SELECT make_timestamptz(rows.time_ns // 1000) AS time, station, point, quantity,
    CASE WHEN isnan(rows.value) THEN NULL ELSE rows.value END AS value, unit,
    qualities.name AS quality, qualities.qartod AS qartod, NULLIF(causes.words, '') AS cause, rows.series AS series
FROM rows JOIN labels ON labels.series = rows.series
    JOIN qualities ON qualities.quality = rows.quality JOIN causes ON causes.cause = rows.cause
ORDER BY rows.series, rows.time_ns
"""
_CSV: Final = f"""
COPY (
    SELECT strftime(time, '%Y-%m-%dT%H:%M:%S.%g') || rpad(strftime(time, '%z'), 6, ':00') AS time,
        * EXCLUDE (time) FROM ({_SELECT})
) TO '{{path}}' (FORMAT csv, HEADER {{header}})
"""  # noqa: S608 - made of constants
_PARQUET: Final = f"COPY ({_SELECT}) TO '{{path}}' (FORMAT parquet, COMPRESSION zstd)"
_JOINED: Final = f"""
COPY (SELECT * FROM read_parquet({{pieces}})) TO '{{path}}' (
    FORMAT parquet, COMPRESSION zstd, ROW_GROUP_SIZE {_ROW_GROUP}
)
"""  # noqa: S608 - made of constants


@dataclass(frozen=True, slots=True, kw_only=True)
class Label:
    """What a row says of its series."""

    station: str
    point: str
    quantity: str
    unit: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """Which rows: of series by identity, with ``from_ns <= time < to_ns``; times are written in ``timezone``."""

    labels: dict[int, Label]
    from_ns: int
    to_ns: int
    timezone: str = "UTC"


def pieces(store: Store, wanted: Wanted) -> Iterator[Points]:
    """The rows, window of time by window of time, by series and time in each; about 200,000 at once.

    The first window is an hour; each next one is as wide as the density of rows allows, never wider than it could be
    if each series had a row a minute: rows may begin anywhere. Raises StoreRefusedError.
    """
    series = np.array(sorted(wanted.labels), np.int64)
    begin, width = wanted.from_ns, HOUR_NS
    widest = max(HOUR_NS, 4 * _PIECE_ROWS * MINUTE_NS // max(len(series), 1))
    while begin < wanted.to_ns and len(series):
        end = min(begin + width, wanted.to_ns)
        found = store.samples(series, begin, end)
        if len(found):
            yield found
        begin = end
        width = min(_next_width(width, len(found)), widest)


def csv(
    store: Store, wanted: Wanted, scratch: Path, told: Callable[[int], None] = lambda _: None
) -> Generator[bytes, None, None]:
    """The rows as CSV (UTF-8), piece by piece, the first with the line of names; ``told`` is told of rows written."""
    with _database(wanted, scratch) as (database, folder):
        path = folder / "piece.csv"
        written = False
        for rows in pieces(store, wanted):
            _offer(database, rows)
            database.execute(_CSV.format(path=_quoted(path), header=str(not written).lower()))
            yield path.read_bytes()
            written = True
            told(len(rows))
        if not written:
            yield b"time,station,point,quantity,value,unit,quality,qartod,cause,series\n"


def parquet(
    store: Store, wanted: Wanted, scratch: Path, told: Callable[[int], None] = lambda _: None
) -> Generator[bytes, None, None]:
    """The rows as a Parquet file (zstd), in chunks of bytes; it is made in full in ``scratch`` before the first."""
    with _database(wanted, scratch) as (database, folder):
        path = folder / "rows.parquet"
        write_parquet(database, folder, path, pieces(store, wanted), told)
        with path.open("rb") as made:
            while chunk := made.read(1 << 20):
                yield chunk


def write_parquet(
    database: duckdb.DuckDBPyConnection, folder: Path, path: Path, rows: Iterator[Points], told: Callable[[int], None]
) -> None:
    """Write pieces as files of their own, then as one."""
    made: list[Path] = []
    for points in rows:
        made.append(folder / f"piece-{len(made)}.parquet")
        _offer(database, points)
        database.execute(_PARQUET.format(path=_quoted(made[-1])))
        told(len(points))
    if not made:
        made.append(folder / "piece-0.parquet")
        _offer(database, NOTHING)
        database.execute(_PARQUET.format(path=_quoted(made[-1])))
    names = ", ".join(f"'{_quoted(one)}'" for one in made)
    database.execute(_JOINED.format(pieces=f"[{names}]", path=_quoted(path)))


NOTHING: Final = Points(
    series=np.zeros(0, np.int64),
    time_ns=np.zeros(0, np.int64),
    value=np.zeros(0),
    quality=np.zeros(0, np.uint8),
    cause=np.zeros(0, np.uint16),
)


def _next_width(width_ns: int, rows: int) -> int:
    """Wider where there is room, narrower where it was too much."""
    if rows * 8 < _PIECE_ROWS:
        return width_ns * 4
    if rows * 2 < _PIECE_ROWS:
        return width_ns * 2
    return width_ns if rows <= _PIECE_ROWS else max(width_ns * _PIECE_ROWS // rows, 1_000_000)


@contextmanager
def _database(wanted: Wanted, scratch: Path) -> Iterator[tuple[duckdb.DuckDBPyConnection, Path]]:
    with (
        TemporaryDirectory(dir=scratch, prefix="export-") as name,
        duckdb.connect(config={"threads": 1, "memory_limit": "512MB", "temp_directory": name}) as database,
    ):
        database.execute("SET TimeZone = $timezone", {"timezone": wanted.timezone})
        labels = sorted(wanted.labels.items())
        _table(database, "labels", {"series": np.array([key for key, _ in labels], np.int64)} | _words(labels))
        names = sorted(QARTOD, key=int)
        qualities = {
            "quality": np.array(names, np.uint8),
            "name": np.array([one.name for one in names], object),
            "qartod": np.array([QARTOD[one] for one in names], np.uint8),
        }
        _table(database, "qualities", qualities)
        yield database, Path(name)


def _words(labels: Sequence[tuple[int, Label]]) -> dict[str, Any]:
    columns = ("station", "point", "quantity", "unit")
    return {name: np.array([getattr(one, name) for _, one in labels], object) for name in columns}


def _table(database: duckdb.DuckDBPyConnection, name: str, columns: dict[str, Any]) -> None:
    database.register("incoming", columns)
    database.execute(f"CREATE OR REPLACE TABLE {name} AS SELECT * FROM incoming")  # noqa: S608 - one of our names
    database.unregister("incoming")


def _offer(database: duckdb.DuckDBPyConnection, rows: Points) -> None:
    """Make rows, and the words of the causes among them, what the next query reads."""
    found: I64 = np.unique(rows.cause)
    words = [" ".join(cause.name or "" for cause in Cause if cause and cause & bits) for bits in found.tolist()]
    _table(database, "causes", {"cause": found, "words": np.array(words, object)})
    names = ("series", "time_ns", "value", "quality", "cause")
    database.register("rows", {name: getattr(rows, name) for name in names})


def _quoted(path: Path) -> str:
    return str(path).replace("'", "''")
