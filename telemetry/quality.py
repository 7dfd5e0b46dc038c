"""Quality of a value and the causes of doubt about it.

Quality is ordered by severity, so that the quality of any aggregate is ``np.maximum.reduce`` of its parts
(ADR 0004). Export maps it to the flags of QARTOD (IOC manual of quality control, flag scheme 1/2/3/4/9).
"""

from enum import IntEnum, IntFlag
from typing import Final


class Quality(IntEnum):
    """How far a value may be trusted; a greater number is worse."""

    UNCHECKED = 0
    GOOD = 1
    SUSPECT = 2
    BAD = 3
    MISSING = 4


class Cause(IntFlag):
    """Why a value is not GOOD: bits of an unsigned 16-bit word, any number of them together."""

    NONE = 0
    RANGE = 1
    """Outside the range that the sensor can measure."""
    RATE = 2
    """Changed faster than the quantity can."""
    SPIKE = 4
    FLATLINE = 8
    STALE = 16
    """The device answers, but its own sample is old."""
    COMMS = 32
    """No answer, or an answer that could not be accepted."""
    CLOCK = 64
    """The time of the sample is doubtful: from the future, or from a clock that was never set."""
    DEVICE = 128
    """The device itself reports a fault, a lost echo, or too weak a signal."""
    MANUAL = 256
    """Maintenance: the point was being tested by hand."""
    UNSYNCED = 512
    """Stamped by a clock that nothing kept right at that moment, though it looks right. Says nothing against the value,
    and moves data time as any other (ADR 0007); CLOCK moves nothing."""
    SEASON = 1024
    """Not what is usual in this month at this place."""
    NEIGHBOURS = 2048
    """Not what the stations around it read."""


QARTOD: Final = {Quality.GOOD: 1, Quality.UNCHECKED: 2, Quality.SUSPECT: 3, Quality.BAD: 4, Quality.MISSING: 9}
