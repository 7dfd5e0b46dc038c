"""Wind, rise, dew point and gains against published values and against the same thing written out in plain Python."""

import math
from itertools import combinations
from statistics import median

import numpy as np
import pytest

from ingest.derived import humidity, slope, wind
from ingest.derived.samples import Samples, hourly, on_grid
from ingest.derived.surroundings import moments, since
from telemetry.quality import Cause, Quality
from telemetry.span import HOUR_NS, MINUTE_NS, SECOND_NS, moment_ns

NAN = float("nan")
SMITHSONIAN_HPA = {0.0: 6.1078, 10.0: 12.272, 20.0: 23.373, 30.0: 42.430, 40.0: 73.777}
"""Saturation over water, Smithsonian Meteorological Tables (List, 1951), table 94."""


def one(*values: float) -> np.ndarray:
    return np.array([values])


def test_the_vector_mean_of_opposite_winds_is_calm_and_has_no_direction():
    """F: the arithmetic mean of 350 and 10 degrees is 180, the wrong way round."""
    found = wind.means(one(5.0, 5.0), one(350.0, 10.0))
    assert (found.scalar[0], found.direction[0]) == (5.0, 360.0)
    assert found.vector[0] == pytest.approx(5 * math.cos(math.radians(10)))
    against = wind.means(one(5.0, 5.0), one(90.0, 270.0))
    assert (against.scalar[0], against.vector[0]) == (5.0, pytest.approx(0.0, abs=1e-9))
    assert math.isnan(against.direction[0])


@pytest.mark.parametrize("speed", [0.0, 0.1, 0.19])
def test_a_calm_has_no_direction_whatever_the_vane_says(speed):
    found = wind.means(one(speed, speed), one(0.0, 0.0))
    assert found.scalar[0] == pytest.approx(speed)
    assert math.isnan(found.direction[0])


def test_half_a_pair_is_no_sample():
    found = wind.means(one(4.0, 8.0, NAN), one(90.0, NAN, 90.0))
    assert (found.scalar[0], found.vector[0], found.direction[0]) == (4.0, pytest.approx(4.0), pytest.approx(90.0))
    assert np.isnan(wind.means(one(NAN), one(NAN)).scalar[0])


def test_a_gust_is_the_greatest_mean_over_three_seconds_and_never_across_a_gap():
    rng = np.random.default_rng(1)
    speed = rng.gamma(4, 2, (5, 60))
    speed[rng.random(speed.shape) < 0.2] = NAN
    for row, found in zip(speed, wind.gust(speed, 3), strict=True):
        runs = [sum(row[at : at + 3]) / 3 for at in range(58) if not np.isnan(row[at : at + 3]).any()]
        assert found == pytest.approx(max(runs))
    assert np.isnan(wind.gust(one(5.0, NAN, 5.0, 5.0), 3)[0])
    assert np.isnan(wind.gust(one(5.0, 5.0), 3)[0])


@pytest.mark.parametrize(
    ("period_s", "samples"), [(0.25, 12), (0.5, 6), (1.0, 3), (2.0, None), (3.0, None), (60, None)]
)
def test_a_gust_is_unknown_where_the_sampling_does_not_allow_it(period_s, samples):
    assert wind.samples_in_gust(period_s) == samples


def test_the_slope_is_the_median_of_all_pairs_and_a_spike_does_not_move_it():
    rng = np.random.default_rng(2)
    time_s, level = np.sort(rng.uniform(0, 3600, (20, 12))), rng.normal(3, 1, (20, 12))
    level[rng.random(level.shape) < 0.2] = NAN
    for t, x, found in zip(time_s, level, slope.theil_sen(time_s, level), strict=True):
        known = [(a, b) for a, b in zip(t, x, strict=True) if not math.isnan(b)]
        pairs = [(d - b) / (c - a) for (a, b), (c, d) in combinations(known, 2)]
        assert found == pytest.approx(median(pairs))
    steady = np.arange(12.0)[None]
    spiked = 0.5 * steady
    spiked[0, 5] = 40.0
    assert slope.theil_sen(steady, spiked)[0] == pytest.approx(0.5)
    assert np.isnan(slope.theil_sen(one(1.0), one(2.0))[0])


def test_many_samples_are_thinned_and_the_slope_stays():
    time_s, level = np.arange(600.0)[None], 0.002 * np.arange(600.0)[None]
    thin = slope.thinned(time_s, level)
    assert thin[0].shape[1] <= slope.LARGEST
    assert slope.theil_sen(*thin)[0] == pytest.approx(0.002)


@pytest.mark.parametrize(("temperature", "hpa"), SMITHSONIAN_HPA.items())
def test_saturation_pressure_is_that_of_the_smithsonian_tables(temperature, hpa):
    assert humidity.saturation_hpa(np.array([temperature]))[0] == pytest.approx(hpa, rel=4e-3)


