"""The world of a scenario: ask it what an instrument at a station would show at a moment."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from importlib.resources import as_file, files

import numpy as np

from simulators.scenario import Scenario
from simulators.world.nature import Nature
from simulators.world.places import Places
from simulators.world.quantities import NEVER_NEGATIVE, SPREAD, STEPPED, TRUTH, Spot
from simulators.world.signal import Signal, generator
from telemetry.batch import F64, I64
from telemetry.series import Station
from telemetry.settings import SettingsError, load


@dataclass(frozen=True, eq=False)
class World:
    """Nature, seen through instruments. The same nature and seed give the same answers in any order of questions."""

    nature: Nature
    _signals: dict[tuple[str, str, str], Signal] = field(default_factory=dict)

    def observe(self, station: str, point: str, quantity: str, time_ns: int) -> float:
        """What the instrument shows, in the canonical unit; raises KeyError for a place or quantity that it lacks."""
        return self.signal(station, point, quantity).at(time_ns)

    def series(self, station: str, point: str, quantity: str, times_ns: I64) -> F64:
        """The same for many moments, shapes (m,) -> (m,)."""
        return self.signal(station, point, quantity).series(times_ns)

    def signal(self, station: str, point: str, quantity: str) -> Signal:
        """The whole signal of one instrument, noise included; computed once."""
        key = (station, point, quantity)
        if key not in self._signals:
            seed, n = self.nature.scenario.seed, self.nature.grid.n
            noise = generator(seed, *key).standard_normal(n) * SPREAD.get(quantity, 0.0)
            lowest = 0.0 if quantity in NEVER_NEGATIVE else -np.inf
            values = np.maximum(self.truth(station, point, quantity) + noise, lowest)
            self._signals[key] = Signal(self.nature.grid, values, stepped=quantity in STEPPED)
        return self._signals[key]

    def truth(self, station: str, point: str, quantity: str) -> F64:
        """What is there to be measured at every moment of the grid, without the noise of an instrument, shape (n,)."""
        if station not in self.nature.stations:
            raise KeyError(f"no station {station!r} in this world")
        if quantity not in TRUTH:
            raise KeyError(f"{station}/{point}: this world knows no {quantity!r}")
        return TRUTH[quantity](self.nature, Spot(station, point))


def build(scenario: Scenario, stations: Sequence[Station]) -> World:
    """The world of a scenario with the stations of a gateway; raises SettingsError where the place is not known."""
    file = files("simulators.world") / "sites" / f"{scenario.site}.yaml"
    if not file.is_file():
        raise SettingsError(f"scenario {scenario.id}: no places of site {scenario.site!r}")
    with as_file(file) as path:
        places = load(path, Places).settings
    return World(Nature(scenario, places, {station.id: station for station in stations}))
