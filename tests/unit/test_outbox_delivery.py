"""The outbox: red first, in order per alarm, again after a failure, never twice under another key."""

import asyncio

import pytest

from alerting.alarms import Kind
from alerting.channels import ChannelError
from alerting.outbox import route
from alerting.state.tables import Progress
from telemetry.clock import SECOND_NS
from tests.unit.centre_things import HandWall, PlainSettings, Scripted, make_event, running, until

HOUR_NS = 3600 * SECOND_NS


def heard(channel: Scripted) -> list[tuple[str, int]]:
    return [(message.event.alarm_id, message.event.version) for message in channel.got]


async def test_what_is_recorded_is_delivered_with_a_receipt(tmp_path):
    channel = Scripted()
    async with running(tmp_path / "s.db", {"desk": channel}) as (state, outbox):
        await state.record([make_event("a1"), make_event("a2")], 1)
        outbox.wake()
        await outbox.drained()
        assert await state.depth() == {"desk": {Progress.DELIVERED: 2}}
        assert outbox.counts["desk"].delivered == 2
    assert [message.key for message in channel.got] == ["a1.1.raised.desk", "a2.1.raised.desk"]
    assert channel.closed


async def test_red_goes_first(tmp_path):
    channel = Scripted()
    async with running(tmp_path / "s.db", {"desk": channel}, parallel=1) as (state, outbox):
        levels = [1, 3, 2, 4, 1, 4]
        await state.record([make_event(f"a{i}", level=level) for i, level in enumerate(levels)], 1)
        outbox.wake()
        await outbox.drained()
    assert [message.event.level for message in channel.got] == [4, 4, 3, 2, 1, 1]
    assert heard(channel)[:2] == [("a3", 1), ("a5", 1)]


async def test_versions_of_one_alarm_arrive_in_order(tmp_path):
    """F3, F6: an older version never follows a newer one, and the all-clear is not lost."""
    failures = iter([True, True])

    def fails_twice(message):
        if next(failures, False):
            raise ChannelError("busy")

    channel, wall = Scripted(fails_twice), HandWall()
    async with running(tmp_path / "s.db", {"desk": channel}, wall) as (state, outbox):
        await state.record([make_event(version=1, level=1)], 1)
        outbox.wake()
        await channel.arrived.wait()
        await state.record([make_event(version=2, level=4), make_event(version=3, kind=Kind.CLEARED)], 2)
        for _ in range(3):
            wall.ns += 100 * SECOND_NS
            outbox.wake()
            await asyncio.sleep(0.02)
        await outbox.drained()
    assert heard(channel) == [("a1", 1), ("a1", 1), ("a1", 1), ("a1", 2), ("a1", 3)]
    assert len({message.key for message in channel.got[:3]}) == 1, "one key for all attempts"


async def test_a_waiting_version_lends_its_urgency_to_the_one_before_it(tmp_path):
    gate = asyncio.Event()
    channel = Scripted(lambda _: gate.wait())
    async with running(tmp_path / "s.db", {"desk": channel}, parallel=1) as (state, outbox):
        await state.record([make_event("first", level=4)], 1)
        outbox.wake()
        await channel.arrived.wait()
        await state.record([make_event("low", level=1), make_event("mid", level=3)], 2)
        await state.record([make_event("low", 2, level=4)], 3)
        gate.set()
        await outbox.drained()
    assert heard(channel) == [("first", 1), ("low", 1), ("low", 2), ("mid", 1)]


async def test_a_retry_waits_and_gives_up_at_its_deadline(tmp_path):
    """F20: nothing is given up in silence."""
    wall = HandWall()

    def fails(message):
        raise ChannelError("down")

    channel = Scripted(fails)
    async with running(tmp_path / "s.db", {"desk": channel}, wall, retry_for_s=3600.0) as (state, outbox):
        await state.record([make_event()], 1)
        outbox.wake()
        await channel.arrived.wait()
        await asyncio.sleep(0.02)
        outbox.wake()
        await asyncio.sleep(0.02)
        assert len(channel.got) == 1, "not before its time"
        assert outbox.counts["desk"].trouble == "down"
        wall.ns += HOUR_NS
        outbox.wake()
        await outbox.drained()
        assert await state.depth() == {"desk": {Progress.DEAD: 1}}
        assert (outbox.counts["desk"].dead, outbox.counts["desk"].retried) == (1, 1)
    assert [message.attempt for message in channel.got] == [1, 2]


