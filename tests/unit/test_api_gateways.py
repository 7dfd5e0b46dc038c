"""What the interface says of boxes in the field, from what they say of themselves."""

import msgspec
import pytest

from alerting.api.words import gateway
from ingest.presence import Heard
from telemetry.health import ClockHealth, LineUse
from telemetry.wire import Presence, Status, decode, encode


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


def test_attributes_are_shown_and_nothing_of_them_can_hurt_a_page():
    """An enrolled gateway may be anybody's by now."""
    shown = said(attributes={"radar": {"serial": "A1"}, "x\x1b": {"model\n": "\u202e" + "y" * 1_000}})
    assert shown.attributes["radar"] == {"serial": "A1"}
    (name,) = shown.attributes.keys() - {"radar"}
    assert (name, list(shown.attributes[name])) == (r"x\x1b", [r"model\n"])
    (text,) = shown.attributes[name].values()
    assert text.isprintable()
    assert len(text) == 100
    flood = said(attributes={f"dev{at}": dict.fromkeys(map(str, range(99)), "x") for at in range(3_000)})
    assert (len(flood.attributes), {len(one) for one in flood.attributes.values()}) == (2_000, {32})


class OldStatus(msgspec.Struct, frozen=True, kw_only=True):
    """The status as centres read it that know no attributes."""

    version: int
    presence: Presence
    devices: dict[str, str] = {}


def test_a_centre_that_knows_no_attributes_reads_the_status_all_the_same():
    status = Status(presence=Presence.ONLINE, devices={"radar": "ok"}, attributes={"radar": {"serial": "A1"}})
    assert decode(encode(status), OldStatus).devices == {"radar": "ok"}
