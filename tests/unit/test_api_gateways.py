"""What the interface says of boxes in the field, from what they say of themselves."""

import pytest

from alerting.api.words import gateway
from ingest.presence import Heard
from telemetry.health import ClockHealth, LineUse
from telemetry.wire import Presence, Status


def said(**words):
    status = Status(presence=Presence.ONLINE, **words)
    return gateway(Heard(source="demo/gw-1", status=status), "Asia/Shanghai", drill=False)


def test_a_gateway_that_says_little_is_shown_without_guesses():
    """Also one of an earlier day."""
    for shown in (said(), gateway(Heard(source="demo/gw-1"), "Asia/Shanghai", drill=False)):
        assert (shown.clock, shown.day_bytes, shown.month_bytes, shown.quota_bytes) == (None, None, None, None)
        assert (shown.drain_rows_per_s, shown.notes) == (None, [])


@pytest.mark.parametrize(
    ("clock", "shown"),
    [
        (ClockHealth(synchronised=True), "synchronised"),
        (ClockHealth(synchronised=False), "unsynchronised"),
        (ClockHealth(synchronised=False, known=False, held_rows=5), "unset"),
    ],
)
def test_a_clock_is_right_or_alone_or_was_never_set(clock, shown):
    assert said(clock=clock).clock == shown


def test_line_drain_and_notes_are_handed_on():
    line = LineUse(day="2026-12-01", day_bytes=5, month_bytes=7, quota_bytes=9, sparing=True)
    shown = said(line=line, drain_rows_per_s=1.5, notes=("look at its disk",), clock=ClockHealth(steps=2))
    assert (shown.day_bytes, shown.month_bytes, shown.quota_bytes) == (5, 7, 9)
    assert (shown.drain_rows_per_s, shown.notes, shown.clock_steps) == (1.5, ["look at its disk"], 2)
