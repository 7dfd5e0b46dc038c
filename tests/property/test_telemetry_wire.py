"""The wire: what is sent is what arrives, and nothing else is ever accepted."""

import zlib
from dataclasses import replace

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from telemetry import topics, wire
from telemetry.batch import MAX_ROWS, Batch, check, concat, missing, rows
from telemetry.quality import Cause, Quality
from telemetry.series import Series, SeriesCollisionError, identify, series_id
from telemetry.wire import Lane
from tests.unit.gateway_old import OldAck, OldEpochAck

SOURCE = "xiuyu/gw-1"


@st.composite
def batches(draw: st.DrawFn) -> Batch:
    n = draw(st.integers(1, 50))
    value = draw(hnp.arrays(np.float64, n, elements=st.floats(allow_infinity=False)))
    quality = draw(hnp.arrays(np.uint8, n, elements=st.integers(0, 3)))
    return replace(
        rows(
            SOURCE,
            draw(hnp.arrays(np.int64, n, elements=st.integers(0, 2**63 - 1))),
            draw(hnp.arrays(np.int64, n, elements=st.integers(0, 2**62))),
            value,
            quality=quality,
            cause=draw(hnp.arrays(np.uint16, n, elements=st.integers(0, 2**16 - 1))),
        ),
        epoch=draw(st.integers(1, 2**63 - 1)),
        seq=draw(st.integers(1, 2**63 - 1)),
        answered_ns=draw(st.integers(0, 2**62)),
    )


def same(left: Batch, right: Batch) -> bool:
    columns = ("series", "time_ns", "value", "quality", "cause")
    return (left.source, left.epoch, left.seq, left.answered_ns) == (
        right.source,
        right.epoch,
        right.seq,
        right.answered_ns,
    ) and all(getattr(left, name).tobytes() == getattr(right, name).tobytes() for name in columns)


@given(batches(), st.sampled_from(Lane))
def test_a_batch_survives_the_wire_bit_for_bit(batch: Batch, lane: Lane) -> None:
    arrived, arrived_lane = wire.decode_batch(wire.encode_batch(batch, lane), SOURCE)
    assert same(arrived, batch)
    assert arrived_lane is lane


@given(st.binary(max_size=400))
def test_garbage_raises_value_error_and_nothing_else(payload: bytes) -> None:
    for read in (lambda p: wire.decode_batch(p, SOURCE), lambda p: wire.decode(p, wire.Status)):
        with pytest.raises(ValueError):
            read(payload)


@given(batches(), st.data())
def test_a_damaged_batch_is_refused_or_still_a_legal_batch(batch: Batch, data: st.DataObject) -> None:
    payload = bytearray(wire.encode_batch(batch, Lane.LIVE))
    at = data.draw(st.integers(0, len(payload) - 1))
    payload[at] ^= data.draw(st.integers(1, 255))
    try:
        arrived, _ = wire.decode_batch(bytes(payload), SOURCE)
    except ValueError:
        return
    check(arrived)


def test_the_largest_batch_fits_a_message() -> None:
    rng = np.random.default_rng(7)
    n = MAX_ROWS
    batch = rows(SOURCE, rng.integers(0, 2**63 - 1, n), rng.integers(0, 2**62, n), rng.normal(size=n)).numbered(1, 1)
    payload = wire.encode_batch(batch, Lane.BACKLOG)
    assert len(payload) <= wire.MAX_PAYLOAD
    assert same(wire.decode_batch(payload, SOURCE)[0], batch)


def data(**changes: object) -> bytes:
    message = wire.Data(1, 5, 1, Lane.LIVE, 0, 1, wire.Codec.RAW, bytes(27))
    return msgspec.msgpack.encode(msgspec.structs.replace(message, **changes))


