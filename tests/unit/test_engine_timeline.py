"""Hysteresis, holds, silence, lateness, restarts: what an alarm does in the course of time."""

from functools import cache

import msgspec
import pytest

from alerting.alarms import Kind, Outcome, fold
from alerting.engine import Engine
from telemetry.quality import Quality
from tests.unit.engine_things import T0, Catalogue, Desk, commit, desk, packs, reading, site


def tide(one: Desk, *levels: float, begin: int = 0) -> None:
    for minute, level in enumerate(levels, begin):
        one.feed(minute, {"tide/sea-level": level})


def test_a_level_stands_while_the_value_stays_within_the_hysteresis() -> None:
    one = desk(only=["tide"])
    tide(one, 3.5, *[3.46] * 60)
    assert one.told("storm_surge") == [(0.0, "raised", 2)]


def test_a_level_is_lowered_after_the_hold_to_the_highest_that_held_meanwhile() -> None:
    one = desk(only=["tide"])
    tide(one, 3.9, *[3.55] * 10, *[3.3] * 25, *[3.0] * 60)
    assert one.told("storm_surge") == [
        (0.0, "raised", 3),
        (31.0, "level_changed", 2),
        (62.0, "level_changed", 1),
        (93.0, "cleared", 0),
    ]
    alarm = next(iter(fold(one.log).values()))
    assert (alarm.version, alarm.peak_level, alarm.open) == (4, 3, False)


def test_a_return_above_starts_the_hold_anew() -> None:
    one = desk(only=["tide"])
    tide(one, 3.5, *[3.0] * 29, 3.5, *[3.0] * 31)
    assert one.told("storm_surge") == [(0.0, "raised", 2), (61.0, "cleared", 0)]


def test_an_escalation_is_a_new_version_at_once() -> None:
    one = desk(only=["tide"])
    tide(one, 3.2, 3.8)
    assert [(e.version, e.level, e.kind) for e in one.log] == [(1, 1, Kind.RAISED), (2, 3, Kind.LEVEL_CHANGED)]
    assert len({e.alarm_id for e in one.log}) == 1


def test_crossings_milliseconds_apart_are_one_alarm_and_it_is_cleared() -> None:
    """F4."""
    one = desk(only=["tank"])
    for second in (0.0, 0.001, 0.002):
        one.feed(second / 60, {"tank/lel-1": 60.0})
    one.feed(1, {"tank/lel-1": 1.0})
    one.feed(3, {"tank/lel-1": 1.0})
    assert [kind for _, kind, _ in one.told("combustible_gas")] == ["raised", "cleared"]
    assert not any(alarm.open for alarm in fold(one.log).values())


def test_a_value_that_stays_high_raises_again_after_it_was_cleared() -> None:
    """F15: cleared by readings below, raised again by the next above, as another alarm."""
    one = desk(only=["tank"])
    for minute, value in enumerate([60.0, 1.0, 1.0, 1.0, 60.0]):
        one.feed(minute, {"tank/lel-1": value})
    assert one.told("combustible_gas") == [(0.0, "raised", 4), (3.0, "cleared", 0), (4.0, "raised", 4)]
    assert len(fold(one.log)) == 2


def test_a_hold_expires_on_a_tick_without_a_further_row() -> None:
    one = desk(only=["tank"], period_s=600.0)
    one.feed(0, {"tank/lel-1": 60.0})
    one.feed(1, {"tank/lel-1": 1.0})
    assert one.tick(2.5) == []
    [event] = one.tick(3.0)
    assert (event.kind, event.outcome, event.value) == (Kind.CLEARED, Outcome.CLEARED, 1.0)


def test_silence_expires_no_hold() -> None:
    """F8, F13: below for a moment and then silent is not below for the hold."""
    one = desk(only=["tide"])
    tide(one, 3.6, 3.0)
    for minute in range(2, 90):
        one.tick(minute)
    assert one.told("storm_surge") == [(0.0, "raised", 2)]
    tide(one, 3.0, begin=90)
    assert one.told("storm_surge") == [(0.0, "raised", 2)], "the hold begins anew after the gap"


