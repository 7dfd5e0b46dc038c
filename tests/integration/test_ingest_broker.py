"""The centre's ingest on real brokers: a scripted gateway publishes, the real subscriber, pipeline and store answer."""

import asyncio
import socket
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import aiomqtt
import numpy as np
import pytest

from ingest.commit import Commit
from ingest.qc.rows import Tolerance
from ingest.service import Ingest
from ingest.store.duckdb import DuckDBStore
from telemetry.broker import parse_broker
from telemetry.bundle import packed
from telemetry.clock import HOUR_NS, SECOND_NS, SystemClock
from telemetry.faults import Fault
from telemetry.quality import Cause
from telemetry.topics import Channel, topic
from telemetry.wire import Ack, Lane, Presence, Status, Watch, decode, encode, encode_batch
from tests.integration.brokers import TestBroker, mosquitto, mosquitto_binary, nats_server
from tests.integration.gateway_centre import until
from tests.unit.ingest_data import SOURCE, START_NS, announce, batch, level

_DEADLINE_S = 10.0


@pytest.fixture(params=["nats-server", "mosquitto"])
def broker(request, tmp_path):
    if request.param == "mosquitto" and mosquitto_binary() is None:
        pytest.skip("mosquitto is not installed")
    start = nats_server if request.param == "nats-server" else mosquitto
    with start(tmp_path) as running:
        yield running


class Centre:
    """The real thing, and what it handed on."""

    def __init__(self, broker: TestBroker, folder: Path) -> None:
        self.store = DuckDBStore(folder / "store.duckdb")
        self.commits: list[Commit] = []
        self.ingest = Ingest(
            self.store,
            parse_broker(broker.url),
            SystemClock(),
            self.take,
            site="demo",
            drill=False,
            rng=np.random.default_rng(time.time_ns()),
            tolerance=Tolerance(behind_ns=100 * 366 * 24 * HOUR_NS),
        )

    async def take(self, commit: Commit) -> None:
        self.commits.append(commit)


@asynccontextmanager
async def running(broker: TestBroker, folder: Path) -> AsyncIterator[Centre]:
    centre = Centre(broker, folder)
    try:
        async with asyncio.TaskGroup() as tasks:
            task = tasks.create_task(centre.ingest.run())
            async with asyncio.timeout(_DEADLINE_S):
                await centre.ingest.subscriber.connected.wait()
            yield centre
            task.cancel()
    finally:
        centre.store.close()


class Gateway:
    """A gateway that says what a test wants and listens to the answers."""

    def __init__(self, client: aiomqtt.Client, source: str = SOURCE) -> None:
        self.client = client
        self.source = source
        self.asked = 0
        self.told_of_bundles = False

    async def publish(self, channel: Channel, payload: bytes, *, retain: bool = False) -> None:
        await self.client.publish(topic(self.source, channel), payload, qos=int(retain), retain=retain)

    async def announce(self, centre: Centre) -> None:
        """Until the centre knows it: a broker may let a batch of QoS 0 overtake an announcement of QoS 1."""
        await self.publish(Channel.ANNOUNCE, encode(announce(level("a"), level("b"))), retain=True)
        await until(lambda: centre.ingest.catalogue.revision)

    async def answer(self) -> Ack:
        """The next word on batches; that bundles are read is said after every announcement."""
        async with asyncio.timeout(_DEADLINE_S):
            while (ack := decode(bytes((await anext(aiter(self.client.messages))).payload), Ack)).bundles:
                self.told_of_bundles = True
            return ack

    async def acknowledged(self, seq: int) -> bool:
        while not (epochs := (await self.answer()).epochs):
            self.asked += 1
        return any(a <= seq <= b for epoch in epochs for a, b in epoch.committed)

    async def send(self, seq: int) -> None:
        await self.publish(Channel.DATA, encode_batch(batch(seq, [1.0, 2.0], source=self.source), Lane.LIVE))


