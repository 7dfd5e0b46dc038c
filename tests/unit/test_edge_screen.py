"""What leaves a gateway, what is held back, and what is hurried."""

from types import SimpleNamespace

import numpy as np
import pytest

from edge_agent.screen import Screen
from edge_agent.screening import Screening, screening
from telemetry.batch import Batch, missing, rows
from telemetry.clock import SECOND_NS
from telemetry.quality import Cause, Quality

T0 = 1_700_000_000 * SECOND_NS


def screen(*screenings: Screening, marks: dict[int, tuple[float, ...]] | None = None) -> Screen:
    """Series 10, 20, ... with these screenings."""
    made = Screen(np.array([10 * (at + 1) for at in range(len(screenings))]), screenings)
    if marks:
        made.watch(marks)
    return made


def reading(value: float, at_s: float, series: int = 10) -> Batch:
    return rows("s/g", np.array([series]), np.array([T0 + int(at_s * SECOND_NS)]), np.array([value]), answered_ns=1)


def left(found) -> list[tuple[float, float]]:
    """Seconds and values that left."""
    if found.batch is None:
        return []
    return [
        ((t - T0) / SECOND_NS, v) for t, v in zip(found.batch.time_ns.tolist(), found.batch.value.tolist(), strict=True)
    ]


def test_without_settings_everything_leaves_untouched():
    batch = reading(1.0, 0)
    found = screen(Screening()).take(batch)
    assert found.batch is batch
    assert not found.urgent


def test_a_crossing_is_urgent_both_ways_and_takes_along_what_was_held_back():
    one = screen(Screening(deadband=0.5, heartbeat_s=600), marks={10: (3.0, 4.0)})
    assert left(one.take(reading(2.8, 0))) == [(0, 2.8)]
    assert left(one.take(reading(2.9, 1))) == []
    assert left(one.take(reading(2.95, 2))) == []
    found = one.take(reading(3.0, 3))
    assert left(found) == [(1, 2.9), (2, 2.95), (3, 3.0)]
    assert found.urgent
    assert not one.take(reading(3.9, 4)).urgent
    assert one.take(reading(4.1, 5)).urgent
    assert one.take(reading(2.0, 6)).urgent


def test_the_first_reading_above_a_mark_is_urgent_once():
    """Also when the mark comes later than the water, or the gateway has just started."""
    one = screen(Screening())
    one.take(reading(5.0, 0))
    one.watch({10: (3.0,)})
    assert [one.take(reading(5.0 + second, second)).urgent for second in (1, 2, 3)] == [True, False, False]
    assert one.take(reading(2.0, 4)).urgent


def test_new_marks_are_held_against_the_last_reading_that_was_looked_at():
    one = screen(Screening(), marks={10: (3.0,)})
    one.take(reading(5.0, 0))
    one.watch({10: (3.0, 4.0)})
    assert not one.take(reading(5.1, 1)).urgent


def test_only_the_newest_few_are_kept():
    one = screen(Screening(deadband=1.0, heartbeat_s=1e6), marks={10: (9.0,)})
    one.take(reading(1.0, 0))
    for second in range(1, 30):
        assert left(one.take(reading(1.01, second))) == []
    found = left(one.take(reading(9.5, 30)))
    assert [second for second, _ in found] == [*range(22, 30), 30]


def test_a_jump_is_suspect_and_urgent_and_its_value_is_untouched():
    one = screen(Screening(max_rate=0.1))
    one.take(reading(1.0, 0))
    calm = one.take(reading(1.9, 10))
    assert not calm.urgent
    assert calm.batch.quality.tolist() == [Quality.UNCHECKED]
    jump = one.take(reading(5.0, 11))
    assert jump.urgent
    assert (jump.batch.value[0], jump.batch.quality[0], jump.batch.cause[0]) == (5.0, Quality.SUSPECT, Cause.RATE)


