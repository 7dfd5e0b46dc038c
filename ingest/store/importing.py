"""Rows of our own export, CSV or Parquet, as batches again: the same file twice is the same batches twice."""

from collections.abc import Iterator
from pathlib import Path
from typing import Final

import duckdb
import numpy as np

from ingest.store._day_queries import quoted
from ingest.store._duckdb_columns import Columns
from ingest.store.days import crc_of
from ingest.store.protocol import StoreError
from telemetry.batch import Batch, rows
from telemetry.quality import Cause, Quality

_PIECE: Final = 100_000
_COLUMNS: Final = ("time", "value", "quality", "cause", "series")
_READ: Final = """
SELECT series::BIGINT AS series, epoch_us(time::TIMESTAMPTZ) * 1000 AS time_ns,
    coalesce(value::DOUBLE, 'nan'::DOUBLE) AS value, coalesce(qualities.bits, 255)::UTINYINT AS quality,
    coalesce(causes.bits, 65535)::USMALLINT AS cause
FROM file LEFT JOIN qualities ON qualities.name = file.quality
    LEFT JOIN causes ON causes.name = coalesce(file.cause, '')
ORDER BY series, time_ns
"""


class ImportFileError(StoreError):
    """A file that is no export of ours: what was found, what was expected."""


def batches(path: Path, source: str) -> Iterator[tuple[Batch, int]]:
    """The rows of a file in batches of 100,000, each with the number of all rows; raises ImportFileError."""
    epoch = crc_of(path) + 1
    with duckdb.connect(config={"threads": 1}) as database:
        try:
            columns, total = _load(database, path)
        except duckdb.Error as exc:
            first = str(exc).partition("\n")[0]
            raise ImportFileError(f"{path}: {first}, expected CSV or Parquet of `petrel store export`") from exc
        for seq, at in enumerate(range(0, total, _PIECE), start=1):
            piece = slice(at, at + _PIECE)
            found = rows(
                source,
                columns["series"][piece],
                columns["time_ns"][piece],
                columns["value"][piece],
                quality=columns["quality"][piece],
                cause=columns["cause"][piece],
            )
            yield found.numbered(epoch, seq), total


def _load(database: duckdb.DuckDBPyConnection, path: Path) -> tuple[Columns, int]:
    reader = "read_parquet" if path.suffix == ".parquet" else "read_csv"
    more = ", all_varchar = true, header = true, delim = ','" if reader == "read_csv" else ""
    database.execute(f"CREATE VIEW file AS SELECT * FROM {reader}({quoted(path)}{more})")  # noqa: S608 - his own file
    names = {row[0] for row in database.execute("DESCRIBE file").fetchall()}
    if missing := [name for name in _COLUMNS if name not in names]:
        raise ImportFileError(
            f"{path}: no column {', '.join(missing)}, expected CSV or Parquet of `petrel store export`"
        )
    causes = database.execute("SELECT DISTINCT coalesce(cause::VARCHAR, '') FROM file").fetchall()
    _words(database, "qualities", {quality.name: int(quality) for quality in Quality})
    _words(database, "causes", {text: _bits(text, path) for (text,) in causes})
    found = database.execute(_READ).fetchnumpy()
    columns = {name: np.ma.getdata(column) for name, column in found.items()}
    if len(columns["quality"]) and int(columns["quality"].max()) > Quality.MISSING:
        raise ImportFileError(
            f"{path}: a quality that is none of ours, expected {', '.join(one.name for one in Quality)}"
        )
    return columns, len(columns["series"])


def _words(database: duckdb.DuckDBPyConnection, table: str, bits: dict[str, int]) -> None:
    database.execute(f"CREATE TABLE {table} (name VARCHAR, bits USMALLINT)")
    for name, number in bits.items():
        database.execute(f"INSERT INTO {table} VALUES (?, ?)", [name, number])  # noqa: S608 - one of our names


def _bits(text: str, path: Path) -> int:
    known = Cause.__members__
    if unknown := [word for word in text.split() if word not in known]:
        raise ImportFileError(f"{path}: cause {unknown[0]!r}, expected some of {', '.join(known)}")
    return sum(int(known[word]) for word in text.split())
