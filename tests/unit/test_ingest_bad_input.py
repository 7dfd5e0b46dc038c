"""Whatever a gateway sends is taken once, or answered as refused with the reason and counted by cause."""

import asyncio
import struct

import msgspec
import numpy as np
import pytest

from ingest.intake import Message
from ingest.store.duckdb import DuckDBStore
from telemetry.batch import rows
from telemetry.bundle import packed
from telemetry.clock import SECOND_NS
from telemetry.faults import Fault
from telemetry.quality import Cause, Quality
from telemetry.topics import Channel
from telemetry.wire import Codec, Lane, encode, encode_batch, read_header
from tests.unit.ingest_centre import Centre, FullDisk, committed, running
from tests.unit.ingest_data import SOURCE, START_NS, announce, batch, ids, level


@pytest.fixture
def store(tmp_path):
    store = DuckDBStore(tmp_path / "store.duckdb")
    yield FullDisk(store)
    store.close()


@pytest.fixture
async def centre(store):
    async with running(Centre(store)) as centre:
        centre.announce(level("a"), level("b"))
        yield centre


def faults(centre):
    return dict(centre.pipeline._admission.faults)


def changed(**fields):
    """A good message with some fields of its header or columns changed: a liar."""
    good = read_header(encode_batch(batch(5, [1.0, 2.0]), Lane.LIVE))
    plain = msgspec.structs.replace(good, codec=Codec.RAW, columns=columns())
    return msgspec.msgpack.encode(msgspec.structs.replace(plain, **fields))


def columns(**changes):
    """The two rows of a batch as raw columns, one of them changed."""
    good = batch(5, [1.0, 2.0])
    found = {name: getattr(good, name) for name in ("series", "time_ns", "value", "quality", "cause")} | changes
    return b"".join(np.ascontiguousarray(column).tobytes() for column in found.values())


LIES = {
    "more rows than columns": (changed(rows=3), Fault.LENGTHS),
    "fewer rows than columns": (changed(rows=1), Fault.LENGTHS),
    "no rows": (changed(rows=0), Fault.LENGTHS),
    "more rows than a batch has": (changed(rows=2**40), Fault.LENGTHS),
    "columns too short": (changed(columns=columns()[:-1]), Fault.LENGTHS),
    "NaN without MISSING": (changed(columns=columns(value=np.array([np.nan, 1.0]))), Fault.NAN),
    "MISSING without NaN": (changed(columns=columns(quality=np.array([4, 0], np.uint8))), Fault.NAN),
    "infinite": (changed(columns=columns(value=np.array([np.inf, 1.0]))), Fault.INFINITE),
    "no such quality": (changed(columns=columns(quality=np.array([5, 0], np.uint8))), Fault.QUALITY),
    "finer than a millisecond": (changed(columns=columns(time_ns=np.array([START_NS + 1] * 2))), Fault.TIME),
    "no identity": (changed(columns=columns(series=np.array([-1, 5]))), Fault.SERIES),
    "compressed, it says": (changed(codec=1), Fault.MALFORMED),
    "another version": (changed(version=2), Fault.MALFORMED),
    "too large": (changed(columns=bytes(300_000)), Fault.TOO_LARGE),
}


@pytest.mark.parametrize("lie", LIES)
async def test_a_batch_that_lies_is_refused_with_the_reason_and_counted(centre, store, lie):
    payload, fault = LIES[lie]
    centre.intake.put(Message(SOURCE, Channel.DATA, payload))
    (epoch,) = (await centre.next_ack()).epochs
    assert (epoch.epoch, epoch.committed, [one.seq for one in epoch.refused]) == (7, (), [5])
    assert "expected" in epoch.refused[0].reason or "decompress" in epoch.refused[0].reason
    assert faults(centre) == {fault: 1}
    assert store.count() == 0


async def test_an_overlapping_batch_counts_twice_as_rows_and_once_as_a_reading(centre, store):
    """Two batches of different names hold the same (series, time): the later commit's row is the reading."""
    for seq, value in ((1, 1.0), (2, 3.0)):
        centre.send(batch(seq, [value, 2.0]))
        assert committed(await centre.next_ack()) == [(7, ((seq, seq),))]
    assert store.distinct_count() == 2
    assert store.samples(ids("a"), 0, 2**62).value.tolist() == [3.0]


