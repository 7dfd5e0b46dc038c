"""A backlog: how long a gateway takes to start on it, how fast it drains, and how long alarms take meanwhile.

    python benchmarks/spool.py [--points 10000000] [--batch 1000] [--start-only 10] [--alarms-per-s 20]

One process fills a spool, as an outage would. A second one opens it (start) and drains it through a real nats-server
into a real ingest with quality control and DuckDB, which is a third process; the time of the drain runs from the first
connection until the last row is committed and acknowledged. Meanwhile single rows go into the alarm lane; the time of
an alarm runs from its append until the acknowledgement of its commit has arrived. All share the machine.
"""

import argparse
import asyncio
import multiprocessing
import os
import platform
import sys
import tempfile
import time
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, Final

import numpy as np
import structlog

sys.path.insert(0, str(Path(__file__).parents[1]))  # first, since gateway.py beside this file is no package
from benchmarks.ingest_rate import catalogue, poll
from gateway.spool import Entry, Limits, Spool, keep_synced
from gateway.uplink import Uplink
from petrel.run import run as run_until_done
from telemetry.batch import rows
from telemetry.broker import parse_broker
from telemetry.clock import SECOND_NS, SystemClock
from telemetry.wire import Announce, Lane, Status
from tests.integration.brokers import nats_server

_SPAWN: Final = multiprocessing.get_context("spawn")
_SOURCE: Final = "bench/gw0"
_LIMITS: Final = Limits(max_bytes=4 * 1024**3)


def fill(folder: Path, points: int, size: int) -> None:
    """What an outage leaves: polls of ``size`` slowly moving levels, a tenth of a second apart, until an hour ago."""
    _quiet()
    _, series = catalogue(0, size)
    spool = Spool.open(folder, _LIMITS, SystemClock())
    n = points // size
    begin_ns = time.time_ns() - 3600 * SECOND_NS - n * SECOND_NS // 10
    for seq in range(1, n + 1):
        spool.append(poll(_SOURCE, series, seq, begin_ns), Lane.BACKLOG)
    spool.close()


def serve(pipe: Connection, url: str, folder: Path) -> None:
    """The centre's process; ends when it is told to, with the rows that its store holds."""
    from ingest.service import Ingest
    from ingest.store.duckdb import DuckDBStore

    _quiet()

    async def on_commit(_: object) -> None:
        return

    async def work() -> None:
        store = DuckDBStore(folder / "store.duckdb")
        ingest = Ingest(
            store, parse_broker(url), SystemClock(), on_commit, site="bench", drill=False, rng=np.random.default_rng()
        )
        async with asyncio.TaskGroup() as tasks:
            running = tasks.create_task(ingest.run())
            await ingest.subscriber.connected.wait()
            pipe.send(True)
            await asyncio.to_thread(pipe.recv)
            running.cancel()
        pipe.send((store.count(), store.distinct_count()))
        store.close()

    run_until_done(work())


class Drain:
    """The gateway's half: spool, uplink, and what is measured at it."""

    def __init__(self, folder: Path, url: str, announce: Announce, alarm_series: np.ndarray) -> None:
        begin_s = time.perf_counter()
        self.spool = Spool.open(folder, _LIMITS, SystemClock())
        self.start_s = time.perf_counter() - begin_s
        self.rows = self.spool.stats().rows
        self.drain_s = 0.0
        self.alarms_s: list[float] = []
        self._alarm_series = alarm_series
        self._draining = True
        self._uplink = Uplink(
            _SOURCE,
            parse_broker(url),
            self.spool,
            password=None,
            announce=announce,
            status=lambda presence: Status(presence=presence),
            rng=np.random.default_rng(),
        )

    async def run(self, every_s: float) -> None:
        """Drain everything, with an alarm every so often."""
        async with asyncio.TaskGroup() as tasks:
            owned = [tasks.create_task(part) for part in (self._uplink.run(), keep_synced(self.spool))]
            tasks.create_task(self._raise_alarms(every_s))
            await self._until(lambda: self._uplink.connected)
            begin_s = time.perf_counter()
            await self._until(lambda: self.spool.stats().acked_rows >= self.rows)
            self.drain_s = time.perf_counter() - begin_s
            self._draining = False
            await self._until(lambda: self.spool.stats().batches == 0)
            for task in owned:
                task.cancel()
        assert self._uplink.counts.connections == 1, "the connection was lost on the way"

    async def _raise_alarms(self, every_s: float) -> None:
        async with asyncio.TaskGroup() as tasks:
            while self._draining:
                begin_s = time.perf_counter()
                now = np.array([time.time_ns()])
                (entry,) = self.spool.append(rows(_SOURCE, self._alarm_series, now, np.array([9.0])), Lane.ALARM)
                self._uplink.notify()
                tasks.create_task(self._time(entry, begin_s))
                await asyncio.sleep(every_s)

    async def _time(self, entry: Entry, begin_s: float) -> None:
        await self._until(lambda: entry.is_gone)
        self.alarms_s.append(time.perf_counter() - begin_s)

    async def _until(self, condition: Any) -> None:
        async with asyncio.timeout(600):
            while not condition():  # noqa: ASYNC110 # the spool tells nobody when a batch goes
                await asyncio.sleep(0.002)