def test_a_value_that_never_moves_is_suspect_after_its_time():
    one = screen(Screening(stuck_after_s=60))
    causes = [int(one.take(reading(1.0, second)).batch.cause[0]) for second in (0, 30, 59, 60, 90)]
    assert causes == [0, 0, 0, Cause.FLATLINE, Cause.FLATLINE]
    assert one.take(reading(1.001, 91)).batch.cause[0] == 0


def test_the_heartbeat_sends_the_reading_of_its_moment():
    one = screen(Screening(deadband=1.0, heartbeat_s=60))
    sent = [second for second in range(0, 200, 10) if left(one.take(reading(1.0, second)))]
    assert sent == [0, 60, 120, 180]


def test_a_failed_poll_leaves_once_and_then_with_the_heartbeat():
    """P8: silence is told when it begins, while it lasts, and when it ends."""
    one = screen(Screening(deadband=1.0, heartbeat_s=60))
    one.take(reading(1.0, 0))
    ids = np.array([10])
    sent = [
        second
        for second in range(10, 150, 10)
        if one.take(missing("s/g", ids, T0 + second * SECOND_NS, Cause.COMMS)).batch is not None
    ]
    assert sent == [10, 70, 130]
    assert left(one.take(reading(1.0, 150))) == [(150, 1.0)]


def test_wind_from_north_is_not_far_from_wind_from_north():
    one = screen(screening("wind_direction", max_rate=1.0, stuck_after_s=None, deadband=10, heartbeat_s=None))
    one.take(reading(359.0, 0))
    found = one.take(reading(1.0, 10))
    assert left(found) == []
    assert left(one.take(reading(10.0, 20))) == [(20, 10.0)]


def test_rows_of_one_series_in_one_batch_are_looked_at_in_turn():
    one = screen(Screening(), Screening(), marks={10: (3.0,), 20: (3.0,)})
    batch = rows(
        "s/g",
        np.array([10, 20, 10, 10]),
        np.array([T0, T0, T0 + SECOND_NS, T0 + 2 * SECOND_NS]),
        np.array([1.0, 1.0, 4.0, 1.0]),
    )
    found = one.take(batch)
    assert found.urgent
    assert sorted(zip(found.batch.series.tolist(), left(found), strict=True)) == [
        (10, (0, 1.0)), (10, (1, 4.0)), (10, (2, 1.0)), (20, (0, 1.0)),
    ]  # fmt: skip


def test_a_late_row_passes_and_teaches_nothing():
    one = screen(Screening(max_rate=0.1), marks={10: (3.0,)})
    one.take(reading(1.0, 100))
    late = one.take(reading(9.0, 50))
    assert left(late) == [(50, 9.0)]
    assert not late.urgent
    assert not one.take(reading(1.5, 110)).urgent


def test_after_a_clock_was_set_back_a_crossing_is_hurried_at_once():
    """Else all that comes were late, for as long as the clock was ahead."""
    one = screen(Screening(), marks={10: (3.0,)})
    one.take(reading(2.0, 3600))
    assert not one.take(reading(3.5, 10)).urgent, "it is a late one"
    one.set_back(T0 + 20 * SECOND_NS)
    assert one.take(reading(3.5, 30)).urgent


def test_a_report_that_comes_twice_is_no_jump():
    one = screen(Screening(deadband=0.5, heartbeat_s=600), Screening(max_rate=0.1))
    for series in (10, 20):
        one.take(reading(2.0, 0, series))
        assert not one.take(reading(2.0, 0, series)).urgent


def ahead(value: float, at_s: float) -> Batch:
    """A reading whose time lies ahead of now, as the gateway's clock has found."""
    return reading(value, at_s).flagged(np.full(1, Quality.SUSPECT), np.full(1, int(Cause.CLOCK), np.uint16))


