"""Nature in a scenario: the storm, the sky over each station, and what flows in each pipeline, minute by minute."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from importlib.resources import files
from typing import Final, NamedTuple

import numpy as np

from simulators.scenario import Scenario
from simulators.world import pipeline, rain, typhoon, weather
from simulators.world.places import Places
from simulators.world.signal import STEP_NS, Grid, generator, lag
from telemetry.batch import F64, I64
from telemetry.clock import HOUR_NS
from telemetry.series import Station
from telemetry.span import moment_ns

CALM_HPA: Final = 1006.0
"""Pressure of an ordinary July day here, when no storm says otherwise."""
_OPENING_MINUTES: Final = 1.0
_DROWNED: Final = 8.0
"""m/s of storm at which nothing is left of the breeze: its clouds leave no sun to drive one. Our choice."""


class Sky(NamedTuple):
    """The weather over a station, shapes (n,): wind over the open sea, pressure, and rain in mm/h."""

    speed: F64
    from_deg: F64
    pressure_hpa: F64
    rate: F64


@dataclass(frozen=True, eq=False)
class Nature:
    """A scenario at a place with stations. Frozen: what it computes, it computes from these three alone, once."""

    scenario: Scenario
    places: Places
    stations: Mapping[str, Station]

    @cached_property
    def grid(self) -> Grid:
        """One moment a minute from an hour before the scenario to an hour after it."""
        start = self.scenario.start_ns - HOUR_NS
        return Grid(start_ns=start, n=(self.scenario.end_ns + HOUR_NS - start) // STEP_NS + 1)

    @cached_property
    def times_ns(self) -> I64:
        """The moments of the grid, shape (n,)."""
        return self.grid.times_ns()

    @cached_property
    def storm(self) -> typhoon.Storm | None:
        """The storm along the grid."""
        chosen = self.scenario.storm
        if chosen is None:
            return None
        track = typhoon.read_track(files("simulators.world") / "tracks" / f"{chosen.track}.csv")
        return typhoon.follow(track, self.times_ns, chosen.ambient_hpa)

    @cached_property
    def _skies(self) -> dict[str, Sky]:
        return {}

    @cached_property
    def _lines(self) -> dict[str, pipeline.State]:
        return {}

    def sky(self, station: str) -> Sky:
        """The weather over a station; raises KeyError where there is none of this name."""
        if station not in self._skies:
            self._skies[station] = self._weather(self.stations[station])
        return self._skies[station]

    def line(self, name: str) -> pipeline.State:
        """A pipeline and its leak, at every moment of the grid; raises KeyError where there is none of this name."""
        if name not in self._lines:
            self._lines[name] = self._flowing(name)
        return self._lines[name]

    def _weather(self, station: Station) -> Sky:
        u, v = weather.breeze(self.times_ns)
        if self.storm is None or self.scenario.storm is None:
            wave = np.cos(weather.local_hour(self.times_ns) * np.pi / 6.0)
            return Sky(*_polar(u, v), CALM_HPA + 1.5 * wave, np.zeros(self.grid.n))
        there = typhoon.air(self.storm, station.lat, station.lon)
        angle, room = np.deg2rad(there.from_deg), np.maximum(1.0 - there.speed / _DROWNED, 0.0)
        u, v = room * u - there.speed * np.sin(angle), room * v - there.speed * np.cos(angle)
        seed = self.scenario.seed
        bands = rain.bands(generator(seed, "bands"), generator(seed, "bands", station.id), self.grid.n)
        rate = self.scenario.storm.rain_factor * bands * rain.rate(there.distance_m, self.storm.wind)
        return Sky(*_polar(u, v), there.pressure_hpa, rate)

    def _flowing(self, name: str) -> pipeline.State:
        line, leak = self.places.pipelines[name], self.scenario.leak
        swing = np.sin(2.0 * np.pi * (weather.local_hour(self.times_ns) - 4.0) / 24.0)
        network = line.network_kpa * (1.0 - 0.004 * swing)
        if leak is None or leak.pipeline != name:
            return pipeline.solve(line, network, np.zeros(self.grid.n), 0.5)
        is_open = (self.times_ns >= moment_ns(leak.begins)) & (self.times_ns < moment_ns(leak.ends))
        opening = lag(np.where(is_open, leak.opening, 0.0), _OPENING_MINUTES, start=0.0)
        return pipeline.solve(line, network, opening, leak.place)


def _polar(u: F64, v: F64) -> tuple[F64, F64]:
    """Speed, and the direction that the wind comes from in degrees."""
    return np.hypot(u, v), np.rad2deg(np.arctan2(-u, -v)) % 360.0
