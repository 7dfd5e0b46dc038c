"""Each test of quality control as the stream makes it: ranges, season, totalisers, spikes, lulls, neighbours."""

import numpy as np
import pytest

from ingest.qc.checks import counted, month, season, spike
from ingest.qc.control import QualityControl
from ingest.qc.parameters import Climatology, Off, PlausibleRange, RateOfChange, Spike
from telemetry.clock import HOUR_NS, MINUTE_NS, SECOND_NS
from telemetry.quality import Cause, Quality
from telemetry.span import moment_ns
from tests.unit.ingest_data import START_NS, level

NAN = float("nan")
PRESSURE = {"quantity": "air_pressure", "unit": "hPa", "valid": (500.0, 1200.0), "danger": "none", "period_s": 60.0}
RAIN = {"quantity": "rain_total", "unit": "mm", "valid": (0.0, 1e6), "danger": "none", "period_s": 60.0}
SEA = {"quantity": "sea_level", "unit": "m", "valid": (-10.0, 10.0), "danger": "both", "period_s": 60.0}


def made(*series, tests=(), where=()):
    """Quality control of these series, at the places (degrees) that are given, or all at one."""
    control = QualityControl(tests=tests)
    seats = where or [(25.0, 119.0)] * len(series)
    control.learn([(place, one, *seats[place]) for place, one in enumerate(series)])
    return control


def told(control, minute, values, places=None):
    """Causes of one reading of each series (NaN: missing), at one minute, each group alone."""
    value = np.array(values, float)
    time_ns = np.full(len(value), START_NS + round(minute * MINUTE_NS))
    at = np.arange(len(value), dtype=np.int32) if places is None else np.array(places, np.int32)
    quality = np.where(np.isnan(value), Quality.MISSING, Quality.UNCHECKED).astype(np.uint8)
    found = control.check(at, time_ns, value, quality, np.zeros(len(value), np.uint16), int(time_ns[0]))
    assert (found[0][~np.isnan(value)] == np.where(found[1] == 0, Quality.GOOD, found[0])[~np.isnan(value)]).all()
    return found[1].tolist()


def later(control):
    """What was found about earlier rows: minute, value, cause."""
    return [
        (round((t - START_NS) / MINUTE_NS, 3), v, c)
        for found in control.afterwards()
        for t, v, c in zip(found.time_ns.tolist(), found.value.tolist(), found.cause.tolist(), strict=True)
    ]


def test_what_the_quantity_can_not_be_is_doubted_though_the_sensor_could_measure_it():
    control = made(level("p", **PRESSURE))
    assert [told(control, 300 * k, [v])[0] for k, v in enumerate([1060.0, 1060.1, 629.9])] == [
        0,
        Cause.RANGE,
        Cause.RANGE,
    ]


def test_a_site_says_what_is_plausible_at_a_station_of_its_own():
    here = PlausibleRange(quantity="air_pressure", station="st-1", low=950.0, high=1045.0)
    control = made(level("p", **PRESSURE), level("p", station="st-2", **PRESSURE), tests=[here])
    assert told(control, 0, [1050.0, 1015.0]) == [Cause.RANGE, 0]


def test_a_test_that_is_off_is_not_made_and_others_are():
    off = Off(quantity="water_level", station="st-1", which="spike")
    control = made(level("a", period_s=60.0), level("a", period_s=60.0, station="st-2"), tests=[off])
    for minute, value in enumerate([1.0, 1.8, 1.0]):
        told(control, minute, [value, value])
    [(minute, value, cause)] = later(control)
    assert (minute, value, cause) == (1, 1.8, Cause.SPIKE), "of the other station alone"
    assert told(control, 3, [5.0, 5.0]) == [Cause.RATE, Cause.RATE]


