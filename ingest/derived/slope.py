"""A robust slope: the median of the slopes between all pairs of samples (Theil, 1950; Sen, 1968).

P. K. Sen: Estimates of the regression coefficient based on Kendall's tau. J. Am. Stat. Assoc. 63 (1968), 1379-1389. One
sample in four may be wrong without moving it far (breakdown point 29 %).
"""

from typing import Final

import numpy as np

from telemetry.batch import F64

_BLOCK: Final = 2_000_000
"""Slopes at a time: what does not fit the cache is slower, not quicker."""
LARGEST: Final = 64
"""Samples of a window that are looked at: of more, each belongs to one of 64 equal parts of the window, by its mean."""


def theil_sen(time_s: F64, value: F64) -> F64:
    """Median slope in units per second over windows, (n, w) each, NaN where there is no sample; (n,), NaN below two."""
    n, width = value.shape
    slopes = np.full(n, np.nan)
    if width < 2 or not n:
        return slopes
    left, right = np.triu_indices(width, 1)
    step = max(1, _BLOCK // len(left))
    for at in range(0, n, step):
        t, x = time_s[at : at + step], value[at : at + step]
        run = t[:, right] - t[:, left]
        rise = x[:, right] - x[:, left]
        each = np.divide(rise, run, out=np.full(run.shape, np.nan), where=run > 0)
        slopes[at : at + step] = median(each)
    return slopes


def median(values: F64) -> F64:
    """Median of each row without its NaNs, (n, w) -> (n,); NaN where there is nothing else.

    numpy's ``nanmedian`` goes through the rows one by one as soon as they are many; to sort them all takes a tenth.
    """
    ordered = np.sort(values, axis=1)  # NaN last
    found = (~np.isnan(ordered)).sum(axis=1)
    at = np.maximum(found, 1)
    rows = np.arange(len(values))
    middle = (ordered[rows, (at - 1) // 2] + ordered[rows, at // 2]) / 2
    return np.where(found > 0, middle, np.nan)


def thinned(time_s: F64, value: F64, most: int = LARGEST) -> tuple[F64, F64]:
    """At most ``most`` samples of each window (n, w): means over equal numbers of columns, so that pairs stay few."""
    width = value.shape[1]
    if width <= most:
        return time_s, value
    per = -(-width // most)
    pad = ((0, 0), (0, -width % per))
    shape = (len(value), -1, per)
    t, x = (np.pad(column, pad, constant_values=np.nan).reshape(shape) for column in (time_s, value))
    held = ~np.isnan(t) & ~np.isnan(x)
    n = held.sum(axis=2)
    means = (
        np.divide(np.where(held, column, 0.0).sum(axis=2), n, out=np.full(n.shape, np.nan), where=n > 0)
        for column in (t, x)
    )
    first, second = means
    return first, second
