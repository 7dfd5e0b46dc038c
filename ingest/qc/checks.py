"""The checks: columns in, a verdict per row out. All columns have shape (n,), values are in canonical units."""

from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from telemetry.batch import F64, I64, U8, U16, Mask
from telemetry.quality import Cause, Quality

SECOND_NS: Final = 1_000_000_000
ABSURD: Final = 1e12
"""Greater than any reading in any canonical unit: words of memory, no water; one would drown every sum it enters."""


class Verdict(NamedTuple):
    """Quality (UNCHECKED: nothing found) and causes of each row."""

    quality: U8
    cause: U16


def gross_range(value: F64, low: F64, high: F64, danger_low: Mask, danger_high: Mask) -> Verdict:
    """Outside what the sensor can measure: SUSPECT towards danger, where it is still evidence, and BAD elsewhere.

    The limits themselves are inside (QARTOD test 4, gross range); NaN is not judged; what is absurd is BAD.
    """
    below, above = value < low, value > high
    towards_danger = ((below & danger_low) | (above & danger_high)) & (np.abs(value) <= ABSURD)
    quality = np.where(below | above, np.uint8(Quality.BAD), np.uint8(Quality.UNCHECKED))
    quality[towards_danger] = Quality.SUSPECT
    return Verdict(quality, _because(below | above, Cause.RANGE))


def plausible_range(value: F64, low: F64, high: F64) -> Verdict:
    """Outside what the quantity can be here: SUSPECT (QARTOD test 4, the user's span); the limits are inside."""
    return _suspect((value < low) | (value > high), Cause.RANGE)


def season(value: F64, usual: F64) -> Verdict:
    """Outside what is usual in its month (QARTOD test 5); ``usual`` (n, 2): lowest and highest, NaN: nobody knows."""
    return _suspect((value < usual[:, 0]) | (value > usual[:, 1]), Cause.SEASON)


def month(time_ns: I64) -> I64:
    """The month of each moment in UTC, 0 to 11. Shape (n,) -> (n,)."""
    return time_ns.view("datetime64[ns]").astype("datetime64[M]").astype(np.int64) % 12


def clock(time_ns: I64, now_ns: int, ahead_ns: int, behind_ns: int) -> Verdict:
    """Sampled later than now, or longer ago than any spool keeps: a clock that is wrong or was never set."""
    return _suspect(out_of_time(time_ns, now_ns, ahead_ns, behind_ns), Cause.CLOCK)


def out_of_time(time_ns: I64, now_ns: int, ahead_ns: int, behind_ns: int) -> Mask:
    """Which moments have not come yet, or are longer ago than any spool keeps."""
    return (time_ns > now_ns + ahead_ns) | (time_ns < now_ns - behind_ns)


def went_back(batch: I64, places: NDArray[np.int32], time_ns: I64) -> Mask:
    """Which rows (n,), in order of arrival, are earlier than the row before them of the same batch and series."""
    order = np.lexsort((np.arange(len(places)), places, batch))
    same = (np.diff(batch[order]) == 0) & (np.diff(places[order]) == 0)
    found = np.zeros(len(places), np.bool_)
    found[order[1:]] = same & (np.diff(time_ns[order]) < 0)
    return found


def rate_of_change(time_ns: I64, value: F64, before_ns: I64, before: F64, rate_per_s: F64, step: F64) -> Verdict:
    """Changed faster than the quantity can since the sample before: |dx| / dt > rate (QARTOD test 7), and |dx| > step.

    A row without a sample before it (``before`` NaN), or not after it, is not judged.
    """
    seconds = (time_ns - before_ns) / 1e9
    change = np.abs(value - before)
    return _suspect((seconds > 0) & (change > rate_per_s * seconds) & (change > step), Cause.RATE)


def counted(value: F64, before: F64, modulus: F64) -> F64:
    """What a totaliser counted since the sample before, shape (n,): its gain, past a rollover (``modulus``,
    NaN: never), or, where it fell, what it shows since it began anew by a reset or the turn of the day.
    """
    gain = value - before
    rolled = np.where(np.isnan(modulus), np.inf, np.mod(gain, modulus))
    return np.where(gain < 0, np.minimum(rolled, value), gain)


def spike(before: F64, value: F64, after: F64, threshold: F64, average: Mask) -> Mask:
    """Which values stand out from those before and after them by more than ``threshold`` (QARTOD test 6).

    From their mean where ``average``, else by the lesser of two steps in opposite directions. NaN is not judged.
    """
    rise, fall = value - before, after - value
    turned = np.where(rise * fall < 0, np.minimum(np.abs(rise), np.abs(fall)), 0.0)
    height = np.where(average, np.abs(value - (before + after) / 2), turned)
    found: Mask = height > threshold
    return found


def flat_line(time_ns: I64, since_ns: I64, flat_ns: F64) -> Verdict:
    """Has shown the same value since ``since_ns``, longer than the quantity ever stands still (QARTOD test 8)."""
    return _suspect((time_ns - since_ns) >= flat_ns, Cause.FLATLINE)


def _suspect(doubtful: Mask, cause: Cause) -> Verdict:
    quality = np.where(doubtful, np.uint8(Quality.SUSPECT), np.uint8(Quality.UNCHECKED))
    return Verdict(quality, _because(doubtful, cause))


def _because(found: Mask, cause: Cause) -> U16:
    return found.astype(np.uint16) * np.uint16(cause)
