"""Sea level: a harmonic tide, and a surge of inverse barometer and wind set-up.

The speeds of the constituents are astronomy (Doodson; any tide table states them). Amplitudes and phases stand in
the place file and are illustrative: they give this coast's range of 5 to 6 m, not its tide table. Surge: inverse
barometer rho g h = dp; set-up of a steady wind over a shallow basin, rho g h dh/dx = tau, followed with a delay; drag
after Wu, 1982: Wind-stress coefficients over sea surface from breeze to hurricane. J. Geophys. Res., 87, 9704-9706.
"""

from collections.abc import Sequence
from typing import Final

import msgspec
import numpy as np

from simulators.world.signal import lag
from telemetry.batch import F64, I64
from telemetry.clock import HOUR_NS

SPEEDS_DEG_H: Final = {
    "M2": 28.9841042,
    "S2": 30.0,
    "N2": 28.4397295,
    "K2": 30.0821373,
    "K1": 15.0410686,
    "O1": 13.9430356,
}
EPOCH_NS: Final = 1_577_836_800 * 1_000_000_000
"""2020-01-01T00:00Z: the moment that phases refer to."""
WATER_DENSITY: Final = 1025.0
GRAVITY: Final = 9.81
_AIR: Final = 1.15


class Constituent(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One harmonic: amplitude in m, phase lag in degrees at the epoch."""

    amplitude_m: float
    phase_deg: float


class Basin(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The water that the wind pushes: its length and depth in m, the direction it is open to, its delay in minutes."""

    fetch_m: float
    depth_m: float
    open_to_deg: float
    minutes: float


def tide(times_ns: I64, constituents: dict[str, Constituent]) -> F64:
    """Height over mean sea level in m, (n,); raises KeyError for a constituent without a known speed."""
    hours = (times_ns - EPOCH_NS) / HOUR_NS
    return _sum(
        [
            c.amplitude_m * np.cos(np.deg2rad(SPEEDS_DEG_H[name] * hours - c.phase_deg))
            for name, c in constituents.items()
        ],
        len(times_ns),
    )


def inverse_barometer(pressure_hpa: F64, normal_hpa: float) -> F64:
    """Rise in m under a pressure below normal, (n,): about 1 cm a hPa."""
    return (normal_hpa - pressure_hpa) * 100.0 / (WATER_DENSITY * GRAVITY)


def setup(speed: F64, from_deg: F64, basin: Basin) -> F64:
    """Steady set-up in m, (n,), of a wind in m/s over the sea; offshore wind draws the water down."""
    drag = (0.8 + 0.065 * speed) * 1e-3
    onshore = np.cos(np.deg2rad(from_deg - basin.open_to_deg))
    return _AIR * drag * speed**2 * onshore * basin.fetch_m / (WATER_DENSITY * GRAVITY * basin.depth_m)


def surge(speed: F64, from_deg: F64, pressure_hpa: F64, normal_hpa: float, basin: Basin) -> F64:
    """Surge in m, (n,): the sea answers with the basin's delay."""
    return lag(inverse_barometer(pressure_hpa, normal_hpa) + setup(speed, from_deg, basin), basin.minutes)


def _sum(parts: Sequence[F64], n: int) -> F64:
    return np.sum(parts, axis=0) if parts else np.zeros(n)
