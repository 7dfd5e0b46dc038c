"""The whole way while the centre's disk is full (ADR 0005): real gateway, real broker, real centre on a small disk.

Alarms keep coming for longer than any window is wide; when there is room again every row is in the store once, and
nobody hears of an alarm twice.
"""

import asyncio
from collections.abc import Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest

from alerting.service import Service, open_service
from alerting.settings import parse_centre
from alerting.state import StateError
from gateway.agent import Gateway
from gateway.settings import GatewayPlan
from gateway.spool import Limits
from gateway.timing import Timing
from ingest.store.duckdb import DuckDBStore
from telemetry.batch import Batch, rows
from telemetry.broker import BrokerAddress
from telemetry.clock import SystemClock
from tests.integration.brokers import nats_server
from tests.integration.disks import mounted, stuff
from tests.integration.gateway_centre import until
from tests.unit.centre_receiver import Receiver, receiving
from tests.unit.centre_world import SOURCE, World, gas_id, gas_series, write_files
from tests.unit.gateway_old import OldAck, OldEpochAck

TIMING = Timing(reconnect_s=(0.02, 0.2), resend_s=0.5, eager_s=0.2, reannounce_s=0.05)
PERIOD_S = 0.02
STATIONS = 3
KEEP_FREE = 4_000_000
LONG = 60
"""Batches: more than the 8 live and alarm places of a window, more than its 32."""


@dataclass
class Detectors:
    """A source of one batch each ``PERIOD_S`` with the values that the test sets."""

    sink: Callable[[Batch], None]
    clock: SystemClock
    values: dict[int, float] = field(default_factory=lambda: dict.fromkeys(range(STATIONS), 1.0))
    sent: dict[int, list[float]] = field(default_factory=dict)
    stopped: bool = False

    async def run(self) -> None:
        while not self.stopped:
            now_ns = self.clock.now_ns()
            batch = rows(
                SOURCE,
                np.array([gas_id(i) for i in self.values], np.int64),
                np.full(STATIONS, now_ns, np.int64),
                np.array(list(self.values.values())),
                answered_ns=now_ns,
            )
            self.sent[int(batch.time_ns[0])] = batch.value.tolist()
            self.sink(batch)
            await asyncio.sleep(PERIOD_S)
        await asyncio.Event().wait()

    def devices(self) -> dict[str, str]:
        return {"gas": "ok"}

    async def until_sent(self, more: int) -> None:
        target = len(self.sent) + more
        await until(lambda: len(self.sent) >= target, seconds=30)


@dataclass
class Way:
    """What the test looks at."""

    gateway: Gateway
    source: Detectors
    receiver: Receiver
    disk: Path

    def heard(self) -> list[tuple[str, str, int]]:
        """What people were told."""
        alarms = [request.json["alarm"] for request in self.receiver.requests]
        return [(alarm["subject"], alarm["kind"], alarm["level"]) for alarm in alarms]

    async def alarm(self, station: int) -> None:
        """Gas at one more station, until somebody was told."""
        self.source.values[station] = 60.0
        await until(lambda: (f"gas-{station}", "raised", 4) in self.heard())

    async def emptied(self) -> None:
        """Stop measuring and wait until the centre has everything."""
        self.source.stopped = True
        await until(lambda: self.gateway.spool.stats().batches == 0, seconds=30)


@asynccontextmanager
async def gateway_to(port: int, folder: Path):
    clock = SystemClock()
    sources: list[Detectors] = []

    def source(sink: Callable[[Batch], None]) -> Detectors:
        sources.append(Detectors(sink, clock))
        return sources[0]

    plan = GatewayPlan(
        source=SOURCE,
        broker=BrokerAddress("127.0.0.1", port),
        spool_dir=folder,
        limits=Limits(),
        buses=(),
        announce=gas_series(STATIONS),
    )
    gateway = Gateway(plan, clock, np.random.default_rng(1), timing=TIMING, source=source)
    async with asyncio.TaskGroup() as tasks:
        task = tasks.create_task(gateway.run())
        try:
            yield gateway, sources[0]
        finally:
            task.cancel()


@asynccontextmanager
async def centre_on(disk: Path, broker: str, url: str, keep_free: int):
    channels = f'{{kind: webhook, name: hook, url: "{url}"}}'
    path = disk / "centre.yaml"
    if not path.exists():
        write_files(disk, channels=channels, broker=broker)
    store = DuckDBStore(disk / "store.duckdb", keep_free=keep_free)
    document = parse_centre(path.read_text(encoding="utf-8"), path)
    try:
        async with (
            open_service(document, store=store, clock=SystemClock(), rng=np.random.default_rng(2)) as service,
            asyncio.TaskGroup() as tasks,
        ):
            running = tasks.create_task(service.run())
            try:
                yield service
            finally:
                running.cancel()
    finally:
        store.close()


@asynccontextmanager
async def whole_way(tmp_path: Path):
    """Broker, receiver, small disk and gateway; the test brings the centre."""
    with mounted(tmp_path / "disk", 24) as disk, nats_server(tmp_path) as broker:
        async with receiving() as receiver, gateway_to(broker.port, tmp_path / "spool") as (gateway, source):
            yield Way(gateway, source, receiver, disk), broker.url


async def parts(service: Service) -> dict[str, str]:
    place = World(service, service.centre.store, SystemClock())  # type: ignore[arg-type]
    async with place.client() as client:
        health = await client.get("/api/v1/health")
        metrics = (await client.get("/metrics")).text
    found = {name: part["status"] for name, part in health.json()["parts"].items()}
    assert health.status_code == (503 if "down" in found.values() else 200)
    for name, status in found.items():
        assert f'petrel_part_up{{part="{name}"}} {0.0 if status == "down" else 1.0}' in metrics
    return found