def test_a_silent_station_is_an_alarm_and_its_return_clears_it() -> None:
    """F10, F11."""
    one = desk(only=["tide", "river"])
    for minute in range(20):
        one.feed(minute, {"river/stage": 1.0} if 3 <= minute < 10 else {"river/stage": 1.0, "tide/sea-level": 3.0})
        one.tick(minute + 0.25)
    silence = [(e.kind, e.subject, e.outcome) for e in one.log if e.hazard == "no_data"]
    assert silence == [(Kind.RAISED, "tide", Outcome.NO_DATA), (Kind.CLEARED, "tide", Outcome.CLEARED)]
    assert "潮位已 3 min 无有效数据" in one.log[0].text.zh
    assert one.log[1].text.zh == "石门澳: 数据恢复"
    assert one.log[1].time_ns == T0 + 10 * 60 * 10**9, "the row itself clears, no tick is awaited"


def test_failed_polls_are_silence_of_the_station_not_of_its_gateway() -> None:
    one = desk(only=["tide"])
    for minute in range(8):
        one.feed(minute, {"tide/sea-level": 3.0 if minute < 2 else None})
        one.tick(minute + 0.25)
    assert [(e.subject_kind, e.subject) for e in one.log] == [("station", "tide")]


def test_a_silent_gateway_is_one_alarm_and_not_one_for_each_station() -> None:
    one = desk(only=["tide", "river", "mast", "tank"])
    both = {
        "tide/sea-level": 3.0,
        "river/stage": 1.0,
        "tank/lel-1": 1.0,
        "tank/lel-2": 1.0,
        "tank/h2s": 0.0,
        "mast/wind": 1.0,
        "mast/gust": 1.0,
        "mast/rain": 0.0,
    }
    rest = {point: value for point, value in both.items() if point.startswith("tank")}
    for minute in range(20):
        one.feed(minute, rest if 5 <= minute < 12 else both)
        one.tick(minute + 0.25)
    assert [(e.subject_kind, e.subject, e.kind) for e in one.log] == [
        ("gateway", "xiuyu/gw1", Kind.RAISED),
        ("gateway", "xiuyu/gw1", Kind.CLEARED),
    ]
    assert "涉及 3 个站" in one.log[0].text.zh


def test_a_series_that_never_spoke_is_missed() -> None:
    """F12."""
    one = desk(only=["tide", "river"])
    for minute in range(8):
        one.feed(minute, {"river/stage": 1.0})
        one.tick(minute + 0.25)
    assert [(e.subject, e.kind) for e in one.log] == [("tide", Kind.RAISED)]


def test_a_restart_accuses_nobody_of_the_time_that_it_slept() -> None:
    """F9, F14."""
    one = desk(only=["tide"])
    tide(one, 3.0, 3.0)
    again = restarted(one)
    assert again.tick(600) == []
    assert again.feed(601, {"tide/sea-level": 3.0}) == []


def test_a_late_row_is_a_correction_and_never_a_fresh_alarm() -> None:
    """F3, F14: a backlog that holds an old flood wakes nobody, and is not forgotten either."""
    one = desk(only=["tide"])
    tide(one, *[3.0] * 90)
    backlog = [batch for minute in range(50, 55) for batch in reading({"tide/sea-level": 3.9}, minute + 0.5)]
    [event] = one.take(commit(91, *backlog))
    assert (event.kind, event.level, event.time_ns) == (Kind.CORRECTION, 3, T0 + 3030 * 10**9)
    assert event.text.zh.startswith("补到的数据: ")
    assert fold(one.log) == {}
    more = [batch for minute in range(56, 60) for batch in reading({"tide/sea-level": 3.9}, minute + 0.5)]
    assert one.take(commit(92, *more)) == [], "said once"


def test_a_late_row_that_an_alarm_already_told_of_is_no_correction() -> None:
    one = desk(only=["tide"])
    tide(one, 3.0, 3.9, *[3.0] * 60)
    assert one.take(commit(99, *reading({"tide/sea-level": 3.9}, 1.5))) == []


def test_minutes_of_an_outage_that_nobody_saw_are_news() -> None:
    """Rows of some minutes ago of a station that has sent nothing newer raise at their own time."""
    one = desk(only=["tide", "river"])
    one.feed(9, {"river/stage": 1.0})
    one.take(commit(2, *(b for m in range(5) for b in reading({"tide/sea-level": 3.9 if m == 2 else 3.0}, m))))
    assert one.told("storm_surge") == [(2.0, "raised", 3)]


