"""Simulated twins of devices that do not speak Modbus: what they have to say at a moment, by field. No I/O.

How a protocol says it, and how it says that there is nothing to say, stands in ``simulators.talk``.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np

from device_profiles import convert
from device_profiles.field_model import FieldPoint, FieldProfile
from simulators.twin import OWN, Choice, Observe
from telemetry.quantity import QUANTITIES, Kind

_SAMPLES: Final = 12
"""Of a mean, evenly over its time: every five minutes of an hour."""
_AS_IN_PROFILE: Final = Choice()


@dataclass(frozen=True, slots=True, kw_only=True)
class FieldUnit:
    """One simulated device: its address on the line, its profile, its station, and how often it reports."""

    device: str
    address: str
    profile: FieldProfile
    station: str
    points: Mapping[str, Choice]
    period_ns: int


class FieldTwin:
    """The numbers of one device, as it writes them: raw, before the profile's scale."""

    def __init__(self, unit: FieldUnit, observe: Observe) -> None:
        self.unit = unit
        self._observe = observe
        self._sent = 0

    def at(self, point: FieldPoint, time_ns: int) -> float:
        """The number of a point at a moment; NaN where there is none and the profile has no code for that."""
        return self._or_code(point, self._now(point, time_ns))

    def mean(self, point: FieldPoint, from_ns: int, to_ns: int) -> float:
        """The mean of a point over some time; of what has no mean (totals, codes, directions) the last value."""
        choice = self._choice(point)
        if QUANTITIES[choice.quantity or point.quantity].kind is not Kind.LEVEL:
            return self.at(point, to_ns)
        step_ns = (to_ns - from_ns) // _SAMPLES
        values = np.array([self._now(point, to_ns - at * step_ns) for at in range(_SAMPLES)])
        found = values[np.isfinite(values)]
        return self._or_code(point, float(found.mean()) if found.size else math.nan)

    def serial(self, modulus: int) -> int:
        """The next serial number of a message, from 1 to below ``modulus``."""
        self._sent = self._sent % (modulus - 1) + 1
        return self._sent

    def _now(self, point: FieldPoint, time_ns: int) -> float:
        choice = self._choice(point)
        name, quantity = choice.name or point.name, choice.quantity or point.quantity
        if choice.skip or quantity in OWN:
            return 0.0
        value = self._observe(self.unit.station, name, quantity, time_ns) - choice.offset
        return convert.linear(point, choice.quantity).raw(value)

    def _choice(self, point: FieldPoint) -> Choice:
        return self.unit.points.get(point.name, _AS_IN_PROFILE)

    @staticmethod
    def _or_code(point: FieldPoint, raw: float) -> float:
        return point.missing[0] if math.isnan(raw) and point.missing else raw
