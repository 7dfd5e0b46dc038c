"""What can be wrong with what arrives, in a few words that can be counted."""

from enum import StrEnum


class Fault(StrEnum):
    """Causes of refusals."""

    MALFORMED = "malformed"
    """Not a message of ours, or of another version."""
    TOO_LARGE = "too_large"
    LENGTHS = "lengths"
    """It lies about its lengths."""
    NAN = "nan"
    """NaN without MISSING, or MISSING without NaN."""
    INFINITE = "infinite"
    QUALITY = "quality"
    """A quality that there is none of."""
    TIME = "time"
    """A time that is no whole millisecond."""
    SERIES = "series"
    """A number that can't be the identity of a series."""
    UNKNOWN_SERIES = "unknown_series"
    """Of a series that its gateway never announced."""
    GATEWAY = "gateway"
    """Nothing of this gateway counts: of another site, or a drill among live ones."""
    UNIT = "unit"
    """Of a series whose newest announcement contradicts an earlier one."""
    ANNOUNCEMENT = "announcement"
    """An announcement that does not count, or a part of it."""


class BadMessageError(ValueError):
    """A message that can't be used: ``fault`` is counted, the text is for people."""

    def __init__(self, fault: Fault, text: str) -> None:
        super().__init__(text)
        self.fault = fault
