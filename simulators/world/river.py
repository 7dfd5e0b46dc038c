"""A river that answers the rain: losses, two linear reservoirs one after the other, and a rating curve.

Source: Nash, 1957: The form of the instantaneous unit hydrograph (a cascade of equal linear reservoirs, Q = S / k); a
constant runoff coefficient stands for all losses. Water is never made or lost: what falls net of losses is what has run
off plus what is stored, to rounding (``Flow`` holds all three).
"""

from typing import Final, NamedTuple

import msgspec
import numpy as np

from simulators.world.signal import STEP_S
from telemetry.batch import F64

RESERVOIRS: Final = 2


class Catchment(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A catchment above a gauge: area, share of rain that runs off, storage time of each reservoir in hours, base flow.

    Stage in m over the site's datum is ``bed_m + (Q / rating_a) ** (1 / rating_b)`` with Q in m3/s.
    """

    area_km2: float
    runoff: float
    hours: float
    base_m3_s: float
    bed_m: float
    rating_a: float
    rating_b: float


class Flow(NamedTuple):
    """Discharge in m3/s, water in the reservoirs in m3, and water received since the start in m3; shapes (n,)."""

    discharge: F64
    stored: F64
    received: F64


def route(rate_mm_h: F64, catchment: Catchment) -> Flow:
    """Run rain through the catchment; it starts in balance with its base flow. Sequential, so it loops (set-up)."""
    inflow = catchment.base_m3_s + catchment.runoff * rate_mm_h * catchment.area_km2 / 3.6
    keep = float(np.exp(-STEP_S / (catchment.hours * 3600.0)))
    stores = [catchment.base_m3_s * catchment.hours * 3600.0] * RESERVOIRS
    discharge, stored = np.empty_like(inflow), np.empty_like(inflow)
    for i, entering in enumerate(inflow):
        discharge[i], stored[i] = stores[-1] / (catchment.hours * 3600.0), sum(stores)
        stores = _step(stores, entering, keep, catchment.hours * 3600.0)
    received = np.concatenate([[0.0], np.cumsum(inflow)[:-1] * STEP_S])
    return Flow(discharge, stored, received)


def stage_m(discharge: F64, catchment: Catchment) -> F64:
    """Water level over the datum in m, (n,)."""
    return catchment.bed_m + (discharge / catchment.rating_a) ** (1.0 / catchment.rating_b)


def _step(stores: list[float], entering: float, keep: float, k_s: float) -> list[float]:
    """One step of the cascade: each reservoir is solved exactly for a constant inflow, so its balance closes."""
    after, rate = [], entering
    for store in stores:
        left = store * keep + rate * k_s * (1.0 - keep)
        after.append(left)
        rate += (store - left) / STEP_S
    return after