async def test_batches_out_of_order_and_an_epoch_that_goes_back_are_taken_once_and_counted(centre, store):
    """A backlog of the run before comes after the live rows of this one; so does all of a gateway that was set back."""
    sent = [(7, 2), (7, 1), (9, 1), (7, 3), (7, 2), (9, 2)]
    for at, (epoch, seq) in enumerate(sent):
        centre.send(batch(seq, [1.0, 2.0], epoch=epoch, time_ns=START_NS + at * SECOND_NS))
        assert committed(await centre.next_ack()) == [(epoch, ((seq, seq),))]
    assert store.count() == 2 * 5
    assert centre.pipeline.stats.duplicates == 1
    assert (centre.pipeline.sequence.disordered, centre.pipeline.sequence.old_epochs) == (2, 2)


async def test_a_unit_that_changed_is_refused_and_never_mixed(centre, store):
    """The series was metres; its gateway now says millimetres: neither announcement nor rows count."""
    centre.send(batch(1, [1.0, 2.0]))
    assert committed(await centre.next_ack()) == [(7, ((1, 1),))]
    centre.announce(level("a", unit="mm"), level("b"), revision="r2")
    centre.send(batch(2, [1000.0], points=("a",)), batch(3, [2.0], points=("b",)))
    (epoch,) = (await centre.next_ack()).epochs
    assert epoch.committed == ((3, 3),)
    assert [one.seq for one in epoch.refused] == [2]
    assert "unit 'mm', expected 'm'" in epoch.refused[0].reason
    assert "announced in 'm' before" in epoch.refused[0].reason
    assert faults(centre) == {Fault.ANNOUNCEMENT: 1, Fault.UNIT: 1}
    centre.announce(level("a"), level("b"), revision="r3")
    centre.send(batch(4, [1.5], points=("a",)))
    assert committed(await centre.next_ack()) == [(7, ((4, 4),))]


async def test_times_that_cannot_be_are_kept_marked_and_counted_by_the_engine(centre, store):
    """Years ahead, years ago, before 1970: evidence, and nobody's present state (``misdated_rows``)."""
    times = np.array([START_NS + 400 * 86_400 * SECOND_NS, START_NS - 400 * 86_400 * SECOND_NS, -SECOND_NS], np.int64)
    series = np.repeat(ids("a"), 3)
    centre.send(rows(SOURCE, series, times, np.ones(3)).numbered(7, 1))
    assert committed(await centre.next_ack()) == [(7, ((1, 1),))]
    commit = await centre.next_commit()
    assert commit.batches[0].quality.tolist() == [Quality.SUSPECT] * 3
    assert commit.batches[0].cause.tolist() == [Cause.CLOCK] * 3


@pytest.mark.parametrize("length", [0, 1, 2**31, 2**32 - 1])
async def test_a_bundle_that_lies_about_a_length_is_counted_and_the_next_one_is_taken(centre, store, length):
    good = encode_batch(batch(1, [1.0, 2.0]), Lane.BACKLOG)
    (bundle,) = packed([good, encode_batch(batch(2, [1.0, 2.0], time_ns=START_NS + SECOND_NS), Lane.BACKLOG)])
    lie = bundle[:1] + struct.pack("<I", length) + bundle[5:]
    for payload in (lie, bundle[:3], b"\xc1", bundle):
        centre.intake.put(Message(SOURCE, Channel.DATA, payload))
        await asyncio.sleep(0)
    assert committed(await centre.next_ack()) == [(7, ((1, 2),))]
    assert faults(centre) == {Fault.LENGTHS: 3}
    assert store.count() == 4


async def test_a_gateway_of_the_wrong_kind_is_counted_as_such(centre, store):
    centre.intake.put(Message("demo/gw-2", Channel.ANNOUNCE, encode(announce(level("c"), drill=True))))
    centre.send(batch(1, [1.0], points=("c",), source="demo/gw-2"), source="demo/gw-2")
    (epoch,) = (await centre.next_ack()).epochs
    assert "a drill" in epoch.refused[0].reason
    assert faults(centre) == {Fault.ANNOUNCEMENT: 1, Fault.GATEWAY: 1}
