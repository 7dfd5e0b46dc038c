"""The store with a year in it: bytes a point, 24 hours of one series, a week's chart of fifty, the longest commit.

    python benchmarks/store.py --folder DIR [--days 365] [--peer-days 7] [--storm FILE]

The year is made once, in DIR, and used again: 16,000 levels at ten minutes, to the millimetre, times off by up to
50 ms; a week through the store, the other days from it under their own times, by the same writer.
Peers get the same rows, of ``--peer-days`` days alone: VictoriaMetrics, and PostgreSQL 15 (a table with a B-tree index
on series and time), started for this and ended with it.
"""

import argparse
import os
import platform
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from statistics import median
from typing import Final

import duckdb
import numpy as np
import structlog

from ingest.store.days import DAY_MS, crc_of
from ingest.store.duckdb import DuckDBStore
from telemetry.batch import I64, MILLISECOND_NS, Batch, rows
from telemetry.clock import HOUR_NS, MINUTE_NS

sys.path.insert(0, str(Path(__file__).parents[1]))
from benchmarks.store_peers import peers

DAY_NS: Final = 24 * HOUR_NS
FIRST_NS: Final = 19_358 * DAY_NS  # 2023-01-01
_PER_DAY: Final = 144
_MADE: Final = 7
_READS: Final = 40
_CHART: Final = 50


def identities(n: int) -> I64:
    """The series, as hashes are."""
    return np.random.default_rng(1).integers(1, 2**62, n)


def day_rows(series: I64, day: int) -> Batch:
    """A day of all series: levels that drift by millimetres, polls that are some milliseconds early or late."""
    rng = np.random.default_rng(day)
    n = len(series)
    steps = rng.normal(0, 0.004, (_PER_DAY, n)).cumsum(axis=0) + np.random.default_rng(2).uniform(1, 9, n)
    jitter_ns = rng.integers(-50, 51, (_PER_DAY, n)) * MILLISECOND_NS
    time_ns = FIRST_NS + day * DAY_NS + (np.arange(_PER_DAY)[:, None] * 10 + 5) * MINUTE_NS + jitter_ns
    value = np.round(steps, 3)
    value[rng.random(value.shape) < 0.002] = np.nan
    quality = np.where(np.isnan(value), 4, 1).astype(np.uint8)
    batch = rows("bench/gw", np.tile(series, _PER_DAY), time_ns.ravel(), value.ravel(), quality=quality.ravel())
    return batch.numbered(1, day + 1)


def fill(store: DuckDBStore, series: I64, days: int) -> float:
    """Make what is missing of the days, a week through the store and the rest from that; seconds that it took."""
    begun_s = time.perf_counter()
    for day in range(len(store.days.by_day), days):
        if day < _MADE:
            store.commit([day_rows(series, day)])
            store.passed(day + 1)
            store.upkeep.run(FIRST_NS + (day + 1) * DAY_NS + 3 * HOUR_NS)
        else:
            again(store, day)
        print(f"\rday {day + 1} of {days}", end="", file=sys.stderr, flush=True)
    return time.perf_counter() - begun_s


def again(store: DuckDBStore, day: int) -> None:
    """A day with the rows of one of the first week, written anew under its own times by the same writer."""
    first = FIRST_NS // DAY_NS
    old, number = store.days.by_day[first + day % _MADE], first + day
    shift = number - old.day
    rows_path, hours_path = (store.days.path(number, 1, kind) for kind in ("rows", "hours"))
    with duckdb.connect(config={"threads": 1}) as writer:
        writer.execute(f"""
            COPY (SELECT * REPLACE (second + {shift * 86_400} AS second) FROM '{store.days.rows_path(old)}')
            TO '{rows_path}' (FORMAT parquet, PARQUET_VERSION v2, COMPRESSION zstd, ROW_GROUP_SIZE 122880)
        """)  # noqa: S608 - our own files
        writer.execute(f"""
            COPY (SELECT * REPLACE (hour + {shift * 24} AS hour, first_ms + {shift * DAY_MS} AS first_ms,
                last_ms + {shift * DAY_MS} AS last_ms) FROM '{store.days.hours_path(old)}')
            TO '{hours_path}' (FORMAT parquet, COMPRESSION lz4_raw, ROW_GROUP_SIZE 122880)
        """)  # noqa: S608 - our own files
    made = replace(
        old,
        day=number,
        first_ms=old.first_ms + shift * DAY_MS,
        last_ms=old.last_ms + shift * DAY_MS,
        rows_bytes=rows_path.stat().st_size,
        rows_crc=crc_of(rows_path),
        hours_bytes=hours_path.stat().st_size,
        hours_crc=crc_of(hours_path),
    )
    with store.reading() as keeper:
        store.upkeep._swap(keeper, made, hours_path)  # noqa: SLF001 - what closing a day ends with
    store.days.by_day = {**store.days.by_day, number: made}


def timed(read: Callable[[], object]) -> float:
    """Milliseconds of one read."""
    begun_s = time.perf_counter()
    read()
    return (time.perf_counter() - begun_s) * 1e3


def line(what: str, times_ms: list[float]) -> None:
    """One line of the table: median, the 90th percentile, the slowest."""
    print(
        f"| {what:52} | {median(times_ms):>8.1f} | {np.percentile(times_ms, 90):>8.1f} | {max(times_ms):>8.1f} |",
        flush=True,
    )