async def test_a_final_refusal_is_not_repeated(tmp_path):
    def fails(message):
        raise ChannelError("404", final=True)

    channel = Scripted(fails)
    async with running(tmp_path / "s.db", {"desk": channel}) as (state, outbox):
        await state.record([make_event()], 1)
        outbox.wake()
        await outbox.drained()
        assert await state.depth() == {"desk": {Progress.DEAD: 1}}
    assert len(channel.got) == 1


async def test_a_hanging_channel_takes_no_place_from_another(tmp_path):
    """P1 at the desk: one dead receiver does not stall the rest."""
    stuck, healthy = Scripted(lambda _: asyncio.Event().wait()), Scripted()
    async with running(tmp_path / "s.db", {"stuck": stuck, "healthy": healthy}, parallel=2) as (state, outbox):
        await state.record([make_event(f"a{i}") for i in range(20)], 1)
        outbox.wake()
        await until(outbox, lambda: outbox.counts["healthy"].delivered == 20)
        assert len(stuck.got) == 2


async def test_an_attempt_has_a_deadline(tmp_path):
    channel = Scripted(lambda _: asyncio.Event().wait())
    async with running(tmp_path / "s.db", {"desk": channel}, timeout_s=0.02, retry_for_s=0.0) as (state, outbox):
        await state.record([make_event()], 1)
        outbox.wake()
        await outbox.drained()
        assert outbox.counts["desk"].trouble == "no answer within 0.02 s"


async def test_a_restart_repeats_only_what_was_in_flight_under_its_key(tmp_path):
    """F2, F5: nothing that was delivered comes again; what was not comes under the same key."""
    stuck = Scripted(lambda message: asyncio.Event().wait() if message.event.alarm_id == "a2" else None)
    async with running(tmp_path / "s.db", {"desk": stuck}) as (state, outbox):
        await state.record([make_event("a1"), make_event("a2")], 1)
        outbox.wake()
        await until(outbox, lambda: outbox.counts["desk"].delivered == 1 and len(stuck.got) == 2)
    channel = Scripted()
    async with running(tmp_path / "s.db", {"desk": channel}) as (state, outbox):
        await outbox.drained()
    assert [message.key for message in channel.got] == ["a2.1.raised.desk"]
    assert channel.got[0].key in {message.key for message in stuck.got}


async def test_a_channel_that_was_removed_does_not_hold_up_a_drill(tmp_path):
    async with running(tmp_path / "s.db", {"old": Scripted(lambda _: asyncio.Event().wait())}) as (state, outbox):
        await state.record([make_event()], 1)
    async with running(tmp_path / "s.db", {"new": Scripted()}) as (state, outbox):
        await outbox.drained()
        assert (await state.depth())["old"] == {Progress.DEAD: 1}


@pytest.mark.parametrize(
    ("event", "told", "goes"),
    [
        (make_event(level=1), (), False),
        (make_event(level=2), (), True),
        (make_event(version=2, level=1), ("desk",), True),
        (make_event(version=2, kind=Kind.CLEARED), ("desk",), True),
        (make_event(version=2, kind=Kind.CLEARED), (), False),
        (make_event(kind=Kind.ACKNOWLEDGED), ("desk",), False),
        (make_event(kind=Kind.CORRECTION, level=4), (), False),
        (make_event(level=4, drill=True), (), False),
    ],
)
def test_who_is_told(event, told, goes):
    """F6, F16: an all-clear follows whoever heard the alarm; a drill does not reach a live channel."""
    planned = route([PlainSettings(name="desk", min_level=2)])(event, told, 0)
    assert bool(planned) is goes


async def test_every_text_of_a_drill_is_marked(tmp_path):
    """F16: nobody takes a drill for the real thing."""
    channel = Scripted()
    async with running(tmp_path / "s.db", {"desk": channel}) as (state, outbox):
        await state.record([make_event("a1", drill=True), make_event("a2")], 1)
        outbox.wake()
        await outbox.drained()
    texts = {message.event.alarm_id: message.text for message in channel.got}
    assert (texts["a1"].zh, texts["a1"].en) == ("【演练】大风蓝色", "DRILL: Gale blue")
    assert (texts["a2"].zh, texts["a2"].en) == ("大风蓝色", "Gale blue")
