"""What the state can't take is told from memory, in order, and once (ADR 0005)."""

import asyncio

import pytest

from alerting.alarms import Kind
from alerting.channels import ChannelError
from alerting.state.tables import Progress
from tests.unit.centre_things import Scripted, make_event, running


@pytest.fixture(autouse=True)
def _quick(monkeypatch):
    monkeypatch.setattr("alerting.unrecorded._PAUSE_S", (0.001, 0.002))


async def told(channel: Scripted, n: int) -> list[str]:
    async with asyncio.timeout(5):
        while len(channel.got) < n:
            channel.arrived.clear()
            await channel.arrived.wait()
    return [message.key for message in channel.got]


async def test_told_in_order_at_once_and_not_again_when_it_is_recorded(tmp_path):
    """F2: after the disk has room again nobody hears an alarm twice."""
    channel = Scripted()
    events = [make_event(version=1), make_event(version=2, level=4), make_event(version=3, kind=Kind.CLEARED)]
    keys = [f"{event.key}.desk" for event in events]
    async with running(tmp_path / "s.db", {"desk": channel}) as (state, outbox):
        outbox.unrecorded.tell(events[:2])
        outbox.unrecorded.tell(events)
        assert await told(channel, 3) == keys
        outbox.unrecorded.recorded()
        await state.record(events, 1)
        outbox.wake()
        await outbox.drained()
        assert await state.depth() == {"desk": {Progress.DELIVERED: 3}}
        assert outbox.unrecorded.told == 3
    assert [message.key for message in channel.got] == keys


async def test_what_is_under_way_when_it_is_recorded_is_not_sent_beside_it(tmp_path):
    answer = asyncio.Event()
    channel = Scripted(lambda _: answer.wait())
    async with running(tmp_path / "s.db", {"desk": channel}) as (state, outbox):
        outbox.unrecorded.tell([make_event()])
        await told(channel, 1)
        outbox.unrecorded.recorded()
        await state.record([make_event()], 1)
        outbox.wake()
        await asyncio.sleep(0.05)
        answer.set()
        await outbox.drained()
    assert len(channel.got) == 1


async def test_a_receiver_that_fails_is_tried_again_and_one_that_refuses_is_left_to_the_outbox(tmp_path):
    answers = iter([ChannelError("busy"), None, ChannelError("never", final=True), None])

    def act(_):
        if (error := next(answers)) is not None:
            raise error

    channel = Scripted(act)
    events = [make_event("a1"), make_event("a2")]
    async with running(tmp_path / "s.db", {"desk": channel}) as (state, outbox):
        outbox.unrecorded.tell(events)
        assert await told(channel, 3) == ["a1.1.raised.desk"] * 2 + ["a2.1.raised.desk"]
        outbox.unrecorded.tell(events)
        outbox.unrecorded.recorded()
        await state.record(events, 1)
        outbox.wake()
        await outbox.drained()
    assert [message.key for message in channel.got][3:] == ["a2.1.raised.desk"]


async def test_a_channel_hears_what_its_level_allows_and_a_slow_one_holds_up_no_other(tmp_path):
    slow, quick = Scripted(lambda _: asyncio.Event().wait()), Scripted()
    async with running(tmp_path / "s.db", {"slow": slow, "quick": quick}, min_level=3) as (_, outbox):
        outbox.unrecorded.tell([make_event("a1", level=1), make_event("a2", level=3), make_event("a3", level=4)])
        assert await told(quick, 2) == ["a2.1.raised.quick", "a3.1.raised.quick"]
        assert await told(slow, 1) == ["a2.1.raised.slow"]
