"""The book of days: what counting costs a commit, beside counting the same rows in DuckDB when somebody asks.

Run: ``python -m benchmarks.completeness [--series 16000] [--period-s 300] [--hours 24]``. The peer says what came
and what is good; it can't say what came in time, since no store keeps when a row came.
"""

import argparse
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Final

import duckdb
import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1]))  # a script of `make bench`, too
from ingest.catalogue import Catalogue
from ingest.commit import Commit
from ingest.coverage.book import DayBook
from ingest.coverage.slots import day_of
from telemetry.batch import I64, rows
from telemetry.clock import SECOND_NS
from telemetry.series import Series, Station, Text, series_id
from telemetry.span import moment_ns
from telemetry.wire import Announce

BEGIN_NS: Final = moment_ns("2023-07-28T00:00+08:00")
SOURCE: Final = "demo/gw-1"
_PER_STATION: Final = 20
_PEER: Final = """
SELECT series, count(DISTINCT time_ms // $width), count(DISTINCT time_ms // $width) FILTER (quality = 1)
FROM readings GROUP BY series
"""


def announced(n: int, period_s: float) -> tuple[Catalogue, I64]:
    """A catalogue of ``n`` series, and their identities."""
    catalogue = Catalogue(site="demo", drill=False)
    name = Text("站", "station")
    stations = tuple(
        Station(id=f"s-{i}", name=name, kind="weather", lat=25.0, lon=119.0, town="1")
        for i in range(-(-n // _PER_STATION))
    )
    series = tuple(
        Series(
            station=f"s-{i // _PER_STATION}", point=f"p{i % _PER_STATION}", quantity="flow", unit="m3/h",
            valid=(0.0, 1.0), period_s=period_s,
        )
        for i in range(n)
    )  # fmt: skip
    catalogue.announce(SOURCE, Announce(revision="1", drill=False, stations=stations, series=series))
    return catalogue, np.array([series_id("demo", one.station, one.point, one.quantity) for one in series], np.int64)


def timed(work: Callable[[], object]) -> float:
    """Milliseconds of a call."""
    begun_s = time.perf_counter()
    work()
    return 1e3 * (time.perf_counter() - begun_s)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--series", type=int, default=16_000)
    parser.add_argument("--period-s", type=float, default=300.0)
    parser.add_argument("--hours", type=float, default=24.0)
    asked = parser.parse_args()
    catalogue, series = announced(asked.series, asked.period_s)
    polls, period_ns = int(asked.hours * 3600 / asked.period_s), round(asked.period_s * SECOND_NS)
    good = np.ones(len(series), np.uint8)
    with tempfile.TemporaryDirectory() as folder, duckdb.connect(config={"threads": 1}) as peer:
        book = DayBook(Path(folder) / "days.sqlite", catalogue, "Asia/Shanghai", 300_000)
        peer.execute("CREATE TABLE readings (series BIGINT, time_ms BIGINT, quality UTINYINT)")
        spent_ms = []
        for n in range(polls):
            at_ns = BEGIN_NS + n * period_ns
            batch = rows(SOURCE, series, np.full(len(series), at_ns), np.ones(len(series)), quality=good)
            commit = Commit(number=n + 1, batches=(batch.numbered(1, n + 1),), stored=True)
            spent_ms.append(timed(partial(book.take, commit, at_ns, at_ns)))
            peer.register("incoming", {"s": series, "t": batch.time_ns // 1_000_000, "q": good})
            peer.execute("INSERT INTO readings SELECT * FROM incoming")
        now_ns, day = BEGIN_NS + polls * period_ns, day_of(BEGIN_NS // 1_000_000, book.zone)
        width = {"width": round(asked.period_s * 1000)}
        table = (
            ("a commit of one poll of all, p50", float(np.median(spent_ms))),
            ("the same, p99", float(np.percentile(spent_ms, 99))),
            ("counts of the day, all series", timed(lambda: book.counts(day, now_ns))),
            ("writing the book", timed(book.flush)),
            (
                "DuckDB: counts of the day from its rows, one thread",
                timed(lambda: peer.execute(_PEER, width).fetchall()),
            ),
        )
        book.close()
        size = (Path(folder) / "days.sqlite").stat().st_size
    print(f"{len(series):,} series at {asked.period_s:g} s, {polls * len(series):,} rows; book {size / 1e6:.2f} MB")
    for what, found_ms in table:
        print(f"{what:<56}{found_ms:>10.2f} ms")
    print(f"{'counting':<56}{len(series) / float(np.median(spent_ms)) / 1e3:>10.1f} M rows/s")


if __name__ == "__main__":
    main()
