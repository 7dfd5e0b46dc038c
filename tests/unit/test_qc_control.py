"""What quality control says of readings, from outside: flag, never fix."""

import numpy as np
import pytest

from ingest.qc.control import QualityControl
from ingest.qc.rows import Tolerance
from telemetry.clock import HOUR_NS, SECOND_NS
from telemetry.quality import Cause, Quality
from tests.unit.ingest_data import START_NS, level

NAN = float("nan")


@pytest.fixture
def control():
    control = QualityControl(Tolerance(ahead_ns=60 * SECOND_NS, behind_ns=24 * HOUR_NS))
    gas = level("gas", quantity="combustible_gas", unit="%LEL", valid=(0.0, 100.0))
    tide = level("tide", quantity="sea_level", valid=(-6.0, 6.0), danger="both")
    control.limits.put([(0, level("river")), (1, gas), (2, tide)])
    return control


def check(control, place, value, *, after_s=0, quality=Quality.UNCHECKED, cause=0, late_s=0):
    """Quality and cause of one reading, ``after_s`` seconds after the start, arriving ``late_s`` later."""
    time_ns = START_NS + round(after_s * SECOND_NS)
    qualities, causes = control.check(
        np.array([place], np.int32),
        np.array([time_ns]),
        np.array([value]),
        np.array([quality], np.uint8),
        np.array([cause], np.uint16),
        time_ns + late_s * SECOND_NS,
    )
    return Quality(int(qualities[0])), Cause(int(causes[0]))


def test_a_reading_with_nothing_against_it_is_good(control):
    assert check(control, 0, 3.2) == (Quality.GOOD, Cause.NONE)


def test_the_record_flood_is_suspect_and_the_impossible_is_bad(control):
    assert check(control, 0, 10.0) == (Quality.GOOD, Cause.NONE)
    assert check(control, 0, 10.01, after_s=60) == (Quality.SUSPECT, Cause.RANGE)
    assert check(control, 0, -0.01, after_s=120) == (Quality.BAD, Cause.RANGE)


def test_a_missing_reading_stays_missing_with_its_cause(control):
    assert check(control, 0, NAN, quality=Quality.MISSING, cause=Cause.COMMS) == (Quality.MISSING, Cause.COMMS)


def test_what_the_gateway_found_is_kept_and_added_to(control):
    assert check(control, 0, 3.0, quality=Quality.SUSPECT, cause=Cause.DEVICE) == (Quality.SUSPECT, Cause.DEVICE)
    found = check(control, 0, -4.0, after_s=600, quality=Quality.SUSPECT, cause=Cause.DEVICE)
    assert found == (Quality.BAD, Cause.DEVICE | Cause.RANGE)


def test_a_value_is_never_altered(control):
    values = np.array([3.0, 30.0, -30.0, NAN])
    before = values.copy()
    quality = np.array([0, 0, 0, Quality.MISSING], np.uint8)
    control.check(np.zeros(4, np.int32), np.full(4, START_NS), values, quality, np.zeros(4, np.uint16), START_NS)
    np.testing.assert_array_equal(values, before)
    assert quality.tolist() == [0, 0, 0, Quality.MISSING]


@pytest.mark.parametrize(
    ("late_s", "doubtful"), [(0, False), (-60, False), (-61, True), (86_400, False), (86_401, True)]
)
def test_a_clock_that_is_wrong_is_noticed(control, late_s, doubtful):
    """P8: stale values with fresh timestamps, and the reverse."""
    expected = (Quality.SUSPECT, Cause.CLOCK) if doubtful else (Quality.GOOD, Cause.NONE)
    assert check(control, 1, 5.0, late_s=late_s) == expected


def test_a_jump_of_the_water_is_suspect_but_the_front_of_a_flood_is_not(control):
    assert check(control, 0, 1.0) == (Quality.GOOD, Cause.NONE)
    assert check(control, 0, 1.9, after_s=1) == (Quality.GOOD, Cause.NONE), "within the step that is always believed"
    assert check(control, 0, 5.0, after_s=61) == (Quality.SUSPECT, Cause.RATE)
    assert check(control, 0, 9.0, after_s=61 + 3600) == (Quality.GOOD, Cause.NONE)


def test_gas_may_jump(control):
    check(control, 1, 0.0)
    assert check(control, 1, 60.0, after_s=1) == (Quality.GOOD, Cause.NONE)


def test_a_bad_or_late_or_future_reading_is_nobodys_neighbour(control):
    check(control, 0, 2.0, after_s=100)
    check(control, 0, -9.0, after_s=101)
    assert check(control, 0, 2.0, after_s=102)[0] is Quality.GOOD
    assert check(control, 0, 8.0, after_s=10)[0] is Quality.GOOD, "late: there is nothing to compare it with"
    check(control, 0, 8.0, after_s=10_000, late_s=-5_000)
    assert check(control, 0, 2.0, after_s=103)[0] is Quality.GOOD


def test_a_tide_that_stands_still_for_three_hours_is_a_stuck_gauge(control):
    found = [check(control, 2, 1.25, after_s=minute * 60)[1] for minute in range(0, 200, 10)]
    assert found == [Cause.NONE] * 18 + [Cause.FLATLINE] * 2
    assert check(control, 2, 1.26, after_s=200 * 60) == (Quality.GOOD, Cause.NONE)


def test_a_gap_ends_a_flat_line(control):
    check(control, 2, 1.25)
    assert check(control, 2, 1.25, after_s=4 * 3600) == (Quality.GOOD, Cause.NONE)


def test_new_limits_count_from_their_announcement_on(control):
    assert check(control, 1, 120.0)[0] is Quality.SUSPECT
    control.limits.put([(1, level("gas", quantity="combustible_gas", unit="%LEL", valid=(0.0, 150.0)))])
    assert check(control, 1, 120.0, after_s=1)[0] is Quality.GOOD


def test_limits_grow_with_the_catalogue(control):
    control.limits.put([(5000, level("far", valid=(0.0, 1.0)))])
    assert len(control.limits) > 5000
    assert check(control, 5000, 0.5)[0] is Quality.GOOD
    assert check(control, 5000, 1.5, after_s=60)[0] is Quality.SUSPECT
    assert check(control, 0, 30.0)[0] is Quality.SUSPECT