def test_evaluating_twice_raises_once() -> None:
    first, second = desk(only=["tide"]), desk(only=["tide"])
    tide(first, 3.0, 3.6)
    tide(second, 3.0, 3.6)
    assert [e.key for e in first.log] == [e.key for e in second.log]
    assert len(fold([*first.log, *second.log])) == 1


def storm(one: Desk, begin: int, end: int) -> None:
    """Three hours in which everything happens, with a tick between any two minutes."""
    for minute in range(begin, end):
        wave = (minute % 60) / 30
        height = 3.0 + (wave if wave <= 1 else 2 - wave) * 1.2
        one.feed(
            minute,
            {
                "tide/sea-level": None if minute % 17 == 3 else height,
                "river/stage": 5.0 + minute / 60,
                "mast/wind": 8.0 + minute / 12,
                "mast/gust": 12.0 + minute / 6,
                "mast/rain": minute * 0.4,
                "tank/lel-1": 30.0 if 20 <= minute % 70 < 30 else 1.0,
                "tank/lel-2": 2.0,
                "tank/h2s": 0.5,
                "head/flow": 100.0,
                "head/pressure": 500.0,
                "end/pressure": 400.0,
                "end/flow": 99.0 if minute < 100 else 85.0,
            },
            quality=Quality.SUSPECT if minute % 23 == 5 else Quality.GOOD,
        )
        one.tick(minute + 0.4)


@cache
def whole_storm() -> Desk:
    one = desk()
    storm(one, 0, 130)
    return one


def restarted(one: Desk) -> Desk:
    """A new engine that was given the log and the commits of another."""
    engine = Engine(site(), packs())
    engine.announce(Catalogue(list(one.engine._active)))
    engine.restore(one.log)
    for old in one.commits:
        engine.warm(old)
    return Desk(engine, commits=list(one.commits))


def test_the_same_input_gives_the_same_events_byte_for_byte() -> None:
    one = desk()
    storm(one, 0, 130)
    assert msgspec.json.encode(one.log) == msgspec.json.encode(whole_storm().log)
    assert len(one.log) > 15


@pytest.mark.parametrize("minute", [7, 62, 101])
def test_a_restart_in_the_middle_changes_nothing_afterwards(minute: int) -> None:
    """F5, F6: alarms, versions, holds and windows continue; nothing is raised again, nothing is lost."""
    whole = whole_storm()
    first = desk()
    storm(first, 0, minute)
    second = restarted(first)
    storm(second, minute, 130)
    assert msgspec.json.encode(first.log + second.log) == msgspec.json.encode(whole.log)
    assert second.engine.areas() == whole.engine.areas()


def test_windows_survive_a_restart_that_only_fills_them() -> None:
    """Rain of ten hours ago counts after a restart, though nothing that old is judged again."""
    one = desk(only=["mast"])
    for minute in range(0, 600, 5):
        one.feed(minute, {"mast/rain": minute * 0.08})
    again = restarted(one)
    again.feed(600, {"mast/rain": 48.0})
    [event] = again.feed(625, {"mast/rain": 50.0})
    assert (event.hazard, event.value, event.level) == ("rainstorm", 50.0, 1)


def test_a_typhoon_statement_decides_whether_wind_is_typhoon_or_gale() -> None:
    for typhoon, hazard in ((True, "typhoon"), (False, "gale")):
        one = desk(only=["mast"], typhoon=typhoon)
        for minute in range(12):
            one.feed(minute, {"mast/wind": 18.0, "mast/gust": 20.0})
        assert {event.hazard for event in one.log} == {hazard}
        assert one.log[-1].level == 2


def test_an_edition_counts_from_its_day_on() -> None:
    """A replay of 2006 is not judged by the order of 2007."""
    one = desk(only=["mast"], typhoon=False)
    years = -17 * 365 * 24 * 60
    for minute in range(12):
        one.feed(years + minute, {"mast/wind": 30.0, "mast/gust": 30.0})
    assert one.log == []
    one.feed(0, {"mast/wind": 30.0, "mast/gust": 30.0})
    assert [event.hazard for event in one.log] == ["gale"]
