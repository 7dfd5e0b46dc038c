"""Slots: the periods of a day in which a reading of a series is due, as pure functions over arrays; times in ms of UTC.

A series that is read every ``width`` ms owes one reading in each slot. The slot of a reading is the one whose nominal
time ``phase + number * width`` is nearest, so that a poll which jitters by less than half a period has its own; the
slots of a day are those whose nominal time lies in it. Readings of more than one a minute are due by the minute.
"""

from collections.abc import Sequence
from datetime import date, datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo

import numpy as np

from telemetry.batch import I64

MINUTE_MS: Final = 60_000
UNSET: Final = -1
RECEIVED: Final = 1
GOOD: Final = 2
TIMELY: Final = 4


def widths(period_s: Sequence[float]) -> I64:
    """The width of a slot for announced periods in seconds: the period, a minute at least. Shape (n,)."""
    return np.maximum(np.round(np.asarray(period_s, np.float64) * 1000), MINUTE_MS).astype(np.int64)


def numbers(time_ms: I64, phase_ms: I64, width_ms: I64) -> I64:
    """The number of the slot of each time, counted from the epoch of UTC. Shapes (n,)."""
    return (time_ms - phase_ms + width_ms // 2) // width_ms


def firsts(moment_ms: int | I64, phase_ms: I64, width_ms: I64) -> I64:
    """The number of the first slot whose nominal time is not before a moment. Shapes (n,)."""
    return -((phase_ms - moment_ms) // width_ms)


def bounds(day: date, zone: ZoneInfo) -> tuple[int, int]:
    """Where a day of a timezone begins and ends, in ms of UTC (25 or 23 hours where the clocks are changed)."""
    return _midnight(day, zone), _midnight(day + timedelta(days=1), zone)


def day_of(time_ms: int, zone: ZoneInfo) -> date:
    """The day of a moment in a timezone."""
    return datetime.fromtimestamp(time_ms / 1000, zone).date()


def _midnight(day: date, zone: ZoneInfo) -> int:
    return round(datetime(day.year, day.month, day.day, tzinfo=zone).timestamp() * 1000)
