"""What a scenario must lead to, from the world's truth alone: no engine, no window, no pack is asked.

Thresholds are typed in again from the published tables (CMA Order 16, GB/T 50493) and the site file; wind means are
over two samples five minutes apart, rain sums are differences of the gauge's total.
"""

from collections.abc import Callable
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path

import numpy as np

from alerting.site import load_site
from gateway.settings import compile_gateway, load_gateway
from simulators.scenario import Scenario
from simulators.world.world import World, build
from telemetry.clock import HOUR_NS, MINUTE_NS, SECOND_NS
from telemetry.span import moment_ns

SITE = Path(str(files("petrel.sites"))) / "xiuyu"
STEP_S = 30
BEAUFORT = (10.8, 17.2, 24.5, 32.7)


@dataclass(frozen=True)
class Course:
    """Over all phases of polling: the highest level, when level 1 or more is first reached, and whether it ends."""

    level: set[int]
    first_ns: tuple[int, int]
    ended: bool


def default_world(scenario: Scenario) -> World:
    return build(scenario, load_gateway(SITE / "gateway.yaml").settings.stations)


def courses(world: World) -> dict[tuple[str, str], Course]:
    """Hazard and subject to what happens there, for everything that rises above normal."""
    scenario = world.nature.scenario
    found: dict[tuple[str, str], Course] = {}
    for hazard, subject, period_s, levels in _watched(world):
        runs = [
            levels(np.arange(scenario.start_ns + phase * SECOND_NS, scenario.end_ns, period_s * SECOND_NS))
            for phase in range(0, period_s, STEP_S)
        ]
        times = [
            np.arange(len(run)) * period_s * SECOND_NS + scenario.start_ns + at * STEP_S * SECOND_NS
            for at, run in enumerate(runs)
        ]
        if max(run.max() for run in runs) > 0:
            firsts = [int(time[run > 0][0]) for time, run in zip(times, runs, strict=True) if run.any()]
            found[hazard, subject] = Course(
                {int(run.max()) for run in runs}, (min(firsts), max(firsts)), not any(run[-1] for run in runs)
            )
    return found


Levels = Callable[[np.ndarray], np.ndarray]


def _watched(world: World) -> list[tuple[str, str, int, Levels]]:
    site = load_site(SITE / "site.yaml").settings
    watched = [("typhoon", name, 300, _wind(world, name)) for name in _stations("wind_speed")]
    watched += [("rainstorm", name, 300, _rain(world, name)) for name in _stations("rain_total")]
    for threshold in site.thresholds:
        ladder = [value if value is not None else np.inf for value in threshold.ladder()]
        hazard = {"warn_tide": "storm_surge", "flood_stage": "flood"}[threshold.scheme]
        watched.append((hazard, threshold.station, 300, _ladder(world, threshold.station, threshold.quantity, ladder)))
    watched.append(("combustible_gas", "gas-lng", 300, _gas(world)))
    watched.append(("pipeline_leak", "lng-sendout", 300, _leak(world)))
    return watched


def _stations(quantity: str) -> list[str]:
    """Where the gateway has a series of a quantity."""
    announced = compile_gateway(load_gateway(SITE / "gateway.yaml")).announce.series
    return sorted({series.station for series in announced if series.quantity == quantity})


def _ladder(world: World, station: str, quantity: str, ladder: list[float]) -> Levels:
    def levels(times_ns):
        values = world.series(station, "level", quantity, times_ns).round(3)
        return (values[:, None] >= np.array(ladder)).sum(axis=1)

    return levels


def _wind(world: World, station: str) -> Levels:
    def levels(times_ns):
        speed = world.series(station, "wind-speed", "wind_speed", times_ns).round(2)
        mean = (speed[1:] + speed[:-1]) / 2
        return (np.concatenate([speed[:1], mean])[:, None] >= np.array(BEAUFORT)).sum(axis=1)

    return levels


def _rain(world: World, station: str) -> Levels:
    def levels(times_ns):
        total = world.series(station, "rain", "rain_total", times_ns).round(1)

        def fell(hours):
            before = np.interp(times_ns - hours * HOUR_NS, times_ns, total)
            return total - before

        rules = ((100.0, 3, 4), (50.0, 3, 3), (50.0, 6, 2), (50.0, 12, 1))
        return np.max([np.where(fell(hours) >= depth, level, 0) for depth, hours, level in rules], axis=0)

    return levels


def _gas(world: World) -> Levels:
    def levels(times_ns):
        readings = [world.series("gas-lng", p, "combustible_gas", times_ns) for p in ("north", "east", "south")]
        most = np.max(readings, axis=0)
        return np.where(most >= 50, 4, np.where(most >= 25, 2, 0))

    return levels


def _leak(world: World) -> Levels:
    """Imbalance of ten-minute means: 5, 10 and 20 % are yellow, orange and red in the shipped, illustrative pack."""

    def levels(times_ns):
        ends = [world.series(s, "flow", "flow", times_ns) for s in ("pl-lng-out", "pl-lng-in")]
        inlet, outlet = ((flow[1:] + flow[:-1]) / 2 for flow in ends)
        lost = 100.0 * (inlet - outlet) / np.maximum(inlet, outlet)
        reached = (lost[:, None] >= np.array([5.0, 10.0, 20.0])).sum(axis=1)
        return np.concatenate([[0], np.where(reached > 0, reached + 1, 0)])

    return levels


def silent_from(world: World, device: str) -> tuple[int, int]:
    """When a dead device must be missed: three periods of five minutes after its last row, and a tick."""
    fault = next(fault for fault in world.nature.scenario.faults if fault.device == device)
    begins = moment_ns(fault.begins)
    return begins - 5 * MINUTE_NS + 15 * MINUTE_NS, begins + 17 * MINUTE_NS
