"""Each part of the world against what its source says, or against a formula written down anew."""

from dataclasses import replace
from datetime import UTC, datetime
from importlib.resources import files

import numpy as np
import pytest
from msgspec.structs import replace as changed

from simulators.scenario import load_scenario
from simulators.world import air, gas, pipeline, rain, river, sea, typhoon, weather
from simulators.world.pipeline import Pipeline
from simulators.world.river import Catchment
from simulators.world.sea import Basin, Constituent
from simulators.world.signal import Grid, Signal, lag
from telemetry.clock import HOUR_NS, MINUTE_NS
from tests.unit.sim_oracle import default_world

T0 = int(datetime(2023, 7, 27, 14, tzinfo=UTC).timestamp()) * 10**9
LINE = Pipeline(
    inlet="a",
    outlet="b",
    bore_m=0.25,
    shut_kpa=1500,
    network_kpa=900,
    pump_loss=0.0024,
    line_loss=0.003,
    network_loss=0.0012,
)
CATCHMENT = Catchment(area_km2=42, runoff=0.7, hours=1.5, base_m3_s=0.8, bed_m=1.6, rating_a=9.0, rating_b=1.6)


def _storm(hours):
    track = typhoon.read_track(files("simulators.world") / "tracks" / "doksuri-2023.csv")
    return typhoon.follow(track, T0 + hours * HOUR_NS, 1006.0)


def test_track_is_the_best_track():
    track = typhoon.read_track(files("simulators.world") / "tracks" / "doksuri-2023.csv")
    landfall = np.flatnonzero(track.time_ns == int(datetime(2023, 7, 28, tzinfo=UTC).timestamp()) * 10**9)
    assert track.lat[landfall] == 24.2
    assert track.lon[landfall] == 118.8
    assert track.pressure[landfall] == 965
    assert track.wind[landfall] == pytest.approx(70 * 1852 / 3600)
    assert (np.diff(track.time_ns) == 6 * HOUR_NS).all()


def test_wind_is_greatest_at_the_radius_of_maximum_wind():
    """Cyclostrophic wind peaks exactly there (Holland 1980, eq. 6); Coriolis moves it by less than a tenth."""
    r = np.linspace(1e3, 400e3, 4000)
    deficit, radius, b = np.full_like(r, 50.0), np.full_like(r, 36e3), np.full_like(r, 1.2)
    still = typhoon.gradient_wind(r, deficit, radius, b, np.zeros_like(r))
    assert r[still.argmax()] == pytest.approx(36e3, abs=200)
    assert still.max() == pytest.approx(np.sqrt(1.2 * 5000 / (np.e * typhoon.AIR_DENSITY)), rel=1e-6)
    turning = typhoon.gradient_wind(r, deficit, radius, b, np.full_like(r, 24.0))
    assert r[turning.argmax()] == pytest.approx(36e3, rel=0.1)
    beyond = turning[r > r[turning.argmax()]]
    assert (np.diff(beyond) < 0).all()


def test_pressure_rises_from_the_centre_to_the_ambient():
    r = np.linspace(0, 2000e3, 2000)
    p = typhoon.pressure_hpa(r, np.full_like(r, 955.0), 1006.0, np.full_like(r, 36e3), np.full_like(r, 1.2))
    assert p[0] == pytest.approx(955.0)
    assert (np.diff(p) >= 0).all()
    assert 1005 < p[-1] < 1006


def test_profile_reaches_the_wind_of_the_best_track():
    """B = V^2 e rho / dp: at the radius of maximum wind the surface wind is the track's, less half the translation."""
    storm = _storm(np.arange(10))
    deficit = storm.ambient_hpa - storm.centre_hpa
    peak = typhoon.SURFACE * np.sqrt(storm.b * 100 * deficit / (np.e * typhoon.AIR_DENSITY))
    assert peak == pytest.approx(storm.wind - typhoon.TRANSLATION_SHARE * np.hypot(storm.u, storm.v), rel=1e-6)


