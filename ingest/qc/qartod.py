"""The tests of QARTOD over many series at once: a record in, one flag a row out.

Source: U.S. Integrated Ocean Observing System, QARTOD manuals (water level 2021, wind 2017, in-situ temperature and
salinity 2020), the tests by the name and number given below; flags after UNESCO/IOC Manuals and Guides 54, volume 3
(2013). Parameters are of each series, shape (m,), or of all. No value is changed. What each test does at the edges
equals ``ioos-qc`` 3.0.0, but for what is said in docs/reference/quality-control.md.
"""

from collections.abc import Callable
from enum import IntEnum, StrEnum
from typing import Final

import numpy as np

from ingest.qc.record import Record
from ingest.qc.spread import deviation
from telemetry.batch import F64, I64, U8, Mask

_SECOND_MS: Final = 1000.0
_HOUR_S: Final = 3600
_LEAST_FOR_FLAT: Final = 3


class Flag(IntEnum):
    """How a test judged a row."""

    GOOD = 1
    UNKNOWN = 2
    """Not evaluated: the test can't say."""
    SUSPECT = 3
    FAIL = 4
    MISSING = 9


class Spike(StrEnum):
    """Against what a sample is held: the mean of its neighbours, or its lesser step where it turns back."""

    AVERAGE = "average"
    DIFFERENTIAL = "differential"


class Spread(StrEnum):
    """How the liveliness of a signal is measured."""

    DEVIATION = "std"
    RANGE = "range"


def gross_range(record: Record, fail_low: F64, fail_high: F64, suspect_low: F64, suspect_high: F64) -> U8:
    """Test 4: outside what the sensor can measure is FAIL, outside what is expected there SUSPECT; limits are inside.

    NaN: no limit; what is infinite is FAIL. Raises ValueError where a suspect limit lies outside the fail limits.
    """
    if (suspect_low < fail_low).any() or (suspect_high > fail_high).any():
        raise ValueError("gross range: suspect limits outside the fail limits, expected them within")
    value = record.value
    fail = (value < record.by_row(fail_low)) | (value > record.by_row(fail_high))
    suspect = (value < record.by_row(suspect_low)) | (value > record.by_row(suspect_high))
    return np.where(np.isinf(value), np.uint8(Flag.FAIL), _flags(record, suspect, fail))


def climatology(record: Record, limits: F64, ahead_ms: int = 0) -> U8:
    """Test 5: outside what the season allows. ``limits`` (m, 12, 4) has for each month fail low, suspect low, suspect
    high, fail high, NaN: no limit; UNKNOWN in a month without suspect limits. ``ahead_ms`` is local time minus UTC.
    """
    months = (record.time_ms + ahead_ms).astype("datetime64[ms]").astype("datetime64[M]").astype(np.int64) % 12
    fail_low, low, high, fail_high = limits[record.series, months].T
    value = record.value
    flags = _flags(record, (value < low) | (value > high), (value < fail_low) | (value > fail_high))
    return np.where(np.isnan(low) & np.isnan(high) & ~record.missing, np.uint8(Flag.UNKNOWN), flags)


def spike(record: Record, suspect: F64 | float, fail: F64 | float, method: Spike = Spike.AVERAGE) -> U8:
    """Test 6: away from its neighbours by more than a threshold, in the unit of the series; NaN or 0: not held.

    The first and last row, and those beside a missing one, are UNKNOWN.
    """
    with np.errstate(invalid="ignore", over="ignore"):
        height = _above_neighbours(record.value) if method is Spike.AVERAGE else _turned_back(record.value)
        limits = (np.where(limit > 0, limit, np.nan) for limit in map(record.by_row, (suspect, fail)))
        flags = _flags(record, *(height > limit for limit in limits))
    alone = record.is_first | record.is_last | _beside(record.missing) | np.isnan(height)
    return np.where(alone & ~record.missing, np.uint8(Flag.UNKNOWN), flags)


def rate_of_change(record: Record, suspect: F64 | float, fail: F64 | float = np.nan) -> U8:
    """Test 7: changed by more per second since the row before; NaN: not held.

    GOOD where there is no row before, where that one is missing, or where no time has passed.
    """
    with np.errstate(invalid="ignore", divide="ignore", over="ignore"):
        change = np.abs(np.diff(record.value, prepend=np.nan))
        rate = np.where(record.elapsed_ms > 0, change / (record.elapsed_ms / _SECOND_MS), 0.0)
        rate[record.is_first | record.missing | _shifted(record.missing)] = 0.0
        return _flags(record, rate > record.by_row(suspect), rate > record.by_row(fail))


def flat_line(record: Record, suspect_s: F64 | float, fail_s: F64 | float, tolerance: F64 | float) -> U8:
    """Test 8: the samples of so many seconds and one more lie within less than ``tolerance``; NaN: not held.

    Seconds are turned into samples by the median interval of the series, in whole seconds where it has any. Nothing is
    found in a series of less than three samples.
    """
    interval_ms = record.intervals_ms()
    interval_s = np.where(interval_ms >= _SECOND_MS, np.floor(interval_ms / _SECOND_MS), interval_ms / _SECOND_MS)
    flat = [_flat(record, record.by_row(seconds), interval_s, tolerance) for seconds in (suspect_s, fail_s)]
    return _flags(record, *flat)


