"""The air quality index and the class of water against their standards, written out in exact arithmetic."""

import csv
import math
from decimal import ROUND_HALF_EVEN, Decimal
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from ingest.derived import air, water
from ingest.derived.cells import Cells
from ingest.derived.methods import METHODS
from ingest.derived.samples import Windows
from telemetry.span import HOUR_NS, MINUTE_NS, moment_ns

NAN = float("nan")
STEPS = (0, 50, 100, 150, 200, 300, 400, 500)
PM25 = {"2012": (0, 35, 75, 115, 150, 250, 350, 500), "2026": (0, 35, 60, 115, 150, 250, 350, 500)}
PM10 = {"2012": (0, 50, 150, 250, 350, 420, 500, 600), "2026": (0, 50, 120, 250, 350, 420, 500, 600)}
CO = (0, 5, 10, 35, 60, 90, 120, 150)
SHARED = Path(__file__).parents[3] / "shared" / "data" / "rules"


def exactly(text: str, points: tuple[int, ...], places: str = "1") -> int:
    """IAQI of a concentration in exact arithmetic: round half to even, interpolate, round up."""
    rounded = Fraction(Decimal(text).quantize(Decimal(places), ROUND_HALF_EVEN))
    for at in range(1, len(points)):
        if rounded <= points[at]:
            low, high = points[at - 1], points[at]
            step = Fraction(STEPS[at] - STEPS[at - 1], high - low)
            return math.ceil(STEPS[at - 1] + step * (rounded - low))
    return 500


@pytest.mark.parametrize("year", ["2012", "2026"])
def test_every_concentration_has_the_index_of_exact_arithmetic(year):
    texts = [f"{tenths / 10:.1f}" for tenths in range(0, 6200, 7)] + ["34.5", "35.5", "60.5", "74.5", "75.5"]
    values = np.array([float(text) for text in texts])
    for item, points in (("PM25_24h", PM25[year]), ("PM10_24h", PM10[year])):
        assert air.sub_index(values, item, year).tolist() == [exactly(text, points) for text in texts]
    hundredths = [f"{n / 100:.2f}" for n in range(0, 15200, 31)] + ["2.25", "2.35", "9.95"]
    found = air.sub_index(np.array([float(text) for text in hundredths]), "CO_1h", year)
    assert found.tolist() == [exactly(text, CO, "0.1") for text in hundredths]


def test_the_index_of_one_hundred_moved_in_2026():
    """HAZARDS 1: PM2.5 100 at 75 before, at 60 since 2026-03-01; the edition is that of the sample's time."""
    assert air.sub_index(np.array([75.0, 60.0]), "PM25_24h", "2012").tolist() == [100.0, 82.0]
    assert air.sub_index(np.array([75.0, 60.0]), "PM25_24h", "2026").tolist() == [114.0, 100.0]
    change = moment_ns("2026-03-01T00:00+08:00")
    assert air.edition(np.array([change - HOUR_NS, change, change + 1])).tolist() == [0, 0, 1]


def test_above_a_table_that_ends_early_each_edition_has_its_own_way():
    assert air.sub_index(np.array([801.0]), "SO2_1h", "2026").tolist() == [200.0]
    assert air.sub_index(np.array([801.0]), "O3_8h", "2026").tolist() == [300.0]
    assert np.isnan(air.sub_index(np.array([801.0]), "SO2_1h", "2012")).all()


def test_the_greatest_decides_ties_are_joint_and_below_fifty_there_is_no_primary_pollutant():
    found = air.index(np.array([[40, 50, 3, 2, 1, 20], [90, 90, 3, 2, 1, 20], [51, 20, 3, 2, 1, 20]], float))
    assert found.greatest.tolist() == [50, 90, 51]
    assert found.primary.tolist() == [0, 0b11, 0b1]


def test_with_a_pollutant_missing_only_more_than_a_hundred_is_published():
    found = air.index(np.array([[90, NAN, 3, 2, 1, 20], [101, NAN, 3, 2, 1, 20], [NAN] * 6], float))
    assert np.isnan(found.greatest).tolist() == [True, False, True]
    assert np.isnan(found.primary).tolist() == [True, False, True]


def windows(per_hour: np.ndarray, end_ns: int) -> Windows:
    """Four samples an hour; hours oldest first, NaN for an hour without any."""
    value = np.repeat(per_hour, 4)[None]
    time_ns = end_ns - np.arange(len(value[0]) - 1, -1, -1)[None] * 15 * MINUTE_NS
    return Windows(value, time_ns, np.zeros(value.shape, np.bool_))


