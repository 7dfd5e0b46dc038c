"""What the engine says of a station: six outcomes, and never normal where nothing is known."""

from dataclasses import replace

import numpy as np
import pytest

from alerting.alarms import Kind, Outcome
from telemetry.quality import Cause, Quality
from tests.unit.engine_things import T0, Catalogue, Desk, commit, desk, key, reading, things


def cell(one: Desk, station: str, hazard: str) -> tuple[Outcome, int]:
    found = one.engine.station_levels()[station].hazards[hazard]
    return found.outcome, found.level


@pytest.mark.parametrize(
    ("tide", "level"),
    [
        (3.19, 0),
        (3.2, 1),
        (3.49, 1),
        (3.5, 2),
        (3.8, 3),
        (4.09, 3),
        (4.1, 4),
        (9.9, 4),
    ],
)
def test_a_tide_reaches_a_warning_tide_at_equality(tide: float, level: int) -> None:
    one = desk(only=["tide"])
    events = one.feed(0, {"tide/sea-level": tide})
    assert [event.level for event in events] == ([level] if level else [])
    assert cell(one, "tide", "storm_surge") == (Outcome.LEVEL if level else Outcome.NORMAL, level)


@pytest.mark.parametrize(("stage", "level"), [(5.49, 0), (5.5, 1), (6.0, 2), (7.2, 3), (12.0, 3)])
def test_a_river_is_near_its_warning_stage_by_the_margin_of_the_site(stage: float, level: int) -> None:
    """The record stage is null here: red can't be reached, and nobody guesses it."""
    one = desk(only=["river"])
    one.feed(0, {"river/stage": stage})
    assert cell(one, "river", "flood")[1] == level


def test_without_thresholds_a_gauge_is_unconfigured_not_normal() -> None:
    one = desk(only=["tide"], thresholds=False)
    assert one.feed(0, {"tide/sea-level": 9.0}) == []
    assert cell(one, "tide", "storm_surge") == (Outcome.UNCONFIGURED, 0)


@pytest.mark.parametrize(("datum", "judged"), [(None, True), ("1985", True), ("1956", False), ("local", False)])
def test_a_gauge_that_counts_from_another_datum_is_unconfigured_and_said_so(datum: str | None, judged: bool) -> None:
    """A level of 9 m above a local zero is none above the national one."""
    one = desk(only=["tide"])
    one.engine.announce(Catalogue([replace(thing, datum=datum) for thing in things(only=["tide"])], revision=2))
    assert bool(one.feed(0, {"tide/sea-level": 9.0})) is judged
    assert cell(one, "tide", "storm_surge") == ((Outcome.LEVEL, 4) if judged else (Outcome.UNCONFIGURED, 0))
    said = () if judged else (f"warn_tide of tide/sea-level counts from 1985, its gauge from {datum}: not judged",)
    assert one.engine.set_aside == said


def test_a_rain_gauge_that_was_replaced_has_measured_no_rain() -> None:
    """The counter of the new one stands 60 mm higher; its baseline, read by hand, comes before its first reading."""
    for baseline in (False, True):
        one = desk(only=["mast"])
        for minute in range(5):
            one.feed(minute, {"mast/rain": 12.0})
        if baseline:
            [by_hand] = reading({"mast/rain": 72.0}, 5)
            marks = np.full(1, Quality.BAD, np.uint8), np.full(1, Cause.MANUAL, np.uint16)
            one.take(commit(len(one.commits) + 1, by_hand.flagged(*marks)))
        for minute in range(6, 20):
            one.feed(minute, {"mast/rain": 72.2})
        assert bool(one.log) is not baseline


def test_before_the_first_row_and_after_a_failed_poll_there_is_no_data() -> None:
    one = desk(only=["tide"])
    assert cell(one, "tide", "storm_surge") == (Outcome.NO_DATA, 0)
    one.feed(0, {"tide/sea-level": 3.0})
    assert cell(one, "tide", "storm_surge") == (Outcome.NORMAL, 0)
    one.feed(1, {"tide/sea-level": None})
    assert cell(one, "tide", "storm_surge") == (Outcome.NO_DATA, 0)


def test_an_old_row_is_no_data() -> None:
    one = desk(only=["tide"])
    one.feed(0, {"tide/sea-level": 3.0})
    one.tick(3.1)
    assert cell(one, "tide", "storm_surge") == (Outcome.NO_DATA, 0)


def test_bad_never_alarms_and_over_range_does_with_doubt() -> None:
    """A record flood over the range of the gauge is SUSPECT: the alarm rises, its outcome says doubt."""
    one = desk(only=["tide"])
    assert one.feed(0, {"tide/sea-level": 9.0}, quality=Quality.BAD) == []
    [event] = one.feed(1, {"tide/sea-level": 9.0}, quality=Quality.SUSPECT)
    assert (event.level, event.outcome, event.quality) == (4, Outcome.SUSPECT, "SUSPECT")
    assert "可疑" in event.text.zh
    assert cell(one, "tide", "storm_surge") == (Outcome.SUSPECT, 4)


def test_bad_and_missing_rows_keep_a_standing_alarm() -> None:
    """F13: a vanished series is not an all-clear."""
    one = desk(only=["tide"])
    one.feed(0, {"tide/sea-level": 3.6})
    for minute in range(1, 120):
        one.feed(minute, {"tide/sea-level": None if minute % 2 else -5.0}, quality=Quality.BAD)
        one.tick(minute + 0.5)
    assert one.told("storm_surge") == [(0.0, "raised", 2)]
    assert cell(one, "tide", "storm_surge") == (Outcome.LEVEL, 2)


