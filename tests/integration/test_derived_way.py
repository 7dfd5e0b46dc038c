"""Derived series through a real broker and the whole centre: live rows, an outage that is made up for, HTTP, alarms."""

import asyncio
import json
from contextlib import asynccontextmanager
from dataclasses import dataclass

import aiomqtt
import httpx
import numpy as np
import pytest

from alerting.service import Service, open_service
from alerting.settings import parse_centre
from ingest.store.duckdb import DuckDBStore
from telemetry.batch import rows
from telemetry.clock import MINUTE_NS, LockstepClock
from telemetry.series import Series, Station, Text, series_id
from telemetry.topics import Channel, topic
from telemetry.wire import Ack, Announce, Lane, decode, encode, encode_batch
from tests.integration.brokers import nats_server
from tests.unit.centre_world import SOURCE, write_files

START_NS = 1_690_473_600_000_000_000  # 2023-07-28T00:00+08:00
RAIN = series_id("demo", "wx-1", "rain", "rain_total")
RAIN_1H = series_id("demo", "wx-1", "rain-1h", "rain_sum")
ANNOUNCE = Announce(
    revision="r1",
    drill=True,
    stations=(Station(id="wx-1", name=Text("一", "One"), kind="weather", lat=25.2, lon=119.1, town="1001"),),
    series=(
        Series(
            station="wx-1", point="rain", quantity="rain_total", unit="mm", valid=(0, 1000), period_s=300, device="d"
        ),
    ),
)


@pytest.fixture(scope="module")
def broker(tmp_path_factory):
    with nats_server(tmp_path_factory.mktemp("broker")) as server:
        yield server


@dataclass
class Field:
    """A gateway at the broker, and the centre that hears it."""

    client: aiomqtt.Client
    service: Service
    clock: LockstepClock
    seq: int = 0

    async def until(self, minute: float) -> None:
        """Let data time pass to a minute after the start, with whatever ticks lie in between."""
        async with asyncio.timeout(20):
            await self.clock.run(START_NS + round(minute * MINUTE_NS))

    async def send(self, minutes: list[int], total: list[float]) -> None:
        """Rows of the counter, acknowledged."""
        self.seq += 1
        time_ns = START_NS + np.array(minutes) * MINUTE_NS
        found = rows(SOURCE, np.full(len(minutes), RAIN), time_ns, np.array(total)).numbered(9, self.seq)
        await self.client.publish(topic(SOURCE, Channel.DATA), encode_batch(found, Lane.LIVE))
        async with asyncio.timeout(10):
            async for message in self.client.messages:
                ack = decode(bytes(message.payload), Ack)
                if any(first <= self.seq <= last for epoch in ack.epochs for first, last in epoch.committed):
                    return

    async def get(self, path: str) -> dict:
        transport = httpx.ASGITransport(self.service.app)
        async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1:8460") as client:
            return (await client.get(path)).json()

    async def rain_1h(self) -> dict[int, float | None]:
        """Sums by minutes since the start, as HTTP gives them."""
        found = await self.get(f"/api/v1/series/{RAIN_1H}/points?from={START_NS // 1_000_000}&to={2**41}")
        minutes = [(at * 1_000_000 - START_NS) // MINUTE_NS for at in found["points"]["time"]]
        return dict(zip(minutes, found["points"]["value"], strict=True))


@asynccontextmanager
async def field(broker, folder):
    path = write_files(folder, broker=broker.url, drill=True)
    store, clock = DuckDBStore(folder / "store.duckdb"), LockstepClock(START_NS)
    document = parse_centre(path.read_text(encoding="utf-8"), path)
    async with (
        aiomqtt.Client("127.0.0.1", broker.port) as client,
        open_service(document, store=store, clock=clock, rng=np.random.default_rng(1), speed=None) as service,
        asyncio.TaskGroup() as tasks,
    ):
        running = tasks.create_task(service.run())
        async with asyncio.timeout(10):
            await service.ingest.subscriber.connected.wait()
        await client.subscribe(topic(SOURCE, Channel.ACK))
        await client.publish(topic(SOURCE, Channel.ANNOUNCE), encode(ANNOUNCE), qos=1)
        yield Field(client, service, clock)
        running.cancel()
    store.close()


async def test_rain_is_summed_live_and_an_outage_is_made_up_for(broker, tmp_path):
    """Ticks, the hot window, the store and HTTP; rows of an outage change what they must, and alarm nobody twice."""
    async with field(broker, tmp_path) as one:
        for minute in range(0, 75, 5):
            await one.until(minute + 0.1)
            await one.send([minute], [minute * 1.0])
        await one.until(76)
        assert (await one.rain_1h())[70] == 60.0
        await one.until(151)  # an outage of the gateway
        assert (await one.rain_1h())[150] is None
        raised = await one.get("/api/v1/alarms")
        before = [alarm["hazard"] for alarm in raised["items"]]
        assert before.count("rainstorm") == 1
        outage = list(range(75, 151, 5))
        await one.send(outage, [minute * 1.0 for minute in outage])
        await one.until(161)
        sums = await one.rain_1h()
        assert [sums[minute] for minute in range(80, 155, 5)] == [60.0] * 15
        after = [alarm["hazard"] for alarm in (await one.get("/api/v1/alarms"))["items"]]
        assert after.count("rainstorm") == 1
        about = await one.get(f"/api/v1/series/{RAIN_1H}")
        assert (about["gateway"], about["unit"], about["deployments"][-1]["serial"]) == ("demo/derived", "mm", "gain")
        assert [gateway["source"] for gateway in (await one.get("/api/v1/gateways"))["items"]] == [SOURCE]
        health = (await one.get("/api/v1/health"))["parts"]["derived"]
        assert (health["status"], health["figures"]["owed_members"], health["figures"]["lost_rows"]) == ("ok", 0, 0)
        cursor = json.loads((tmp_path / "derived.json").read_text())
        assert cursor["until_ns"] == START_NS + 160 * MINUTE_NS


async def test_a_gateway_that_calls_itself_derived_is_not_heard(broker, tmp_path):
    async with field(broker, tmp_path) as one:
        await one.until(1)
        forged = rows("demo/derived", np.array([RAIN_1H]), np.array([START_NS]), np.array([99.0])).numbered(1, 1)
        await one.client.publish(topic("demo/derived", Channel.ANNOUNCE), encode(ANNOUNCE), qos=1)
        await one.client.publish(topic("demo/derived", Channel.DATA), encode_batch(forged, Lane.LIVE), qos=1)
        await one.send([1], [1.0])  # whatever was published before has been heard by now
        assert 99.0 not in one.service.ingest.store.samples(np.array([RAIN_1H]), 0, 2**62).value
        assert one.service.ingest.catalogue.entry(RAIN).source == SOURCE
