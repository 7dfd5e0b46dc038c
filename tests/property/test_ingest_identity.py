"""The name of a batch is readable from its first bytes, whatever happened to the rest."""

from hypothesis import given, settings
from hypothesis import strategies as st

from ingest.salvage import identity
from telemetry.wire import Lane, encode_batch
from tests.unit.ingest_data import batch

_POSITIVE = st.integers(1, 2**63 - 1)
_PREFIX_BYTES = 20


@settings(deadline=None)
@given(_POSITIVE, _POSITIVE, st.binary(max_size=40), st.integers(_PREFIX_BYTES, 60))
def test_a_damaged_batch_still_says_its_name(epoch, seq, damage, cut):
    payload = encode_batch(batch(seq, [1.0, 2.0], epoch=epoch), Lane.LIVE)
    assert identity(payload) == (epoch, seq)
    assert identity(payload[:cut] + damage) == (epoch, seq)


@settings(deadline=None)
@given(st.binary(max_size=64))
def test_garbage_has_a_positive_name_or_none(garbage):
    name = identity(garbage)
    assert name is None or all(0 < number < 2**63 for number in name)


def test_a_name_that_is_cut_off_is_none():
    payload = encode_batch(batch(2**60, [1.0, 2.0], epoch=2**61), Lane.LIVE)
    assert all(identity(payload[:size]) is None for size in range(_PREFIX_BYTES))
