"""Times as people read them: ISO 8601 with offset, in the site's timezone."""

from datetime import UTC, datetime
from functools import lru_cache
from zoneinfo import ZoneInfo

_MS_NS = 1_000_000


@lru_cache(16_384)
def iso(time_ns: int, timezone: str) -> str:
    """A moment to the millisecond, such as ``2023-07-28T08:00:00.000+08:00``; seconds where it is whole ones."""
    seconds, rest_ns = divmod(time_ns, 1_000_000_000)
    moment = datetime.fromtimestamp(seconds, ZoneInfo(timezone)).replace(microsecond=rest_ns // 1000)
    return moment.isoformat(timespec="milliseconds" if rest_ns else "seconds")


def iso_or_none(time_ns: int | None, timezone: str) -> str | None:
    """The same, where there may be no moment."""
    return None if time_ns is None else iso(time_ns, timezone)


def from_iso(text: str, timezone: str) -> int:
    """Nanoseconds UTC of an ISO 8601 time, or of whole milliseconds since 1970; without an offset in ``timezone``.

    Raises ValueError.
    """
    if text.isascii() and text.isdigit():
        return int(text) * _MS_NS
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=ZoneInfo(timezone))
    since = moment.astimezone(UTC) - datetime(1970, 1, 1, tzinfo=UTC)
    return (since.days * 86_400 + since.seconds) * 1_000_000_000 + since.microseconds * 1_000