@asynccontextmanager
async def gateway(broker: TestBroker, source: str = SOURCE) -> AsyncIterator[Gateway]:
    async with aiomqtt.Client("127.0.0.1", broker.port) as client:
        await client.subscribe(topic(source, Channel.ACK), qos=1)
        yield Gateway(client, source)


async def test_announce_send_acknowledge_and_resend(broker, tmp_path):
    async with running(broker, tmp_path) as centre, gateway(broker) as field:
        await field.send(1)
        assert (await field.answer()).announce
        await field.announce(centre)
        for _ in range(2):
            await field.send(1)
            assert await field.acknowledged(1)
        assert (centre.store.count(), len(centre.commits), centre.ingest.stats.duplicates) == (2, 1, 1)


async def test_poison_is_answered_and_stops_neither_the_subscriber_nor_its_gateway(broker, tmp_path):
    """Malformed, oversized, colliding and nameless payloads; then the next batch is taken as if nothing was."""
    good = encode_batch(batch(9, [1.0, 2.0]), Lane.LIVE)
    async with running(broker, tmp_path) as centre, gateway(broker) as field:
        await field.publish(Channel.ANNOUNCE, encode(announce(level("a"), level("b"), level("c", unit="mm"))))
        for payload in (good[:-9], good + bytes(400 * 1024)):
            await field.publish(Channel.DATA, payload)
            (epoch,) = (await field.answer()).epochs
            assert [refusal.seq for refusal in epoch.refused] == [9]
        await field.publish(Channel.DATA, encode_batch(batch(10, [1.0], points=("c",)), Lane.LIVE))
        (epoch,) = (await field.answer()).epochs
        assert "unit 'mm', expected 'm'" in epoch.refused[0].reason
        await field.publish(Channel.DATA, b"\xc1 not msgpack")
        await field.publish(Channel.STATUS, b"\xc1")
        await field.client.publish("petrel/1/Demo/gw-1/data", good)
        await field.send(11)
        assert await field.acknowledged(11)
        assert centre.store.count() == 2
        (heard,) = centre.ingest.presence.all()
        assert heard.malformed == 4


async def test_a_bundle_is_taken_batch_by_batch_and_only_the_bad_part_is_refused(broker, tmp_path):
    """What another batch of the same message is, harms none; a bundle that lies about a length is none."""
    good = [encode_batch(batch(seq, [1.0, 2.0], time_ns=START_NS + seq * SECOND_NS), Lane.BACKLOG) for seq in (1, 2, 4)]
    poison = encode_batch(batch(3, [np.inf, 1.0]), Lane.BACKLOG)
    (bundle,) = packed([*good[:2], poison, good[2]])
    async with running(broker, tmp_path) as centre, gateway(broker) as field:
        await field.announce(centre)
        await field.publish(Channel.DATA, bundle[:-1])
        await field.publish(Channel.DATA, bundle)
        (epoch,) = (await field.answer()).epochs
        assert field.told_of_bundles
        assert (epoch.committed, [one.seq for one in epoch.refused]) == (((1, 2), (4, 4)), [3])
        assert centre.store.count() == 6
        assert centre.ingest.faults == {Fault.LENGTHS: 1, Fault.INFINITE: 1}


async def test_the_status_and_the_will_of_a_gateway_are_known(broker, tmp_path):
    async with running(broker, tmp_path) as centre, gateway(broker) as field:
        await field.publish(Channel.STATUS, encode(Status(presence=Presence.ONLINE, spool_rows=7)), retain=True)
        await field.announce(centre)
        await field.send(1)
        assert await field.acknowledged(1)
        (heard,) = centre.ingest.presence.all()
        assert (heard.source, heard.status.presence, heard.status.spool_rows) == (SOURCE, Presence.ONLINE, 7)
        assert heard.heard_s == pytest.approx(time.monotonic(), abs=_DEADLINE_S)


