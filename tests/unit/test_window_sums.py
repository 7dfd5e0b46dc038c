"""The hot window: sums over minutes, totalisers, late rows."""

import numpy as np
import pytest

from ingest.window import Window
from telemetry.clock import MINUTE_NS
from telemetry.quality import Cause, Quality
from telemetry.series import Series

START = 28_000_000 * MINUTE_NS
RAIN, WIND, TIDE = 11, 5, 7


def series(quantity: str, *, modulus: float | None = None) -> Series:
    return Series(station="s", point="p", quantity=quantity, unit="m", valid=(0, 1), period_s=60.0, modulus=modulus)


@pytest.fixture
def window() -> Window:
    made = Window(["rain_total", "wind_speed"], minutes=300)
    made.announce({RAIN: series("rain_total", modulus=1000.0), WIND: series("wind_speed"), TIDE: series("sea_level")})
    return made


def put(
    window: Window, identity: int, *samples: tuple[float, float], quality: int = Quality.GOOD, cause: int = 0
) -> None:
    n = len(samples)
    slots = window.slots(np.full(n, identity, np.int64))
    times = np.array([START + round(minute * MINUTE_NS) for minute, _ in samples], np.int64)
    value = np.array([value for _, value in samples])
    window.insert(slots, times, value, np.full(n, quality, np.uint8), np.full(n, cause, np.uint16))


def total(window: Window, identity: int, quantity: str, minute: int, width: int) -> tuple[float, int]:
    slot = window.slots(np.array([identity], np.int64))
    span = window.span(quantity, slot, np.array([START + minute * MINUTE_NS], np.int64), width)
    return round(float(span.total[0]), 9), int(span.count[0])


def test_a_window_holds_the_minutes_that_end_with_the_present_one(window: Window) -> None:
    put(window, WIND, *((minute, 1.0 + minute) for minute in range(20)))
    assert total(window, WIND, "wind_speed", 19, 10) == (sum(range(11, 21)), 10)
    assert total(window, WIND, "wind_speed", 9, 5) == (sum(range(6, 11)), 5)


def test_a_silent_minute_holds_nothing_and_what_was_before_the_series_is_nothing(window: Window) -> None:
    put(window, WIND, (0, 4.0), (30, 6.0))
    assert total(window, WIND, "wind_speed", 29, 10) == (0.0, 0)
    assert total(window, WIND, "wind_speed", 40, 200) == (10.0, 2)
    assert total(window, TIDE + 100, "wind_speed", 0, 1)[1] in (0, 1)  # an unknown series has no slot


def test_the_ring_turns_and_forgets(window: Window) -> None:
    put(window, WIND, *((minute, 1.0) for minute in range(1000)))
    assert total(window, WIND, "wind_speed", 999, 250) == (250.0, 250)


def test_rows_that_cannot_be_used_are_not_summed_and_the_newest_row_still_says_so(window: Window) -> None:
    put(window, WIND, (0, 4.0))
    put(window, WIND, (1, 99.0), quality=Quality.BAD)
    put(window, WIND, (2, float("nan")), quality=Quality.MISSING)
    slot = window.slots(np.array([WIND], np.int64))
    assert total(window, WIND, "wind_speed", 2, 10) == (4.0, 1)
    assert window.quality[slot] == Quality.MISSING
    assert window.usable_ns[slot] == START


def test_doubtful_rows_are_summed_and_counted_apart(window: Window) -> None:
    put(window, WIND, (0, 4.0))
    put(window, WIND, (0.5, 6.0), quality=Quality.SUSPECT)
    span = window.span("wind_speed", window.slots(np.array([WIND])), np.array([START]), 1)
    assert (span.total[0], span.count[0], span.suspect[0]) == (10.0, 2, 1)


def test_a_counter_rolls_over_and_the_rain_goes_on(window: Window) -> None:
    put(window, RAIN, (0, 998.0), (1, 999.5), (2, 0.5), (3, 1.0))
    assert total(window, RAIN, "rain_total", 3, 10) == (3.0, 4)


def test_a_reset_of_a_counter_is_no_rain(window: Window) -> None:
    put(window, RAIN, (0, 500.0), (1, 501.0), (2, 0.0), (3, 0.4))
    assert total(window, RAIN, "rain_total", 3, 10) == (1.4, 4)


def test_a_jump_that_no_cloud_can_make_is_no_rain(window: Window) -> None:
    put(window, RAIN, (0, 0.0), (1, 300.0), (2, 300.2))
    assert total(window, RAIN, "rain_total", 2, 10) == (0.2, 3)


def test_rain_in_a_gap_counts_only_for_windows_that_hold_the_gap(window: Window) -> None:
    """F15: 60 mm over an outage of two hours are not 60 mm in the minute after it."""
    put(window, RAIN, (0, 0.0), (1, 0.0), (121, 60.0), (122, 60.5))
    assert total(window, RAIN, "rain_total", 122, 60) == (0.5, 2)
    assert total(window, RAIN, "rain_total", 122, 121) == (60.5, 2)


def test_five_hundred_tips_are_fifty_millimetres(window: Window) -> None:
    put(window, RAIN, *((minute, round(0.1 * minute, 1)) for minute in range(301)))
    put(window, RAIN, *((minute, round(0.1 * minute, 1)) for minute in range(301, 501)))
    assert total(window, RAIN, "rain_total", 500, 250)[0] == pytest.approx(25.0, abs=1e-9)


def test_a_late_row_is_put_between_its_neighbours(window: Window) -> None:
    """A backlog that arrives after the live rows gives the sums of the right order."""
    put(window, RAIN, (0, 10.0), (60, 22.0))
    assert total(window, RAIN, "rain_total", 60, 30) == (0.0, 1)
    put(window, RAIN, (40, 15.0), (20, 11.0))
    assert total(window, RAIN, "rain_total", 60, 30) == (7.0, 2)
    assert total(window, RAIN, "rain_total", 60, 60) == (12.0, 3)