@pytest.mark.parametrize(
    ("temperature", "relative", "dew"), [(20, 50, 9.3), (20, 60, 12.0), (25, 50, 13.9), (30, 70, 23.9), (10, 80, 6.7)]
)
def test_the_dew_point_is_that_of_the_usual_tables(temperature, relative, dew):
    assert humidity.dew_point(np.array([temperature]), np.array([relative]))[0] == pytest.approx(dew, abs=0.06)


def test_saturated_air_has_its_temperature_as_dew_point_and_outside_the_range_there_is_none():
    inside = np.linspace(*humidity.RANGE_C, 50)
    np.testing.assert_allclose(humidity.dew_point(inside, np.full(50, 100.0)), inside, atol=1e-9)
    assert np.isnan(
        humidity.dew_point(np.array([-45.1, 60.1, 20.0, NAN, 20.0]), np.array([50, 50, 0.5, 50, NAN]))
    ).all()
    assert humidity.dew_point(np.array([20.0]), np.array([103.0]))[0] > 20.0, "nothing is clamped"


def samples(*rows: tuple[int, int, float, int, int]) -> Samples:
    columns = [np.array(column) for column in zip(*sorted(rows), strict=True)]
    return Samples(columns[0], columns[1] * SECOND_NS, columns[2].astype(float), *(c.astype(int) for c in columns[3:]))


def test_windows_hold_what_is_in_them_and_nothing_misdated_or_bad():
    good, bad, clock = int(Quality.GOOD), int(Quality.BAD), int(Cause.CLOCK)
    found = samples(
        (1, 0, 1.0, good, 0), (1, 60, 2.0, 2, 0), (1, 120, 3.0, bad, 0), (1, 130, 9.0, 2, clock), (2, 60, 7.0, 1, 0)
    )
    ends = np.array([60, 120, 120, 120]) * SECOND_NS
    windows = found.windows(np.array([1, 1, 2, 3]), ends - 60 * SECOND_NS, ends)
    assert windows.count.tolist() == [1, 0, 0, 0]
    assert windows.value[0][windows.held[0]].tolist() == [2.0]
    assert windows.suspect[0].any()
    wide = found.windows(np.array([1, 2]), np.array([-1, -1]), np.array([2**62, 2**62]))
    assert [row[held].tolist() for row, held in zip(wide.value, wide.held, strict=True)] == [[1.0, 2.0], [7.0]]


def test_the_nearest_sample_is_within_reach_or_there_is_none():
    found = samples((1, 0, 1.0, 1, 0), (1, 100, 2.0, 1, 0), (2, 40, 5.0, 1, 0))
    asked = np.array([10, 60, 49, 40]) * SECOND_NS
    rows = found.nearest(np.array([1, 1, 1, 3]), asked, np.full(4, 40 * SECOND_NS))
    assert [None if row < 0 else found.value[row] for row in rows] == [1.0, 2.0, None, None]


def test_hours_need_three_quarters_of_their_samples():
    end = moment_ns("2026-03-02T00:00+08:00")
    rows = [(1, end // SECOND_NS - 60 * minute, 10.0 + (minute >= 60), 1, 0) for minute in range(104)]
    windows = samples(*rows).windows(np.array([1]), np.array([end - 24 * HOUR_NS]), np.array([end]))
    means, counts = hourly(windows, np.array([end]), 24, np.array([MINUTE_NS]), 0.75)
    assert means[0, -1] == 10.0
    assert math.isnan(means[0, -2]), "44 of 60"
    assert counts[0, -2:].tolist() == [44.0, 60.0]


def test_a_grid_has_a_place_for_every_period():
    end = np.array([100 * SECOND_NS])
    found = samples((1, 98, 1.0, 1, 0), (1, 100, 2.0, 1, 0)).windows(np.array([1]), end - 5 * SECOND_NS, end)
    np.testing.assert_array_equal(on_grid(found, end, np.array([SECOND_NS]), 5), one(NAN, NAN, 1.0, NAN, 2.0))


def test_moments_are_aligned_to_local_midnight_and_the_rain_day_begins_at_eight():
    begin, end = moment_ns("2026-03-01T00:00+08:00"), moment_ns("2026-03-03T00:00+08:00")
    assert moments(begin, end, 24 * HOUR_NS, "Asia/Shanghai").tolist() == [begin + 24 * HOUR_NS, end]
    assert len(moments(begin, end, 5 * MINUTE_NS, "Asia/Shanghai")) == 576
    assert moments(begin, end, HOUR_NS, "Asia/Kathmandu")[0] == begin + 15 * MINUTE_NS
    eight = moment_ns("2026-03-01T08:00+08:00")
    hours = since(np.array([eight, eight + MINUTE_NS, eight - MINUTE_NS]), 8 * HOUR_NS, "Asia/Shanghai") / HOUR_NS
    assert hours.tolist() == pytest.approx([24, 1 / 60, 24 - 1 / 60])