def cells(end: str, **hours: np.ndarray) -> Cells:
    end_ns = moment_ns(end)
    return Cells(
        at_ns=np.array([end_ns]),
        window_ns=np.array([24 * HOUR_NS]),
        inputs={name: windows(hours.get(name, np.full(24, 1.0)), end_ns) for name in air.POLLUTANTS},
        period_ns=dict.fromkeys(air.POLLUTANTS, np.array([15 * MINUTE_NS])),
        least=0.0,
        lake=np.zeros(1, np.bool_),
    )


def test_the_hourly_report_took_particles_of_a_day_before_2026_and_takes_the_hour_since():
    steps = np.concatenate([np.full(23, 30.0), [330.0]])
    before = METHODS["aqi_hourly"].compute(cells("2026-02-28T12:00+08:00", pm25=steps)).values
    after = METHODS["aqi_hourly"].compute(cells("2026-03-02T12:00+08:00", pm25=steps)).values
    assert before[0, 0] == exactly(f"{steps.mean()}", PM25["2012"])
    assert after[0, 0] == exactly("330", PM25["2026"])
    assert (before[1, 0], after[1, 0]) == (1.0, 1.0)


def test_a_day_needs_twenty_hours_and_ozone_its_greatest_mean_of_eight():
    ozone = np.concatenate([np.full(10, 40.0), np.full(8, 180.0), np.full(6, 40.0)])
    found = METHODS["aqi_daily"].compute(cells("2026-03-03T00:00+08:00", o3=ozone)).values
    assert found[0, 0] == exactly("180", (0, 100, 160, 215, 265, 800, 800, 800))
    assert found[1, 0] == 0b100000
    short = np.concatenate([np.full(5, NAN), np.full(19, 30.0)])
    assert np.isnan(METHODS["aqi_daily"].compute(cells("2026-03-03T00:00+08:00", pm10=short)).values[0, 0])


@pytest.mark.parametrize(
    ("quantity", "value", "class_"),
    [
        ("dissolved_oxygen", 7.5, 1), ("dissolved_oxygen", 7.49, 2), ("dissolved_oxygen", 2.0, 5),
        ("dissolved_oxygen", 1.99, 6), ("ammonia_nitrogen", 0.15, 1), ("ammonia_nitrogen", 2.01, 6),
        ("acidity", 6.0, 1), ("acidity", 9.0, 1), ("acidity", 9.01, 6), ("acidity", 5.99, 6),
        ("chemical_oxygen_demand", 15.0, 1), ("chemical_oxygen_demand", 15.1, 3), ("permanganate_index", 6.0, 3),
    ],
)  # fmt: skip
def test_equality_meets_a_limit(quantity, value, class_):
    assert water.classes(np.array([value]), quantity, lake=False)[0] == class_


def test_still_water_has_limits_of_phosphorus_of_its_own():
    assert [water.classes(np.array([0.1]), "total_phosphorus", lake=lake)[0] for lake in (False, True)] == [2, 4]


def test_the_worst_parameter_decides_and_is_named():
    names = list(water.PARAMETERS)
    found = water.worst(
        np.array([[1, 2, 3, NAN, 3, 1], [1, 1, 1, 1, 1, 1], [1, NAN, 3, 2, 3, 1], [6, NAN, NAN, NAN, NAN, NAN]])
    )
    assert found.worst[:2].tolist() == [3, 1]
    assert found.cause[0] == 2 ** names.index("permanganate_index") + 2 ** names.index("ammonia_nitrogen")
    assert found.cause[1] == 0
    assert np.isnan(found.worst[2]), "dissolved oxygen is not known, and might be worse"
    assert found.worst[3] == 6, "nothing can be worse"


@pytest.mark.skipif(not SHARED.exists(), reason="shared tables are not here")
def test_the_tables_are_those_that_were_typed_from_the_standards():
    for ours, theirs in (("hj633", "aqi_hj633_breakpoints"), ("gb3838", "gb3838_class_limits")):
        with (SHARED / f"{theirs}.csv").open() as lines:
            expected = list(csv.DictReader(lines))
        with (Path(air.__file__).with_name("tables") / f"{ours}.csv").open() as lines:
            found = [{key: row[key] for key in expected[0]} for row in csv.DictReader(lines)]
        assert [[_number(cell) for cell in row.values()] for row in found] == [
            [_number(cell) for cell in row.values()] for row in expected
        ]


def _number(text: str) -> float | str:
    try:
        return float(text)
    except ValueError:
        return text