def test_a_late_row_reveals_a_reset(window: Window) -> None:
    put(window, RAIN, (0, 10.0), (60, 3.0))
    put(window, RAIN, (30, 0.0))
    assert total(window, RAIN, "rain_total", 60, 100) == (3.0, 3)


def test_rows_before_the_window_are_ignored_but_counted(window: Window) -> None:
    put(window, WIND, (1000, 5.0))
    put(window, WIND, (10, 7.0), (900, 8.0))
    assert window.too_old == 1
    assert total(window, WIND, "wind_speed", 1000, 250) == (13.0, 2)


def test_an_older_row_is_shown_until_settled_and_never_becomes_the_newest(window: Window) -> None:
    put(window, TIDE, (5, 3.0))
    put(window, TIDE, (4, 9.0))
    slot = window.slots(np.array([TIDE], np.int64))
    assert (window.shown[slot], window.value[slot]) == (9.0, 3.0)
    window.settle(slot)
    assert window.shown[slot] == 3.0


def test_unknown_series_have_no_slot_and_known_ones_keep_theirs(window: Window) -> None:
    before = window.slots(np.array([RAIN, WIND, TIDE, 99], np.int64)).tolist()
    window.announce({99: series("wind_speed"), TIDE: series("sea_level")})
    after = window.slots(np.array([RAIN, WIND, TIDE, 99], np.int64)).tolist()
    assert before[:3] == after[:3]
    assert (before[3], after[3]) == (-1, 3)


def test_every_minute_can_be_read_alone(window: Window) -> None:
    put(window, WIND, (0, 4.0), (0.5, 6.0), (2, 8.0))
    slot = window.slots(np.array([WIND], np.int64))
    minutes = window.each_minute("wind_speed", slot, np.array([START + 2 * MINUTE_NS]), 4)[0]
    assert np.array_equal(minutes, [np.nan, 5.0, np.nan, 8.0], equal_nan=True)


def by_hand(window: Window, identity: int, *samples: tuple[float, float]) -> None:
    """Rows that maintenance has marked."""
    put(window, identity, *samples, quality=Quality.BAD, cause=Cause.MANUAL)


@pytest.mark.parametrize("together", [True, False])
def test_water_poured_into_a_gauge_is_no_rain(window: Window, together: bool) -> None:
    """Tips of a test stay in the counter; live rows come one by one, those of a warm start all at once."""
    before, during, after = [(0, 10.0), (1, 10.2)], [(2, 15.0), (3, 30.2), (3.5, 30.2)], [(4, 30.4), (5, 30.5)]
    if together:
        samples = [*before, *during, *after]
        n, marked = len(samples), np.isin(np.arange(len(samples)), [2, 3, 4])
        window.insert(
            window.slots(np.full(n, RAIN)),
            np.array([START + round(minute * MINUTE_NS) for minute, _ in samples]),
            np.array([value for _, value in samples]),
            np.where(marked, Quality.BAD, Quality.GOOD).astype(np.uint8),
            np.where(marked, Cause.MANUAL, 0).astype(np.uint16),
        )
    else:
        for sample in before:
            put(window, RAIN, sample)
        for sample in during:
            by_hand(window, RAIN, sample)
        for sample in after:
            put(window, RAIN, sample)
    assert total(window, RAIN, "rain_total", 5, 60) == (pytest.approx(0.5), 4)
    assert total(window, RAIN, "rain_total", 3, 2) == (0.0, 0)


def test_real_rain_within_the_minute_of_a_test_counts(window: Window) -> None:
    put(window, RAIN, (0, 10.0), (0.2, 10.2))
    by_hand(window, RAIN, (0.4, 25.0))
    put(window, RAIN, (0.6, 25.4), (0.8, 25.5))
    assert total(window, RAIN, "rain_total", 0, 1) == (pytest.approx(0.7), 4)


def test_a_counter_that_was_exchanged_under_maintenance_starts_where_it_is(window: Window) -> None:
    put(window, RAIN, (0, 800.0))
    by_hand(window, RAIN, (1, 801.0), (2, 0.0))
    put(window, RAIN, (3, 0.2))
    assert total(window, RAIN, "rain_total", 3, 10) == (pytest.approx(0.2), 2)


def test_a_late_row_before_a_test_and_late_rows_of_a_test_bring_no_rain(window: Window) -> None:
    put(window, RAIN, (0, 10.0))
    by_hand(window, RAIN, (10, 30.0))
    put(window, RAIN, (20, 30.1))
    by_hand(window, RAIN, (9, 29.0))
    put(window, RAIN, (5, 10.3))
    put(window, RAIN, (9.5, 10.4), (10.5, 30.05))
    for width in range(1, 30):
        assert total(window, RAIN, "rain_total", 20, width)[0] <= 0.5 + 1e-9
    assert total(window, RAIN, "rain_total", 20, 60)[0] == pytest.approx(0.5)


def test_bad_rows_that_nobody_made_are_no_beginning(window: Window) -> None:
    put(window, RAIN, (0, 10.0))
    put(window, RAIN, (1, 30.0), quality=Quality.BAD)
    put(window, RAIN, (2, 10.4))
    assert total(window, RAIN, "rain_total", 2, 10) == (pytest.approx(0.4), 2)


def test_tests_by_hand_of_other_quantities_are_no_samples(window: Window) -> None:
    put(window, WIND, (0, 5.0))
    by_hand(window, WIND, (1, 40.0))
    assert total(window, WIND, "wind_speed", 1, 10) == (5.0, 1)
