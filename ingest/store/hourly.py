"""Hours of many series at once, for who remembers weeks: from stores that know them without reading every row."""

from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from telemetry.batch import F64, I64


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Hours:
    """Hours that hold any row, ordered by series and time; all columns of shape (n,), ``by_quality`` (n, 5).

    ``mean`` and ``maximum`` are over the rows better than BAD, NaN where there is none; ``by_quality`` is how many rows
    there are of each quality. Of two rows of one series and time the later commit's counts.
    """

    series: I64
    time_ns: I64
    mean: F64
    maximum: F64
    by_quality: I64

    def __len__(self) -> int:
        return len(self.series)


@runtime_checkable
class Hourly(Protocol):
    """A store that knows hours."""

    def hours(self, series: I64, from_ns: int, to_ns: int) -> Hours:
        """The hours of many series (k,) that begin with ``from_ns <= time < to_ns``."""
