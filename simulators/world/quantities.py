"""What instruments measure: for every quantity, how it follows from the state of nature at a spot."""

from collections.abc import Callable
from typing import Final, NamedTuple

import numpy as np

from simulators.world import air, gas, rain, river, sea, weather
from simulators.world.nature import CALM_HPA, Nature
from simulators.world.signal import generator, lag, red_noise
from telemetry.batch import F64

_WIND_NOISE: Final = 0.025
_VEER_DEG: Final = 4.0
_GUST_MINUTES: Final = 3.0
_TOTAL_START_M3: Final = 10_000.0


class Spot(NamedTuple):
    """Where an instrument is: its station, and the name of its point there."""

    station: str
    point: str


def _wind(nature: Nature, at: Spot) -> F64:
    share = weather.SHARE[nature.places.exposures.get(at.station, weather.Exposure.TOWN)]
    flutter = red_noise(generator(nature.scenario.seed, at.station, "wind"), nature.grid.n, _GUST_MINUTES)
    return nature.sky(at.station).speed * share * (1.0 + _WIND_NOISE * flutter)


def _gust(nature: Nature, at: Spot) -> F64:
    exposure = nature.places.exposures.get(at.station, weather.Exposure.TOWN)
    return _wind(nature, at) * weather.GUST[exposure]


def _direction(nature: Nature, at: Spot) -> F64:
    flutter = red_noise(generator(nature.scenario.seed, at.station, "veer"), nature.grid.n, _GUST_MINUTES)
    return (nature.sky(at.station).from_deg + _VEER_DEG * flutter) % 360.0


def _rain_total(nature: Nature, at: Spot) -> F64:
    return rain.total(nature.sky(at.station).rate)


def _cloud(nature: Nature, at: Spot) -> F64:
    return weather.cloud(lag(nature.sky(at.station).rate, 30.0))


def _sea_level(nature: Nature, at: Spot) -> F64:
    coast, sky = nature.places.coast, nature.sky(at.station)
    still = nature.scenario.storm.ambient_hpa if nature.scenario.storm else CALM_HPA
    surge = sea.surge(sky.speed, sky.from_deg, sky.pressure_hpa, still, coast.gauges[at.station])
    return coast.mean_level_m + sea.tide(nature.times_ns, coast.constituents) + surge


def _stage(nature: Nature, at: Spot) -> F64:
    catchment = nature.places.rivers[at.station]
    return river.stage_m(river.route(nature.sky(at.station).rate, catchment).discharge, catchment)


def _empty(nature: Nature, at: Spot) -> F64:
    water = _sea_level if at.station in nature.places.coast.gauges else _stage
    return nature.places.mounts[at.station] - water(nature, at)


def _flow(nature: Nature, at: Spot) -> F64:
    name, inlet = _end(nature, at)
    return nature.line(name).flow_in if inlet else nature.line(name).flow_out


def _pressure(nature: Nature, at: Spot) -> F64:
    name, inlet = _end(nature, at)
    return nature.line(name).pressure_in if inlet else nature.line(name).pressure_out


def _end(nature: Nature, at: Spot) -> tuple[str, bool]:
    for name, line in nature.places.pipelines.items():
        if at.station in (line.inlet, line.outlet):
            return name, at.station == line.inlet
    raise KeyError(f"no pipeline begins or ends at {at.station!r} in this world")


def _velocity(nature: Nature, at: Spot) -> F64:
    bore = nature.places.pipelines[_end(nature, at)[0]].bore_m
    return _flow(nature, at) / 3600.0 / (np.pi * bore**2 / 4.0)


def _flow_total(nature: Nature, at: Spot) -> F64:
    return _TOTAL_START_M3 + np.concatenate([[0.0], np.cumsum(_flow(nature, at))[:-1]]) / 60.0


def _combustible(nature: Nature, at: Spot) -> F64:
    release, background = nature.places.releases.get(at.station), np.full(nature.grid.n, 1.0)
    detector = release.detectors.get(at.point) if release else None
    if release is None or detector is None:
        return background
    sky, leakage = nature.sky(at.station), nature.line(release.pipeline).leakage
    return np.minimum(background + gas.lel_percent(leakage, sky.speed, sky.from_deg, detector), gas.FULL_SCALE)


def _fine_dust(nature: Nature, at: Spot) -> F64:
    wave = np.cos(2.0 * np.pi * (weather.local_hour(nature.times_ns) - 8.0) / 12.0)
    background = nature.places.pm25.get(at.station, 20.0) * (1.0 + 0.2 * wave)
    return air.washed(background, nature.sky(at.station).rate)


def _constant(value: float) -> "Truth":
    return lambda nature, _: np.full(nature.grid.n, value)


def _running(start: float, each_minute: float) -> "Truth":
    return lambda nature, _: np.arange(nature.grid.n, dtype=np.float64) * each_minute + start


def _dew_point(nature: Nature, at: Spot) -> F64:
    """By Magnus's formula over water (WMO-No. 8, annex 4.B)."""
    cloud = _cloud(nature, at)
    warmth, humidity = weather.temperature(nature.times_ns, cloud), weather.humidity(nature.times_ns, cloud)
    part = np.log(humidity / 100.0) + 17.62 * warmth / (243.12 + warmth)
    return 243.12 * part / (17.62 - part)


