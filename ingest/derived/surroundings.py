"""What the site file says that measurements do not: the time of day, datums, and the constants of tides."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cache
from zoneinfo import ZoneInfo

import numpy as np

from ingest.derived.tide import Constants
from telemetry.batch import I64
from telemetry.span import HOUR_NS, MINUTE_NS, SECOND_NS

_DAY_NS = 24 * HOUR_NS
_STEP_NS = 15 * MINUTE_NS


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """One site. ``datum`` is what reduced levels count from; ``datums``: how high others lie above it, in m."""

    timezone: str = "Asia/Shanghai"
    datum: str | None = None
    datums: Mapping[str, float] = field(default_factory=dict)
    tides: Mapping[tuple[str, str], Constants] = field(default_factory=dict)
    """By station and point."""

    def height_of(self, datum: str | None) -> float | None:
        """How high a datum lies above the site's; None where nobody has said."""
        if self.datum is None or datum is None:
            return None
        return 0.0 if datum == self.datum else self.datums.get(datum)


def moments(begin_ns: int, end_ns: int, every_ns: int, timezone: str) -> I64:
    """The moments of a schedule in ``(begin, end]``, aligned to local midnight. (n,)."""
    step = min(every_ns, _STEP_NS)
    first = begin_ns // step + 1
    found = np.arange(first, end_ns // step + 1, dtype=np.int64) * step
    return found[(found + offset_ns(found, timezone)) % every_ns == 0]


def since(time_ns: I64, after_midnight_ns: int, timezone: str) -> I64:
    """Nanoseconds from the last such time of day to each moment; a whole day at that time itself. (n,) -> (n,)."""
    local = time_ns + offset_ns(time_ns, timezone) - after_midnight_ns
    return (local - 1) % _DAY_NS + 1


def offset_ns(time_ns: I64, timezone: str) -> I64:
    """What local time is ahead of UTC. (n,) -> (n,)."""
    quarters, which = np.unique(time_ns // _STEP_NS, return_inverse=True)
    return np.array([_offset_ns(at, timezone) for at in quarters.tolist()], np.int64)[which]


@cache
def _zone(name: str) -> ZoneInfo:
    return ZoneInfo(name)


def _offset_ns(quarter: int, timezone: str) -> int:
    moment = datetime.fromtimestamp(quarter * _STEP_NS // SECOND_NS, UTC).astimezone(_zone(timezone))
    shift = moment.utcoffset()
    return 0 if shift is None else round(shift.total_seconds()) * SECOND_NS