def test_the_months_of_a_season_are_those_of_utc_and_others_say_nothing():
    summer = Climatology(quantity="water_temperature", months=(7,), low=22.0, high=32.0)
    series = level("t", quantity="water_temperature", unit="degC", valid=(-5.0, 50.0), danger="none")
    control = made(series, tests=[summer])
    assert month(np.array([START_NS]))[0] == 6, "the start is in July"
    assert told(control, 0, [21.9]) == [Cause.SEASON]
    assert told(control, 60, [22.0]) == [0]
    edges = np.array([moment_ns("2023-07-31T23:59:59Z"), moment_ns("2023-08-01T00:00:00Z")])
    assert month(edges).tolist() == [6, 7]
    verdict = season(np.array([99.0]), np.full((1, 2), NAN))
    assert verdict.quality.tolist() == [Quality.UNCHECKED]


@pytest.mark.parametrize(
    ("before", "after", "minutes", "doubtful"),
    [
        (10.0, 20.0, 1, False),  # within the step that is believed at any speed
        (10.0, 40.0, 1, True),  # 30 mm in a minute
        (10.0, 109.0, 10, False),
        (99_990.0, 5.0, 1, False),  # rolled over at 100,000
        (500.0, 0.2, 1, False),  # reset at the turn of the day
        (500.0, 120.0, 1, True),  # fell, and neither explains it
    ],
)
def test_a_totaliser_is_judged_by_its_gain(before, after, minutes, doubtful):
    control = made(level("rain", modulus=1e5, **RAIN))
    told(control, 0, [before])
    assert told(control, minutes, [after]) == [Cause.RATE if doubtful else 0]


def test_a_totaliser_without_a_rollover_may_only_begin_anew():
    gained = counted(np.array([3.0, 8.0]), np.array([500.0, 5.0]), np.full(2, NAN))
    assert gained.tolist() == [3.0, 3.0]


def test_a_spike_needs_both_of_its_neighbours_within_a_period_and_a_half():
    control = made(level("a", period_s=60.0))
    for minute, value in ((0, 1.0), (1, 1.8), (3, 1.0), (4, 1.8), (5, NAN), (6, 1.0)):
        told(control, minute, [value])
    assert later(control) == []


def test_a_spike_is_no_step_whatever_its_height():
    control = made(level("a", period_s=60.0))
    for minute, value in enumerate([1.0, 1.9, 1.9, 1.9, 1.0, 1.0]):
        told(control, minute, [value])
    assert later(control) == [], "a step, up and down, with samples on it"
    told(control, 6, [1.7])
    told(control, 7, [1.0])
    assert later(control) == [(6, 1.7, Cause.SPIKE)]


def test_the_average_sees_half_a_step_too():
    tests = [Spike(quantity="water_level", threshold=0.3, method="average")]
    control = made(level("a", period_s=60.0), tests=tests)
    for minute, value in enumerate([1.0, 1.0, 1.9, 1.9]):
        told(control, minute, [value])
    assert [found[:2] for found in later(control)] == [(1, 1.0), (2, 1.9)]
    nothing = spike(*(np.array([v]) for v in (1.0, NAN, 1.0)), np.array([0.1]), np.array([True]))
    assert not nothing.any()


def test_what_a_gateway_and_arrival_found_stays_when_a_spike_is_added():
    control = made(level("a", period_s=60.0, valid=(0.0, 1.5)))
    for minute, value in enumerate([1.0, 1.8, 1.0]):
        told(control, minute, [value])
    assert later(control) == [(1, 1.8, Cause.SPIKE | Cause.RANGE)]


