"""A slow store slows the gateways through their window: memory stays flat, nothing is lost, and the lag is said."""

import asyncio
import threading
import tracemalloc

import pytest

from alerting.api import dto
from alerting.parts import intake_part
from ingest.intake import WINDOW, Intake, Message
from ingest.store.duckdb import DuckDBStore
from ingest.waiting import Waiting
from telemetry.bundle import packed
from telemetry.clock import SECOND_NS
from telemetry.topics import Channel
from telemetry.wire import Lane, encode_batch
from tests.unit.ingest_centre import DEADLINE_S, Centre, FullDisk, running
from tests.unit.ingest_data import SOURCE, START_NS, batch, level

BATCHES = 2_000
POINTS = tuple(f"p{at}" for at in range(100))


class SlowStore(FullDisk):
    """A real store whose commits wait for a signal each."""

    def __init__(self, store: DuckDBStore) -> None:
        super().__init__(store)
        self.may_go = threading.Semaphore(0)

    def commit(self, batches):
        assert self.may_go.acquire(timeout=DEADLINE_S)
        return super().commit(batches)


@pytest.fixture
def store(tmp_path):
    store = DuckDBStore(tmp_path / "store.duckdb")
    yield SlowStore(store)
    store.close()


class Field:
    """A gateway with a backlog that keeps to the window of bundles: 1,024 batches and 16,000 rows."""

    def __init__(self) -> None:
        values = [float(at % 10) for at in range(len(POINTS))]
        self.unsent = [
            encode_batch(batch(seq, values, points=POINTS, time_ns=START_NS + seq * SECOND_NS), Lane.BACKLOG)
            for seq in range(1, BATCHES + 1)
        ]
        self.open: set[int] = set()
        self.most_open = self._next = 0

    def send(self, centre: Centre) -> None:
        room = 16_000 // len(POINTS) - len(self.open)
        part = self.unsent[self._next : self._next + room]
        self.open |= set(range(self._next + 1, self._next + len(part) + 1))
        self._next += len(part)
        self.most_open = max(self.most_open, len(self.open))
        for payload in packed(part):
            assert centre.intake.put(Message(SOURCE, Channel.DATA, payload)), (
                "no room for a gateway that keeps its window"
            )

    async def hear(self, centre: Centre) -> None:
        for epoch in (await centre.next_ack()).epochs:
            assert not epoch.refused
            for first, last in epoch.committed:
                self.open -= set(range(first, last + 1))


async def test_a_slow_store_slows_the_gateway_and_memory_stays_flat(store):
    field, traced = Field(), []
    async with running(Centre(store)) as centre:
        centre.announce(*(level(point) for point in POINTS))
        tracemalloc.start()
        try:
            while field.open or field._next < BATCHES:
                field.send(centre)
                store.may_go.release()
                await field.hear(centre)
                centre.commits.clear()
                traced.append(tracemalloc.get_traced_memory()[0])
        finally:
            tracemalloc.stop()
    assert field.most_open == 160, "the window was full"
    assert store.count() == store.distinct_count() == BATCHES * len(POINTS)
    half = len(traced) // 2
    assert len(traced) > 10
    assert max(traced[half:]) < max(traced[:half]) + 1_000_000


async def test_what_does_not_fit_the_window_is_dropped_before_it_costs_memory_and_comes_again(store):
    """A gateway that ignores its window while the store stands still: the centre keeps a bounded part of it."""
    values = [1.0] * len(POINTS)
    async with running(Centre(store)) as centre:
        centre.announce(*(level(point) for point in POINTS))
        for turn in range(40):
            part = [
                encode_batch(
                    batch(turn * 100 + at, values, points=POINTS, time_ns=START_NS + at * SECOND_NS), Lane.LIVE
                )
                for at in range(1, 91)
            ]
            for payload in packed(part):
                centre.intake.put(Message(SOURCE, Channel.DATA, payload))
            await asyncio.sleep(0.005)
        assert len(centre.intake) <= WINDOW + 8
        assert sum(centre.intake.dropped.values()) + len(centre.intake) >= 30
        for _ in range(40):
            store.may_go.release()


async def test_the_age_of_the_oldest_row_that_waits_is_known_and_degrades_the_health(store):
    class Told:
        """What the health asks of an ingest."""

        def __init__(self, pipeline):
            self.stats, self.waiting_s, self.faults = pipeline.stats, pipeline.waiting_s, pipeline._admission.faults

    async with running(Centre(store)) as centre:
        centre.announce(level("a"), level("b"))
        assert centre.pipeline.waiting_s() == 0.0
        centre.send(batch(1, [1.0, 2.0]))
        await asyncio.sleep(0)
        centre.now_s += 12.0
        assert centre.pipeline.waiting_s() == 12.0
        part = intake_part(Told(centre.pipeline))
        assert part.status is dto.Condition.DEGRADED
        assert "rows wait 12 s for the store" in part.detail
        store.may_go.release()
        await centre.next_ack()
        assert centre.pipeline.waiting_s() == 0.0
        assert centre.pipeline.stats.commit_lag_s == 12.0
        assert intake_part(Told(centre.pipeline)).status is dto.Condition.OK


def test_what_is_live_passes_a_backlog_that_waits_in_the_intake():
    intake = Intake()
    lanes = (Lane.BACKLOG, Lane.BACKLOG, Lane.LIVE, Lane.BACKLOG, Lane.ALARM)
    payloads = [encode_batch(batch(seq, [1.0, 2.0]), lane) for seq, lane in enumerate(lanes, start=1)]
    (bundle,) = packed(payloads[:2])
    for payload in (bundle, *payloads):
        intake.put(Message(SOURCE, Channel.DATA, payload))
    assert [message.payload for message in intake.take(backlog=False)] == [payloads[2], payloads[4]]
    assert intake.take(backlog=False) == []
    assert [message.payload for message in intake.take()] == [bundle, payloads[0], payloads[1], payloads[3]]


def test_what_is_live_passes_a_backlog_that_waits_for_the_store():
    waiting = Waiting(WINDOW)
    for seq in (1, 2, 3):
        waiting.put(batch(seq, [1.0, 2.0]), 0.0)
    waiting.put(batch(4, [1.0, 2.0]), 1.0, first=True)
    assert [held.batch.seq for held in waiting.group(6)] == [4, 1, 2]
    assert (waiting.rows, waiting.oldest_s()) == (8, 0.0)


def test_what_writes_rows_again_waits_for_them_and_is_not_passed_for_ever():
    """The row of the later commit counts: what is written again must never be in the same commit, or an earlier one."""
    waiting, checks = Waiting(WINDOW), "demo/checks"
    waiting.put(batch(1, [1.0, 2.0]), 0.0)
    waiting.put(batch(2, [1.0, 2.0]), 0.0, first=True)
    waiting.put(batch(1, [1.0, 2.0], source=checks), 0.0)
    for seq in (3, 4):
        waiting.put(batch(seq, [1.0, 2.0]), 0.0, first=True)
    group = waiting.group(100)
    assert [held.batch.source for held in group] == [SOURCE] * 4
    waiting.leave(group)
    waiting.put(batch(5, [1.0, 2.0]), 0.0, first=True)
    assert [(held.batch.source, held.batch.seq) for held in waiting.group(100)] == [(checks, 1), (SOURCE, 5)]