def reads(store: DuckDBStore, series: I64, days: int) -> None:
    """Random reads over the year; the first of each file looks at it in full, so one round goes before."""
    rng = np.random.default_rng(3)
    firsts = [timed(partial(store.days.within, *_span_ms(day, day + 1))) for day in range(days)]
    line("a day's files looked at in full, once", firsts)
    one = [(int(rng.choice(series)), FIRST_NS + int(rng.integers(0, days * 24 - 24)) * HOUR_NS) for _ in range(_READS)]
    line("24 h of one series, raw", [timed(partial(store.points, s, t, t + DAY_NS)) for s, t in one])
    end = FIRST_NS + days * DAY_NS
    week = [(rng.choice(series, _CHART), end - int(rng.integers(7, max(days, 8))) * DAY_NS) for _ in range(_READS // 4)]
    line("7 days of 50 series, hourly", [timed(partial(store.hours, s, t, t + 7 * DAY_NS)) for s, t in week])
    year = [timed(partial(store.buckets, s, FIRST_NS, end, DAY_NS)) for s, _ in one[:10]]
    line(f"{days} days of one series, daily", year)


def _span_ms(first: int, last: int) -> tuple[int, int]:
    return (FIRST_NS + first * DAY_NS) // MILLISECOND_NS, (FIRST_NS + last * DAY_NS) // MILLISECOND_NS


def beside(folder: Path, series: I64) -> None:
    """Commits of 1,000 rows every 10 ms, alone and beside the closing of a day."""
    path = folder / "beside.duckdb"
    store = DuckDBStore(path)
    store.commit([day_rows(series, 0)])
    store.passed(1)
    live = day_rows(series[:7], 2)
    times_ms: list[float] = []
    seq = iter(range(2, 1_000_000))

    def commit_for(seconds: float, until: threading.Event | None = None) -> list[float]:
        found, end = [], time.perf_counter() + seconds
        while time.perf_counter() < end and not (until is not None and until.is_set()):
            batch = live.numbered(1, next(seq))
            found.append(timed(partial(store.commit, [batch])))
            time.sleep(0.01)
        return found

    line(f"a commit of {len(live)} rows", commit_for(3.0))
    done = threading.Event()

    def close() -> None:
        store.upkeep.run(FIRST_NS + DAY_NS + 3 * HOUR_NS)
        done.set()

    closing = threading.Thread(target=close)
    begun_s = time.perf_counter()
    closing.start()
    times_ms = commit_for(60.0, done)
    closing.join()
    line(
        f"the same beside the closing of {16_000 * _PER_DAY / 1e6:.1f} M rows ({time.perf_counter() - begun_s:.1f} s)",
        times_ms,
    )
    store.close()
    for file in (path, *store.days.folder.iterdir()):
        file.unlink()
    store.days.folder.rmdir()


def storm(folder: Path, file: Path) -> None:
    """Bytes a point of a drill's rows, closed."""
    target = folder / "storm.duckdb"
    target.write_bytes(file.read_bytes())
    store = DuckDBStore(target)
    store.passed(store.last_commit())
    store.upkeep.run(2**62)
    print_bytes(store, f"{file.name}, a drill")
    store.close()
    for path in (target, *store.days.folder.iterdir()):
        path.unlink()
    store.days.folder.rmdir()


def print_bytes(store: DuckDBStore, what: str) -> None:
    """Bytes a stored point: the rows' files, and hours and days beside them."""
    days = store.days.by_day.values()
    count = max(sum(day.rows for day in days), 1)
    raw, hours = sum(day.rows_bytes for day in days) / count, sum(day.hours_bytes for day in days) / count
    print(f"{what}: {count} rows, {raw:.2f} bytes a row; hours {hours:.2f} more a row; the store's own file "
          f"{store.info().file_bytes / 1e6:.0f} MB")  # fmt: skip


def main() -> None:
    """Read the arguments and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--folder", type=Path, required=True)
    parser.add_argument("--days", type=int, default=365)
    parser.add_argument("--series", type=int, default=16_000)
    parser.add_argument("--peer-days", type=int, default=7)
    parser.add_argument("--storm", type=Path)
    parser.add_argument("--fill-only", action="store_true")
    arguments = parser.parse_args()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(40))
    arguments.folder.mkdir(parents=True, exist_ok=True)
    series = identities(arguments.series)
    store = DuckDBStore(arguments.folder / "year.duckdb")
    had, took_s = len(store.days.by_day), fill(store, series, arguments.days)
    print(f"{platform.machine()}, {os.cpu_count()} cores, DuckDB {duckdb.__version__}, {time.strftime('%Y-%m-%d')}")
    print(f"{len(store.days.by_day) - had} days made in {took_s:.0f} s, {had} were there")
    if not arguments.fill_only:
        print_bytes(store, f"{len(store.days.by_day)} days of {len(series)} series")
        print(f"| {'ms':52} | {'median':>8} | {'p90':>8} | {'max':>8} |")
        print(f"|{'-' * 54}|---------:|---------:|---------:|")
        reads(store, series, len(store.days.by_day))
        beside(arguments.folder, series)
        if arguments.storm is not None:
            storm(arguments.folder, arguments.storm)
        peers(arguments.folder, [day_rows(series, day) for day in range(arguments.peer_days)], series, line)
    store.close()


if __name__ == "__main__":
    main()