def test_wind_turns_counterclockwise_and_inwards():
    storm = _storm(np.array([8.0]).astype(int))
    lat, lon = float(storm.lat[0]), float(storm.lon[0])
    still = replace(storm, u=np.zeros(1), v=np.zeros(1))
    for bearing, tangential in ((0, 90), (90, 180), (180, 270), (270, 0)):
        away = (lat + 1.0 * np.cos(np.deg2rad(bearing)), lon + 1.1 * np.sin(np.deg2rad(bearing)))
        found = typhoon.air(still, *away).from_deg[0]
        assert (found - (tangential - typhoon.INFLOW_DEG) + 180) % 360 - 180 == pytest.approx(0, abs=1.5)


def test_the_right_side_of_the_track_is_windier():
    storm = _storm(np.array([8]))
    lat, lon = float(storm.lat[0]), float(storm.lon[0])
    assert storm.v[0] > 5
    east, west = (typhoon.air(storm, lat, lon + side).speed[0] for side in (0.6, -0.6))
    assert east > west + 3


def test_rain_is_that_of_the_climatology():
    """At 35 kt, U = 1: 2.86 and 3.20 inches a day at the centre and at 51.5 km, and e-fold 134 km beyond."""
    wind = np.full(3, 35 * 0.514444)
    found = rain.rate(np.array([0.0, 51.5e3, (51.5 + 134) * 1e3]), wind)
    assert found == pytest.approx(np.array([2.86, 3.20, 3.20 / np.e]) * 25.4 / 24, rel=1e-4)


def test_rain_total_is_the_sum_of_what_fell():
    rate = np.array([6.0, 0.0, 60.0, 60.0])
    assert rain.total(rate) == pytest.approx([0.0, 0.1, 0.1, 1.1])


def test_tide_is_the_sum_of_its_harmonics():
    """Against the formula by complex exponentials, with periods instead of speeds."""
    parts = {"M2": Constituent(2.05, 17), "S2": Constituent(0.65, 135), "K1": Constituent(0.27, 243)}
    period_h = {"M2": 12.4206012, "S2": 12.0, "K1": 23.93447213}
    times = T0 + np.arange(500) * 7 * MINUTE_NS
    hours = (times - int(datetime(2020, 1, 1, tzinfo=UTC).timestamp()) * 10**9) / HOUR_NS
    turns = {name: hours / period_h[name] - part.phase_deg / 360 for name, part in parts.items()}
    direct = sum(part.amplitude_m * np.exp(2j * np.pi * turns[name]).real for name, part in parts.items())
    assert sea.tide(times, parts) == pytest.approx(direct, abs=2e-3)


def test_tide_range_is_that_of_the_coast():
    world = default_world(load_scenario("quiet").settings)
    month = T0 + np.arange(30 * 24 * 6) * 10 * MINUTE_NS
    height = sea.tide(month, world.nature.places.coast.constituents)
    assert 5.0 < height.max() - height.min() < 7.5


def test_surge_is_a_centimetre_a_hectopascal_and_rises_with_onshore_wind():
    basin = Basin(fetch_m=30_000, depth_m=12, open_to_deg=150, minutes=1)
    assert sea.inverse_barometer(np.array([990.0]), 1000.0) == pytest.approx([0.0995], abs=1e-4)
    onshore, along, offshore = (sea.setup(np.array([25.0]), np.array([d]), basin)[0] for d in (150.0, 60.0, 330.0))
    assert onshore == pytest.approx(1.15 * 2.425e-3 * 625 * 30_000 / (1025 * 9.81 * 12), rel=1e-9)
    assert along == pytest.approx(0, abs=1e-12)
    assert offshore == -onshore


def test_river_neither_makes_nor_loses_water():
    rate = np.abs(np.random.default_rng(1).normal(5, 10, 1500))
    flow = river.route(rate, CATCHMENT)
    inflow = CATCHMENT.base_m3_s + CATCHMENT.runoff * rate * 1e-3 / 3600 * CATCHMENT.area_km2 * 1e6
    start = 2 * CATCHMENT.base_m3_s * CATCHMENT.hours * 3600
    assert flow.stored[0] == pytest.approx(start)
    assert flow.received == pytest.approx(np.concatenate([[0], np.cumsum(inflow)[:-1] * 60]))
    left = start + flow.received - flow.stored
    assert (np.diff(left) > 0).all()
    trapezium = np.concatenate([[0], np.cumsum((flow.discharge[1:] + flow.discharge[:-1]) / 2 * 60)])
    assert left == pytest.approx(trapezium, rel=2e-3)


