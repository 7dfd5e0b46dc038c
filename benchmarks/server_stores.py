"""Commits and reads of the stores: DuckDB, and VictoriaMetrics behind its journal, on the same rows in one run.

    python benchmarks/server_stores.py [--rows 400000] [--series 2000]

Values are a walk in steps of a millimetre, times on a grid of a second; one group is one commit, synced to the disk.
"""

import argparse
import platform
import socket
import statistics
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final, NamedTuple

import numpy as np

from ingest.store.duckdb import DuckDBStore
from ingest.store.protocol import Store
from ingest.store.server.address import Address
from ingest.store.server.opening import open_store
from telemetry.batch import Batch, rows
from telemetry.clock import SECOND_NS, SystemClock

_GROUPS: Final = (500, 5_000, 50_000)
_READS: Final = 20
_READY_S: Final = 10.0


class Line(NamedTuple):
    """One line of the table."""

    store: str
    group: int
    rows: int
    seconds: float
    commits_ms: list[float]
    reads_ms: list[float]

    def __str__(self) -> str:
        ordered = sorted(self.commits_ms)
        return (
            f"{self.store:16} {self.group:8,} {self.rows / self.seconds / 1000:8.0f}"
            f" {statistics.median(ordered):9.1f} {ordered[int(0.99 * (len(ordered) - 1))]:9.1f}"
            f" {statistics.median(self.reads_ms):9.1f}"
        )


def groups(total: int, group: int, series: int, start_ns: int) -> Iterator[Batch]:
    """Batches of one gateway: every series once a second, in order."""
    rng = np.random.default_rng(1)
    for seq, at in enumerate(range(0, total, group), start=1):
        number = np.arange(at, at + group)
        value = 3.0 + np.round(rng.normal(0, 0.05, group), 3)
        time_ns = start_ns + number // series * SECOND_NS
        yield rows("bench/gw-1", (number % series).astype(np.int64), time_ns, value).numbered(7, seq)


def measured(name: str, store: Store, total: int, group: int, series: int) -> Line:
    """Commit everything in groups of one size, then read one series after another."""
    start_ns = (SystemClock().now_ns() // SECOND_NS - 86_400) * SECOND_NS
    commits_ms, reads_ms, seconds = [], [], 0.0
    for batch in groups(total, group, series, start_ns):
        parts = [
            batch.take(slice(at, at + 5_000)).numbered(7, batch.seq * 1000 + at // 5_000)
            for at in range(0, group, 5_000)
        ]
        begun = time.perf_counter()
        store.commit(parts)
        commits_ms.append(1000 * (time.perf_counter() - begun))
        seconds += commits_ms[-1] / 1000
    for one in range(_READS):
        begun = time.perf_counter()
        found = store.points(one * series // _READS, start_ns, start_ns + 86_400 * SECOND_NS)
        reads_ms.append(1000 * (time.perf_counter() - begun))
        assert len(found) == total // series, f"{name}: {len(found)} rows of a series, expected {total // series}"
    deadline = time.monotonic() + _READY_S
    while (held := store.distinct_count()) != total:  # a busy server shows the last of them a moment later
        assert time.monotonic() < deadline, f"{name}: {held} rows, expected {total}"
        time.sleep(0.1)
    return Line(name, group, total, seconds, commits_ms, reads_ms)


@contextmanager
def victoria_metrics(folder: Path) -> Iterator[str]:
    """A server for the length of a block; its address."""
    with socket.socket() as line:
        line.bind(("127.0.0.1", 0))
        port = line.getsockname()[1]
    flags = ("-retentionPeriod=100y", "-dedup.minScrapeInterval=1ms", "-loggerLevel=ERROR")
    where = (f"-storageDataPath={folder}", f"-httpListenAddr=127.0.0.1:{port}")
    with subprocess.Popen(["victoria-metrics", *where, *flags]) as server:
        try:
            deadline = time.monotonic() + _READY_S
            while not _listens(port) and time.monotonic() < deadline:
                time.sleep(0.02)
            yield f"http://127.0.0.1:{port}"
        finally:
            server.terminate()


def _listens(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), 1).close()
    except OSError:
        return False
    return True


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=400_000)
    parser.add_argument("--series", type=int, default=2_000)
    options = parser.parse_args()
    print(f"{platform.machine()}, {options.rows:,} rows of {options.series:,} series")
    print(f"{'store':16} {'group':>8} {'k rows/s':>8} {'p50 ms':>9} {'p99 ms':>9} {'read ms':>9}")
    with tempfile.TemporaryDirectory() as name, victoria_metrics(Path(name) / "rows") as url:
        for group in _GROUPS:
            duck: Store = DuckDBStore(Path(name) / f"{group}.duckdb")
            address = Address(url=url, measurement=f"m{group}")
            served: Store = open_store(
                "victoriametrics", address, Path(name) / f"{group}.sqlite", keep_free=0, now_ns=SystemClock().now_ns
            )
            total = min(options.rows, 300 * group)
            for kind, store in (("DuckDB", duck), ("VictoriaMetrics", served)):
                print(measured(kind, store, total, group, options.series))
                store.close()


if __name__ == "__main__":
    main()
