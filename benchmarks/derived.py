"""What a tick of derived series costs at 10,000 series of one minute.

Run: ``python -m benchmarks.derived``. 2,000 stations with wind speed, wind direction, rain, water level and air
temperature each; 75 minutes of rows in DuckDB and in the hot window. Each rule is computed for all stations at one
moment, from the read to the finished rows; then an hour is computed anew for 200 stations, as after an outage. Beside
it stands the slope of one series at a time by scipy.
"""

import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from statistics import median

import numpy as np
from scipy.stats import theilslopes

from ingest.catalogue import Catalogue
from ingest.derivation.computing import Computer
from ingest.derivation.owed import Owed
from ingest.derivation.sources import Waiting
from ingest.derived.plan import Group, Plan, make_plan
from ingest.derived.rules import load_rules
from ingest.derived.surroundings import Surroundings
from ingest.store.duckdb import DuckDBStore
from ingest.window import Window
from telemetry.batch import MAX_ROWS, rows
from telemetry.clock import HOUR_NS, MINUTE_NS, SECOND_NS
from telemetry.series import Series, Station, Text
from telemetry.wire import Announce

STATIONS = 2_000
MINUTES = 75
START_NS = 1_690_473_600 * SECOND_NS
POINTS = (
    ("wind-speed", "wind_speed", "m/s"),
    ("wind-direction", "wind_direction", "deg"),
    ("rain", "rain_total", "mm"),
    ("level", "water_level", "m"),
    ("temperature", "air_temperature", "degC"),
)


def announce() -> Announce:
    """All stations."""
    names = [f"st-{number}" for number in range(STATIONS)]
    stations = tuple(Station(id=one, name=Text(one, one), kind="weather", lat=25, lon=119, town="t") for one in names)
    series = tuple(
        Series(station=name, point=point, quantity=quantity, unit=unit, valid=(-1e3, 1e4), period_s=60, device="d")
        for name in names
        for point, quantity, unit in POINTS
    )
    return Announce(revision="r", drill=False, stations=stations, series=series)


def filled(folder: Path, catalogue: Catalogue) -> tuple[DuckDBStore, Window]:
    """A store and a window with the rows of all series, minute by minute."""
    store, window = DuckDBStore(folder / "store.duckdb"), Window(["rain_total"])
    entries = list(catalogue.entries())
    window.announce({entry.id: entry.series for entry in entries})
    ids = np.array([entry.id for entry in entries], np.int64)
    rain = np.array([entry.series.quantity == "rain_total" for entry in entries])
    slots, rng, seq = window.slots(ids), np.random.default_rng(1), 0
    for minute in range(MINUTES):
        value = np.where(rain, 0.2 * minute, rng.uniform(0, 360, len(ids)))
        found = rows("demo/gw", ids, np.full(len(ids), START_NS + minute * MINUTE_NS), value)
        for at in range(0, len(found), MAX_ROWS):
            seq += 1
            store.commit([found.take(slice(at, at + MAX_ROWS)).numbered(1, seq)])
        window.insert(slots, found.time_ns, found.value, found.quality, found.cause)
    return store, window


def timed(work: Callable[[], int], turns: int = 5) -> tuple[float, float, int]:
    """Median and spread of some turns in ms of processor time, whatever else runs, and what the last one gave."""
    took, n = [], 0
    for _ in range(turns):
        begun = time.process_time()
        n = work()
        took.append(1000 * (time.process_time() - begun))
    return median(took), max(took) - min(took), n


def report(plan: Plan, computer: Computer, window: Window) -> None:
    """A line for each rule, all rules at one moment, and an hour anew."""
    at = START_NS + 70 * MINUTE_NS
    total = 0.0
    print(f"{'rule':24}{'members':>8}{'rows':>9}{'CPU ms':>9}{'spread':>8}")

    def derived(groups: Sequence[Group]) -> int:
        found = computer.newest(groups, at - 1, at)
        for one in found:
            if isinstance(one, Waiting):
                one.look(window)
        return sum(len(told.rows) for told in computer.finished(found))

    for group in plan.groups:
        ms, spread, n = timed(partial(derived, [group]))
        total += ms
        print(f"{group.rule.method + ' ' + group.rule.id:24}{len(group):8}{n:9}{ms:9.1f}{spread:8.1f}")
    print(f"{'each alone, in all':24}{'':8}{'':9}{total:9.1f}")
    ms, spread, n = timed(partial(derived, plan.groups))
    print(f"{'all, one tick':24}{'':8}{n:9}{ms:9.1f}{spread:8.1f}")
    owed = Owed(plan.groups)
    for number in range(len(plan.groups)):
        who = np.arange(200)
        owed.add(number, who, np.full(200, START_NS), np.full(200, START_NS + HOUR_NS))
    begun, cells = time.process_time(), 0
    while (part := owed.take()) is not None:
        cells += computer.anew(part).cells
    took = time.process_time() - begun
    print(f"an hour anew, 200 stations, all rules: {cells} cells in {took:.2f} s, {cells / took:,.0f} a second")


def peer() -> None:
    """The slope of sixty samples, one series at a time."""
    rng, x = np.random.default_rng(2), np.arange(60.0)
    ms, spread, _ = timed(lambda: len([theilslopes(rng.uniform(0, 5, 60), x) for _ in range(100)]))
    print(
        f"scipy.stats.theilslopes, one series at a time: {ms * STATIONS / 100:.0f} ms for {STATIONS} "
        f"(spread {spread:.1f} in 100)"
    )


def main() -> None:
    """Fill, measure, print."""
    folder = Path(sys.argv[1] if len(sys.argv) > 1 else tempfile.mkdtemp(prefix="petrel-derived-"))
    folder.mkdir(parents=True, exist_ok=True)
    try:
        catalogue = Catalogue(site="demo", drill=False)
        catalogue.announce("demo/gw", announce())
        begun = time.perf_counter()
        plan = make_plan("demo", load_rules(), catalogue.entries(), Surroundings())
        outputs = sum(group.outputs.size for group in plan.groups)
        print(
            f"{STATIONS * len(POINTS)} series, {outputs} derived from them; "
            f"planned in {time.perf_counter() - begun:.2f} s"
        )
        store, window = filled(folder, catalogue)
        report(plan, Computer(store, frozenset({"rain_total"}), "Asia/Shanghai"), window)
        peer()
        store.close()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
