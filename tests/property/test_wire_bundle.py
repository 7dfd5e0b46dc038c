"""Bundles: what is packed comes out again in order, within every bound; whatever else arrives raises one type."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest.decoding import decode_all
from ingest.intake import Message
from telemetry.batch import check
from telemetry.bundle import MAX_PARTS, packed, parts
from telemetry.topics import Channel
from telemetry.wire import MAX_PAYLOAD, Lane, decode_batch, encode_batch
from tests.unit.gateway_batches import SOURCE, make_batch

_PAYLOADS = st.lists(st.integers(1, MAX_PAYLOAD // 3).map(lambda size: b"\x98" + bytes(size)), max_size=12)
_GOOD = encode_batch(make_batch(20).numbered(7, 1), Lane.BACKLOG)


@given(_PAYLOADS)
def test_what_is_packed_comes_out_in_order(payloads):
    messages = packed(payloads)
    assert [part for message in messages for part in parts(message)] == payloads
    assert all(len(message) <= MAX_PAYLOAD for message in messages)


def test_many_small_parts_are_several_bundles():
    messages = packed([b"\x98"] * (2 * MAX_PARTS + 1))
    assert [len(parts(message)) for message in messages] == [MAX_PARTS, MAX_PARTS, 1]


def test_the_largest_message_is_never_bundled():
    payload = b"\x98" + bytes(MAX_PAYLOAD - 1)
    assert packed([payload, _GOOD, _GOOD])[0] == payload


def test_no_decoder_of_batches_takes_a_bundle_for_one():
    (bundle,) = packed([_GOOD, _GOOD])
    with pytest.raises(ValueError, match="not what it should be"):
        decode_batch(bundle, SOURCE)


@given(st.binary(max_size=300))
def test_garbage_raises_value_error_and_nothing_else(data):
    for payload in (data, b"\xc1" + data):
        try:
            assert b"".join(parts(payload)) or not payload
        except ValueError:
            continue


@given(st.lists(st.booleans(), min_size=1, max_size=8), st.data())
def test_damage_in_one_part_costs_no_other(sound, data):
    """P2: one bad batch discards no good one; what comes out keeps every promise of the type."""
    payloads = []
    for seq, good in enumerate(sound, start=1):
        payload = bytearray(encode_batch(make_batch(20, start=seq).numbered(7, seq), Lane.BACKLOG))
        if not good:
            payload[data.draw(st.integers(0, len(payload) - 1))] ^= data.draw(st.integers(1, 255))
        payloads.append(bytes(payload))
    found = decode_all(Message(SOURCE, Channel.DATA, message) for message in packed(payloads))
    for batch in found.batches:
        check(batch)
    whole = [seq for seq, good in enumerate(sound, start=1) if good]
    taken = {batch.seq: batch.value[0] for batch in found.batches}
    assert set(whole) <= set(taken)
    assert len(found.batches) + len(found.bad) == len(sound)
    assert all(taken[seq] == seq for seq in whole) or len(whole) < len(taken)


def test_a_bundle_of_bombs_costs_no_more_than_a_few_batches():
    bomb = encode_batch(make_batch(9000).numbered(7, 1), Lane.BACKLOG)
    (bundle,) = packed([bomb] * (MAX_PAYLOAD // (len(bomb) + 4)))
    found = decode_all([Message(SOURCE, Channel.DATA, bundle)])
    assert sum(map(len, found.batches)) <= 27_000
    assert len(found.bad) > 0
    assert np.all([bad.error.fault == "too_large" for bad in found.bad])
