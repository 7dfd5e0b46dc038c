"""The uplink against real brokers and a scripted centre: nothing is lost, whatever stops, repeats or stays silent."""

import asyncio
import socket
from contextlib import asynccontextmanager
from pathlib import Path

import numpy as np
import pytest

from gateway.line import LineMeter, QuotaSettings
from gateway.mailbox import Mailbox
from gateway.spool import Limits, Spool
from gateway.timekeeping import EARLIEST_NS
from gateway.timing import Timing
from gateway.uplink import Uplink
from telemetry.broker import BrokerAddress
from telemetry.clock import HOUR_NS
from telemetry.topics import Channel
from telemetry.wire import Ack, Announce, EpochAck, Lane, Presence, Status, encode
from tests.integration.brokers import mosquitto, mosquitto_binary, nats_server
from tests.integration.gateway_centre import ALL_WELL, always, scripted_centre, until
from tests.unit.gateway_batches import SOURCE, HandClock, make_batch

QUICK = Timing(reconnect_s=(0.02, 0.2), resend_s=30.0, eager_s=30.0, reannounce_s=0.05)
ANNOUNCE = Announce(revision="r1", drill=True, stations=(), series=())


@pytest.fixture(params=["nats", "mosquitto"])
def broker(request, tmp_path):
    if request.param == "mosquitto" and mosquitto_binary() is None:
        pytest.skip("mosquitto is not installed")
    with (nats_server if request.param == "nats" else mosquitto)(tmp_path) as running:
        yield running


@pytest.fixture
def clock():
    return HandClock()


@pytest.fixture
def spool(tmp_path, clock):
    opened = Spool.open(tmp_path / "spool", Limits(), clock)
    yield opened
    opened.close()
    assert clock.holds == 0


@pytest.fixture
async def centre(broker):
    async with scripted_centre(broker.port, SOURCE) as running:
        yield running


@asynccontextmanager
async def uplink_to(port, spool, timing=QUICK, user=None, password=None, **more):
    address = BrokerAddress("127.0.0.1", port, user=user)
    uplink = Uplink(
        SOURCE,
        address,
        spool,
        password=password,
        announce=ANNOUNCE,
        rng=np.random.default_rng(1),
        timing=timing,
        status=lambda presence: Status(presence=presence, epoch=spool.epoch),
        **more,
    )
    async with asyncio.TaskGroup() as tasks:
        task = tasks.create_task(uplink.run())
        try:
            yield uplink
        finally:
            task.cancel()


def fill(spool, n, lane=Lane.BACKLOG, first=0):
    """Batches whose three values count up, so that a lost or mixed-up one shows."""
    return {
        entry.key: [float(3 * k), 3.0 * k + 1, 3.0 * k + 2]
        for k in range(first, first + n)
        for entry in spool.append(make_batch(3, start=3 * k), lane)
    }


async def test_a_backlog_arrives_whole_in_order_and_once(broker, spool, centre):
    expected = fill(spool, 300)
    async with uplink_to(broker.port, spool):
        await centre.until(lambda: spool.stats().batches == 0)
    assert centre.committed == expected
    assert centre.arrivals == list(expected), "in order, each once"
    assert spool.stats().acked_rows == 900


async def test_what_is_appended_meanwhile_leaves_at_once(broker, spool, centre):
    async with uplink_to(broker.port, spool) as uplink:
        await centre.until(lambda: uplink.connected)
        for k in range(20):
            expected = fill(spool, 1, uplink.lane, first=k)
            uplink.notify()
            await centre.until(lambda expected=expected: expected.items() <= centre.committed.items())
    assert set(centre.lanes) == {Lane.LIVE}