async def test_a_replaced_gateway_gets_the_series_of_the_one_that_died(broker, tmp_path):
    """The will of the old one tells; its successor had announced before, and loses no row."""
    will = aiomqtt.Will(topic(SOURCE, Channel.STATUS), encode(Status(presence=Presence.OFFLINE)), qos=1, retain=True)
    announcement = encode(announce(level("a"), level("b")))
    async with running(broker, tmp_path) as centre, gateway(broker, "demo/gw-2") as new:
        old = aiomqtt.Client("127.0.0.1", broker.port, will=will)
        await old.__aenter__()
        await old.publish(topic(SOURCE, Channel.ANNOUNCE), announcement, qos=1, retain=True)
        await until(lambda: centre.ingest.catalogue.revision)
        await new.publish(Channel.ANNOUNCE, announcement, retain=True)
        await until(lambda: centre.ingest.presence.of("demo/gw-2").refused)
        await new.send(1)
        answer = await new.answer()
        assert (answer.announce, answer.epochs) == (True, ()), (
            "not refused before it is known whether the old one lives"
        )
        old._client.socket().shutdown(socket.SHUT_RDWR)  # as a cable that is cut
        await until(lambda: centre.ingest.presence.of(SOURCE).status is not None)
        await new.send(1)
        assert await new.acknowledged(1)
        assert {entry.source for entry in centre.ingest.catalogue.entries()} == {"demo/gw-2"}
        assert centre.ingest.presence.of("demo/gw-2").refused == ""
        with suppress(aiomqtt.MqttError):
            await old.__aexit__(None, None, None)


async def test_gateways_of_another_site_are_not_ours(broker, tmp_path):
    """Their stations of the same name would stand on our screen, and their names over ours."""
    async with running(broker, tmp_path) as centre, gateway(broker, "other/gw-1") as stranger, gateway(broker) as field:
        for one in (stranger, field):
            await one.publish(Channel.STATUS, encode(Status(presence=Presence.ONLINE)), retain=True)
            await one.publish(Channel.ANNOUNCE, encode(announce(level("a"), level("b"))), retain=True)
        await until(lambda: centre.ingest.catalogue.revision)
        await stranger.send(1)
        await field.send(1)
        assert await field.acknowledged(1)
        assert [heard.source for heard in centre.ingest.presence.all()] == [SOURCE]
        assert {entry.site for entry in centre.ingest.catalogue.entries()} == {"demo"}
        assert centre.store.count() == 2
        assert centre.ingest.subscriber.messages == 3, "the broker is not even asked for them"


async def test_what_is_cleared_at_the_broker_is_no_message(broker, tmp_path):
    """An empty payload removes what the broker retained: nothing is wrong, and what is known stays (F13)."""
    async with running(broker, tmp_path) as centre, gateway(broker) as field:
        await field.announce(centre)
        for channel in (Channel.ANNOUNCE, Channel.STATUS):
            await field.publish(channel, b"", retain=True)
        await field.send(1)
        assert await field.acknowledged(1)
        (heard,) = centre.ingest.presence.all()
        assert (heard.malformed, heard.complaint) == (0, "")


async def test_a_broker_that_is_killed_is_found_again_and_nothing_is_doubled(broker, tmp_path):
    async with running(broker, tmp_path) as centre:
        async with gateway(broker) as field:
            await field.announce(centre)
            await field.send(1)
            assert await field.acknowledged(1)
        broker.restart()
        async with gateway(broker) as field:
            for _ in range(100):
                await field.send(1)
                await field.send(2)
                try:
                    async with asyncio.timeout(0.1):
                        if await field.acknowledged(2):
                            break
                except TimeoutError:
                    continue
        assert centre.ingest.subscriber.problem == ""
        assert (centre.store.count(), sum(map(len, centre.commits))) == (4, 4)


async def test_a_centre_that_starts_again_continues_where_it_was(broker, tmp_path):
    async with gateway(broker) as field:
        async with running(broker, tmp_path) as centre:
            await field.announce(centre)
            await field.send(1)
            assert await field.acknowledged(1)
        async with running(broker, tmp_path) as centre:
            for seq in (1, 2):
                await field.send(seq)
                assert await field.acknowledged(seq)
            assert [commit.number for commit in centre.store.rows_after(0)] == [1, 2]
            assert [commit.number for commit in centre.commits] == [2]


