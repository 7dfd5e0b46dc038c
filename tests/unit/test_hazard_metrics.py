"""What hazards measure: hand-made windows against numbers worked out by hand or by a plain loop."""

import numpy as np
import pytest

from alerting.alarms import Outcome
from alerting.hazards import _wind, hazards, sums, toxic_gas
from alerting.hazards.pipeline_leak import SIGMA_PERCENT, SLACK
from alerting.metric import Frame, Reading
from ingest.window import Window
from telemetry.batch import F64, I64
from telemetry.clock import MINUTE_NS
from telemetry.series import Series
from tests.unit.engine_things import desk

START = 28_000_000 * MINUTE_NS


def filled(**columns: F64) -> tuple[Window, I64]:
    """A window with one series a quantity (``flow_1`` is another ``flow``), a sample a minute; NaN is a missing one."""
    window = Window(sums())
    window.announce(
        {
            index: Series(station="s", point=name, quantity=name.rstrip("_12"), unit="m", valid=(0, 1), period_s=60.0)
            for index, name in enumerate(columns, 1)
        }
    )
    for slot, values in enumerate(columns.values()):
        n = len(values)
        quality = np.where(np.isnan(values), 4, 1).astype(np.uint8)
        times = START + np.arange(n) * MINUTE_NS
        window.insert(np.full(n, slot, np.int64), times, values, quality, np.zeros(n, np.uint16))
    return window, np.arange(len(columns))[None, :]


def measured(hazard: str, metric: str, window: Window, slots: I64, minute: int, minutes: int) -> Reading:
    frame = Frame(window, np.array([START + minute * MINUTE_NS]), np.zeros((0, 2), np.int64))
    return hazards()[hazard].metric(metric).compute(frame, slots, minutes)


def test_a_mean_is_over_ten_minutes_and_says_what_part_of_them_it_saw() -> None:
    wind = np.array([30.0] * 5 + [10.0] * 10)
    window, slots = filled(wind_speed=wind)
    reading = measured("gale", "wind_mean", window, slots, 14, 10)
    assert (reading.value[0], reading.share[0]) == (10.0, 1.0)
    early = measured("gale", "wind_mean", window, slots, 5, 10)
    assert early.value[0] == pytest.approx((5 * 30 + 10) / 6)
    assert early.share[0] == pytest.approx(0.6)


def test_wind_at_exactly_the_bound_of_its_force_counts() -> None:
    assert _wind.beaufort(12, "Bft", "m/s") == 32.7
    assert _wind.beaufort(36, "km/h", "m/s") == pytest.approx(10.0)
    with pytest.raises(ValueError, match="force 99"):
        _wind.beaufort(99, "Bft", "m/s")


def test_five_hundred_tips_reach_fifty_millimetres_exactly() -> None:
    """Sums of 0.1 mm in binary are 49.99999...: the rule is inclusive, so the metric is rounded to a millionth."""
    one = desk(only=["mast"])
    for minute in range(0, 361):
        one.feed(minute, {"mast/rain": round(minute * 50 / 360, 10)})
    assert [(event.rule, event.value) for event in one.log] == [("rainstorm.yellow", 50.0)]
    assert one.told("rainstorm") == [(360.0, "raised", 2)]


def test_a_new_rain_gauge_is_judged_by_what_it_has_seen_and_not_in_its_first_minute() -> None:
    window, slots = filled(rain_total=np.arange(20) * 1.0)
    assert measured("rainstorm", "rain_sum", window, slots, 0, 180).share[0] == 0.0
    reading = measured("rainstorm", "rain_sum", window, slots, 19, 180)
    assert (reading.value[0], reading.share[0]) == (19.0, 1.0)


def test_rain_over_an_outage_is_not_the_rain_of_the_last_hours() -> None:
    """F15: 100 mm in ten silent hours are no red rainstorm of three; but they are 50 mm in twelve."""
    one = desk(only=["mast"])
    for minute in range(0, 100):
        one.feed(minute, {"mast/rain": 0.0})
    for minute in range(700, 710):
        one.feed(minute, {"mast/rain": 100.0})
    assert [event.rule for event in one.log if event.hazard == "rainstorm"] == ["rainstorm.blue"]