async def test_at_most_32_batches_are_unacknowledged(broker, spool, centre):
    """DESIGN 4: 24 of the backlog, 4 live, 4 alarms; a centre that can't keep up stops the flow."""
    centre.script = always("silent")
    fill(spool, 100)
    async with uplink_to(broker.port, spool) as uplink:
        await centre.until(lambda: len(centre.arrivals) == 24)
        fill(spool, 10, Lane.LIVE, first=100)
        fill(spool, 10, Lane.ALARM, first=110)
        uplink.notify()
        await centre.until(lambda: len(centre.arrivals) == 32)
        centre.acknowledge(centre.arrivals[0])
        await centre.until(lambda: len(centre.arrivals) == 33)
        await asyncio.sleep(0.1)
        assert len(centre.arrivals) == 33
        assert centre.lanes == [Lane.BACKLOG] * 24 + [Lane.ALARM] * 4 + [Lane.LIVE] * 4 + [Lane.BACKLOG]
        centre.script = always("ack")
        centre.acknowledge(*centre.arrivals)
        await centre.until(lambda: spool.stats().batches == 0)


async def test_poison_is_set_aside_and_the_rest_goes_on(broker, spool, centre):
    expected = fill(spool, 60)
    centre.script = lambda batch: "refuse" if batch.seq % 20 == 0 else "ack"
    async with uplink_to(broker.port, spool):
        await centre.until(lambda: spool.stats().batches == 0)
    assert centre.committed == {key: value for key, value in expected.items() if key[1] % 20}
    assert spool.stats().refused_batches == 3
    refused = spool.folder / "refused"
    reasons = {path.name for path in refused.glob("*.reason")}
    assert reasons == {f"{spool.epoch}-{seq}.reason" for seq in (20, 40, 60)}
    assert {path.read_text() for path in refused.glob("*.reason")} == {"poison\n"}
    assert len(list(refused.glob("*.batch"))) == 3


async def test_a_centre_that_takes_nothing_is_said_with_its_reason(broker, spool, centre):
    """P14: a box that was installed in the place of one that lives is answered, and nothing of it is kept."""
    centre.script = always("refuse")
    fill(spool, 3)
    async with uplink_to(broker.port, spool) as uplink:
        await centre.until(lambda: spool.stats().refused_batches == 3)
        assert uplink.trouble == "the centre refuses what is sent, and it is set aside here: poison"
        centre.script = always("ack")
        fill(spool, 1)
        uplink.notify()
        await centre.until(lambda: spool.stats().batches == 0)
        assert uplink.trouble is None


async def test_acknowledging_twice_counts_once(broker, spool, clock, centre):
    fill(spool, 50)
    centre.script = always("twice")
    async with uplink_to(broker.port, spool):
        await centre.until(lambda: spool.stats().batches == 0)
        await asyncio.sleep(0.05)
    assert spool.stats().acked_rows == 150
    assert clock.holds == 0


async def test_a_batch_that_the_broker_dropped_is_sent_again(broker, spool, centre):
    """P24: seen from here, a silent centre and a dropped message are the same."""
    fill(spool, 5)
    heard = set()

    def second_time(batch):
        repeated = batch.seq in heard
        heard.add(batch.seq)
        return "ack" if repeated else "silent"

    centre.script = second_time
    async with uplink_to(broker.port, spool, Timing(resend_s=0.2)):
        await centre.until(lambda: spool.stats().batches == 0)
    assert [seq for _, seq in centre.arrivals] == [1, 2, 3, 4, 5] * 2


