"""The pipeline around a real store, without a broker: what is answered, what is handed on, and when."""

import asyncio

import msgspec
import numpy as np
import pytest

from ingest.intake import WINDOW, Intake, Message
from ingest.replies import Answers, Replies
from ingest.store.duckdb import DuckDBStore
from telemetry.quality import Cause, Quality
from telemetry.topics import Channel
from telemetry.wire import Lane, encode, encode_batch
from tests.unit.gateway_old import OldAck, OldEpochAck
from tests.unit.ingest_centre import DEADLINE_S, Centre, FullDisk, committed, held, running
from tests.unit.ingest_data import SOURCE, batch, ids, level


@pytest.fixture
def store(tmp_path):
    store = DuckDBStore(tmp_path / "store.duckdb")
    yield FullDisk(store)
    store.close()


async def test_a_batch_is_checked_stored_acknowledged_and_handed_on(store):
    async with running(Centre(store)) as centre:
        centre.announce(level("a"), level("b"))
        centre.send(batch(1, [3.0, 30.0]))
        assert committed(await centre.next_ack()) == [(7, ((1, 1),))]
        commit = await centre.next_commit()
    assert (commit.number, commit.stored, len(commit.batches)) == (1, True, 1)
    assert commit.batches[0].quality.tolist() == [Quality.GOOD, Quality.SUSPECT]
    assert commit.batches[0].cause.tolist() == [0, Cause.RANGE]
    assert commit.batches[0].value.tolist() == [3.0, 30.0]
    assert store.latest(0).quality.tolist() == [
        int(quality) for _, quality in sorted(zip(ids("a", "b").tolist(), commit.batches[0].quality, strict=True))
    ]
    assert centre.clock.holds == 0


async def test_a_drill_waits_until_the_engine_has_seen_what_was_acknowledged(store):
    centre = Centre(store)
    seen = []

    async def look(commit):
        seen.append(centre.clock.holds)
        centre.handed_on.set()

    centre.pipeline._on_commit = look
    async with running(centre):
        centre.announce(level("a"), level("b"))
        centre.send(batch(1, [3.0, 4.0]))
        await centre.next_ack()
        async with asyncio.timeout(DEADLINE_S):
            await centre.handed_on.wait()
    assert seen == [1]
    assert centre.clock.holds == 0


async def test_what_queued_together_is_one_commit_and_one_answer(store):
    async with running(Centre(store)) as centre:
        centre.announce(level("a"), level("b"))
        centre.send(*(batch(seq, [1.0, 2.0]) for seq in (1, 2, 3, 5)), batch(2, [1.0, 2.0]))
        assert committed(await centre.next_ack()) == [(7, ((1, 3), (5, 5)))]
        assert [one.seq for one in (await centre.next_commit()).batches] == [1, 2, 3, 5]
    assert (store.count(), store.distinct_count(), store.last_commit()) == (8, 2, 1)


async def test_a_resent_batch_is_acknowledged_again_and_handed_on_once(store):
    async with running(Centre(store)) as centre:
        centre.announce(level("a"), level("b"))
        for _ in range(3):
            centre.send(batch(1, [1.0, 2.0]))
            assert committed(await centre.next_ack()) == [(7, ((1, 1),))]
        await centre.next_commit()
        assert centre.commits == []
    assert (store.count(), centre.pipeline.stats.duplicates) == (2, 2)


async def test_an_unknown_series_asks_for_the_announcement_and_is_not_acknowledged(store):
    async with running(Centre(store)) as centre:
        centre.announce(level("a"))
        centre.send(batch(1, [1.0, 2.0]))
        ack = await centre.next_ack()
        assert (ack.announce, ack.epochs) == (True, ())
        centre.announce(level("a"), level("b"))
        centre.send(batch(1, [1.0, 2.0]))
        assert committed(await centre.next_ack()) == [(7, ((1, 1),))]


async def test_a_gateway_never_heard_is_asked_first_even_if_an_earlier_run_knew_it(store):
    """F16: it may have become a drill while nobody listened."""
    async with running(Centre(store)) as centre:
        centre.announce(level("a"), level("b"))
        centre.send(batch(1, [1.0, 2.0]))
        await centre.next_ack()
    async with running(Centre(store)) as centre:
        assert centre.catalogue.known(ids("a", "b")).all(), "a restarted centre knows its series"
        centre.send(batch(2, [1.0, 2.0]))
        assert (await centre.next_ack()).announce
        centre.announce(level("a"), level("b"), drill=True)
        centre.send(batch(2, [1.0, 2.0]))
        refused = (await centre.next_ack()).epochs[0].refused
        assert "announces a drill, but this centre is live" in refused[0].reason
    assert store.count() == 2