def test_river_answers_a_burst_like_the_unit_hydrograph():
    """Two equal reservoirs: the answer to a burst peaks one storage time later (Nash 1957, n = 2)."""
    rate = np.zeros(2000)
    rate[10] = 600.0
    answer = river.route(rate, changed(CATCHMENT, base_m3_s=1e-9)).discharge
    assert (answer.argmax() - 10) == pytest.approx(CATCHMENT.hours * 60, abs=2)


def test_river_stage_follows_its_rating():
    assert river.stage_m(np.array([9.0]), CATCHMENT) == pytest.approx([2.6])


def test_tight_pipeline_balances_and_leak_upsets_it():
    network = np.full(3, 900.0)
    opening = np.array([0.0, 2.0, 4.0])
    state = pipeline.solve(LINE, network, opening, 0.3)
    assert state.flow_in - state.flow_out == pytest.approx(state.leakage, abs=1e-6)
    assert state.leakage[0] == 0
    assert (np.diff(state.flow_in) > 0).all()
    assert (np.diff(state.flow_out) < 0).all()
    assert (np.diff(state.pressure_in) < 0).all()
    assert (np.diff(state.pressure_out) < 0).all()
    q = np.sqrt((1500 - 900) / (0.0024 + 0.003 + 0.0012))
    assert state.flow_in[0] == pytest.approx(q)
    assert state.pressure_in[0] == pytest.approx(1500 - 0.0024 * q**2)


def test_gas_reaches_only_the_detector_downwind_and_thins_with_wind():
    places = {name: gas.Detector(bearing_deg=b, distance_m=25) for name, b in (("n", 0), ("e", 90), ("s", 180))}
    wind = np.array([20.0]), np.array([180.0])
    south_wind = {name: gas.lel_percent(np.array([100.0]), *wind, place)[0] for name, place in places.items()}
    assert south_wind["n"] > 20
    assert south_wind["e"] < 1e-6
    assert south_wind["s"] == 0
    stronger = gas.lel_percent(np.array([100.0]), np.array([40.0]), np.array([180.0]), places["n"])[0]
    assert stronger == pytest.approx(south_wind["n"] / 2)
    assert gas.lel_percent(np.array([1e6]), np.array([0.0]), np.array([180.0]), places["n"]) == [gas.FULL_SCALE]


def test_rain_washes_particles_out_and_air_brings_them_back():
    rate = np.concatenate([np.zeros(60), np.full(600, 20.0), np.zeros(3000)])
    dust = air.washed(np.full(len(rate), 30.0), rate)
    assert dust[:60] == pytest.approx(30)
    loss = 1 / air.RENEWAL_S + 1e-4 * 20**0.6
    assert dust[660] == pytest.approx(30 / air.RENEWAL_S / loss, rel=0.01)
    assert dust[-1] == pytest.approx(30, rel=0.01)


def test_sun_is_down_at_night_and_highest_at_noon():
    times = T0 + np.arange(24 * 60) * MINUTE_NS
    light = weather.sun(times, np.zeros(len(times)))
    hour = weather.local_hour(times)
    assert light[(hour < 6) | (hour > 18)] == pytest.approx(0)
    assert hour[light.argmax()] == pytest.approx(12, abs=0.02)


def test_lag_is_causal_and_forgets_by_a_third_in_its_time():
    step = np.concatenate([np.zeros(10), np.ones(100)])
    found = lag(step, 20.0)
    assert found[:11] == pytest.approx(0)
    assert found[30] == pytest.approx(1 - np.exp(-1))


def test_signal_holds_at_both_ends_and_is_linear_between():
    grid = Grid(start_ns=T0, n=3)
    signal = Signal(grid, np.array([1.0, 3.0, 2.0]))
    moments = [T0 - HOUR_NS, T0, T0 + 15 * 10**9, T0 + MINUTE_NS, grid.end_ns, grid.end_ns + HOUR_NS]
    assert [signal.at(t) for t in moments] == [1.0, 1.0, 1.5, 3.0, 2.0, 2.0]
    assert signal.series(np.array(moments)) == pytest.approx([1.0, 1.0, 1.5, 3.0, 2.0, 2.0])
    assert Signal(grid, signal.values, stepped=True).at(T0 + 59 * 10**9) == 1.0
