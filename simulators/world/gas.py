"""Combustible gas around a release: a Gaussian plume from a point, as broad as a meandering wind makes it.

Near the ground with reflection, C = Q / (pi sy sz u) exp(-(y / sy)^2 / 2) (Pasquill and Gifford, in any text on
dispersion). Within some tens of metres the spread follows the meander: sy = x tan(15 deg), sz = 0.06 x, our choices.
The lower explosive limit of methane is 5 % by volume (GB/T 50493-2019 works in shares of it).
"""

from typing import Final

import msgspec
import numpy as np

from telemetry.batch import F64

METHANE_LEL: Final = 0.05
"""Share of volume."""
EXPANSION: Final = 600.0
"""Volume of the vapour over that of the liquefied gas."""
MEANDER_DEG: Final = 15.0
_SZ: Final = 0.06
_CALM: Final = 1.0
"""m/s: below this the plume formula means nothing, so the wind counts as this much."""
FULL_SCALE: Final = 100.0
"""%LEL: a catalytic bead shows no more, however much gas there is."""


class Detector(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where a detector stands, seen from the release: bearing in degrees and distance in m."""

    bearing_deg: float
    distance_m: float


def lel_percent(leakage_m3_h: F64, speed: F64, from_deg: F64, detector: Detector) -> F64:
    """Reading in %LEL, (n,), for a leakage of liquid (n,) in m3/h and the wind (n,) in m/s and degrees."""
    angle = np.deg2rad((from_deg + 180.0 - detector.bearing_deg + 180.0) % 360.0 - 180.0)
    along, across = detector.distance_m * np.cos(angle), detector.distance_m * np.sin(angle)
    x = np.maximum(along, 1e-6)
    sy, sz = x * np.tan(np.deg2rad(MEANDER_DEG)), x * _SZ
    vapour = leakage_m3_h / 3600.0 * EXPANSION
    share = vapour / (np.pi * sy * sz * np.maximum(speed, _CALM)) * np.exp(-((across / sy) ** 2) / 2.0)
    return np.minimum(np.where(along > 0.0, share, 0.0) / METHANE_LEL * 100.0, FULL_SCALE)
