"""What the engine makes of rows that maintenance has marked: nothing, neither of their values nor of their number."""

import numpy as np

from alerting.alarms import Kind
from telemetry.clock import SECOND_NS
from telemetry.quality import Cause, Quality
from tests.unit.engine_things import T0, Desk, commit, desk, reading


def work_on(one: Desk, minute: float, values: dict[str, float | None]) -> None:
    """Rows as a gateway under maintenance sends them; a failed poll stays MISSING."""
    batches = [
        batch.flagged(
            np.full(len(batch), Quality.BAD, np.uint8),
            (int(Cause.MANUAL) + np.isnan(batch.value) * int(Cause.COMMS)).astype(np.uint16),
        )
        for batch in reading(values, minute)
    ]
    one.take(commit(len(one.commits) + 1, *batches))


def test_a_bump_test_raises_nothing_and_is_no_silence_either() -> None:
    one = desk(only=["tank"])
    for minute in range(60):
        if 5 <= minute < 40:
            work_on(one, minute, {"tank/lel-1": 95.0, "tank/lel-2": None, "tank/h2s": 60.0})
        else:
            one.feed(minute, {"tank/lel-1": 1.0, "tank/lel-2": 1.0, "tank/h2s": 0.0})
        one.tick(minute + 0.25)
    assert one.log == []


def test_a_gateway_that_falls_silent_under_maintenance_is_an_alarm() -> None:
    one = desk(only=["tide"])
    one.feed(0, {"tide/sea-level": 3.0})
    for minute in range(1, 10):
        work_on(one, minute, {"tide/sea-level": 5.0})
        one.tick(minute + 0.25)
    assert one.log == []
    for minute in range(10, 16):
        one.tick(minute)
    assert [(e.kind, e.subject_kind) for e in one.log] == [(Kind.RAISED, "gateway")]


def test_a_sensor_that_is_dead_when_its_maintenance_ends_is_an_alarm_at_once() -> None:
    one = desk(only=["tide"])
    one.feed(0, {"tide/sea-level": 3.0})
    for minute in range(1, 10):
        work_on(one, minute, {"tide/sea-level": None})
        one.tick(minute + 0.25)
    assert one.log == []
    one.feed(10, {"tide/sea-level": None})
    assert [(e.kind, e.subject) for e in one.tick(10.25)] == [(Kind.RAISED, "tide")]


def test_an_alarm_of_a_dead_sensor_stands_until_it_measures_again() -> None:
    """F11: a visit is no recovery."""
    one = desk(only=["tide"])
    for minute in range(6):
        one.feed(minute, {"tide/sea-level": 3.0 if minute < 1 else None})
        one.tick(minute + 0.25)
    assert [e.kind for e in one.log] == [Kind.RAISED]
    for minute in range(6, 20):
        work_on(one, minute, {"tide/sea-level": 3.0})
        one.tick(minute + 0.25)
    assert [e.kind for e in one.log] == [Kind.RAISED]
    one.feed(20, {"tide/sea-level": 3.0})
    assert [e.kind for e in one.log] == [Kind.RAISED, Kind.CLEARED]


def test_one_point_under_maintenance_hides_no_other_of_its_station() -> None:
    one = desk(only=["tank"])
    one.feed(0, {"tank/lel-1": 1.0, "tank/lel-2": 1.0, "tank/h2s": 0.0})
    for minute in range(1, 8):
        work_on(one, minute, {"tank/lel-1": 95.0})
        one.feed(minute, {"tank/lel-2": 60.0 if minute == 3 else 1.0, "tank/h2s": None})
        one.tick(minute + 0.25)
    raised = [e for e in one.log if e.kind is Kind.RAISED]
    assert [e.hazard for e in raised] == ["combustible_gas", "no_data"]
    assert "hydrogen" in raised[1].text.en
    assert "gas" not in raised[1].text.en.replace("tank farm", "")


def test_a_point_whose_marked_rows_stop_alone_is_missed() -> None:
    """Nobody says any more that work goes on."""
    one = desk(only=["tank"])
    one.feed(0, {"tank/lel-1": 1.0, "tank/lel-2": 1.0, "tank/h2s": 0.0})
    one.tick(0.25)
    work_on(one, 1, {"tank/h2s": 50.0})
    for minute in range(2, 12):
        one.feed(minute, {"tank/lel-1": 1.0, "tank/lel-2": 1.0})
        one.tick(minute + 0.25)
    assert [(e.hazard, e.time_ns) for e in one.log] == [("no_data", T0 + 255 * SECOND_NS)]