async def test_when_a_quota_is_used_up_alarms_go_and_the_rest_waits_for_the_next_month(broker, spool, clock, centre):
    clock.time_ns = EARLIEST_NS + 20 * 24 * HOUR_NS
    meter = LineMeter(clock, QuotaSettings(month_bytes=20_000), None)
    async with uplink_to(broker.port, spool, Timing(silent_s=0.1), meter=meter) as uplink:
        await centre.until(lambda: uplink.connected and 0 < meter.use().month_bytes < 20_000)
        meter.count(20_000)
        await centre.until(lambda: meter.used_up and uplink._flight.sparing)
        assert uplink.lane is Lane.LIVE, "one live batch now and then"
        lanes = [uplink.lane]
        first = fill(spool, 1, lanes[0])
        uplink.notify()
        await centre.until(lambda: first.items() <= centre.committed.items())
        assert uplink.lane is Lane.BACKLOG
        later = fill(spool, 3, uplink.lane, first=1)
        alarm = fill(spool, 1, Lane.ALARM, first=4)
        uplink.notify()
        await centre.until(lambda: alarm.items() <= centre.committed.items())
        await asyncio.sleep(0.1)
        assert not later.keys() & set(centre.arrivals)
        clock.time_ns += 31 * 24 * HOUR_NS
        await centre.until(lambda: later.items() <= centre.committed.items())
        assert uplink.lane is Lane.LIVE


async def test_what_the_line_carries_is_counted_where_it_is_paid_for(broker, spool, clock, centre):
    meter = LineMeter(clock, None, None)
    async with uplink_to(broker.port, spool, Timing(silent_s=0.1), meter=meter) as uplink:
        await centre.until(lambda: uplink.connected)
        fill(spool, 40)
        uplink.notify()
        await centre.until(lambda: spool.stats().batches == 0)
        await centre.until(lambda: meter.use().day_bytes > uplink.counts.sent_bytes + 40 * 52)
    assert meter.use().day_bytes < 30 * uplink.counts.sent_bytes


async def test_a_silent_centre_is_said_with_likely_causes(broker, spool, centre):
    """P14: connected and never acknowledged must not look healthy."""
    centre.script = always("silent")
    fill(spool, 3)
    async with uplink_to(broker.port, spool, Timing(silent_s=0.3)) as uplink:
        await centre.until(lambda: len(centre.arrivals) == 3)
        await centre.until(lambda: uplink.trouble is not None)
        assert "not acknowledged" in uplink.trouble
        assert "access list" in uplink.trouble
        assert uplink.unacknowledged_s() >= 0.3
        centre.acknowledge(*centre.arrivals)
        await centre.until(lambda: spool.stats().batches == 0)
        assert uplink.trouble is None
        assert uplink.unacknowledged_s() == 0


async def test_nothing_is_lost_when_the_broker_dies_again_and_again(broker, spool, centre):
    """P5, P7, P18: data taken while the link is down is delivered when it is back."""
    expected = {}
    async with uplink_to(broker.port, spool, Timing(reconnect_s=(0.02, 0.2), resend_s=0.3, deadline_s=1.0)) as uplink:
        for round_ in range(4):
            for k in range(30):
                expected |= fill(spool, 1, uplink.lane, first=100 * round_ + k)
                uplink.notify()
                await asyncio.sleep(0.001)
            await asyncio.to_thread(broker.kill)
            expected |= fill(spool, 5, uplink.lane, first=100 * round_ + 50)
            await asyncio.to_thread(broker.start)
        await centre.until(lambda: spool.stats().batches == 0)
        assert uplink.counts.connections >= 3
    assert centre.committed == expected


async def test_a_centre_that_asks_is_told_again_who_sends(broker, spool, centre):
    expected = fill(spool, 40)
    asked = []

    def ask_once(batch):
        if len(centre.announcements) < 2:
            asked.append(batch.seq)
            return "ask"
        return "ack"

    centre.script = ask_once
    async with uplink_to(broker.port, spool):
        await centre.until(lambda: spool.stats().batches == 0)
    assert asked
    assert centre.announcements[:2] == [ANNOUNCE, ANNOUNCE]
    assert centre.committed == expected


