"""Particles in the air: a background that rain washes out and fresh air brings back.

dC/dt = (background - C) / tau - L C with the scavenging coefficient L = a R^b, R in mm/h (the power law of below-cloud
scavenging in Seinfeld and Pandis, Atmospheric Chemistry and Physics, ch. 20); a = 1e-4 1/s and b = 0.6 are of the usual
order, our choice. Solved exactly over each step for constant rain.
"""

from typing import Final

import numpy as np

from simulators.world.signal import STEP_S
from telemetry.batch import F64

RENEWAL_S: Final = 4 * 3600.0
_A: Final = 1e-4
_B: Final = 0.6


def washed(background: F64, rate_mm_h: F64) -> F64:
    """Concentration (n,) in the unit of ``background`` (n,), starting in balance without rain; loops (set-up)."""
    loss = 1.0 / RENEWAL_S + _A * rate_mm_h**_B
    balance, keep = background / RENEWAL_S / loss, np.exp(-loss * STEP_S)
    out, last = np.empty_like(background), float(background[0])
    for i in range(len(background)):
        out[i] = last
        last = balance[i] + (last - balance[i]) * keep[i]
    return out