async def test_a_series_in_no_announcement_is_refused_in_the_end(store):
    """Poison must not fill the window of a gateway for ever."""
    async with running(Centre(store)) as centre:
        centre.announce(level("a"))
        for expected in (True, False):
            centre.send(batch(1, [1.0, 2.0]))
            ack = await centre.next_ack()
            assert ack.announce is expected
            centre.announce(level("a"))
        assert "is in no announcement of demo/gw-1" in ack.epochs[0].refused[0].reason
        centre.send(batch(2, [1.0], points=("a",)))
        assert committed(await centre.next_ack()) == [(7, ((2, 2),))]


async def test_a_colliding_series_refuses_its_batches_with_the_reason(store):
    async with running(Centre(store)) as centre:
        centre.announce(level("a"))
        centre.announce(level("a"), level("b"), source="demo/gw-2")
        centre.send(batch(1, [1.0, 2.0], source="demo/gw-2"), source="demo/gw-2")
        assert (await centre.next_ack()).announce, "nobody knows yet whether the other one lives"
        centre.presence.heard(SOURCE, centre.now_s + 1, 0)
        centre.send(batch(1, [1.0, 2.0], source="demo/gw-2"), source="demo/gw-2")
        ack = await centre.next_ack()
        assert "already announced by demo/gw-1" in ack.epochs[0].refused[0].reason
        centre.send(batch(2, [1.0], points=("b",), source="demo/gw-2"), source="demo/gw-2")
        assert committed(await centre.next_ack()) == [(7, ((2, 2),))]
        complaints = {heard.source: heard.complaint for heard in centre.presence.all()}
        assert "already announced by demo/gw-1" in complaints["demo/gw-2"]


@pytest.mark.parametrize("damage", ["cut", "long", "values"])
async def test_a_damaged_batch_is_refused_by_name_and_the_next_one_is_taken(store, damage):
    payload = encode_batch(batch(4, [1.0, 2.0]), Lane.LIVE)
    damaged = {"cut": payload[:-7], "long": payload + bytes(300 * 1024), "values": payload[:-20] + b"\xff" * 20}[damage]
    async with running(Centre(store)) as centre:
        centre.announce(level("a"), level("b"))
        centre.intake.put(Message(SOURCE, Channel.DATA, damaged))
        refusal = (await centre.next_ack()).epochs[0].refused[0]
        assert refusal.seq == 4
        assert refusal.reason
        centre.send(batch(5, [1.0, 2.0]))
        assert committed(await centre.next_ack()) == [(7, ((5, 5),))]
    assert store.count() == 2


@pytest.mark.parametrize("payload", [b"", b"\xff" * 40, b"\x98\x01\xc0\x05", b"{}"])
async def test_garbage_without_a_name_is_counted_and_the_next_batch_is_taken(store, payload):
    async with running(Centre(store)) as centre:
        centre.announce(level("a"), level("b"))
        centre.intake.put(Message(SOURCE, Channel.DATA, payload))
        centre.send(batch(5, [1.0, 2.0]))
        assert committed(await centre.next_ack()) == [(7, ((5, 5),))]
        (heard,) = centre.presence.all()
    assert heard.malformed == 1
    assert heard.complaint.startswith("data: ")


async def test_a_malformed_announcement_is_counted_and_the_old_one_stays(store):
    async with running(Centre(store)) as centre:
        centre.announce(level("a"), level("b"))
        centre.intake.put(Message(SOURCE, Channel.ANNOUNCE, b"\x81\xa7nothing\x01"))
        centre.send(batch(5, [1.0, 2.0]))
        assert committed(await centre.next_ack()) == [(7, ((5, 5),))]
        (heard,) = centre.presence.all()
    assert heard.malformed == 1


async def test_a_full_disk_silences_no_alarm_and_nothing_is_evaluated_twice(store):
    """Rows are handed on unstored, answered as held, and stored once when there is room."""
    async with running(Centre(store)) as centre:
        centre.announce(level("a"), level("b"))
        centre.send(batch(1, [1.0, 2.0]))
        await centre.next_ack()
        assert (await centre.next_commit()).stored
        store.is_full = True
        centre.send(batch(2, [3.0, 4.0]))
        unstored = await centre.next_commit()
        assert (unstored.number, unstored.stored, [one.seq for one in unstored.batches]) == (0, False, [2])
        assert held(await centre.next_ack()) == [(7, ((2, 2),))]
        centre.send(batch(2, [3.0, 4.0]), batch(3, [5.0, 6.0]))
        unstored = await centre.next_commit()
        assert [one.seq for one in unstored.batches] == [3]
        assert centre.pipeline.stats.store_problem == "no space left on device"
        ack = await centre.next_ack()
        while held(ack)[-1][1][-1][1] < 3:
            assert held(ack) == [(7, ((2, 2),))], "said again, since the first word may have been lost"
            ack = await centre.next_ack()
        assert centre.replies.clear() == []
        assert store.count() == 2
        store.is_full = False
        centre.now_s += 60
        centre.send(batch(4, [7.0, 8.0]))
        assert committed(await centre.next_ack()) == [(7, ((2, 4),))]
        stored = await centre.next_commit()
        assert (stored.number, stored.stored, [one.seq for one in stored.batches]) == (2, True, [4])
        assert centre.pipeline.stats.store_problem == ""
    assert (store.count(), len(list(store.rows_after(1)))) == (8, 1)


