"""Units of measurement: how a device's unit becomes the canonical unit of a quantity, once, at decoding.

Every unit is ``canonical = value * gain + offset`` relative to the coherent unit of its dimension. Factors are exact
by definition (BIPM, The International System of Units, 9th edition) but for the conventional water column
(9.80665 kPa per metre at 4 degC, ISO 80000-4 note).
"""

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Unit:
    """A unit: its dimension, and gain and offset to the dimension's coherent unit."""

    dimension: str
    gain: float = 1.0
    offset: float = 0.0


UNITS: Final[dict[str, Unit]] = {
    "m": Unit("length"),
    "cm": Unit("length", 1e-2),
    "mm": Unit("length", 1e-3),
    "km": Unit("length", 1e3),
    "ft": Unit("length", 0.3048),
    "s": Unit("time"),
    "min": Unit("time", 60.0),
    "h": Unit("time", 3600.0),
    "m/s": Unit("speed"),
    "km/h": Unit("speed", 1 / 3.6),
    "m/h": Unit("speed", 1 / 3600),
    "kt": Unit("speed", 1852 / 3600),
    "degC": Unit("temperature"),
    "K": Unit("temperature", 1.0, -273.15),
    "degF": Unit("temperature", 5 / 9, -160 / 9),
    "%": Unit("ratio"),
    "1": Unit("ratio", 100.0),
    "Pa": Unit("pressure"),
    "hPa": Unit("pressure", 1e2),
    "kPa": Unit("pressure", 1e3),
    "MPa": Unit("pressure", 1e6),
    "bar": Unit("pressure", 1e5),
    "mH2O": Unit("pressure", 9806.65),
    "deg": Unit("angle"),
    "sector16": Unit("angle", 22.5),
    "sector8": Unit("angle", 45.0),
    "mm/h": Unit("rain_intensity"),
    "mm/min": Unit("rain_intensity", 60.0),
    "m3/h": Unit("flow"),
    "L/s": Unit("flow", 3.6),
    "m3/s": Unit("flow", 3600.0),
    "m3": Unit("volume"),
    "L": Unit("volume", 1e-3),
    "%LEL": Unit("explosive_fraction"),
    "ppm": Unit("volume_fraction"),
    "ppb": Unit("volume_fraction", 1e-3),
    "%vol": Unit("volume_fraction", 1e4),
    "ug/m3": Unit("mass_concentration"),
    "mg/m3": Unit("mass_concentration", 1e3),
    "mg/L": Unit("mass_concentration", 1e6),
    "pH": Unit("acidity"),
    "uS/cm": Unit("conductivity"),
    "mS/cm": Unit("conductivity", 1e3),
    "dS/m": Unit("conductivity", 1e3),
    "NTU": Unit("turbidity"),
    "dB": Unit("sound_level"),
    "lx": Unit("illuminance"),
    "klx": Unit("illuminance", 1e3),
    "W/m2": Unit("irradiance"),
    "V": Unit("voltage"),
    "mV": Unit("voltage", 1e-3),
    "A": Unit("current"),
    "mA": Unit("current", 1e-3),
    "W": Unit("power"),
    "kW": Unit("power", 1e3),
    "kvar": Unit("reactive_power"),
    "Hz": Unit("frequency"),
    "kWh": Unit("energy"),
    "MWh": Unit("energy", 1e3),
    "MJ": Unit("energy", 1 / 3.6),
    "GJ": Unit("energy", 1000 / 3.6),
    "code": Unit("code"),
}


def conversion(unit: str, canonical: str) -> tuple[float, float]:
    """Gain and offset with ``canonical_value = value * gain + offset``; raises ValueError naming both units."""
    for name in (unit, canonical):
        if name not in UNITS:
            raise ValueError(f"unknown unit {name!r}, expected one of {', '.join(sorted(UNITS))}")
    source, target = UNITS[unit], UNITS[canonical]
    if source.dimension != target.dimension:
        alike = sorted(name for name, known in UNITS.items() if known.dimension == target.dimension)
        raise ValueError(f"no conversion from {unit!r} to {canonical!r}, expected one of {', '.join(alike)}")
    return _ratio(source.gain, target.gain), (source.offset - target.offset) / target.gain


def _ratio(gain: float, other: float) -> float:
    """Divide so that powers of ten stay exact decimals (0.001 / 100 is 1e-05, not 1.0000000000000001e-05)."""
    return float(f"{gain / other:.15g}")