def _visibility(nature: Nature, at: Spot) -> F64:
    return 20_000.0 / (1.0 + lag(nature.sky(at.station).rate, 5.0) / 4.0)


Truth = Callable[[Nature, Spot], F64]
TRUTH: Final[dict[str, Truth]] = {
    "wind_speed": _wind,
    "wind_gust": _gust,
    "wind_direction": _direction,
    "rain_total": _rain_total,
    "rain_intensity": lambda nature, at: nature.sky(at.station).rate,
    "air_pressure": lambda nature, at: nature.sky(at.station).pressure_hpa,
    "air_temperature": lambda nature, at: weather.temperature(nature.times_ns, _cloud(nature, at)),
    "relative_humidity": lambda nature, at: weather.humidity(nature.times_ns, _cloud(nature, at)),
    "solar_irradiance": lambda nature, at: weather.sun(nature.times_ns, _cloud(nature, at)),
    "illuminance": lambda nature, at: weather.LUX_PER_WATT * weather.sun(nature.times_ns, _cloud(nature, at)),
    "noise": lambda nature, at: weather.noise_db(_wind(nature, at), nature.sky(at.station).rate),
    "pm25": _fine_dust,
    "pm10": lambda nature, at: 1.6 * _fine_dust(nature, at),
    "sea_level": _sea_level,
    "water_level": _stage,
    "empty_distance": _empty,
    "flow": _flow,
    "flow_velocity": _velocity,
    "flow_total": _flow_total,
    "pipe_pressure": _pressure,
    "combustible_gas": _combustible,
    "hydrogen_sulfide": _constant(0.2),
    "ammonia": _constant(0.8),
    "chlorine": _constant(0.02),
    "carbon_monoxide": _constant(0.6),
    "oxygen": _constant(20.9),
    "water_temperature": _constant(27.0),
    "signal_quality": _constant(86.0),
    "supply_voltage": _constant(12.6),
    "dew_point": _dew_point,
    "visibility": _visibility,
    "sulfur_dioxide": _constant(7.0),
    "nitrogen_dioxide": _constant(18.0),
    "ozone": _constant(95.0),
    "ambient_carbon_monoxide": _constant(0.5),
    "total_hydrocarbons": _constant(2.4),
    "methane": _constant(2.0),
    "nonmethane_hydrocarbons": _constant(0.4),
    "chemical_oxygen_demand": _constant(32.0),
    "ammonia_nitrogen": _constant(1.4),
    "acidity": _constant(7.3),
    "conductivity": _constant(820.0),
    "turbidity": _constant(6.0),
    "dissolved_oxygen": _constant(6.8),
    "snow_depth": _constant(0.0),
    "soil_moisture": _constant(28.0),
    "soil_temperature": _constant(26.0),
    "wave_height": _constant(0.6),
    "wave_period": _constant(5.0),
    "distance": _constant(1.8),
    "voltage": _constant(230.0),
    "current": _constant(17.5),
    "power": _constant(12.0),
    "reactive_power": _constant(1.5),
    "power_factor": _constant(0.99),
    "frequency": _constant(50.0),
    "energy": _running(4_000.0, 0.2),
    "heat": _running(120.0, 0.001),
    "fire_alarm": _constant(0.0),
    "component_state": _constant(0.0),
    "device_state": _constant(0.0),
}
SPREAD: Final = {
    "air_pressure": 0.05,
    "air_temperature": 0.05,
    "relative_humidity": 0.3,
    "noise": 0.5,
    "pm25": 1.0,
    "pm10": 1.5,
    "sea_level": 0.004,
    "water_level": 0.003,
    "empty_distance": 0.004,
    "flow": 0.4,
    "pipe_pressure": 2.0,
    "combustible_gas": 0.2,
    "hydrogen_sulfide": 0.02,
    "ammonia": 0.05,
    "chlorine": 0.004,
    "carbon_monoxide": 0.05,
    "oxygen": 0.02,
    "sulfur_dioxide": 0.6,
    "nitrogen_dioxide": 1.2,
    "ozone": 3.0,
    "ambient_carbon_monoxide": 0.03,
    "chemical_oxygen_demand": 0.8,
    "ammonia_nitrogen": 0.05,
    "acidity": 0.02,
    "dew_point": 0.1,
    "voltage": 0.6,
    "current": 0.3,
    "power": 0.2,
    "frequency": 0.01,
    "signal_quality": 0.8,
    "supply_voltage": 0.02,
}
"""Standard deviation of an instrument's noise, in canonical units: of the order of data sheets, our choice."""
STEPPED: Final = frozenset({"wind_direction", "device_state", "component_state", "fire_alarm"})
NEVER_NEGATIVE: Final = frozenset(
    {
        "wind_speed",
        "pm25",
        "pm10",
        "flow",
        "combustible_gas",
        "hydrogen_sulfide",
        "ammonia",
        "chlorine",
        "carbon_monoxide",
        "sulfur_dioxide",
        "nitrogen_dioxide",
        "ozone",
        "ambient_carbon_monoxide",
        "ammonia_nitrogen",
        "current",
        "power",
    }
)
