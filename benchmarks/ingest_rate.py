"""MQTT to committed, checked rows per second, beside DuckDB alone in the same run.

    python benchmarks/ingest_rate.py [--seconds 4] [--broker nats-server|mosquitto]

Gateways are simulated by one publishing process that keeps 32 batches of each unacknowledged, as the wire demands. It
shares the machine with the broker and the centre, so the figure is for all of them together.
"""

import argparse
import asyncio
import multiprocessing
import os
import platform
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Final, NamedTuple

import aiomqtt
import numpy as np
import structlog

from ingest.commit import Commit
from ingest.service import Ingest
from ingest.store.duckdb import DuckDBStore
from telemetry.batch import Batch, rows
from telemetry.broker import parse_broker
from telemetry.clock import SECOND_NS, SystemClock
from telemetry.series import Series, Station, Text, series_id
from telemetry.topics import Channel, topic
from telemetry.wire import Ack, Announce, Lane, decode, encode, encode_batch

sys.path.insert(0, str(Path(__file__).parents[1]))
from tests.integration.brokers import mosquitto, nats_server

_WINDOW: Final = 32
_GATEWAYS: Final = 4


class Result(NamedTuple):
    """One line of the table."""

    what: str
    rows_per_batch: int
    rows: int
    seconds: float
    commits: int

    def __str__(self) -> str:
        rate = self.rows / self.seconds / 1e6
        group = self.rows // max(self.commits, 1)
        return f"| {self.what:32} | {self.rows_per_batch:>6} | {rate:>8.2f} | {group:>10} | {self.rows:>10} |"


def catalogue(gateway: int, n: int) -> tuple[Announce, np.ndarray]:
    """The announcement of one gateway with ``n`` water levels, and their identities."""
    station = Station(id="st", name=Text(zh="站", en="Station"), kind="water", lat=25.3, lon=119.1, town="demo")
    series = tuple(
        Series(
            station="st", point=f"g{gateway}-{at}", quantity="water_level", unit="m", valid=(0.0, 20.0), period_s=1.0
        )
        for at in range(n)
    )
    identities = [series_id("bench", one.station, one.point, one.quantity) for one in series]
    return Announce(revision="1", drill=False, stations=(station,), series=series), np.array(identities, np.int64)


