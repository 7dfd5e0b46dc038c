"""The coalescer: merges what has queued, never waits to gather more, never loses, pairs every hold with a release."""

import asyncio

import hypothesis.strategies as st
from hypothesis import given, settings

from gateway.coalescer import Coalescer
from telemetry.batch import MAX_ROWS, concat
from tests.unit.gateway_batches import HandClock, make_batch


async def at_once(_timeout_s):
    """An uplink that always has room."""


@settings(deadline=None)
@given(st.lists(st.one_of(st.integers(0, 50), st.integers(MAX_ROWS - 50, MAX_ROWS)), max_size=30))
def test_every_row_goes_on_once_and_in_order(sizes):
    clock, kept = HandClock(), []
    coalescer = Coalescer(clock, kept.append, at_once)
    batches = [make_batch(n, start=k) for k, n in enumerate(sizes)]
    for batch in batches:
        coalescer.put(batch)
    coalescer.flush()
    assert clock.holds == 0
    assert all(0 < len(batch) <= MAX_ROWS for batch in kept)
    rows = [batch for batch in batches if len(batch)]
    if rows:
        assert concat(kept).value.tolist() == concat(rows).value.tolist()
    else:
        assert kept == []


async def test_a_single_batch_leaves_in_the_next_turn_of_the_loop():
    kept = asyncio.Queue()
    coalescer = Coalescer(HandClock(), kept.put_nowait, at_once)
    async with asyncio.TaskGroup() as tasks:
        task = tasks.create_task(coalescer.run())
        for k in range(3):
            coalescer.put(make_batch(3, start=k))
            async with asyncio.timeout(0.1):
                assert (await kept.get()).value[0] == k
        task.cancel()


async def test_what_queues_while_the_uplink_is_busy_is_merged():
    kept, room = asyncio.Queue(), asyncio.Event()

    async def busy(_timeout_s):
        await room.wait()

    clock = HandClock()
    coalescer = Coalescer(clock, kept.put_nowait, busy)
    async with asyncio.TaskGroup() as tasks:
        task = tasks.create_task(coalescer.run())
        for k in range(5):
            coalescer.put(make_batch(3, start=3 * k))
            await asyncio.sleep(0)
        assert kept.empty()
        assert clock.holds == 5, "a drill waits for what is queued"
        room.set()
        assert (await kept.get()).value.tolist() == list(range(15))
        assert clock.holds == 0
        task.cancel()


def test_a_full_queue_goes_on_without_waiting():
    kept = []
    coalescer = Coalescer(HandClock(), kept.append, at_once)
    for _ in range(40):
        coalescer.put(make_batch(1000))
    assert [len(batch) for batch in kept] == [9_000] * 4