def attenuated_signal(
    record: Record,
    suspect: F64 | float,
    fail: F64 | float,
    period_s: F64 | float,
    least: F64 | float = 1,
    spread: Spread = Spread.DEVIATION,
) -> U8:
    """Test 10 (multi-variate manuals: attenuated signal): the spread over the last ``period_s`` is below a threshold.

    UNKNOWN with less than ``least`` values in that time, and for a range with a missing one.
    """
    length = record.window(np.multiply(period_s, _SECOND_MS))
    found, count = deviation(record, length) if spread is Spread.DEVIATION else _span(record, length)
    known = (count >= record.by_row(least)) & ~np.isnan(found)
    flags = _flags(record, found < record.by_row(suspect), found < record.by_row(fail))
    return np.where(known | record.missing, flags, np.uint8(Flag.UNKNOWN))


def time_gap(record: Record, fail_hours: F64 | float) -> U8:
    """Test 1: more than so many hours (to whole seconds) since the row before; the first is judged as the second is,
    UNKNOWN where it is the only one. A missing value does not count: that there is a row is what is asked.
    """
    longest_ms = np.trunc(record.by_row(fail_hours) * _HOUR_S) * _SECOND_MS
    late = record.elapsed_ms > longest_ms
    second = np.minimum(record.starts + 1, len(late) - 1)
    late[record.starts] = late[second] & (record.counts > 1)
    flags = np.where(late, np.uint8(Flag.FAIL), np.uint8(Flag.GOOD))
    flags[record.starts[record.counts == 1]] = Flag.UNKNOWN
    return flags


def in_blocks(test: Callable[..., U8], record: Record, *parameters: F64) -> U8:
    """A test with parameters of each series, (m, ...), over a long record: block by block, each of which stays in the
    cache of a core.
    """
    found = [test(part, *(one[some] for one in parameters)) for part, some in record.blocks()]
    return np.concatenate(found)


def aggregate(*flags: U8) -> U8:
    """The worst of several tests: FAIL, SUSPECT, GOOD, UNKNOWN, MISSING, in this order."""
    ranks = np.zeros(10, np.uint8)
    ranks[[Flag.MISSING, Flag.UNKNOWN, Flag.GOOD, Flag.SUSPECT, Flag.FAIL]] = (0, 1, 2, 3, 4)
    order = np.array([Flag.MISSING, Flag.UNKNOWN, Flag.GOOD, Flag.SUSPECT, Flag.FAIL], np.uint8)
    worst = ranks[flags[0]]
    for more in flags[1:]:
        worst = np.maximum(worst, ranks[more])
    return order[worst]


def _flags(record: Record, suspect: Mask, fail: Mask) -> U8:
    flags = np.where(suspect, np.uint8(Flag.SUSPECT), np.uint8(Flag.GOOD))
    flags[fail] = Flag.FAIL
    flags[record.missing] = Flag.MISSING
    return flags


def _above_neighbours(value: F64) -> F64:
    height = np.full(len(value), np.nan)
    middle = (value[:-2] + value[2:]) / 2
    height[1:-1] = np.abs(value[1:-1] - np.where(np.isfinite(middle), middle, np.nan))
    return height


def _turned_back(value: F64) -> F64:
    height, step = np.full(len(value), np.nan), np.diff(value)
    lesser = np.minimum(np.abs(step[:-1]), np.abs(step[1:]))
    height[1:-1] = np.where(step[:-1] * step[1:] >= 0, 0.0, lesser)
    return height


def _span(record: Record, length: I64) -> tuple[F64, F64]:
    """The range of the last ``length`` samples, NaN where one is missing, and how many are there."""
    low, high = record.extremes(length)
    missing = np.concatenate(([0], np.cumsum(record.missing)))
    last = np.arange(1, len(missing))
    gaps = missing[last] - missing[last - length]
    return np.where(gaps > 0, np.nan, high - low), (length - gaps).astype(np.float64)


def _flat(record: Record, seconds: F64, interval_s: F64, tolerance: F64 | float) -> Mask:
    judged = (record.counts >= _LEAST_FOR_FLAT)[record.series] & ~np.isnan(seconds)
    with np.errstate(invalid="ignore", divide="ignore"):
        before = np.trunc(np.trunc(seconds) / interval_s[record.series])
    reached = np.arange(len(before)) - record.start
    judged &= before <= reached
    length: I64 = np.where(judged, before + 1, 1).astype(np.int64)
    low, high = record.extremes(length)
    return judged & (high - low < record.by_row(tolerance))


def _shifted(missing: Mask) -> Mask:
    return np.concatenate((missing[:1], missing[:-1]))


def _beside(missing: Mask) -> Mask:
    beside = np.zeros(len(missing), np.bool_)
    beside[1:] |= missing[:-1]
    beside[:-1] |= missing[1:]
    return beside