def test_a_tide_that_only_trembles_is_found_in_the_next_period():
    """A float that sticks on its rope: never twice the same value, and never a tide."""
    control = made(level("t", **SEA))
    begin = -(START_NS // MINUTE_NS % 180)  # the period of three hours that holds the start
    found = [told(control, begin + minute, [1.0 + 0.005 * (minute % 3)])[0] for minute in range(0, 360, 5)]
    assert found[:36] == [0] * 36
    assert found[36:] == [Cause.FLATLINE] * 36
    assert told(control, begin + 360, [1.5]) == [Cause.FLATLINE], "the period before was a lull"
    found = [told(control, begin + 365 + 5 * k, [1.5 - 0.01 * k])[0] for k in range(36)]
    assert found[-1] == 0, "and the one after it was none"


def pressures(n=5, step=0.05):
    """Stations in a row, five kilometres apart."""
    return [level("p", station=f"s{k}", **PRESSURE) for k in range(n)], [(25.0 + step * k, 119.0) for k in range(n)]


def test_a_station_that_reads_what_nobody_around_it_reads_is_doubted():
    control = made(*(world := pressures())[0], where=world[1])
    told(control, 0, [1000.0, 1001.0, 1000.5, 999.5, 1000.0])
    assert told(control, 10, [1000.0, 1001.0, 1015.0, 999.5, 1000.0]) == [0, 0, Cause.NEIGHBOURS, 0, 0]


def test_where_all_differ_nobody_is_doubted():
    """A front, or a typhoon: the spread around is the measure."""
    control = made(*(world := pressures())[0], where=world[1])
    for minute in (0, 20):
        found = told(control, minute, [960.0, 975.0, 990.0, 1002.0, 1010.0])
    assert found == [0] * 5


def test_too_few_neighbours_or_too_old_ones_say_nothing():
    few = made(*(world := pressures(3))[0], where=world[1])
    far = made(*(world := pressures(5, step=1.0))[0], where=world[1])
    old = made(*(world := pressures())[0], where=world[1])
    for control in (few, far):
        told(control, 0, [1000.0] * len(control.neighbourhood._seats))
        assert told(control, 10, [1015.0], places=[1]) == [0]
    told(old, 0, [1000.0] * 5)
    assert told(old, 31, [1015.0], places=[1]) == [0]
    assert told(old, 31, [1000.0], places=[2]) == [0]


def test_neighbours_without_a_place_are_none():
    control = made(*(world := pressures())[0], where=[(NAN, NAN)] * 5)
    told(control, 0, [1000.0] * 5)
    assert told(control, 10, [1015.0], places=[1]) == [0]
    control.learn([(place, one, 25.0, 119.0 + place / 50) for place, one in enumerate(world[0])])
    assert told(control, 20, [1015.0], places=[2]) == [Cause.NEIGHBOURS], "a station that moved is asked anew"


def test_a_stricter_rate_of_the_site_is_the_one_that_counts():
    tests = [RateOfChange(quantity="water_level", station="st-1", point="a", per_s=0.001, step=0.1)]
    control = made(level("a"), level("b"), tests=tests)
    told(control, 0, [1.0, 1.0])
    assert told(control, 1, [1.3, 1.3]) == [Cause.RATE, 0]


def test_memory_reaches_back_two_periods_of_the_longest_test():
    control = made(level("t", **SEA))
    assert control.memory_ns == 6 * HOUR_NS
    assert made(level("gas", quantity="combustible_gas", unit="%LEL")).memory_ns == HOUR_NS
    assert SECOND_NS * 3600 == HOUR_NS


@pytest.mark.parametrize(
    ("cause", "batches", "doubtful"),
    [
        (Cause.UNSYNCED, [0, 0, 0], [False, False, True]),
        (Cause.NONE, [0, 0, 0], [False, False, False]),
        (Cause.UNSYNCED, [0, 0, 1], [False, False, False]),
    ],
)
def test_a_clock_that_goes_back_is_doubted_where_nothing_keeps_it_right(cause, batches, doubtful):
    """A logger hands over what it kept after what it read last, and a backlog comes after what is live: no evidence."""
    control = made(level("a"), level("b"))
    time_ns = START_NS + np.array([60, 60, 50]) * SECOND_NS
    found = control.check(
        np.array([0, 1, 0], np.int32),
        time_ns,
        np.ones(3),
        np.zeros(3, np.uint8),
        np.full(3, cause, np.uint16),
        int(time_ns[0]),
        np.array(batches),
    )
    assert ((found[1] & Cause.CLOCK) != 0).tolist() == doubtful
    assert (found[0] == Quality.SUSPECT).tolist() == doubtful


def test_neighbours_that_were_never_heard_are_none():
    control = made(*(world := pressures(40))[0], where=world[1])
    assert told(control, 0, [1000.0], places=[0]) == [0]
    assert told(control, 1, [1000.0], places=[0]) == [0]