async def test_a_malformed_acknowledgement_is_counted_and_ignored(broker, spool, centre):
    centre.script = always("silent")
    fill(spool, 3)
    huge = EpochAck(epoch=spool.epoch, committed=((1, 2**64 - 1), (5, 2)))
    lies = (b"", b"{}", b"\xc1", bytes(300 * 1024), encode(Ack(version=7)), encode(Ack(epochs=(huge,)))[:-2])
    async with uplink_to(broker.port, spool) as uplink:
        await centre.until(lambda: len(centre.arrivals) == 3)
        for lie in lies:
            centre.say(lie)
        await centre.until(lambda: uplink.counts.malformed_acks == len(lies))
        assert spool.stats().batches == 3
        centre.say(Ack(epochs=(EpochAck(epoch=3, committed=((1, 3),)),)))
        centre.acknowledge(*centre.arrivals)
        await centre.until(lambda: spool.stats().batches == 0)


async def test_the_last_word_is_offline_and_retained(broker, spool, centre):
    async with uplink_to(broker.port, spool):
        await centre.until(lambda: centre.statuses and centre.statuses[-1].presence is Presence.ONLINE)
    await centre.until(lambda: centre.statuses[-1].presence is Presence.OFFLINE)
    async with scripted_centre(broker.port, SOURCE) as later:
        await later.until(lambda: later.statuses and later.announcements)
        assert later.statuses[-1] == Status(presence=Presence.OFFLINE, epoch=spool.epoch)


async def test_a_lost_connection_leaves_the_will(broker, spool, centre):
    async with uplink_to(broker.port, spool) as uplink:
        await centre.until(lambda: centre.statuses)
        uplink._link._client.socket().shutdown(socket.SHUT_RDWR)
        await centre.until(lambda: any(status.presence is Presence.OFFLINE for status in centre.statuses))
        await centre.until(lambda: uplink.counts.connections == 2)
        await centre.until(lambda: centre.statuses[-1].presence is Presence.ONLINE)


async def test_without_a_broker_it_waits_and_says_so(spool, tmp_path):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        async with uplink_to(taken.getsockname()[1], spool) as uplink:
            assert uplink.lane is Lane.BACKLOG
            await until(lambda: uplink.trouble != "not connected yet")
            assert uplink.trouble.startswith("no connection to mqtt://127.0.0.1:")


def resources():
    """How many descriptors and tasks there are."""
    return len(list(Path("/proc/self/fd").iterdir())), len(asyncio.all_tasks())


@pytest.mark.parametrize(("hangs_up", "said"), [(True, "hung up before it answered"), (False, "no answer in time")])
async def test_a_broker_that_does_not_answer_costs_neither_sockets_nor_tasks(spool, hangs_up, said):
    """P12, P18: a broken broker must not be paid for with memory."""
    calls = []

    async def answer_nothing(reader, writer):
        calls.append(await reader.read(1))
        if not hangs_up:
            await reader.read()
        writer.close()

    timing = Timing(reconnect_s=(0.01, 0.02), deadline_s=0.1)
    async with await asyncio.start_server(answer_nothing, "127.0.0.1", 0) as server:
        async with uplink_to(server.sockets[0].getsockname()[1], spool, timing) as uplink:
            await until(lambda: len(calls) > 2)
            before = resources()
            await until(lambda: len(calls) > 12)
            after = resources()
            assert said in uplink.trouble
        await until(lambda: len(asyncio.all_tasks()) == 1)
    assert np.subtract(after, before).max() <= 3


async def test_a_wrong_password_is_said(spool, tmp_path):
    login = 'authorization { users: [{user: "gw", password: "right"}] }'
    with nats_server(tmp_path, extra=login, needs_password=True) as broker:
        async with uplink_to(broker.port, spool, user="gw", password="wrong") as uplink:
            await until(lambda: uplink.trouble != "not connected yet")
            assert "no connection" in uplink.trouble
        async with uplink_to(broker.port, spool, user="gw", password="right") as uplink:
            await until(lambda: uplink.connected)


