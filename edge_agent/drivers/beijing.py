"""Beijing time, in which Chinese field protocols write every moment, and UTC. It has been UTC+8 without summer time
since 1991."""

from datetime import UTC, datetime, timedelta, timezone
from typing import Final

from edge_agent.drivers.contract import FrameError
from telemetry.span import SECOND_NS

_ZONE: Final = timezone(timedelta(hours=8))
_MILLISECOND_NS: Final = SECOND_NS // 1000
_LENGTHS: Final = {10: "%y%m%d%H%M", 12: "%y%m%d%H%M%S", 14: "%Y%m%d%H%M%S", 17: "%Y%m%d%H%M%S"}
"""By digits: YYMMDDhhmm, YYMMDDhhmmss (both of this century), YYYYMMDDhhmmss, and that with milliseconds."""
_CENTURY: Final = "20"


def to_utc_ns(digits: str) -> int:
    """The moment in 10, 12, 14 or 17 digits, as UTC nanoseconds; raises FrameError for what is no moment."""
    if len(digits) not in _LENGTHS or not (digits.isascii() and digits.isdigit()):
        raise FrameError(f"time {digits[:20]!r}, expected {', '.join(map(str, _LENGTHS))} digits")
    full = digits if len(digits) > 12 else (_CENTURY + digits).ljust(14, "0")
    year, (month, day, hour, minute, second) = int(full[:4]), (int(full[at : at + 2]) for at in range(4, 14, 2))
    try:
        moment = datetime(year, month, day, hour, minute, second, tzinfo=_ZONE)
    except ValueError as exc:
        raise FrameError(f"time {digits}, expected a moment: {exc}") from exc
    return int(moment.timestamp()) * SECOND_NS + int(full[14:] or 0) * _MILLISECOND_NS


def from_utc_ns(time_ns: int, digits: int) -> str:
    """A moment of this century as 10, 12, 14 or 17 digits, what is finer cut off; raises FrameError for another."""
    moment = datetime.fromtimestamp(time_ns // SECOND_NS, UTC).astimezone(_ZONE)
    if not 2000 <= moment.year < 2100:
        raise FrameError(f"year {moment.year}, expected 2000 to 2099")
    text = moment.strftime(_LENGTHS[digits])
    return text + f"{time_ns % SECOND_NS // _MILLISECOND_NS:03}" if digits == 17 else text
