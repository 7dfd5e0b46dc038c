"""Methods that look at a whole station: the air quality index and the class of water."""

from collections.abc import Mapping
from typing import Final

import numpy as np

from ingest.derived import air, slope, water
from ingest.derived.cells import Cells, Method, Output, Result, half_doubtful, share_of
from ingest.derived.samples import hourly
from telemetry.batch import F64, Mask
from telemetry.series import Text
from telemetry.span import HOUR_NS

_LEAST_OF_HOUR: Final = 0.75
"""GB 3095-2012, table 4: a mean of an hour needs 45 minutes."""
_LEAST_OF_8H: Final = 6
_LEAST_OF_24H: Final = 20
_DAY: Final = 24
_PRIMARY: Final = ("PM2.5", "PM10", "SO2", "NO2", "CO", "O3")
_CLASSES: Final = ("Ⅰ类", "Ⅱ类", "Ⅲ类", "Ⅳ类", "Ⅴ类", "劣Ⅴ类")
_CLASSES_EN: Final = ("class I", "class II", "class III", "class IV", "class V", "worse than class V")
_PARAMETERS: Final = (
    Text("pH", "pH"),
    Text("溶解氧", "dissolved oxygen"),
    Text("高锰酸盐指数", "permanganate index"),
    Text("化学需氧量", "chemical oxygen demand"),
    Text("氨氮", "ammonia nitrogen"),
    Text("总磷", "total phosphorus"),
)
_LEAST_RUNS: Final = 14
"""HJ 633: the greatest 8-hour mean of a day needs 14 of them."""


def _aqi_hourly(cells: Cells) -> Result:
    """Every pollutant by its mean of the last hour; before 2026 particles by that of 24 hours, ozone also of 8."""
    by_hour, share, suspect = _hours(cells, 1)
    hour = {name: means[:, -1] for name, means in by_hour.items()}
    day = {name: _mean_of(means, _LEAST_OF_24H) for name, means in by_hour.items()}
    ozone = _mean_of(by_hour["o3"][:, -8:], _LEAST_OF_8H)
    old = {name: {"1h": hour[name]} for name in ("so2", "no2", "co")}
    old |= {"o3": {"1h": hour["o3"], "8h": ozone}} | {name: {"24h": day[name]} for name in ("pm25", "pm10")}
    new = {name: {"1h": hour[name]} for name in ("so2", "no2", "co", "o3")}
    new |= {name: {"24h": hour[name]} for name in ("pm25", "pm10")}
    return _indexed(cells, {"2012": old, "2026": new}, share, suspect)


def _aqi_daily(cells: Cells) -> Result:
    """Means of the day; of ozone the greatest running mean of eight hours that ends in it."""
    by_hour, share, suspect = _hours(cells, _DAY)
    found = {name: {"24h": _mean_of(means, _LEAST_OF_24H)} for name, means in by_hour.items() if name != "o3"}
    eights = np.lib.stride_tricks.sliding_window_view(by_hour["o3"], 8, axis=1)
    n, runs, _ = eights.shape
    each = _mean_of(eights.reshape(n * runs, 8), _LEAST_OF_8H).reshape(n, runs)
    greatest = np.where(np.isnan(each), -np.inf, each).max(axis=1)
    whole = (~np.isnan(each)).sum(axis=1) >= _LEAST_RUNS
    found["o3"] = {"8h": np.where(whole, greatest, np.nan)}
    return _indexed(cells, {"2012": found, "2026": found}, share, suspect)


def _hours(cells: Cells, due: int) -> tuple[dict[str, F64], F64, Mask]:
    """Hourly means by pollutant (n, 24); of the last ``due`` hours the share of samples, and whether half are doubtful.

    A pollutant that is not measured here at all (period 0) counts for nothing in the share.
    """
    n = len(cells.at_ns)
    found, shares, measured, doubtful = {}, np.zeros(n), np.zeros(n), np.zeros(n, np.bool_)
    for name, windows in cells.inputs.items():
        period = cells.period_ns[name]
        found[name], counts = hourly(windows, cells.at_ns, _DAY, period, _LEAST_OF_HOUR)
        share = share_of(counts[:, -due:].sum(axis=1), np.full(n, due * HOUR_NS), period)
        shares += np.where(period > 0, share, 0.0)
        measured += period > 0
        doubtful |= half_doubtful(windows)
    return found, shares / np.maximum(measured, 1), doubtful


def _mean_of(means: F64, least: int) -> F64:
    """Mean of hourly means (n, hours) where at least so many are there. (n,)."""
    n = (~np.isnan(means)).sum(axis=1)
    total = np.where(np.isnan(means), 0.0, means).sum(axis=1)
    return np.where(n >= least, total / np.maximum(n, 1), np.nan)


def _indexed(
    cells: Cells, concentrations: Mapping[str, Mapping[str, Mapping[str, F64]]], share: F64, suspect: Mask
) -> Result:
    """Index, primary pollutants and sub-indices, each cell by the edition of its time."""
    which = air.edition(cells.at_ns)
    sub = np.full((len(cells.at_ns), len(air.POLLUTANTS)), np.nan)
    for number, (year, _) in enumerate(air.EDITIONS):
        mine = which == number
        for column, name in enumerate(air.POLLUTANTS):
            for mean, values in concentrations[year][name].items():
                item = f"{name.upper()}_{mean}"
                sub[mine, column] = np.fmax(sub[mine, column], air.sub_index(values[mine], item, year))
    found = air.index(sub)
    return Result(np.vstack([found.greatest, found.primary, found.sub.T]), share, suspect)


def _water_class(cells: Cells) -> Result:
    columns, shares = [], []
    doubtful = np.zeros(len(cells.at_ns), np.bool_)
    for quantity, windows in cells.inputs.items():
        middle = slope.median(windows.value) if windows.value.shape[1] else np.full(len(cells.at_ns), np.nan)
        share = share_of(windows.count, cells.window_ns, cells.period_ns[quantity])
        middle = np.where(share >= cells.least, middle, np.nan)
        river, lake = (water.classes(middle, quantity, lake=kind) for kind in (False, True))
        columns.append(np.where(cells.lake, lake, river))
        shares.append(share)
        doubtful |= half_doubtful(windows)
    found = water.worst(np.stack(columns, axis=1))
    return Result(np.stack([found.worst, found.cause]), np.max(shares, axis=0), doubtful)


_INDEX: Final = (
    Output(quantity="air_quality_index", valid=(0, 500)),
    Output(quantity="primary_pollutant", valid=(0, 63), bits={at: Text(n, n) for at, n in enumerate(_PRIMARY)}),
    *(Output(quantity="air_quality_subindex", valid=(0, 500), name=name) for name in air.POLLUTANTS),
)
_WATER: Final = (
    Output(
        quantity="water_class",
        valid=(1, 6),
        states={at: Text(zh, en) for at, (zh, en) in enumerate(zip(_CLASSES, _CLASSES_EN, strict=True), start=1)},
    ),
    Output(quantity="water_class_cause", valid=(0, 63), bits=dict(enumerate(_PARAMETERS))),
)

METHODS: Final[dict[str, Method]] = {
    "aqi_hourly": Method(inputs=air.POLLUTANTS, outputs=_INDEX, compute=_aqi_hourly, station=True),
    "aqi_daily": Method(inputs=air.POLLUTANTS, outputs=_INDEX, compute=_aqi_daily, station=True),
    "water_class": Method(inputs=tuple(water.PARAMETERS), outputs=_WATER, compute=_water_class, station=True),
}
"""By the name that rules use."""
