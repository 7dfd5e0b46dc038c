"""What a later neighbour shows about a row: written again with its new quality, the value as it was, and no news."""

import asyncio

import numpy as np
import pytest

from alerting.alarms import fold
from alerting.alarms.events import Kind
from ingest.store.duckdb import DuckDBStore
from telemetry.batch import Batch
from telemetry.clock import MINUTE_NS, SECOND_NS
from telemetry.quality import Cause, Quality
from telemetry.topics import CHECKS, is_own
from tests.unit.engine_things import SITE, T0, commit, desk, key
from tests.unit.ingest_centre import DEADLINE_S, Centre, FullDisk, running
from tests.unit.ingest_data import START_NS, batch, ids, level


@pytest.fixture
def store(tmp_path):
    store = DuckDBStore(tmp_path / "store.duckdb")
    yield FullDisk(store)
    store.close()


def spiky(seq, value):
    """The reading of one second."""
    return batch(seq, [value], points=("a",), time_ns=START_NS + seq * SECOND_NS)


async def until_quiet(centre):
    """Until the spike of row 2 is in the record."""
    async with asyncio.timeout(DEADLINE_S):
        while not any(is_own(one.source) for commit in centre.commits for one in commit.batches):
            centre.handed_on.clear()
            await centre.handed_on.wait()


async def test_a_spike_is_written_again_when_the_next_row_shows_it(store):
    async with running(Centre(store)) as centre:
        centre.announce(level("a"))
        for seq, value in enumerate([3.0, 3.9, 3.1], 1):
            centre.send(spiky(seq, value))
            await centre.next_ack()
        await until_quiet(centre)
    found = store.samples(ids("a"), 0, 2**62)
    assert found.value.tolist() == [3.0, 3.9, 3.1], "flag, never fix"
    assert found.quality.tolist() == [Quality.GOOD, Quality.SUSPECT, Quality.GOOD]
    assert found.cause.tolist() == [0, Cause.SPIKE, 0]
    first = centre.commits[1].batches[0]
    assert first.quality.tolist() == [Quality.GOOD], "the newest sample may alarm"
    assert centre.commits[-1].batches[-1].source == f"demo/{CHECKS}"
    assert centre.pipeline.stats.doubted_rows == 1


async def test_a_spike_whose_row_is_not_committed_yet_never_shares_its_commit(store):
    """Of two rows of one moment in one commit nobody could say which is the later."""
    centre = Centre(store)
    for seq, value in enumerate([3.0, 3.9, 3.1], 1):
        centre.send(spiky(seq, value))
    rounds = iter([1, 1, 1, 0])
    centre.announce(level("a"))
    take, committing = centre.intake.take, store.is_full
    assert not committing
    messages = take()
    centre.pipeline._round(take())  # the announcement
    store.is_full = True
    for at, many in enumerate(rounds):
        centre.pipeline._round(messages[at : at + many])
    store.is_full = False
    centre.now_s += 100
    commits = []
    while centre.pipeline._waiting:
        commits.append([one.batch.source for one in centre.pipeline._waiting.group(10**6)])
        centre.pipeline._round([])
    assert commits == [["demo/gw-1"] * 3, [f"demo/{CHECKS}"]]
    found = store.samples(ids("a"), 0, 2**62)
    assert found.cause.tolist() == [0, Cause.SPIKE, 0]


async def test_within_one_group_a_spike_is_flagged_before_it_is_written(store):
    async with running(Centre(store)) as centre:
        centre.announce(level("a"))
        one = [spiky(seq, value) for seq, value in enumerate([3.0, 3.9, 3.1], 1)]
        columns = {name: np.concatenate([getattr(b, name) for b in one]) for name in ("series", "time_ns", "value")}
        flags = {"quality": np.zeros(3, np.uint8), "cause": np.zeros(3, np.uint16)}
        centre.send(Batch(source="demo/gw-1", epoch=7, seq=1, **columns, **flags))
        await centre.next_ack()
        commit = await centre.next_commit()
    assert commit.batches[0].cause.tolist() == [0, Cause.SPIKE, 0]
    assert store.count() == 3


def tide(one, *levels):
    """A level a minute."""
    for minute, value in enumerate(levels):
        one.feed(minute, {"tide/sea-level": value})


def again(minute, value):
    """A reading of the tide that was doubted afterwards."""
    return Batch(
        source=f"{SITE}/{CHECKS}",
        epoch=1,
        seq=1,
        series=np.array([key("tide/sea-level")]),
        time_ns=np.array([T0 + minute * MINUTE_NS]),
        value=np.array([value]),
        quality=np.array([Quality.SUSPECT], np.uint8),
        cause=np.array([Cause.SPIKE], np.uint16),
    )


def test_the_engine_takes_a_doubt_as_a_correction_of_the_alarm_that_rests_on_it():
    one = desk(only=["tide"])
    tide(one, 3.0, 3.9, 3.0)
    before = dict(fold(one.log))
    [event] = one.take(commit(9, again(1, 3.9)))
    assert (event.kind, event.level, event.outcome) == (Kind.CORRECTION, 3, "suspect")
    assert event.alarm_id in before, "it speaks of the alarm that there is"
    assert event.text.zh.startswith("事后存疑的读数: ")
    assert fold([*one.log, event]) == before, "and changes nothing of it"


def test_a_doubt_that_no_alarm_rests_on_is_no_event_and_moves_no_time():
    one = desk(only=["tide"])
    tide(one, 3.0, 3.1, 3.0)
    assert one.take(commit(9, again(1, 3.1))) == []
    assert one.take(commit(10, again(2, 9.9))) == [], "what is doubted raises nothing, whatever it shows"
    assert fold(one.log) == {}