def drain(pipe: Connection, folder: Path, url: str, size: int, every_s: float) -> None:
    """The gateway's process: tells what it measured."""
    _quiet()
    announce, series = catalogue(0, size)
    drain = Drain(folder, url, announce, series[:1])

    async def work() -> None:
        await drain.run(every_s)

    run_until_done(work())
    drain.spool.close()
    pipe.send((drain.start_s, drain.rows, drain.drain_s, drain.alarms_s))


def start(pipe: Connection, folder: Path) -> None:
    """Only open a spool: rows and seconds."""
    begin_s = time.perf_counter()
    spool = Spool.open(folder, _LIMITS, SystemClock())
    start_s = time.perf_counter() - begin_s
    pipe.send((spool.stats().rows, start_s))
    spool.close()


def measure_start(points: int, size: int) -> str:
    """A line of the table without a drain."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name) / "spool"
        megabytes = _filled(folder, points, size)
        ours, theirs = _SPAWN.Pipe()
        process = _SPAWN.Process(target=start, args=(theirs, folder))
        process.start()
        n_rows, start_s = ours.recv()
        process.join()
    return f"| {size} | {n_rows / 1e6:.1f} | {megabytes:.0f} | {start_s:.2f} | | | | | | |"


def _filled(folder: Path, points: int, size: int) -> float:
    filling = _SPAWN.Process(target=fill, args=(folder, points, size))
    filling.start()
    filling.join()
    return sum(path.stat().st_size for path in folder.iterdir()) / 1e6


def measure(options: argparse.Namespace, size: int) -> str:
    """A line of the table."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        megabytes = _filled(folder / "spool", options.points, size)
        with nats_server(folder) as broker:
            centre, centre_end = _SPAWN.Pipe()
            gateway, gateway_end = _SPAWN.Pipe()
            serving = _SPAWN.Process(target=serve, args=(centre_end, broker.url, folder))
            serving.start()
            centre.recv()
            every_s = 1 / options.alarms_per_s
            draining = _SPAWN.Process(target=drain, args=(gateway_end, folder / "spool", broker.url, size, every_s))
            draining.start()
            start_s, n_rows, drain_s, alarms_s = gateway.recv()
            draining.join()
            centre.send("stop")
            stored, distinct = centre.recv()
            serving.join()
    assert stored == distinct == n_rows + len(alarms_s), f"{stored} rows stored, {n_rows + len(alarms_s)} sent"
    p50, p99, most = np.quantile(np.array(alarms_s) * 1e3, (0.5, 0.99, 1.0))
    rate = f"{n_rows / drain_s / 1e3:.0f}"
    alarms = f"{p50:.1f} | {p99:.1f} | {most:.1f} | {len(alarms_s)}"
    return f"| {size} | {n_rows / 1e6:.1f} | {megabytes:.0f} | {start_s:.2f} | {drain_s:.1f} | {rate} | {alarms} |"


def _quiet() -> None:
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(40))


def main() -> None:
    """Read the arguments and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--points", type=int, default=10_000_000)
    parser.add_argument("--batch", type=int, nargs="+", default=[100, 1000, 5000])
    parser.add_argument("--start-only", type=int, nargs="*", default=[10], help="rows a batch; without a drain")
    parser.add_argument("--alarms-per-s", type=float, default=20.0)
    options = parser.parse_args()
    print(
        f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}, "
        f"{time.strftime('%Y-%m-%d')}, load {os.getloadavg()[0]:.1f}\n"
    )
    print(
        "| rows a batch | M points | MB | start s | drain s | k points/s | alarm p50 ms | p99 | max | alarms |\n"
        "|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|",
        flush=True,
    )
    for size in options.start_only:
        print(measure_start(options.points, size), flush=True)
    for size in options.batch:
        print(measure(options, size), flush=True)


if __name__ == "__main__":
    main()