async def raised(service: Service) -> list[str]:
    return sorted([event.subject async for event in service.centre.state.events() if event.kind == "raised"])


def same_rows(service: Service, source: Detectors) -> None:
    """Every row that was measured is in the store, once."""
    store = service.centre.store
    assert store.count() == store.distinct_count() == STATIONS * len(source.sent)
    for station in range(STATIONS):
        points = store.points(gas_id(station), 0, 2**62)
        expected = {time_ns: values[station] for time_ns, values in source.sent.items()}
        assert dict(zip(points.time_ns.tolist(), points.value.tolist(), strict=True)) == expected


@pytest.mark.parametrize(("keep_free", "state"), [(KEEP_FREE, "ok"), (0, "down")])
async def test_a_full_disk_silences_no_alarm_however_long_it_lasts(tmp_path, keep_free, state):
    """Issue 2: no disk space: a clear line, no data lost. ``keep_free`` 0: not even an alarm can be recorded."""
    async with (
        whole_way(tmp_path) as (way, broker),
        centre_on(way.disk, broker, way.receiver.url, keep_free) as service,
    ):
        await until(lambda: service.centre.store.count() > 0)
        ballast = stuff(way.disk, keep_free // 2)
        await until(lambda: service.ingest.stats.store_problem != "")
        await way.alarm(0)
        await way.source.until_sent(LONG)
        await way.alarm(1)
        await way.source.until_sent(LONG)
        await way.alarm(2)
        assert way.gateway.spool.held_batches() > LONG
        assert "its store takes nothing" in str(way.gateway.uplink.trouble)
        found = await parts(service)
        assert (found["store"], found["engine"]) == ("down", state)
        ballast.unlink()
        await way.emptied()
        await service.drained()
        assert way.gateway.uplink.trouble is None
        await until(lambda: service.centre.figures.trouble is None)
        await asyncio.sleep(0.1)
        assert "down" not in (await parts(service)).values()
        assert way.heard() == [(f"gas-{i}", "raised", 4) for i in range(STATIONS)], "each once"
        assert await raised(service) == ["gas-0", "gas-1", "gas-2"]
        same_rows(service, way.source)


async def test_a_centre_that_starts_again_on_a_full_disk_repeats_nothing_and_goes_on(tmp_path):
    """F3, F14: the alarms of rows that are in no store survive; the new run hears what the former one held."""
    async with whole_way(tmp_path) as (way, broker):
        async with centre_on(way.disk, broker, way.receiver.url, KEEP_FREE) as service:
            await until(lambda: service.centre.store.count() > 0)
            ballast = stuff(way.disk, KEEP_FREE // 2)
            await until(lambda: service.ingest.stats.store_problem != "")
            await way.alarm(0)
            await way.source.until_sent(LONG)
            held = way.gateway.spool.held_batches()
            assert held > LONG
        async with centre_on(way.disk, broker, way.receiver.url, KEEP_FREE) as service:
            await way.alarm(1)
            await until(lambda: service.ingest.stats.unstored_rows >= STATIONS * held, seconds=30)
            ballast.unlink()
            await way.emptied()
            await service.drained()
            assert way.heard() == [("gas-0", "raised", 4), ("gas-1", "raised", 4)]
            assert await raised(service) == ["gas-0", "gas-1"]
            same_rows(service, way.source)


def old_gateway(patch: pytest.MonkeyPatch) -> None:
    patch.setattr("gateway.uplink.Ack", OldAck)
    patch.setattr("gateway.flight.Flight._hold", lambda *_: False)


def old_centre(patch: pytest.MonkeyPatch) -> None:
    patch.setattr("ingest.replies.Answers.held", lambda *_: None)
    patch.setattr("ingest.replies.Answers.reads_bundles", lambda *_: None)
    patch.setattr("ingest.replies.Ack", OldAck)
    patch.setattr(
        "ingest.replies.EpochAck",
        lambda epoch, committed, refused: OldEpochAck(epoch=epoch, committed=committed, refused=refused),
    )


@pytest.mark.parametrize("old", [old_gateway, old_centre])
async def test_with_one_side_that_does_not_know_the_word_nothing_is_lost(tmp_path, monkeypatch, old):
    """A gateway or a centre of before ADR 0005: the window fills, as it did, and all is well when there is room."""
    old(monkeypatch)
    async with (
        whole_way(tmp_path) as (way, broker),
        centre_on(way.disk, broker, way.receiver.url, KEEP_FREE) as service,
    ):
        await until(lambda: service.centre.store.count() > 0)
        ballast = stuff(way.disk, KEEP_FREE // 2)
        await until(lambda: service.ingest.stats.store_problem != "")
        await way.source.until_sent(LONG)
        way.source.values[0] = 60.0
        await way.source.until_sent(LONG)
        assert way.gateway.spool.stats().rows > LONG * STATIONS
        assert way.gateway.spool.held_batches() == 0
        assert (way.gateway.uplink.counts.malformed_acks > 0) == (old is old_gateway)
        ballast.unlink()
        await way.emptied()
        await service.drained()
        assert way.heard() == [("gas-0", "raised", 4)]
        same_rows(service, way.source)


async def test_a_centre_does_not_start_on_a_disk_without_a_free_byte_and_says_so(tmp_path):
    """Issue 2: no disk space: a clear line."""
    with mounted(tmp_path / "disk", 24) as disk:
        async with centre_on(disk, "mqtt://127.0.0.1:1", "http://127.0.0.1:1", 0):
            pass
        stuff(disk, 0)
        with pytest.raises(StateError, match=r"state\.db: .*, 0 bytes free on its disk, expected"):
            async with centre_on(disk, "mqtt://127.0.0.1:1", "http://127.0.0.1:1", 0):
                pass