def test_one_row_of_the_future_does_not_keep_crossings_from_being_hurried():
    """A logger that lost its time once, and got it back: the row is decades ahead of all that follow."""
    one = screen(Screening(deadband=0.5, heartbeat_s=600), marks={10: (3.0,)})
    one.take(reading(2.0, 0))
    one.take(ahead(2.1, 70 * 365 * 86_400))
    assert left(one.take(reading(2.2, 60))) == [(60, 2.2)], "its time is not in doubt any more"
    assert left(one.take(reading(2.3, 90))) == []
    found = one.take(reading(3.5, 120))
    assert found.urgent
    assert left(found) == [(90, 2.3), (120, 3.5)]
    held = [left(one.take(reading(3.5, 180 + 60 * at))) for at in range(20)]
    assert 1 <= sum(map(bool, held)) <= 3, "the deadband holds, and the heartbeat beats"


def test_a_logger_that_is_always_ahead_is_hurried_and_watched_all_the_same():
    """Eight hours ahead, as one that was set to the wrong zone."""
    one = screen(Screening(max_rate=0.1, stuck_after_s=300), marks={10: (3.0,)})
    one.take(ahead(2.0, 0))
    assert one.take(ahead(3.1, 60)).urgent
    assert one.take(ahead(20.0, 70)).batch.cause[0] & Cause.RATE
    assert not one.take(ahead(20.0, 300)).batch.cause[0] & Cause.FLATLINE
    assert one.take(ahead(20.0, 371)).batch.cause[0] & Cause.FLATLINE


@pytest.mark.parametrize(
    ("quantity", "given", "words"),
    [
        ("water_level", {"max_rate": -1}, "expected more than 0"),
        ("device_state", {"deadband": 1}, "is a code"),
        ("rain_total", {"deadband": 1}, "is a total"),
        ("water_level", {"heartbeat_s": 60}, "expected both"),
    ],
)
def test_what_makes_no_sense_is_refused(quantity, given, words):
    nothing = {"max_rate": None, "stuck_after_s": None, "deadband": None, "heartbeat_s": None}
    with pytest.raises(ValueError, match=words):
        screening(quantity, **(nothing | given))


def test_a_change_of_the_buses_keeps_what_is_known_of_series_that_stay():
    """P6: what was held back before a configuration changed still leaves with the crossing after it."""

    def buses(*ids):
        screenings = [Screening(deadband=0.5, heartbeat_s=600)] * len(ids)
        return [SimpleNamespace(devices=[SimpleNamespace(ids=np.array(ids), screenings=screenings)])]

    one = screen(*[Screening(deadband=0.5, heartbeat_s=600)] * 2, marks={10: (3.0,), 30: (1.0,)})
    one.take(reading(2.8, 0))
    assert left(one.take(reading(2.9, 1))) == []
    one.change(buses(30, 5, 10))
    assert left(one.take(reading(2.95, 2))) == [], "still dull beside what was said before"
    assert left(one.take(reading(3.1, 3))) == [(1, 2.9), (2, 2.95), (3, 3.1)]
    assert one.take(reading(1.5, 4, series=30)).urgent, "the marks of a series that came are those of the centre"
    assert left(one.take(reading(7.0, 5, series=20))) == [(5, 7.0)], "nothing is known of one that went"


def test_a_test_by_hand_is_neither_urgent_nor_a_jump_and_neither_is_what_comes_after_it():
    one = screen(Screening(max_rate=0.1, deadband=0.5, heartbeat_s=600), marks={10: (3.0,)})

    def by_hand(value: float, at_s: float) -> Batch:
        return reading(value, at_s).flagged(np.array([Quality.BAD], np.uint8), np.array([Cause.MANUAL], np.uint16))

    one.take(reading(1.0, 0))
    for at_s, value in ((60, 9.0), (120, 9.0), (180, 0.0)):
        found = one.take(by_hand(value, at_s))
        assert left(found) == [(at_s, value)], "every row of a test is kept"
        assert (found.urgent, found.batch.cause.tolist()) == (False, [Cause.MANUAL])
    found = one.take(reading(1.2, 240))
    assert (left(found), found.batch.quality.tolist()) == ([(240, 1.2)], [0])
    assert one.take(reading(3.0, 300)).urgent
