"""A world without weather: every instrument shows something ordinary that moves a little, whatever it measures.

For a line that is simulated to try tools on it. It tells no story and raises no alarm; scenarios do that.
"""

import math
import zlib
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from device_profiles.field_model import FieldPoint
from device_profiles.model import Point
from simulators.devices import Line
from simulators.field_bus import FieldLine
from simulators.twin import Choice
from telemetry.clock import SECOND_NS
from telemetry.quantity import QUANTITIES, Kind
from telemetry.units import conversion

USUAL: Final[dict[str, float]] = {
    "water_level": 2.0,
    "sea_level": 0.4,
    "water_depth": 0.0,
    "empty_distance": 3.0,
    "wind_speed": 3.2,
    "wind_gust": 5.1,
    "wind_direction": 135.0,
    "rain_total": 12.4,
    "rain_amount": 0.0,
    "rain_intensity": 0.0,
    "air_temperature": 21.5,
    "water_temperature": 18.0,
    "relative_humidity": 64.0,
    "air_pressure": 1013.0,
    "noise": 48.0,
    "illuminance": 12_000.0,
    "solar_irradiance": 320.0,
    "pm25": 18.0,
    "pm10": 31.0,
    "flow": 42.0,
    "flow_velocity": 0.8,
    "flow_total": 1_234.5,
    "pipe_pressure": 410.0,
    "combustible_gas": 1.0,
    "hydrogen_sulfide": 0.2,
    "ammonia": 0.8,
    "chlorine": 0.02,
    "carbon_monoxide": 0.6,
    "oxygen": 20.9,
    "sulfur_dioxide": 7.0,
    "nitrogen_dioxide": 18.0,
    "ozone": 95.0,
    "ambient_carbon_monoxide": 0.5,
    "total_hydrocarbons": 2.4,
    "methane": 2.0,
    "nonmethane_hydrocarbons": 0.4,
    "chemical_oxygen_demand": 32.0,
    "ammonia_nitrogen": 1.4,
    "permanganate_index": 3.1,
    "total_phosphorus": 0.08,
    "acidity": 7.3,
    "conductivity": 820.0,
    "turbidity": 6.0,
    "dissolved_oxygen": 6.8,
    "dew_point": 14.0,
    "visibility": 18_000.0,
    "snow_depth": 0.0,
    "soil_moisture": 28.0,
    "soil_temperature": 17.0,
    "wave_height": 0.6,
    "wave_period": 5.0,
    "distance": 1.8,
    "voltage": 230.0,
    "current": 17.5,
    "power": 12.0,
    "reactive_power": 1.5,
    "power_factor": 0.99,
    "frequency": 50.0,
    "energy": 4_321.0,
    "heat": 120.0,
    "fire_alarm": 0.0,
    "component_state": 0.0,
    "signal_quality": 86.0,
    "supply_voltage": 12.6,
    "device_state": 0.0,
}
"""In the canonical unit: an ordinary afternoon, our choice. Of a total, where it begins."""
RISING: Final = {"flow_total": 42.0 / 3600.0, "energy": 12.0 / 3600.0, "heat": 0.1 / 3600.0}
"""Of totals, in canonical units a second; it does not rain."""
_SWING: Final = 0.01
"""Up and down by so much of the value."""
_SLOWEST_S: Final = 300.0


@dataclass(frozen=True, slots=True)
class _Shown:
    """What an instrument shows: its middle and range, and what the gateway adds to it, in canonical units."""

    quantity: str
    middle: float
    low: float
    high: float
    offset: float
    phase: float

    def at(self, since_s: float) -> float:
        kind = QUANTITIES[self.quantity].kind
        if kind is Kind.CODE:
            return self.middle
        if kind is Kind.TOTAL:
            risen = self.middle - self.low + RISING.get(self.quantity, 0.0) * since_s
            return self.low + math.fmod(risen, self.high - self.low)
        swing = _SWING * self.middle * math.sin(2 * math.pi * (since_s / _SLOWEST_S + self.phase))
        return min(max(self.middle + swing, self.low), self.high)


class Calm:
    """What the instruments of some lines see; an ``Observe``. At ``begins_ns`` totals begin to rise."""

    def __init__(self, lines: Iterable[Line | FieldLine], begins_ns: int) -> None:
        self._begins_ns = begins_ns
        self._shown = {
            (unit.station, choice.name or point.name): _shown(point, choice)
            for line in lines
            for unit in line.units
            for point, choice in ((point, unit.points.get(point.name, Choice())) for point in unit.profile.points)
        }

    def __call__(self, station: str, point: str, quantity: str, time_ns: int, /) -> float:
        """The value in the canonical unit, with what the gateway will add."""
        shown = self._shown[station, point]
        return shown.at((time_ns - self._begins_ns) / SECOND_NS) + shown.offset


def _shown(point: Point | FieldPoint, choice: Choice) -> _Shown:
    quantity = choice.quantity or point.quantity
    gain, shift = conversion(point.unit, QUANTITIES[quantity].unit)
    low, high = sorted(limit * gain + shift for limit in point.valid)
    usual = USUAL[quantity]
    middle = usual if low <= usual <= high else low + 0.3 * (high - low)
    phase = zlib.crc32(point.name.encode()) / 2**32
    return _Shown(quantity, middle, low, high, choice.offset, phase)
