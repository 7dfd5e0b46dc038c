"""The whole centre on a real broker: a reading on the wire becomes a webhook and a line on the console's stream."""

import asyncio

import aiomqtt
import numpy as np
import pytest

from alerting.service import open_service
from alerting.settings import parse_centre
from ingest.store.duckdb import DuckDBStore
from telemetry.clock import SystemClock
from telemetry.topics import Channel, topic
from telemetry.wire import Ack, Lane, decode, encode, encode_batch
from tests.integration.brokers import nats_server
from tests.unit.centre_receiver import receiving
from tests.unit.centre_world import SOURCE, World, gas_series, write_files


@pytest.fixture(scope="module")
def broker(tmp_path_factory):
    with nats_server(tmp_path_factory.mktemp("broker")) as server:
        yield server


async def test_from_the_wire_to_the_webhook(broker, tmp_path):
    clock = SystemClock()
    async with receiving() as receiver:
        hook = f'{{kind: webhook, name: hook, url: "{receiver.url}"}}'
        path = write_files(tmp_path, channels=hook, broker=broker.url)
        store = DuckDBStore(tmp_path / "store.duckdb")
        document = parse_centre(path.read_text(encoding="utf-8"), path)
        async with (
            open_service(document, store=store, clock=clock, rng=np.random.default_rng(1)) as service,
            asyncio.TaskGroup() as tasks,
        ):
            running = tasks.create_task(service.run())
            async with asyncio.timeout(10):
                await service.ingest.subscriber.connected.wait()
            place = World(service, store, clock)
            answered_ns = clock.now_ns()
            await send(broker.port, place, answered_ns)
            await receiver.wait(1)
            await service.drained()
            async with place.client() as client:
                assert (await client.get("/api/v1/health")).json()["status"] == "ok"
                assert (await client.get("/api/v1/gateways")).json()["items"][0]["source"] == SOURCE
                stations = (await client.get("/api/v1/stations")).json()["items"]
            running.cancel()
        store.close()
    body = receiver.requests[0].json
    assert (body["alarm"]["subject"], body["alarm"]["level"], body["answered_ns"]) == ("gas-1", 4, answered_ns)
    assert [one["level"] for one in stations] == [0, 4]


async def send(port: int, place: World, answered_ns: int) -> None:
    """Announce, send one batch, and wait until it is acknowledged."""
    batch = place.batch({0: 1.0, 1: 60.0}, answered_ns, answered_ns).numbered(9, 1)
    async with asyncio.timeout(10), aiomqtt.Client("127.0.0.1", port) as client:
        await client.subscribe(topic(SOURCE, Channel.ACK))
        await client.publish(topic(SOURCE, Channel.ANNOUNCE), encode(gas_series(2)), qos=1, retain=True)
        await client.publish(topic(SOURCE, Channel.DATA), encode_batch(batch, Lane.LIVE))
        async for message in client.messages:
            ack = decode(bytes(message.payload), Ack)  # type: ignore[arg-type]
            if any((1, 1) in epoch.committed for epoch in ack.epochs):
                return