@pytest.mark.skipif(mosquitto_binary() is None, reason="mosquitto is not installed")
async def test_a_publish_that_the_access_list_refuses_does_not_look_delivered(spool, tmp_path):
    """P14: with MQTT 3.1.1 the broker says nothing at all."""
    (tmp_path / "acl").write_text(f"topic read petrel/1/{SOURCE}/ack\ntopic write petrel/1/{SOURCE}/status\n")
    with mosquitto(tmp_path, extra=f"allow_anonymous true\nacl_file {tmp_path}/acl") as broker:
        fill(spool, 2)
        async with uplink_to(broker.port, spool, Timing(silent_s=0.2)) as uplink:
            await until(lambda: uplink.connected and uplink.trouble)
        assert "access list refuses petrel/1/demo/gw-1/data" in uplink.trouble
        assert spool.stats().batches == 2


def permissions(*denied):
    """A user of nats-server, whose access list refuses subscriptions out loud."""
    topics = ", ".join(f'"petrel.1.{SOURCE.replace("/", ".")}.{channel}"' for channel in denied)
    return 'authorization { users: [{user: "gw", password: "x", permissions: {subscribe: {deny: [' + topics + "]}}}] }"


async def test_a_refused_subscription_is_said_and_stops_only_what_needs_it(spool, tmp_path):
    with nats_server(tmp_path / "a", extra=permissions("ack"), needs_password=True) as broker:
        async with uplink_to(broker.port, spool, user="gw", password="x") as uplink:
            await until(lambda: uplink.trouble != "not connected yet")
            assert "the broker's access list refuses the subscription to petrel/1/demo/gw-1/ack" in uplink.trouble
    with nats_server(tmp_path / "b", extra=permissions("watch"), needs_password=True) as broker:
        mailbox = Mailbox(SOURCE, {Channel.WATCH: print})
        async with uplink_to(broker.port, spool, user="gw", password="x", mailbox=mailbox) as uplink:
            await until(lambda: uplink.connected)
            assert uplink.refused == ("petrel/1/demo/gw-1/watch",)
            assert uplink.trouble is None


@pytest.mark.skipif(mosquitto_binary() is None, reason="mosquitto is not installed")
async def test_an_acknowledgement_that_the_access_list_keeps_from_us_is_said(spool, tmp_path):
    """P14: mosquitto grants the subscription and hands nothing on."""
    allowed = "".join(f"topic write petrel/1/{SOURCE}/{channel}\n" for channel in ("data", "status", "announce"))
    allowed += f"user centre\ntopic readwrite petrel/1/{SOURCE}/#\n"
    (tmp_path / "acl").write_text(allowed)
    with mosquitto(tmp_path, extra=f"allow_anonymous true\nacl_file {tmp_path}/acl") as broker:
        fill(spool, 2)
        async with uplink_to(broker.port, spool, Timing(silent_s=0.2)) as uplink:
            await until(lambda: uplink.connected and uplink.trouble)
        assert "not acknowledged" in uplink.trouble
        assert "petrel/1/demo/gw-1/ack" in uplink.trouble
        assert spool.stats().batches == 2


async def test_a_backlog_of_small_batches_goes_in_few_messages(broker, spool, centre):
    centre.reads_bundles = True
    expected = fill(spool, 1500)
    async with uplink_to(broker.port, spool) as uplink:
        await centre.until(lambda: spool.stats().batches == 0)
    assert centre.committed == expected
    assert centre.arrivals == list(expected), "in order, and once"
    assert len(centre.messages) < 60
    assert uplink.counts.sent_batches == 1500


async def test_an_older_centre_that_takes_the_place_gets_everything(broker, spool, centre):
    """What was on its way in bundles comes again, a batch to a message."""
    centre.reads_bundles = True
    centre.script = always("silent")
    expected = fill(spool, 300)
    async with uplink_to(broker.port, spool):
        await centre.until(lambda: len(centre.arrivals) == 300)
        centre.reads_bundles, centre.script = False, ALL_WELL
        centre.messages.clear()
        centre.say(Ack(announce=True))
        await centre.until(lambda: spool.stats().batches == 0)
    assert centre.committed == expected
    assert set(centre.messages) == {1}
