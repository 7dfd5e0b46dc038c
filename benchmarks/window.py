"""The hot window at the size to plan for: bytes, the cost of a minute's rows, and how long a start takes.

    python benchmarks/window.py [--series 10000] [--hours 48] [--closed] [--folder DIR]

A store is generated with one row a minute of every rain gauge (a counter with rollover), then the engine's window is
rebuilt from it as a start does: raw rows of the minutes, and hourly sums. A second window lives on, minute by minute.
"""

import argparse
import os
import platform
import resource
import tempfile
import time
from pathlib import Path
from typing import Final

import numpy as np

from ingest.store.ahead import ahead
from ingest.store.duckdb import DuckDBStore
from ingest.window import Window
from ingest.window.filling import PastHours
from telemetry.batch import Batch
from telemetry.clock import HOUR_NS, MINUTE_NS
from telemetry.series import Series

_START_NS: Final = 28_900_000 * MINUTE_NS
_ROWS: Final = 500_000


def gauges(n: int) -> dict[int, Series]:
    """As many rain gauges."""
    return {
        number: Series(
            station="s",
            point=f"p{number}",
            quantity="rain_total",
            unit="mm",
            valid=(0, 1e4),
            period_s=60.0,
            modulus=1e3,
        )
        for number in range(1, n + 1)
    }


def rows(n: int, first: int, minutes: int) -> Batch:
    """Rows of so many minutes, in order of time."""
    minute = np.repeat(np.arange(first, first + minutes), n)
    series = np.tile(np.arange(1, n + 1), minutes)
    value = np.round(np.mod(minute * 0.1 + series % 7, 1000.0), 1)
    return Batch(
        source="bench/gw0", epoch=1, seq=first + 1, series=series, time_ns=_START_NS + minute * MINUTE_NS, value=value,
        quality=np.ones(len(series), np.uint8), cause=np.zeros(len(series), np.uint16),
    )  # fmt: skip


def resident_mb() -> float:
    """Memory of this process now."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize() / 1e6


def fill(store: DuckDBStore, n: int, minutes: int) -> float:
    """Write the rows; seconds."""
    begun_s, each = time.perf_counter(), max(1, _ROWS // n)
    for first in range(0, minutes, each):
        store.commit([rows(n, first, min(each, minutes - first))])
    return time.perf_counter() - begun_s


def rebuild(store: DuckDBStore, n: int, minutes: int) -> tuple[Window, float, float]:
    """As the centre does at its start: seconds for the minutes and for the hours."""
    window, begun_s = Window(["rain_total"]), time.perf_counter()
    window.announce(gauges(n))
    for commit in ahead(store.recent(_START_NS)):
        for batch in commit.batches:
            slots = window.slots(batch.series)
            window.insert(slots, batch.time_ns, batch.value, batch.quality, batch.cause)
    minutes_s, begun_s = time.perf_counter() - begun_s, time.perf_counter()
    for at in range(0, n, 500):
        series = window.ids[at : at + 500]
        found = store.hours(series, _START_NS // HOUR_NS * HOUR_NS, _START_NS + minutes * MINUTE_NS)
        slots = window.slots(found.series)
        window.load_hours(
            PastHours(
                slots=slots,
                time_ns=found.time_ns,
                mean=found.mean,
                maximum=found.maximum,
                by_quality=found.by_quality,
            )
        )
    return window, minutes_s, time.perf_counter() - begun_s


def live(window: Window, n: int, minutes: int) -> list[float]:
    """Seconds that each of the next minutes takes, a row of every gauge in it."""
    took = []
    for minute in range(minutes, minutes + 20):
        batch = rows(n, minute, 1)
        begun_s = time.perf_counter()
        window.insert(window.slots(batch.series), batch.time_ns, batch.value, batch.quality, batch.cause)
        took.append(time.perf_counter() - begun_s)
    return took


def main() -> None:
    """Read the arguments and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--series", type=int, default=10_000)
    parser.add_argument("--hours", type=int, default=48)
    parser.add_argument("--folder", type=Path)
    parser.add_argument("--closed", action="store_true", help="close the days of the store before the start")
    options = parser.parse_args()
    n, minutes = options.series, options.hours * 60
    print(f"{platform.machine()}, {os.cpu_count()} cores, {time.strftime('%Y-%m-%d')}, load {os.getloadavg()[0]:.1f}\n")
    with tempfile.TemporaryDirectory(dir=options.folder) as name:
        store = DuckDBStore(Path(name) / "store.duckdb")
        filled_s = fill(store, n, minutes)
        if options.closed:
            store.passed(store.last_commit())
            store.upkeep.run(_START_NS + minutes * MINUTE_NS + 48 * HOUR_NS)
        before = resident_mb()
        window, minutes_s, hours_s = rebuild(store, n, minutes)
        rebuilt = resident_mb()
        took = np.array(live(window, n, minutes)) * 1e3
        slots = window.slots(np.arange(1, n + 1))
        begun_s = time.perf_counter()
        spans = window.span("rain_total", slots, np.full(n, _START_NS + (minutes - 1) * MINUTE_NS), 24 * 60)
        span_ms = (time.perf_counter() - begun_s) * 1e3
        right = bool(np.all(np.abs(spans.total - 144.0) < 1e-6)) if minutes > 1440 else True
        store.close()
    print("| what | value |\n|---|---:|")
    for what, value in (
        ("rain gauges, a row a minute", f"{n:,}"),
        (f"rows of {options.hours} h in the store", f"{n * minutes / 1e6:.1f} M"),
        ("generating the store", f"{filled_s:.1f} s"),
        ("window: bytes of all columns", f"{window.nbytes / 1e9:.2f} GB"),
        (
            "window: resident memory that the rebuild took (with what DuckDB keeps)",
            f"{(rebuilt - before) / 1e3:.2f} GB",
        ),
        ("rebuilding the minutes from raw rows", f"{minutes_s:.1f} s"),
        ("rebuilding the hours from the store", f"{hours_s:.1f} s"),
        ("a minute's rows of all gauges, median (most of 20)", f"{np.median(took):.1f} ({took.max():.1f}) ms"),
        ("24 h of all gauges", f"{span_ms:.2f} ms"),
        ("24 h sums are right", str(right)),
    ):
        print(f"| {what} | {value} |")


if __name__ == "__main__":
    main()
