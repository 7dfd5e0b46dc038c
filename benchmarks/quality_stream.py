"""Quality control on the way in: nanoseconds a row, by what is measured and how many rows of a series come together.

Run: ``python -m benchmarks.quality_stream``. Beside it the price of a copy of the five columns, which is the least that
anything can cost that looks at them. Processor time of the one thread, so that other work beside disturbs little.
"""

import os
import platform
import statistics
import time
from collections.abc import Callable
from functools import partial
from typing import Final

import numpy as np

from ingest.qc.control import QualityControl
from telemetry.clock import MINUTE_NS
from telemetry.series import Series
from telemetry.span import moment_ns

BEGIN_NS: Final = moment_ns("2026-11-24T00:00+08:00")
ROUNDS: Final = 30
WARM_UP: Final = 5
SHAPES: Final = ((16_000, 1), (2_000, 8))
"""Series, and rows of each in a group."""
Kind = tuple[str, str, tuple[float, float]]
SEA: Final[Kind] = ("sea_level", "m", (-10.0, 10.0))
GAS: Final[Kind] = ("combustible_gas", "%LEL", (0.0, 100.0))
WEATHER: Final[tuple[Kind, ...]] = (
    ("air_temperature", "degC", (-40.0, 60.0)),
    ("relative_humidity", "%", (0.0, 100.0)),
    ("air_pressure", "hPa", (600.0, 1100.0)),
    ("wind_speed", "m/s", (0.0, 60.0)),
    ("wind_direction", "deg", (0.0, 360.0)),
    ("rain_total", "mm", (0.0, 1e5)),
)
MIXES: Final = {
    "gas (sensor range, clock)": (GAS,),
    "sea level (also rate, flat line, spike, attenuated signal)": (SEA,),
    "weather station (six quantities, neighbours of two)": WEATHER,
    "pressure alone (neighbours of all)": (WEATHER[2],),
}


def control(mix: tuple[Kind, ...], series: int, rng: np.random.Generator) -> QualityControl:
    """Quality control of stations spread over two degrees."""
    made = QualityControl()
    seats = rng.uniform((24.0, 118.0), (26.0, 120.0), (series, 2)).tolist()
    announced = []
    for place, (lat, lon) in enumerate(seats):
        quantity, unit, valid = mix[place % len(mix)]
        one = Series(station=f"s{place}", point="p", quantity=quantity, unit=unit, valid=valid, period_s=60.0)
        announced.append((place, one, lat, lon))
    made.learn(announced)
    return made


def measured(mix: tuple[Kind, ...], series: int, each: int) -> list[float]:
    """Nanoseconds a row of one group after another."""
    rng = np.random.default_rng(7)
    made, n = control(mix, series, rng), series * each
    middle = np.array([sum(valid) / 2 for _, _, valid in mix])[np.arange(series) % len(mix)]
    places = np.tile(np.arange(series, dtype=np.int32), each)
    found = []
    for group in range(ROUNDS):
        minute = np.repeat(group * each + np.arange(each), series)
        value = np.round(np.tile(middle, each) + 0.01 * minute + rng.uniform(0.0, 0.005, n), 3)
        time_ns, quality, cause = BEGIN_NS + minute * MINUTE_NS, np.zeros(n, np.uint8), np.zeros(n, np.uint16)
        found.append(timed(partial(made.check, places, time_ns, value, quality, cause, int(time_ns[-1])), n))
        made.afterwards()
    return found[WARM_UP:]


def copied() -> list[float]:
    """Nanoseconds a row to copy five columns."""
    n = SHAPES[0][0]
    columns = [np.zeros(n, kind) for kind in (np.int32, np.int64, np.float64, np.uint8, np.uint16)]
    return [timed(partial(list, map(np.copy, columns)), n) for _ in range(ROUNDS)][WARM_UP:]


def timed(work: Callable[[], object], rows: int) -> float:
    """Processor time of a call, in nanoseconds a row."""
    begun_ns = time.thread_time_ns()
    work()
    return (time.thread_time_ns() - begun_ns) / rows


def main() -> None:
    """Print the table."""
    print(f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}, {time.strftime('%F')}")
    print("| rows | series x rows each | ns a row, median (least to most) |")
    print("|---|--:|--:|")
    print(f"| a copy of the columns | {SHAPES[0][0]} x 1 | {told(copied())} |")
    for name, mix in MIXES.items():
        for series, each in SHAPES:
            print(f"| {name} | {series} x {each} | {told(measured(mix, series, each))} |")


def told(found: list[float]) -> str:
    """Median and spread."""
    return f"{statistics.median(found):.0f} ({min(found):.0f}-{max(found):.0f})"


if __name__ == "__main__":
    main()
