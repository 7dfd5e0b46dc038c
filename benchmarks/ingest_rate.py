"""MQTT to committed, checked rows per second, beside DuckDB alone in the same run.

    python benchmarks/ingest_rate.py [--rows 3000000] [--sizes 100 1000 5000] [--broker nats-server|mosquitto]

Gateways are simulated by one publishing process that keeps the window of each full: 32 batches one by one, or what a
gateway bundles (1,024 batches, 16,000 rows). It shares the machine with the broker and the centre, so the figure is for
all of them together. Decoding, checks (with admission) and commit are processor time of the one thread that does them,
one after another; the rest of a row's CPU is the client library.
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
from itertools import islice
from pathlib import Path
from typing import Final, NamedTuple

import aiomqtt
import numpy as np
import structlog

sys.path.insert(0, str(Path(__file__).parents[1]))  # first, since gateway.py beside this file is no package
from gateway.flight import BACKLOG_ROWS, BUNDLED
from ingest.commit import Commit
from ingest.service import Ingest
from ingest.store.duckdb import DuckDBStore
from telemetry.batch import MAX_ROWS, Batch, rows
from telemetry.broker import parse_broker
from telemetry.bundle import packed
from telemetry.clock import SECOND_NS, SystemClock
from telemetry.series import Series, Station, Text, series_id
from telemetry.topics import Channel, topic
from telemetry.wire import Ack, Announce, Lane, decode, encode, encode_batch
from tests.integration.brokers import mosquitto, nats_server

_WINDOW: Final = 32
_GATEWAYS: Final = 4
_RESEND_S: Final = 2.0


class Result(NamedTuple):
    """One line of the table."""

    what: str
    rows_per_batch: int
    rows: int
    seconds: float
    cpu_s: float
    """Of the process that commits, its threads included."""
    commits: int
    stages_s: tuple[float, ...] = ()
    """Processor time of decoding, checks and commit."""

    def __str__(self) -> str:
        rate = self.rows / self.seconds / 1e6
        group = self.rows // max(self.commits, 1)
        cpu_ns = 1e9 * self.cpu_s / self.rows
        stages = " | ".join(f"{1e9 * stage / self.rows:>6.0f}" for stage in self.stages_s) or " | ".join([" " * 6] * 3)
        return f"| {self.what:34} | {self.rows_per_batch:>6} | {rate:>8.2f} | {stages} | {cpu_ns:>6.0f} | {group:>11} |"


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
    """All gateways: keeps the window of each full until its batches are sent, then waits for what is open.

    Batches are encoded before the clock starts: that is the work of many boxes in the field.
    """

    def __init__(self, url: str, size: int, batches: int, bundled: bool) -> None:
        self._broker = parse_broker(url)
        each = batches // _GATEWAYS
        self._gateways = [SimulatedGateway(number, size, each, bundled) for number in range(_GATEWAYS)]
        self._by_source = {gateway.source: gateway for gateway in self._gateways}

    async def run(self) -> None:
        """Publish, and return when everything is acknowledged."""
        async with aiomqtt.Client(self._broker.host, self._broker.port) as client:
            await client.subscribe("petrel/1/bench/+/ack")
            async with asyncio.TaskGroup() as tasks:
                listening = tasks.create_task(self._listen(client))
                sending = [tasks.create_task(gateway.run(client)) for gateway in self._gateways]
                await asyncio.wait(sending)
                listening.cancel()

    async def _listen(self, client: aiomqtt.Client) -> None:
        async for message in client.messages:
            source = "/".join(str(message.topic).split("/")[2:4])
            self._by_source[source].answer(decode(bytes(message.payload), Ack))


class SimulatedGateway:
    """One gateway with everything it will send, in order."""

    def __init__(self, number: int, size: int, batches: int, bundled: bool) -> None:
        self.source = f"bench/gw{number}"
        announce, series = catalogue(number, size)
        start_ns = time.time_ns() - 3600 * SECOND_NS
        polls = (poll(self.source, series, seq, start_ns) for seq in range(1, batches + 1))
        self._announce = encode(announce)
        self._unsent = dict(enumerate((encode_batch(batch, Lane.BACKLOG) for batch in polls), start=1))
        self._open: dict[int, bytes] = {}
        self._bundled = bundled
        self._window = min(BUNDLED, max(1, BACKLOG_ROWS // size)) if bundled else _WINDOW
        self._at_once = max(1, MAX_ROWS // size) if bundled else 1
        self._must_announce = True
        self._progress = asyncio.Event()

    def answer(self, ack: Ack) -> None:
        """Drop what is committed; a centre that asks gets the announcement and everything open again."""
        for epoch in ack.epochs:
            assert not epoch.refused, epoch.refused[0].reason
            for first, last in epoch.committed:
                for seq in range(first, last + 1):
                    self._open.pop(seq, None)
        self._must_announce |= ack.announce
        self._progress.set()

    async def run(self, client: aiomqtt.Client) -> None:
        """Send until everything is acknowledged."""
        while self._open or self._unsent:
            if self._must_announce:
                self._must_announce = False
                await client.publish(topic(self.source, Channel.ANNOUNCE), self._announce, qos=1)
                await self._resend(client)
            while self._unsent and len(self._open) < self._window:
                for payload in packed(self._taken()):
                    await client.publish(topic(self.source, Channel.DATA), payload)
                    await asyncio.sleep(0)
            await self._wait(client)

    def _taken(self) -> list[bytes]:
        """The next batches to send: one, or as many as a bundle holds and the window lets through."""
        some = list(islice(self._unsent, min(self._at_once, self._window - len(self._open))))
        self._open |= {seq: self._unsent.pop(seq) for seq in some}
        return [self._open[seq] for seq in some]

    async def _wait(self, client: aiomqtt.Client) -> None:
        self._progress.clear()
        try:
            async with asyncio.timeout(_RESEND_S):
                await self._progress.wait()
        except TimeoutError:
            await self._resend(client)

    async def _resend(self, client: aiomqtt.Client) -> None:
        for payload in list(self._open.values()):
            await client.publish(topic(self.source, Channel.DATA), payload)


def publish(url: str, size: int, batches: int, bundled: bool) -> None:
    """The publishing process."""
    asyncio.run(Publisher(url, size, batches, bundled).run())


async def through_mqtt(url: str, folder: Path, size: int, n_rows: int, bundled: bool) -> Result:
    """The whole way: broker, subscriber, decoding, quality control, commit, acknowledgement."""
    store = DuckDBStore(folder / f"mqtt-{size}-{bundled}.duckdb")
    times_s: list[float] = []
    sizes: list[int] = []
    cpu_s = 0.0

    async def on_commit(commit: Commit) -> None:
        times_s.append(time.perf_counter())
        sizes.append(len(commit))

    ingest = Ingest(
        store, parse_broker(url), SystemClock(), on_commit, site="bench", drill=False, rng=np.random.default_rng()
    )
    async with asyncio.TaskGroup() as tasks:
        running = tasks.create_task(ingest.run())
        await ingest.subscriber.connected.wait()
        cpu_s = time.process_time()
        arguments = (url, size, n_rows // size, bundled)
        process = multiprocessing.get_context("spawn").Process(target=publish, args=arguments)
        process.start()
        await asyncio.to_thread(process.join)
        cpu_s = time.process_time() - cpu_s
        running.cancel()
    assert process.exitcode == 0
    assert store.count() == store.distinct_count() == ingest.stats.rows, "rows were lost or doubled"
    store.close()
    # From the first commit on: its rows arrived before the clock started, so they do not count.
    n_timed, seconds = sum(sizes[1:]), times_s[-1] - times_s[0]
    part = n_timed / sum(sizes)
    stats = ingest.stats
    stages_s = tuple(part * one for one in (stats.decode_s, stats.check_s, stats.commit_s))
    what = f"MQTT to committed, {'bundled' if bundled else 'one by one'}"
    return Result(what, size, n_timed, seconds, part * cpu_s, len(sizes) - 1, stages_s)


def alone(folder: Path, size: int, group: int, seconds: float = 1.0) -> Result:
    """DuckDB alone: the same rows and ranges, in groups of ``group`` batches, one transaction each."""
    store = DuckDBStore(folder / f"alone-{size}-{group}.duckdb")
    _, series = catalogue(0, size)
    ready = [poll("bench/gw0", series, seq, SECOND_NS) for seq in range(1, group + 1)]
    start_s, cpu_s, number = time.perf_counter(), time.process_time(), 0
    while time.perf_counter() - start_s < seconds:
        store.commit([batch.numbered(1, number * group + at + 1) for at, batch in enumerate(ready)])
        number += 1
    seconds, cpu_s = time.perf_counter() - start_s, time.process_time() - cpu_s
    store.close()
    return Result(f"DuckDB alone, {group} batches a commit", size, number * group * size, seconds, cpu_s, number)


def table(broker: str, sizes: Sequence[int], n_rows: int) -> None:
    """Run everything and print."""
    machine = platform.processor() or platform.machine()
    print(f"{machine}, {os.cpu_count()} cores, {broker}, {time.strftime('%Y-%m-%d')}")
    print(f"load {os.getloadavg()[0]:.1f}; nanoseconds a row of decoding, checks and commit, and of all CPU\n")
    heads = (f"{'what':34}", " batch", "M rows/s", "decode", "checks", "commit", "   CPU", "rows/commit")
    print(f"| {' | '.join(heads)} |")
    print("|" + "|".join("-" * (len(head) + 1) + ("-" if at == 0 else ":") for at, head in enumerate(heads)) + "|")
    start = nats_server if broker == "nats-server" else mosquitto
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        with start(folder) as running:
            for size in sizes:
                for bundled in (False, True) if size <= MAX_ROWS // 2 else (False,):
                    print(asyncio.run(through_mqtt(running.url, folder, size, n_rows, bundled)), flush=True)
        for size in sizes:
            for group in (1, 200_000 // size):
                print(alone(folder, size, group), flush=True)


def main() -> None:
    """Read the arguments and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--rows", type=int, default=3_000_000)
    parser.add_argument("--broker", choices=("nats-server", "mosquitto"), default="nats-server")
    parser.add_argument("--sizes", type=int, nargs="+", default=(100, 1000, 5000))
    arguments = parser.parse_args()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(40))
    table(arguments.broker, arguments.sizes, arguments.rows)


if __name__ == "__main__":
    main()
