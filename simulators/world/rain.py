"""Rain of a tropical cyclone: the azimuthal mean of R-CLIPER, times the scenario's factor, broken up into bands.

Source: Tuleya, DeMaria and Kuligowski, 2007: Evaluation of GFDL and simple statistical model rainfall forecasts for
U.S. landfalling tropical storms. Weather and Forecasting, 22, 56-70: rain grows linearly from the centre to ``rm`` and
falls off exponentially with ``re`` beyond, all linear in the wind. The climatology is a mean over many storms and all
directions, so a scenario states a factor (hills, rainbands, this storm). Bands are multiplicative red noise with a mean
of one: our choice.
"""

from typing import Final, NamedTuple

import numpy as np

from simulators.world.signal import STEP_S, red_noise
from telemetry.batch import F64

_INCH_A_DAY: Final = 25.4 / 24.0
"""mm/h."""
_BAND_MINUTES: Final = 25.0
_BAND_SPREAD: Final = 0.45


class Clipper(NamedTuple):
    """R-CLIPER for winds of shape (n,): rates in mm/h at the centre and at ``rm_km``, and two lengths in km."""

    r0: F64
    rm: F64
    rm_km: F64
    re_km: F64


def clipper(wind: F64) -> Clipper:
    """Parameters for maximum winds in m/s, (n,)."""
    u = 1.0 + (wind / 0.514444 - 35.0) / 33.0
    return Clipper(
        np.maximum(-1.10 + 3.96 * u, 0.0) * _INCH_A_DAY,
        np.maximum(-1.60 + 4.80 * u, 0.0) * _INCH_A_DAY,
        64.5 - 13.0 * u,
        150.0 - 16.0 * u,
    )


def rate(distance_m: F64, wind: F64) -> F64:
    """Azimuthal mean rain in mm/h at distances from the centre, for maximum winds in m/s; shapes (n,)."""
    c, r_km = clipper(wind), distance_m / 1e3
    inside = c.r0 + (c.rm - c.r0) * r_km / c.rm_km
    return np.where(r_km < c.rm_km, inside, c.rm * np.exp(-(r_km - c.rm_km) / c.re_km))


def bands(shared: np.random.Generator, own: np.random.Generator, n: int) -> F64:
    """Factors of mean one, (n,): half of the variance is common to all stations, half is the station's own."""
    noise = (red_noise(shared, n, _BAND_MINUTES) + red_noise(own, n, _BAND_MINUTES)) / np.sqrt(2.0)
    return np.exp(_BAND_SPREAD * noise - _BAND_SPREAD**2 / 2.0)


def total(rate_mm_h: F64) -> F64:
    """Depth fallen since the start in mm, (n,): each step counts at its beginning, and the first moment is 0."""
    fallen = np.cumsum(rate_mm_h) * STEP_S / 3600.0
    return np.concatenate([[0.0], fallen[:-1]])
