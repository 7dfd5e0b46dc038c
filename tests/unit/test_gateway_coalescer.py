"""The coalescer: gathers polls that end quickly, never loses, pairs every hold with a release."""

import asyncio
import time
from contextlib import asynccontextmanager

import hypothesis.strategies as st
from hypothesis import given, settings

from gateway.coalescer import PATIENCE_S, Coalescer
from telemetry.batch import MAX_ROWS, concat
from tests.unit.gateway_batches import HandClock, make_batch

GATHER_S = 0.08


async def at_once(_timeout_s):
    """An uplink that always has room."""


@asynccontextmanager
async def running(gather_s, ready=at_once):
    """A coalescer at work, and the queue of what it hands on."""
    kept, clock = asyncio.Queue(), HandClock()
    coalescer = Coalescer(clock, kept.put_nowait, ready, gather_s)
    async with asyncio.TaskGroup() as tasks:
        task = tasks.create_task(coalescer.run())
        yield coalescer, kept
        task.cancel()
    assert kept.empty()
    assert clock.holds == 0


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


async def test_polls_that_end_apart_leave_in_the_next_turn_of_the_loop():
    async with running(GATHER_S) as (coalescer, kept):
        for k in range(6):
            coalescer.put(make_batch(3, start=k))
            async with asyncio.timeout(GATHER_S / 4):
                assert (await kept.get()).value[0] == k
            await asyncio.sleep(GATHER_S / 2)


async def test_without_a_time_to_gather_nothing_is_waited_for():
    async with running(0.0) as (coalescer, kept):
        for k in range(12):
            coalescer.put(make_batch(3, start=k))
            async with asyncio.timeout(0.1):
                assert (await kept.get()).value[0] == k


async def test_polls_that_end_quickly_leave_together_a_moment_later():
    async with running(GATHER_S) as (coalescer, kept):
        for k in range(3):
            coalescer.put(make_batch(3, start=k))
            assert (await kept.get()).value[0] == k
        begun_s = time.monotonic()
        for k in range(5):
            coalescer.put(make_batch(3, start=3 * k))
            await asyncio.sleep(GATHER_S / 8)
        assert kept.empty(), "more of them are coming"
        assert (await kept.get()).value.tolist() == list(range(15))
        assert GATHER_S <= time.monotonic() - begun_s < 2 * GATHER_S


async def test_an_alarm_takes_along_what_is_gathered_and_waits_for_nothing():
    async with running(60.0) as (coalescer, kept):
        for k in range(3):
            coalescer.put(make_batch(3, start=k))
            await kept.get()
        for k in range(2):
            coalescer.put(make_batch(3, start=3 * k))
            await asyncio.sleep(0.01)
        hurried = []
        coalescer.flush(hurried.append)
        assert [batch.value.tolist() for batch in hurried] == [list(range(6))]


async def test_what_queues_while_the_uplink_is_busy_is_merged():
    room, asked = asyncio.Event(), []

    async def busy(timeout_s):
        asked.append(timeout_s)
        await room.wait()

    async with running(0.0, busy) as (coalescer, kept):
        for k in range(5):
            coalescer.put(make_batch(3, start=3 * k))
            await asyncio.sleep(0)
        assert kept.empty()
        assert asked == [PATIENCE_S], "P5: nothing is in memory only for longer than that"
        room.set()
        assert (await kept.get()).value.tolist() == list(range(15))


async def test_a_drill_waits_for_what_is_queued():
    clock, kept = HandClock(), []
    coalescer = Coalescer(clock, kept.append, at_once)
    for k in range(5):
        coalescer.put(make_batch(3, start=3 * k))
    assert clock.holds == 5
    coalescer.flush()
    assert clock.holds == 0


def test_a_full_queue_goes_on_without_waiting():
    kept = []
    coalescer = Coalescer(HandClock(), kept.append, at_once)
    for _ in range(40):
        coalescer.put(make_batch(1000))
    assert [len(batch) for batch in kept] == [9_000] * 4
