"""Mean wind and gusts (WMO-No. 8, 2018 edition, volume I, chapter 5)."""

from typing import Final, NamedTuple

import numpy as np

from telemetry.batch import F64, Mask

CALM_MS: Final = 0.2
"""Below this a wind is calm and has no direction: WMO-No. 8, 5.1.1, "calm" is less than 0.2 m/s."""
GUST_S: Final = 3.0
"""A gust is the greatest mean over three seconds: WMO-No. 8, 5.1.1 and annex 5.A (after Beljaars, 1987)."""


class Means(NamedTuple):
    """Shape (n,) each: scalar mean and vector mean in m/s, direction that the vector comes from in degrees."""

    scalar: F64
    vector: F64
    direction: F64


def means(speed: F64, direction: F64) -> Means:
    """Mean wind over windows of samples, (n, w) each, NaN where there is none: pairs count, halves of pairs do not.

    The direction is NaN in a calm: when every speed is below 0.2 m/s, or when the vectors cancel. It is 360, not 0, for
    a wind from the north, as observers write it. A calm sample adds its speed and no direction.
    """
    paired = ~np.isnan(speed) & (~np.isnan(direction) | (speed < CALM_MS))
    angle = np.deg2rad(np.where(paired & (speed >= CALM_MS), direction, 0.0))
    length = np.where(paired & (speed >= CALM_MS), speed, 0.0)
    n = paired.sum(axis=1)
    scalar = _over(np.where(paired, speed, 0.0).sum(axis=1), n)
    east, north = _over((length * np.sin(angle)).sum(axis=1), n), _over((length * np.cos(angle)).sum(axis=1), n)
    vector = np.hypot(east, north)
    degrees = np.mod(np.rad2deg(np.arctan2(east, north)), 360.0)
    degrees = np.where(degrees < _NORTH, 360.0, degrees)
    return Means(scalar, vector, np.where(vector >= CALM_MS - _NOISE, degrees, np.nan))


_NORTH: Final = 1e-9
_NOISE: Final = 1e-9
"""What sums of sines lose: a steady wind of 0.2 m/s is none less."""


def gust(speed: F64, per_mean: int) -> F64:
    """The greatest running mean of ``per_mean`` samples in a row, (n, w) -> (n,); NaN where no such run is whole.

    Samples stand on the grid of their period, NaN where one is missing: a run across a gap would be no mean over three
    seconds.
    """
    if speed.shape[1] < per_mean:
        return np.full(len(speed), np.nan)
    whole: Mask = ~np.isnan(speed)
    sums = _padded(np.cumsum(np.where(whole, speed, 0.0), axis=1))
    counts = _padded(np.cumsum(whole, axis=1))
    full = counts[:, per_mean:] - counts[:, :-per_mean] == per_mean
    runs = np.where(full, (sums[:, per_mean:] - sums[:, :-per_mean]) / per_mean, -np.inf)
    greatest = runs.max(axis=1)
    return np.where(np.isfinite(greatest), greatest, np.nan)


def samples_in_gust(period_s: float) -> int | None:
    """How many samples make three seconds; None where they are too rare to say anything of a gust.

    Three samples at least: WMO-No. 8, 5.8.3 asks for several samples in the time of the mean.
    """
    n = round(GUST_S / period_s)
    return n if n >= 3 and abs(n * period_s - GUST_S) < period_s / 2 else None


def _padded(sums: F64) -> F64:
    return np.concatenate([np.zeros((len(sums), 1), sums.dtype), sums], axis=1)


def _over(total: F64, n: F64) -> F64:
    return np.divide(total, n, out=np.full(len(total), np.nan), where=n > 0)
