"""Which of a span is read from rows, from hours and from days: the answer is the one that all rows would give."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path

from ingest.store import _day_queries as sql
from ingest.store.days import DAY_MS, HOUR_MS, Days


@dataclass(frozen=True, slots=True, kw_only=True)
class Chosen:
    """Files of rows and of hours, days whose sums do; ``raw_where`` keeps the rows that those answer out."""

    files: Sequence[Path]
    hours: Sequence[Path]
    daily: Sequence[int]
    raw_where: str

    def buckets_sql(self) -> str:
        """The query for buckets of one series."""
        return sql.buckets(self.files, self.hours, self.daily, self.raw_where)

    def hours_sql(self) -> str:
        """The query for hours of the asked series."""
        return sql.hours(self.files, self.hours, self.raw_where)


def choose(days: Days, open_days: Collection[int], start_ms: int, stop_ms: int, unit_ms: int) -> Chosen:
    """What answers a span in units of ``unit_ms``; ``open_days`` hold rows of the asked series that are in no file."""
    begin, end = -(-start_ms // HOUR_MS) * HOUR_MS, stop_ms // HOUR_MS * HOUR_MS
    if unit_ms % HOUR_MS or end <= begin:
        return _raw(days, start_ms, stop_ms)
    files, hours, daily, summed = [], [], [], []
    for number in sorted(days.by_day):
        day, first = days.by_day[number], number * DAY_MS
        if not (day.last_ms >= start_ms and day.first_ms < stop_ms):
            continue
        whole = unit_ms % DAY_MS == 0 and begin <= first and first + DAY_MS <= end
        if number not in open_days and whole:
            daily.append(number)
        elif number not in open_days and days.is_sound(day):
            hours.append(days.hours_path(day))
        else:
            files += [days.rows_path(day)] if days.is_sound(day) else []
            continue
        summed.append(number)
        if day.rows and not whole and (first < start_ms < begin or end < stop_ms < first + DAY_MS):
            files.append(days.rows_path(day))
    return Chosen(files=files, hours=hours, daily=daily, raw_where=_without(summed, begin, end))


def _raw(days: Days, start_ms: int, stop_ms: int) -> Chosen:
    files = [days.rows_path(day) for day in days.within(start_ms, stop_ms)]
    return Chosen(files=files, hours=(), daily=(), raw_where="true")


def _without(summed: Sequence[int], begin: int, end: int) -> str:
    """Rows that no sum has: of other days, or of the broken hours at either end."""
    if not summed:
        return "true"
    spans = " OR ".join(f"time_ms BETWEEN {a * DAY_MS} AND {(b + 1) * DAY_MS - 1}" for a, b in _runs(summed))
    return f"NOT (time_ms >= {begin} AND time_ms < {end} AND ({spans}))"


def _runs(numbers: Sequence[int]) -> list[tuple[int, int]]:
    """Ascending numbers as runs without holes."""
    runs: list[tuple[int, int]] = []
    for number in numbers:
        if runs and runs[-1][1] == number - 1:
            runs[-1] = (runs[-1][0], number)
        else:
            runs.append((number, number))
    return runs
