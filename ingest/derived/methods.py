"""The methods that rules name: what each needs, what it gives, and the function that computes it."""

from typing import Final

import numpy as np

from ingest.derived import humidity, slope, stations, wind
from ingest.derived.cells import Cells, Method, Output, Result, first, half_doubtful, newest, share_of, simple
from ingest.derived.samples import Windows, on_grid
from telemetry.batch import F64
from telemetry.span import SECOND_NS

_LEVELS: Final = (-1000.0, 10_000.0)
_DECIMALS: Final = 4
"""What is derived is rounded to a ten-thousandth: finer is noise, and costs bytes in the store."""


def _wind(cells: Cells) -> Result:
    speed, direction = cells.inputs["speed"].value, cells.inputs["direction"].value
    means = wind.means(speed, direction)
    pairs = (~np.isnan(speed) & (~np.isnan(direction) | (speed < wind.CALM_MS))).sum(axis=1)
    values: F64 = np.stack([means.scalar, means.vector, means.direction])
    return simple(cells, np.round(values, _DECIMALS), pairs)


def _gust(cells: Cells) -> Result:
    windows, period = first(cells)
    found = np.full(len(cells.at_ns), np.nan)
    for one in np.unique(period).tolist():
        mine = np.flatnonzero(period == one)
        per_mean = wind.samples_in_gust(one / SECOND_NS)
        if per_mean is None:
            continue
        some = Windows(windows.value[mine], windows.time_ns[mine], windows.suspect[mine])
        columns = int(cells.window_ns[mine].max(initial=0) // one)
        found[mine] = wind.gust(on_grid(some, cells.at_ns[mine], period[mine], columns), per_mean)
    return simple(cells, np.round(found, _DECIMALS), windows.count)


def _gain(cells: Cells) -> Result:
    total, count, suspect = (np.zeros((len(cells.at_ns), 3)) if cells.gain is None else cells.gain).T
    _, period = first(cells)
    value = np.where(count > 0, np.round(total, 6), np.nan)
    doubtful = (suspect > 0) & (2 * suspect >= count)
    return Result(value[None], share_of(count, cells.window_ns, period), doubtful)


def _sum(cells: Cells) -> Result:
    windows, _ = first(cells)
    total = np.where(windows.count > 0, np.round(np.where(windows.held, windows.value, 0.0).sum(axis=1), 6), np.nan)
    return simple(cells, total, windows.count)


def _rise(cells: Cells) -> Result:
    windows, _ = first(cells)
    seconds = np.where(windows.held, (windows.time_ns - cells.at_ns[:, None]) / SECOND_NS, np.nan)
    slopes = slope.theil_sen(*slope.thinned(seconds, windows.value))
    return simple(cells, np.round(slopes * 3600, _DECIMALS), windows.count)


def _dew(cells: Cells) -> Result:
    temperature, moisture = (newest(cells.inputs[name]) for name in ("temperature", "humidity"))
    suspect = half_doubtful(cells.inputs["temperature"]) | half_doubtful(cells.inputs["humidity"])
    value = np.round(humidity.dew_point(temperature, moisture), _DECIMALS)
    return Result(value[None], np.where(np.isnan(value), 0.0, 1.0), suspect)


def _reduced(cells: Cells) -> Result:
    windows, _ = first(cells)
    none = np.full(len(cells.at_ns), np.nan)
    value = np.round(newest(windows) + (none if cells.shift is None else cells.shift), _DECIMALS)
    return Result(value[None], np.where(np.isnan(value), 0.0, 1.0), half_doubtful(windows))


def _residual(cells: Cells) -> Result:
    windows, _ = first(cells)
    none = np.full(len(cells.at_ns), np.nan)
    tide = none if cells.tide is None else cells.tide
    residual = newest(windows) + (none if cells.shift is None else cells.shift) - tide
    share = np.where(np.isnan(residual), 0.0, 1.0)
    return Result(np.round(np.stack([tide, residual]), _DECIMALS), share, half_doubtful(windows))


METHODS: Final[dict[str, Method]] = {
    **stations.METHODS,
    "wind": Method(
        inputs=("speed", "direction"),
        outputs=(
            Output(quantity="wind_speed_mean", valid=(0, 100)),
            Output(quantity="wind_vector_speed", valid=(0, 100)),
            Output(quantity="wind_direction_mean", valid=(0, 360)),
        ),
        compute=_wind,
        paired=True,
    ),
    "gust": Method(inputs=("speed",), outputs=(Output(quantity="wind_gust_peak", valid=(0, 150)),), compute=_gust),
    "gain": Method(
        inputs=("rain",), outputs=(Output(quantity="rain_sum", valid=(0, 3000)),), compute=_gain, counter=True
    ),
    "sum": Method(inputs=("rain",), outputs=(Output(quantity="rain_sum", valid=(0, 3000)),), compute=_sum),
    "rise": Method(inputs=("level",), outputs=(Output(quantity="rise_rate", valid=(-100, 100)),), compute=_rise),
    "dew_point": Method(
        inputs=("temperature", "humidity"),
        outputs=(Output(quantity="dew_point_derived", valid=(-110, 70)),),
        compute=_dew,
        sampled=True,
        paired=True,
    ),
    "reduced": Method(
        inputs=("level",),
        outputs=(Output(quantity="sea_level_reduced", valid=_LEVELS),),
        compute=_reduced,
        sampled=True,
        needs="datum",
    ),
    "residual": Method(
        inputs=("level",),
        outputs=(
            Output(quantity="astronomical_tide", valid=_LEVELS),
            Output(quantity="tide_residual", valid=(-20, 20)),
        ),
        compute=_residual,
        sampled=True,
        needs="tide",
    ),
}
"""By the name that rules use."""
