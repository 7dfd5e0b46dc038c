"""The status between gateways and centres of different age: what one does not know, it ignores."""

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from telemetry.health import ClockHealth, LineUse
from telemetry.wire import Presence, Status, decode, encode

FIRST = {
    "version": 1,
    "presence": "online",
    "time_ns": 5,
    "epoch": 7,
    "spool_batches": 1,
    "spool_rows": 2,
    "spool_bytes": 3,
    "oldest_ns": None,
    "hours_until_full": 4.5,
    "unacknowledged_s": 0.0,
    "polled_rows": 1,
    "acked_rows": 1,
    "dropped_rows": 0,
    "refused_batches": 0,
    "sent_bytes": 9,
    "devices": {"probe-1": "ok"},
}
"""All that the first gateways said."""


def test_the_first_gateways_are_understood():
    status = decode(msgspec.msgpack.encode(FIRST), Status)
    assert (status.presence, status.hours_until_full, status.devices) == (Presence.ONLINE, 4.5, {"probe-1": "ok"})
    assert (status.clock, status.line, status.notes, status.drain_rows_per_s) == (None, None, (), None)


_KNOWN = {*Status.__struct_fields__, *ClockHealth.__struct_fields__}


@given(st.dictionaries(st.text(min_size=1).filter(lambda key: key not in _KNOWN), st.text()))
def test_words_of_a_later_gateway_are_ignored(words):
    later = FIRST | words | {"clock": {"synchronised": True, **words}, "line": {"day": "2026-12-01", "new": 1}}
    status = decode(msgspec.msgpack.encode(later), Status)
    assert status.clock == ClockHealth(synchronised=True)
    assert status.line == LineUse(day="2026-12-01")
    assert decode(encode(status), Status) == status