async def test_a_store_that_refuses_is_asked_again_without_new_messages(store):
    centre = Centre(store)
    store.is_full = True
    ticks = iter(np.arange(1000.0, 2000.0, 0.05))
    centre.pipeline._now_s = lambda: float(next(ticks))
    async with running(centre):
        centre.announce(level("a"), level("b"))
        centre.send(batch(1, [1.0, 2.0]))
        assert not (await centre.next_commit()).stored
        assert held(await centre.next_ack()) == [(7, ((1, 1),))]
        store.is_full = False
        assert committed(await centre.next_ack()) == [(7, ((1, 1),))]
        commit = await centre.next_commit()
    assert (commit.number, commit.batches, commit.stored) == (1, (), True)


async def test_a_long_time_without_a_store_costs_no_memory_and_every_batch_is_judged_once(store):
    """ADR 0005: beyond the window only numbers are remembered; their gateway sends them again for the record."""
    async with running(Centre(store)) as centre:
        centre.announce(level("a"), level("b"))
        store.is_full = True
        judged, answered = [], set()
        for seq in range(1, 4 * WINDOW + 1):
            centre.send(batch(seq, [1.0, 2.0]))
            judged += [one.seq for one in (await centre.next_commit()).batches]
            answered |= {first for _, ranges in held(await centre.next_ack()) for first, _ in ranges}
        assert judged == sorted(answered) == list(range(1, 4 * WINDOW + 1))
        assert len(centre.pipeline._waiting) == WINDOW
        centre.send(batch(4 * WINDOW, [1.0, 2.0]))
        assert held(await centre.next_ack()) == [(7, ((4 * WINDOW, 4 * WINDOW),))]
        store.is_full = False
        centre.now_s += 60
        centre.announce(level("a"), level("b"))
        while not committed(await centre.next_ack()):
            continue
        centre.send(*(batch(seq, [1.0, 2.0]) for seq in range(2 * WINDOW, 2 * WINDOW + 20)))
        while store.count() < 2 * (WINDOW + 20):
            assert (await centre.next_commit()).batches == (), "judged once"
    assert store.count() == 2 * (WINDOW + 20)


def test_what_is_held_is_said_apart_from_the_rest():
    """A gateway of before ADR 0005 refuses the message with the word that it does not know, and loses nothing by it."""
    answers, replies = Answers(), Replies()
    answers.committed(SOURCE, 7, 1)
    answers.held(SOURCE, 7, 2)
    answers.ask(SOURCE)
    replies.post(answers)
    (_, first), (_, second) = replies.clear()
    assert (held(first), first.run) == ([(7, ((2, 2),))], replies.run)
    assert msgspec.msgpack.decode(encode(second), type=OldAck) == OldAck(
        epochs=(OldEpochAck(epoch=7, committed=((1, 1),)),), announce=True
    )
    with pytest.raises(msgspec.ValidationError):
        msgspec.msgpack.decode(encode(first), type=OldAck)


async def test_a_gateway_that_ignores_its_window_fills_nobodys_memory(store):
    async with running(Centre(store)) as centre:
        store.is_full = True
        centre.announce(level("a"), level("b"))
        for seq in range(1, 2 * WINDOW):
            centre.send(batch(seq, [1.0, 2.0]))
            if seq <= WINDOW:
                await centre.next_commit()
        centre.send(batch(500, [1.0], points=("z",), source="demo/gw-2"), source="demo/gw-2")
        await centre.next_ack()
        assert len(centre.pipeline._waiting) == WINDOW


def test_the_intake_has_a_bound_for_each_gateway_and_for_all():
    intake = Intake(window=2, most_bytes=1000)
    message = Message(SOURCE, Channel.DATA, bytes(50))
    assert [intake.put(message) for _ in range(12)] == [True] * 10 + [False] * 2
    assert intake.put(Message("demo/gw-2", Channel.DATA, bytes(400)))
    assert not intake.put(Message("demo/gw-3", Channel.DATA, bytes(400)))
    assert intake.dropped == {SOURCE: 2, "demo/gw-3": 1}
    assert len(intake.take()) == 11
    assert intake.take() == []
    assert intake.put(Message("demo/gw-3", Channel.DATA, bytes(1000)))


def test_the_intake_never_mixes_data_and_announcements():
    intake = Intake()
    kinds = [Channel.DATA, Channel.DATA, Channel.ANNOUNCE, Channel.DATA]
    for at, channel in enumerate(kinds):
        intake.put(Message(SOURCE, channel, bytes([at])))
    assert [[message.payload[0] for message in intake.take()] for _ in range(4)] == [[0, 1], [2], [3], []]
