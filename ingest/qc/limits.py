"""What a quantity can do, as a table, and the limits of every known series as arrays by place."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from telemetry.batch import F64, Mask
from telemetry.series import Series

_FIRST_SIZE: Final = 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Behaviour:
    """How a quantity moves, in its canonical unit.

    A change is too fast when it exceeds ``rate_per_s`` times the seconds since the last sample *and* ``step``, the
    change that is believed at any speed: at short periods the resolution of a register alone would exceed the rate.
    A reading that has not moved at all for ``flat_s`` seconds is a flat line; None: the quantity may stand still.
    """

    rate_per_s: float
    step: float
    flat_s: float | None = None


_HOUR_S: Final = 3600.0
BEHAVIOURS: Final = {
    # Limits between two values a minute apart: I. Zahumensky, Guidelines on Quality Control Procedures for Data from
    # Automatic Weather Stations, WMO 2004, temporal consistency (the wider of "doubtful" and "wrong" for pressure,
    # because a small typhoon passes faster than ordinary weather).
    "air_temperature": Behaviour(rate_per_s=3 / 60, step=3.0, flat_s=12 * _HOUR_S),
    "relative_humidity": Behaviour(rate_per_s=10 / 60, step=10.0),
    "air_pressure": Behaviour(rate_per_s=2 / 60, step=2.0, flat_s=12 * _HOUR_S),
    # Engineering judgement: twice the fastest rise of the 2011 tsunami at a tide gauge, and of a flash flood's front,
    # so that what must alarm is not doubted. A tide never stands still for three hours; a dry river does.
    "sea_level": Behaviour(rate_per_s=2 / 60, step=1.0, flat_s=3 * _HOUR_S),
    "water_level": Behaviour(rate_per_s=2 / 60, step=1.0),
    "water_depth": Behaviour(rate_per_s=2 / 60, step=1.0),
    "water_temperature": Behaviour(rate_per_s=2 / 60, step=2.0),
}
"""Quantities that can't jump. Gas, pressure and flow in pipes, wind and rain can: a jump there is the message."""


class Limits:
    """Limits by place, arrays of shape (places,): grown when series are announced, read by every check.

    ``rate_per_s`` and ``step`` are NaN, ``flat_ns`` is infinite where a test does not apply.
    """

    def __init__(self) -> None:
        self.low: F64 = np.full(_FIRST_SIZE, -np.inf)
        self.high: F64 = np.full(_FIRST_SIZE, np.inf)
        self.danger_low: Mask = np.zeros(_FIRST_SIZE, np.bool_)
        self.danger_high: Mask = np.zeros(_FIRST_SIZE, np.bool_)
        self.rate_per_s: F64 = np.full(_FIRST_SIZE, np.nan)
        self.step: F64 = np.full(_FIRST_SIZE, np.nan)
        self.flat_ns: F64 = np.full(_FIRST_SIZE, np.inf)
        self.watched: Mask = np.zeros(_FIRST_SIZE, np.bool_)

    def __len__(self) -> int:
        return len(self.low)

    def put(self, announced: Sequence[tuple[int, Series]]) -> None:
        """Take over the limits of announced series, each with its place."""
        self._grow(1 + max((place for place, _ in announced), default=-1))
        for place, series in announced:
            self.low[place], self.high[place] = series.valid
            self.danger_low[place] = series.danger in ("low", "both")
            self.danger_high[place] = series.danger in ("high", "both")
            behaviour = BEHAVIOURS.get(series.quantity)
            self.watched[place] = behaviour is not None
            if behaviour is not None:
                self.rate_per_s[place], self.step[place] = behaviour.rate_per_s, behaviour.step
                self.flat_ns[place] = np.inf if behaviour.flat_s is None else behaviour.flat_s * 1e9

    def _grow(self, size: int) -> None:
        if size <= len(self):
            return
        fresh, old = Limits(), len(self)
        for name in vars(self):
            column = np.resize(getattr(fresh, name)[:1], max(size, 2 * old))
            column[:old] = getattr(self, name)
            setattr(self, name, column)
