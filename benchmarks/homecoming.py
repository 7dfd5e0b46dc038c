"""A hundred gateways come back after an outage with ten million rows, while what they read goes on coming live.

    python benchmarks/homecoming.py [--gateways 100] [--rows 10000000] [--batch 1000] [--every-s 1]

Broker (nats-server), centre (ingest with quality control and DuckDB) and the gateways are three processes of one
machine. A live batch of ten rows is timed from its publishing to the acknowledgement of its commit.
"""

import argparse
import asyncio
import multiprocessing
import os
import platform
import resource
import sys
import tempfile
import time
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Final

import numpy as np
import structlog

sys.path.insert(0, str(Path(__file__).parents[1]))
from ingest.service import Ingest
from ingest.store.duckdb import DuckDBStore
from telemetry.broker import parse_broker
from telemetry.clock import SystemClock
from tests.chaos.homecoming import SITE, Homecoming, Outcome
from tests.integration.brokers import nats_server

_SPAWN: Final = multiprocessing.get_context("spawn")


def serve(pipe: Connection, url: str, folder: Path) -> None:
    """The centre's process; tells rows, distinct rows, longest lag and greatest memory when it is told to end."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(40))

    async def on_commit(_: object) -> None:
        return

    async def work() -> None:
        store, rng = DuckDBStore(folder / "store.duckdb"), np.random.default_rng()
        ingest = Ingest(store, parse_broker(url), SystemClock(), on_commit, site=SITE, drill=False, rng=rng)
        longest_s = 0.0
        async with asyncio.TaskGroup() as tasks:
            running = tasks.create_task(ingest.run())
            await ingest.subscriber.connected.wait()
            pipe.send(True)
            while not pipe.poll():
                longest_s = max(longest_s, ingest.waiting_s())
                await asyncio.sleep(0.05)
            running.cancel()
        peak_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3
        dropped = ingest.intake.dropped.total()
        pipe.send((store.count(), store.distinct_count(), longest_s, peak_mb, dropped))
        store.close()

    asyncio.run(work())


def come_home(pipe: Connection, port: int, options: argparse.Namespace) -> None:
    """The gateways' process."""
    batches = options.rows // options.batch // options.gateways

    async def work() -> Outcome:
        return await Homecoming(options.gateways, batches, options.batch, options.every_s).run(port)

    pipe.send(asyncio.run(work()))


def main() -> None:
    """Read the arguments and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--gateways", type=int, default=100)
    parser.add_argument("--rows", type=int, default=10_000_000)
    parser.add_argument("--batch", type=int, default=1000)
    parser.add_argument("--every-s", type=float, default=1.0)
    options = parser.parse_args()
    load = os.getloadavg()[0]
    print(f"{platform.machine()}, {os.cpu_count()} cores, {time.strftime('%Y-%m-%d')}, load {load:.1f} before\n")
    with tempfile.TemporaryDirectory() as name, nats_server(Path(name)) as broker:
        centre, centre_end = _SPAWN.Pipe()
        field, field_end = _SPAWN.Pipe()
        serving = _SPAWN.Process(target=serve, args=(centre_end, broker.url, Path(name)))
        serving.start()
        centre.recv()
        coming = _SPAWN.Process(target=come_home, args=(field_end, broker.port, options))
        coming.start()
        outcome: Outcome = field.recv()
        coming.join()
        centre.send("stop")
        stored, distinct, longest_s, peak_mb, dropped = centre.recv()
        serving.join()
    assert stored == distinct, "rows were doubled"
    assert stored >= outcome.rows + 10 * len(outcome.live_s), "rows were lost"
    p50, p99, most = np.quantile(np.array(outcome.live_s), (0.5, 0.99, 1.0))
    print("| gateways | M rows | batch | drain s | k rows/s | live batches | live p50 s | p99 | max | longest lag s "
          "| centre peak MB | messages dropped |")  # fmt: skip
    print("|---:" * 12 + "|")
    print(
        f"| {options.gateways} | {outcome.rows / 1e6:.1f} | {options.batch} | {outcome.seconds:.1f} "
        f"| {outcome.rows / outcome.seconds / 1e3:.0f} | {len(outcome.live_s)} | {p50:.3f} | {p99:.3f} | {most:.3f} "
        f"| {longest_s:.2f} | {peak_mb:.0f} | {dropped} |"
    )


if __name__ == "__main__":
    main()