async def test_a_jump_over_a_restart_is_seen(broker, tmp_path):
    """The rows of the earlier run are what the first ones of this run are compared with."""
    now_ns = time.time_ns()
    async with gateway(broker) as field:
        for number, value in enumerate((1.0, 9.0), start=1):
            async with running(broker, tmp_path) as centre:
                await field.announce(centre)
                sent = batch(number, [value, 2.0], time_ns=now_ns + number * SECOND_NS)
                await field.publish(Channel.DATA, encode_batch(sent, Lane.LIVE))
                assert await field.acknowledged(number)
                await until(lambda centre=centre: centre.commits)
        (commit,) = centre.commits
    assert commit.batches[0].cause.tolist() == [Cause.RATE, 0]


async def test_a_centre_that_starts_asks_the_gateways_that_are_there_already(broker, tmp_path):
    """What they sent while it was away, no broker kept: they send it again at once, and are asked once only."""
    async with gateway(broker) as field:
        await field.publish(Channel.ANNOUNCE, encode(announce(level("a"), level("b"))), retain=True)
        async with running(broker, tmp_path):
            assert (await field.answer()).announce
            await field.publish(Channel.ANNOUNCE, encode(announce(level("a"), level("b"))), retain=True)
            for seq in (1, 2):
                await field.send(seq)
                assert await field.acknowledged(seq)
            assert field.asked == 0


async def test_a_full_window_of_many_gateways_is_taken_without_loss(broker, tmp_path):
    """What the client library would queue without bound or discard in silence goes to a bounded intake."""
    sources = [f"demo/gw-{number}" for number in range(8)]
    async with running(broker, tmp_path) as centre, aiomqtt.Client("127.0.0.1", broker.port) as client:
        await client.subscribe("petrel/1/demo/+/ack", qos=1)
        for number, source in enumerate(sources):
            series = (level(f"a{number}"), level(f"b{number}"))
            await client.publish(topic(source, Channel.ANNOUNCE), encode(announce(*series)))
            for seq in range(1, 33):
                one = batch(seq, [1.0, 2.0], points=(f"a{number}", f"b{number}"), source=source)
                await client.publish(topic(source, Channel.DATA), encode_batch(one, Lane.BACKLOG))
        open_batches = 8 * 32
        async with asyncio.timeout(_DEADLINE_S):
            async for message in client.messages:
                for epoch in decode(bytes(message.payload), Ack).epochs:
                    open_batches -= sum(last - first + 1 for first, last in epoch.committed)
                if not open_batches:
                    break
        assert centre.store.count() == 8 * 32 * 2
        assert not centre.ingest.intake.dropped
        assert centre.ingest.stats.commits < 8 * 32


async def test_a_gateway_hears_what_to_watch_whenever_it_comes(broker, tmp_path):
    """Retained, and only what concerns its own series."""
    a, b = batch(1, [1.0, 2.0]).series.tolist()
    async with running(broker, tmp_path) as centre, gateway(broker) as field:
        await field.announce(centre)
        await field.send(1)
        assert await field.acknowledged(1)
        centre.ingest.watch({a: (3.0, 4.0), 12345: (1.0,)})
        centre.ingest.watch({a: (3.0, 4.0), b: (9.0,)})
        await until(lambda: centre.ingest.subscriber.connected.is_set())
        async with aiomqtt.Client("127.0.0.1", broker.port) as late, asyncio.timeout(_DEADLINE_S):
            await late.subscribe(topic(SOURCE, Channel.WATCH), qos=1)
            async for message in late.messages:
                watch = decode(bytes(message.payload), Watch)
                if len(watch.marks) == 2:
                    break
        assert watch.marks == {str(a): (3.0, 4.0), str(b): (9.0,)}