def poll(source: str, series: np.ndarray, seq: int, start_ns: int) -> Batch:
    """One poll of all points: slowly moving levels with the resolution of a register."""
    value = np.round(5 + np.sin(seq / 50 + np.arange(len(series))), 3)
    return rows(source, series, np.full(len(series), start_ns + seq * SECOND_NS // 10), value).numbered(1, seq)


class Publisher:
    """All gateways: keeps the window of each full until time is up, then waits for what is open."""

    def __init__(self, url: str, size: int, seconds: float) -> None:
        self._broker = parse_broker(url)
        self._size = size
        self._seconds = seconds
        self._open: dict[str, set[int]] = {}
        self._progress = asyncio.Event()

    async def run(self) -> None:
        """Publish, and return when everything is acknowledged."""
        async with aiomqtt.Client(self._broker.host, self._broker.port) as client:
            await client.subscribe("petrel/1/bench/+/ack")
            async with asyncio.TaskGroup() as tasks:
                listening = tasks.create_task(self._listen(client))
                sending = [tasks.create_task(self._send(client, gateway)) for gateway in range(_GATEWAYS)]
                await asyncio.wait(sending)
                listening.cancel()

    async def _listen(self, client: aiomqtt.Client) -> None:
        async for message in client.messages:
            source = "/".join(str(message.topic).split("/")[2:4])
            for epoch in decode(bytes(message.payload), Ack).epochs:
                assert not epoch.refused, epoch.refused[0].reason
                for first, last in epoch.committed:
                    self._open[source] -= set(range(first, last + 1))
            self._progress.set()

    async def _send(self, client: aiomqtt.Client, gateway: int) -> None:
        source = f"bench/gw{gateway}"
        announce, series = catalogue(gateway, self._size)
        start_ns = time.time_ns() - 3600 * SECOND_NS
        await client.publish(topic(source, Channel.ANNOUNCE), encode(announce), qos=1)
        open_batches = self._open.setdefault(source, set())
        end_s, seq = time.monotonic() + self._seconds, 0
        while time.monotonic() < end_s or open_batches:
            if time.monotonic() < end_s and len(open_batches) < _WINDOW:
                seq += 1
                open_batches.add(seq)
                payload = encode_batch(poll(source, series, seq, start_ns), Lane.BACKLOG)
                await client.publish(topic(source, Channel.DATA), payload)
                await asyncio.sleep(0)
            else:
                self._progress.clear()
                await self._progress.wait()


def publish(url: str, size: int, seconds: float) -> None:
    """The publishing process."""
    asyncio.run(Publisher(url, size, seconds).run())


async def through_mqtt(url: str, folder: Path, size: int, seconds: float) -> Result:
    """The whole way: broker, subscriber, decoding, quality control, commit, acknowledgement."""
    store = DuckDBStore(folder / f"mqtt-{size}.duckdb")
    first_s = last_s = 0.0

    async def on_commit(_: Commit) -> None:
        nonlocal first_s, last_s
        last_s = time.perf_counter()
        first_s = first_s or last_s

    ingest = Ingest(store, parse_broker(url), SystemClock(), on_commit, drill=False, rng=np.random.default_rng())
    async with asyncio.TaskGroup() as tasks:
        running = tasks.create_task(ingest.run())
        await ingest.subscriber.connected.wait()
        process = multiprocessing.get_context("spawn").Process(target=publish, args=(url, size, seconds))
        process.start()
        await asyncio.to_thread(process.join)
        running.cancel()
    assert process.exitcode == 0
    assert store.count() == store.distinct_count() == ingest.stats.rows, "rows were lost or doubled"
    store.close()
    return Result("MQTT to committed, checked", size, ingest.stats.rows, last_s - first_s, ingest.stats.commits)


def alone(folder: Path, size: int, group: int, seconds: float) -> Result:
    """DuckDB alone: the same rows and ranges, in groups of ``group`` batches, one transaction each."""
    store = DuckDBStore(folder / f"alone-{size}-{group}.duckdb")
    _, series = catalogue(0, size)
    ready = [poll("bench/gw0", series, seq, SECOND_NS) for seq in range(1, group + 1)]
    start_s, number = time.perf_counter(), 0
    while time.perf_counter() - start_s < seconds:
        store.commit([batch.numbered(1, number * group + at + 1) for at, batch in enumerate(ready)])
        number += 1
    seconds = time.perf_counter() - start_s
    store.close()
    return Result(f"DuckDB alone, {group} batches a commit", size, number * group * size, seconds, number)


def table(broker: str, sizes: Sequence[int], seconds: float) -> None:
    """Run everything and print."""
    machine = platform.processor() or platform.machine()
    print(f"{machine}, {os.cpu_count()} cores, {broker}, {time.strftime('%Y-%m-%d')}")
    print(f"| {'what':32} | {'batch':>6} | {'M rows/s':>8} | {'rows/commit':>10} | {'rows':>10} |")
    print(f"|{'-' * 34}|-------:|---------:|-----------:|-----------:|")
    start = nats_server if broker == "nats-server" else mosquitto
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        with start(folder) as running:
            for size in sizes:
                print(asyncio.run(through_mqtt(running.url, folder, size, seconds)), flush=True)
        for size in sizes:
            for group in (1, 200_000 // size):
                print(alone(folder, size, group, seconds / 3), flush=True)


def main() -> None:
    """Read the arguments and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--seconds", type=float, default=4.0)
    parser.add_argument("--broker", choices=("nats-server", "mosquitto"), default="nats-server")
    parser.add_argument("--sizes", type=int, nargs="+", default=(1000, 5000))
    arguments = parser.parse_args()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(40))
    table(arguments.broker, arguments.sizes, arguments.seconds)


if __name__ == "__main__":
    main()