def test_an_event_explains_itself_in_two_languages() -> None:
    one = desk(only=["tide"], drill=True)
    [event] = one.feed(0, {"tide/sea-level": 3.62}, answered_ns=123)
    assert event.text.zh == "石门澳潮位 3.62 m ≥ 黄色警戒潮位 3.50 m (示例阈值)"
    assert event.text.en == "Shimen'ao: sea level 3.62 m ≥ yellow warning tide 3.50 m (illustrative threshold)"
    assert (event.value, event.threshold, event.unit, event.quality) == (3.62, 3.5, "m", "GOOD")
    assert (event.rule, event.edition) == ("storm_surge.yellow", "cn.surge GB/T 17839")
    assert event.source.endswith("a test, 2020-01-01, 1985")
    assert (event.drill, event.answered_ns, event.town) == (True, 123, "A")
    assert event.series == (str(key("tide/sea-level")),)
    assert event.time_ns == T0


def test_a_reading_that_took_minutes_to_arrive_says_its_age() -> None:
    one = desk(only=["tide", "river"])
    one.feed(5, {"river/stage": 1.0})
    [event] = one.feed(3, {"tide/sea-level": 3.62})
    assert "(2 min 前" in event.text.zh
    assert "(2 min ago" in event.text.en


def test_two_detectors_are_one_alarm_of_their_station() -> None:
    one = desk(only=["tank"])
    one.feed(0, {"tank/lel-1": 1.0, "tank/lel-2": 30.0})
    one.feed(1, {"tank/lel-1": 55.0, "tank/lel-2": 30.0})
    one.feed(2, {"tank/lel-1": 1.0, "tank/lel-2": 1.0})
    one.feed(4, {"tank/lel-1": 1.0, "tank/lel-2": 1.0})
    assert one.told("combustible_gas") == [(0.0, "raised", 2), (1.0, "level_changed", 4), (4.0, "cleared", 0)]
    assert one.log[0].series == (str(key("tank/lel-2")),)
    assert one.log[1].series == (str(key("tank/lel-1")),)


def test_every_row_of_a_commit_is_judged_in_the_order_of_time() -> None:
    """A commit that holds several minutes: a crossing in the middle of it is not overlooked."""
    one = desk(only=["tank"])
    one.take(_commit([({"tank/lel-1": v}, minute) for minute, v in enumerate([1.0, 60.0, 1.0, 1.0, 1.0])]))
    assert one.told("combustible_gas") == [(1.0, "raised", 4), (4.0, "cleared", 0)]


def test_rows_of_unknown_series_are_counted() -> None:
    one = desk(only=["tide"])
    one.feed(0, {"river/stage": 1.0})
    assert one.engine.unknown_rows == 1


def test_a_series_that_is_announced_later_is_judged_from_then_on() -> None:
    one = desk(only=["tide"])
    one.feed(0, {"tide/sea-level": 3.6})
    one.engine.announce(Catalogue(things(only=["tide", "river"]), revision=2))
    one.feed(1, {"tide/sea-level": 3.6, "river/stage": 6.5})
    assert [(e.hazard, e.kind) for e in one.log] == [("storm_surge", Kind.RAISED), ("flood", Kind.RAISED)]


def test_a_series_that_left_the_catalogue_keeps_its_alarm() -> None:
    """F13."""
    one = desk(only=["tide", "river"])
    one.feed(0, {"tide/sea-level": 3.6})
    one.engine.announce(Catalogue(things(only=["river"]), revision=2))
    for minute in range(1, 100):
        one.feed(minute, {"river/stage": 1.0})
        one.tick(minute)
    assert one.told("storm_surge") == [(0.0, "raised", 2)]
    assert {area.code: area.level for area in one.engine.areas()} == {"A": 2, "B": 0, "C": 0}


def test_thresholds_are_known_for_charts_before_the_first_row() -> None:
    one = desk(only=["tide", "mast"])
    lines = one.engine.thresholds_of(key("tide/sea-level"))
    assert [(line.level, line.value, line.op) for line in lines] == [
        (1, 3.2, ">="),
        (2, 3.5, ">="),
        (3, 3.8, ">="),
        (4, 4.1, ">="),
    ]
    assert {line.value for line in one.engine.thresholds_of(key("mast/gust"))} >= {13.9, 41.5}
    assert one.engine.thresholds_of(key("mast/rain")) == []
    assert one.engine.thresholds_of(1) == []


def _commit(moments):
    return commit(1, *(batch for values, minute in moments for batch in reading(values, minute)))


def test_a_gauge_without_thresholds_hurries_nobody():
    """A site whose only gauge is unconfigured: the centre said nothing at all, it ended."""
    assert desk(only=["river"], thresholds=False).engine.marks() == {}


def test_gateways_are_told_the_thresholds_of_single_readings_and_of_nothing_else():
    one = desk(only=["tide", "mast"])
    marks = one.engine.marks()
    assert marks[key("tide/sea-level")] == (3.2, 3.5, 3.8, 4.1)
    assert {13.9, 41.5} <= set(marks[key("mast/gust")])
    assert all(list(values) == sorted(set(values)) for values in marks.values())
    assert key("mast/rain") not in marks
    assert key("mast/wind") not in marks


def test_a_pipeline_without_any_pressure_gauge_is_judged_by_its_flow() -> None:
    """A probe whose quantity nobody announces looked at a row that there was not, and ended the centre."""
    one = desk(only=[])
    one.engine.announce(Catalogue([t for t in things(only=["head", "end"]) if t.series.point == "flow"], revision=2))
    assert one.feed(0, {"head/flow": 100.0, "end/flow": 100.0}) == []
    assert one.engine.station_levels()["head"].level == 0
