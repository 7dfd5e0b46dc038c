"""Engine: one reading of each of 100,000 series, and small commits, beside a plain numpy compare of the same size.

Run: ``python -m benchmarks.engine``. The compare is the floor: the same number of values against as many thresholds,
with nothing known of windows, quality, hysteresis or alarms.
"""

import resource
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial
from typing import Final

import numpy as np

from alerting.engine import Engine
from alerting.rules import load_packs
from alerting.site import Area, Levels, Site, Threshold
from ingest.commit import Commit
from telemetry.batch import Batch, rows
from telemetry.clock import MINUTE_NS, SECOND_NS
from telemetry.series import Series, Station, Text, series_id
from telemetry.span import moment_ns

BEGIN_NS: Final = moment_ns("2023-07-28T00:00+08:00")
MIX: Final = (
    ("sea_level", "m", 30_000, 3.0),
    ("water_level", "m", 30_000, 2.0),
    ("combustible_gas", "%LEL", 20_000, 1.0),
    ("wind_speed", "m/s", 8_000, 5.0),
    ("wind_gust", "m/s", 8_000, 7.0),
    ("rain_total", "mm", 4_000, 10.0),
)
"""Quantity, unit, number of series, value of a quiet day."""
BATCH_ROWS: Final = 5_000
SIZES: Final = (20, 100, 1_000)
SMALL_COMMITS: Final = 100


@dataclass(frozen=True, slots=True)
class Thing:
    """An entry of the catalogue."""

    id: int
    source: str
    station: Station
    series: Series
    drill: bool = True
    datum: str | None = None
    is_derived: bool = False


@dataclass(frozen=True, slots=True)
class Catalogue:
    """All series at once."""

    things: tuple[Thing, ...]
    revision: int = 1

    def entries(self) -> Iterable[Thing]:
        """The series."""
        return self.things


def things() -> Iterable[tuple[Thing, float]]:
    """The series with the value of a quiet day; ``i``-th series of every quantity stand together at station ``i``."""
    for quantity, unit, number, quiet in MIX:
        for index in range(number):
            name = f"s{index}"
            station = Station(id=name, name=Text(name, name), kind="x", lat=25.0, lon=119.0, town="A")
            series = Series(station=name, point="p", quantity=quantity, unit=unit, valid=(-1e3, 1e6), period_s=60.0)
            yield Thing(series_id("b", name, "p", quantity), f"b/g{index // 500}", station, series), quiet


def site() -> Site:
    """One area; every third tide gauge has surveyed levels."""
    return Site(
        id="b",
        name=Text("b", "b"),
        bounds=(118.0, 24.0, 120.0, 26.0),
        areas=(Area(code="A", name=Text("A", "A")),),
        thresholds=tuple(
            Threshold(
                station=f"s{index}",
                point="p",
                quantity="sea_level",
                scheme="warn_tide",
                datum="1985",
                surveyor="benchmark",
                date="2020-01-01",
                illustrative=True,
                values=Levels(blue=3.2, yellow=3.5, orange=3.8, red=4.1),
            )
            for index in range(0, 30_000, 3)
        ),
    )


def batches(ids: np.ndarray, values: np.ndarray, time_ns: int) -> tuple[Batch, ...]:
    """Rows of one moment in batches."""
    return tuple(
        rows(
            "b/g",
            ids[at : at + BATCH_ROWS],
            np.full(len(ids[at : at + BATCH_ROWS]), time_ns),
            values[at : at + BATCH_ROWS],
            quality=np.ones(len(ids[at : at + BATCH_ROWS]), np.uint8),
        )
        for at in range(0, len(ids), BATCH_ROWS)
    )


def timed(work: Callable[[], object]) -> float:
    """Seconds."""
    begun = time.perf_counter()
    work()
    return time.perf_counter() - begun


def checks_of(engine: Engine) -> int:
    """Comparisons in one judgement of everything: rows of every hazard times its conditions."""
    return sum(post.plan.thresholds.size for post in engine._posts)  # noqa: SLF001  # a figure, not an interface


def floor_s(checks: int, rounds: int) -> float:
    """The best of some plain compares of so many values with as many thresholds, in cache-sized blocks."""
    rng = np.random.default_rng(1)
    block = 32_768
    value, limit = rng.normal(size=(block // 4, 1)), rng.normal(size=(block // 4, 4))
    blocks = max(1, round(checks / block))

    def compare() -> None:
        for _ in range(blocks):
            (value >= limit).sum(axis=1)

    return min(timed(compare) for _ in range(rounds))


def small(engine: Engine, ids: np.ndarray, values: np.ndarray, size: int, begin_ns: int) -> tuple[float, float]:
    """Milliseconds p50 and p99 of commits of so many rows, each of other series at its own second."""
    rng = np.random.default_rng(size)
    taken = []
    for index in range(SMALL_COMMITS):
        chosen = rng.choice(len(ids), size, replace=False)
        one = Commit(
            number=index, stored=True, batches=batches(ids[chosen], values[chosen], begin_ns + index * SECOND_NS)
        )
        taken.append(timed(partial(engine.evaluate, one)) * 1e3)
    return float(np.percentile(taken, 50)), float(np.percentile(taken, 99))


def main() -> None:
    """Print the table."""
    known = list(things())
    ids = np.array([thing.id for thing, _ in known], np.int64)
    values = np.array([quiet for _, quiet in known])
    engine = Engine(site(), load_packs())
    engine.announce(Catalogue(tuple(thing for thing, _ in known)))
    compile_s = timed(engine.areas)
    full = []
    for minute in range(3):
        one = Commit(number=minute, stored=True, batches=batches(ids, values, BEGIN_NS + minute * MINUTE_NS))
        full.append(timed(partial(engine.evaluate, one)))
    whole_s = min(full[1:])
    tick_s = min(timed(partial(engine.tick, BEGIN_NS + 2 * MINUTE_NS + at * SECOND_NS)) for at in (10, 20, 30))
    checks = checks_of(engine)
    plain_s = floor_s(checks, 5)
    print(f"series {len(ids):,}   comparisons in one judgement of all {checks:,}   compiled in {compile_s:.1f} s")
    print(f"{'what':<44}{'ms':>10}{'M rows/s':>12}{'M checks/s':>12}")
    for what, spent in (
        ("numpy compare alone (limit)", plain_s),
        ("evaluate a commit with a row of every series", whole_s),
        ("tick (holds and silence of every series)", tick_s),
    ):
        print(f"{what:<44}{spent * 1e3:>10.2f}{len(ids) / spent / 1e6:>12.2f}{checks / spent / 1e6:>12.1f}")
    print(f"\n{'commit of':<20}{'p50 ms':>10}{'p99 ms':>10}")
    for place, size in enumerate(SIZES, 1):
        p50, p99 = small(engine, ids, values, size, BEGIN_NS + (5 + 5 * place) * MINUTE_NS)
        print(f"{size:>8} rows{p50:>17.2f}{p99:>10.2f}")
    print(f"\npeak memory {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:.0f} MB")


if __name__ == "__main__":
    main()