def test_toxic_limits_in_mg_are_the_ppm_of_the_gas_law() -> None:
    gas = hazards()["toxic_gas"].metric("hydrogen_sulfide")
    litres = 8.314462618 * 293.15 / 101.325
    assert pytest.approx(litres, rel=1e-4) == toxic_gas.MOLAR_VOLUME
    assert gas.convert(10.0, "mg/m3", "ppm") == pytest.approx(10.0 * litres / 34.08, rel=1e-4)
    with pytest.raises(ValueError, match="no conversion"):
        gas.convert(10.0, "m", "ppm")


def test_the_imbalance_is_that_of_the_mean_flows() -> None:
    window, slots = filled(flow_1=np.full(30, 100.0), flow_2=np.full(30, 88.0))
    assert measured("pipeline_leak", "imbalance", window, slots, 29, 10).value[0] == pytest.approx(12.0)
    window, slots = filled(flow_1=np.zeros(30), flow_2=np.zeros(30))
    assert measured("pipeline_leak", "imbalance", window, slots, 29, 10).value[0] == 0.0


def test_one_dead_meter_makes_the_balance_unknown() -> None:
    window, slots = filled(flow_1=np.full(30, 100.0), flow_2=np.append(np.full(15, 88.0), np.full(15, np.nan)))
    reading = measured("pipeline_leak", "imbalance", window, slots, 29, 10)
    assert np.isnan(reading.value[0])
    assert reading.share[0] == 0.0


def test_the_cumulative_sum_is_that_of_the_recursion() -> None:
    rng = np.random.default_rng(7)
    inlet, outlet = rng.normal(100, 2, 90), rng.normal(98, 2, 90)
    window, slots = filled(flow_1=inlet, flow_2=outlet)
    value, oracle = measured("pipeline_leak", "imbalance_cusum", window, slots, 89, 60).value[0], 0.0
    for one, other in zip(inlet[30:], outlet[30:], strict=True):
        oracle = max(0.0, oracle + (one - other) / max(one, other) * 100 / SIGMA_PERCENT - SLACK)
    assert value == pytest.approx(oracle, abs=1e-5)


def test_the_fall_of_pressure_is_against_the_five_windows_before() -> None:
    pressure = np.append(np.full(25, 500.0), np.full(5, 450.0))
    window, slots = filled(pipe_pressure_1=np.full(30, 400.0), pipe_pressure_2=pressure)
    reading = measured("pipeline_leak", "pressure_drop", window, slots, 29, 5)
    assert (reading.value[0], reading.share[0]) == (pytest.approx(10.0), 1.0)


def test_a_leak_raises_its_pipeline_in_both_areas_and_noise_does_not() -> None:
    rng = np.random.default_rng(11)
    one = desk(only=["head", "end"])
    for minute in range(300):
        lost = 0.0 if minute < 200 else 12.0
        one.feed(
            minute,
            {
                "head/flow": rng.normal(100.0, 0.5),
                "end/flow": rng.normal(100.0 - lost, 0.5),
                "head/pressure": rng.normal(500.0, 2.0) - 4 * lost,
                "end/pressure": rng.normal(400.0, 2.0) - 4 * lost,
            },
        )
    raised = [event for event in one.log if event.hazard == "pipeline_leak"]
    assert (raised[0].subject_kind, raised[0].subject) == ("pipeline", "line-1")
    assert 200 <= one.told("pipeline_leak")[0][0] <= 206
    assert max(event.level for event in raised) >= 3
    level = raised[-1].level
    assert {area.code: area.level for area in one.engine.areas()} == {"A": level, "B": level, "C": 0}


def test_a_second_detector_that_is_silent_holds_nothing_it_never_held() -> None:
    one = desk(only=["tank"])
    one.feed(0, {"tank/lel-1": 60.0, "tank/lel-2": 60.0})
    for minute in range(1, 20):
        one.feed(minute, {"tank/lel-1": 1.0, "tank/lel-2": None})
    assert one.told("combustible_gas") == [(0.0, "raised", 4)], "what was last seen at 60 is not over"
    for minute in range(20, 24):
        one.feed(minute, {"tank/lel-1": 1.0, "tank/lel-2": 1.0})
    for minute in range(24, 40):
        one.feed(minute, {"tank/lel-1": 60.0 if minute == 24 else 1.0, "tank/lel-2": None})
    assert one.told("combustible_gas")[1:] == [(22.0, "cleared", 0), (24.0, "raised", 4), (27.0, "cleared", 0)]
    assert one.engine.station_levels()["tank"].hazards["combustible_gas"].outcome is Outcome.NO_DATA
