"""Lengths and moments of time in nanoseconds, as data time counts them."""

from datetime import UTC, datetime, timedelta
from typing import Final

MILLISECOND_NS: Final = 1_000_000
SECOND_NS: Final = 1_000 * MILLISECOND_NS
MINUTE_NS: Final = 60 * SECOND_NS
HOUR_NS: Final = 60 * MINUTE_NS
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)


def moment_ns(text: str) -> int:
    """Nanoseconds UTC of an ISO 8601 time; raises ValueError where it is none or has no offset."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as exc:
        raise ValueError(f"time {text!r}, expected for example 2023-07-28T08:00+08:00") from exc
    if moment.tzinfo is None:
        raise ValueError(f"time {text!r} has no offset, expected for example 2023-07-28T08:00+08:00")
    return (moment - _EPOCH) // _MICROSECOND * 1_000