@pytest.mark.parametrize(
    ("payload", "said"),
    [
        (b"\x00" * (wire.MAX_PAYLOAD + 1), "expected at most 262144"),
        (data(version=2), "version 2, expected 1"),
        (data(seq=0), "expected positive"),
        (data(rows=0), "0 rows"),
        (data(rows=MAX_ROWS + 1), "9001 rows"),
        (data(rows=2), "27 bytes, expected 54"),
        (data(codec=wire.Codec.ZLIB, columns=b"junk"), "do not decompress"),
        (data(columns=b"\xff" * 27), "quality: 255"),
        (data(columns=bytes(24) + b"\x04" + bytes(2)), "NaN and MISSING disagree"),
    ],
)
def test_a_refusal_says_what_was_expected(payload: bytes, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        wire.decode_batch(payload, SOURCE)


def test_a_decompression_bomb_costs_nothing() -> None:
    bomb = zlib.compress(bytes(50_000_000), 9)
    with pytest.raises(ValueError, match="decompress to something else than 27 bytes"):
        wire.decode_batch(data(codec=wire.Codec.ZLIB, columns=bomb), SOURCE)


def test_an_acknowledgement_without_held_numbers_is_what_it_always_was() -> None:
    """Old gateways refuse words that they do not know; new ones ignore them, and take what old centres say."""
    ack = wire.Ack(epochs=(wire.EpochAck(epoch=5, committed=((1, 3),), refused=(wire.Refusal(4, "no"),)),))
    old = msgspec.msgpack.decode(wire.encode(ack), type=OldAck)
    assert old.epochs == (OldEpochAck(epoch=5, committed=((1, 3),), refused=(wire.Refusal(4, "no"),)),)
    assert wire.decode(wire.encode(old), wire.Ack) == ack
    later = msgspec.msgpack.encode({"epochs": [{"epoch": 5, "committed": [[1, 3]], "mood": "fine"}], "moon": "full"})
    assert wire.decode(later, wire.Ack) == wire.Ack(epochs=(wire.EpochAck(epoch=5, committed=((1, 3),)),))


def test_missing_rows_are_nan_with_a_cause() -> None:
    batch = missing(SOURCE, np.array([1, 2], np.int64), 1_234_567_891, Cause.COMMS)
    check(batch)
    assert (batch.quality == Quality.MISSING).all()
    assert (batch.cause == Cause.COMMS).all()
    assert (batch.time_ns == 1_234_000_000).all()


def test_batches_of_two_sources_never_merge() -> None:
    one = missing("a/b", np.array([1], np.int64), 0, Cause.COMMS)
    with pytest.raises(ValueError, match="expected some of one source"):
        concat([one, missing("a/c", np.array([1], np.int64), 0, Cause.COMMS)])
    assert len(concat([one, one])) == 2


def test_the_worst_quality_wins_and_causes_add_up() -> None:
    batch = rows(SOURCE, np.array([1, 2], np.int64), np.zeros(2, np.int64), np.ones(2))
    flagged = batch.flagged(np.array([2, 1], np.uint8), np.array([1, 0], np.uint16)).flagged(
        np.array([1, 1], np.uint8), np.array([2, 0], np.uint16)
    )
    assert flagged.quality.tolist() == [2, 1]
    assert flagged.cause.tolist() == [3, 0]
    assert flagged.value.tolist() == [1.0, 1.0]


@given(st.text(max_size=60))
def test_a_topic_is_ours_or_refused(text: str) -> None:
    try:
        address = topics.parse(text)
    except ValueError:
        return
    assert topics.topic(address.source, address.channel) == text


def test_topics() -> None:
    address = topics.parse("petrel/1/xiuyu/gw-1/data")
    assert address == ("xiuyu", "gw-1", topics.Channel.DATA)
    assert address.source == SOURCE


def test_series_identity_is_stable_and_distinct() -> None:
    assert series_id("xiuyu", "tide-1", "level", "sea_level") == series_id("xiuyu", "tide-1", "level", "sea_level")
    assert 0 <= series_id("a", "b", "c", "d") < 2**63
    one = Series(station="s", point="p", quantity="sea_level", unit="m", valid=(0, 9), period_s=60)
    assert len(identify("x", [one, msgspec.structs.replace(one, point="q")])) == 2
    with pytest.raises(SeriesCollisionError, match="already taken by s/p/sea_level"):
        identify("x", [one, one])
