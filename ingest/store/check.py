"""What is wrong inside a store: counts, sums, ranges and numbers that don't agree, each in a line with the way out."""

from collections.abc import Iterator
from typing import Final

from ingest.store._day_queries import quoted
from ingest.store._duckdb_file import DuckDBFile
from ingest.store.days import DAY_MS, Day, Days

_WAY_OUT: Final = "restore a backup; gateways resend what their spools still hold"
_QUESTIONS: Final = {
    "rows of a gateway that has no name": "SELECT count(*) FROM samples ANTI JOIN sources ON id = source",
    "batch numbers that stand in two ranges": """
        SELECT count(*) FROM (
            SELECT first_seq, lag(last_seq) OVER (PARTITION BY source, epoch ORDER BY first_seq) AS before
            FROM committed
        ) WHERE first_seq <= before""",
    "rows of a commit that is in no range": """
        SELECT count(*) FROM samples WHERE commit_no > (SELECT coalesce(max(commit_no), 0) FROM committed)""",
    "missing readings that have a value, or others without one": """
        SELECT count(*) FROM samples WHERE (quality = 4) <> (value IS NULL)""",
    "rows of no quality": "SELECT count(*) FROM samples WHERE quality > 4",
    "days that stand there twice": "SELECT count(*) - count(DISTINCT day) FROM days",
    "sums of days that are not closed": "SELECT count(*) FROM daily ANTI JOIN days USING (day)",
}
_FILE: Final = """
SELECT count(*), count(*) FILTER (second * 1000 + ms NOT BETWEEN $start AND $stop),
    count(*) FILTER (digits IS NULL AND raw IS NULL AND quality <> 4) FROM read_parquet({rows})
"""
_HOURS: Final = """
SELECT coalesce(sum(unchecked + good + suspect + bad + missing), 0), coalesce(sum(total), 0) FROM read_parquet({hours})
"""
_DAILY: Final = """
SELECT coalesce(sum(unchecked + good + suspect + bad + missing), 0), coalesce(sum(total), 0) FROM daily WHERE day = $day
"""


def findings(file: DuckDBFile, days: Days) -> Iterator[str]:
    """A line for each thing that is wrong; files that are not what was written are for ``Days.check`` to say."""
    with file.reading() as reader:
        for what, question in _QUESTIONS.items():
            if (count := reader.execute(question).fetchall()[0][0]) != 0:
                yield f"{file.path}: {count} {what}, expected none: {_WAY_OUT}"
    for number in sorted(days.by_day):
        day = days.by_day[number]
        if number not in days.damaged and (problem := _of_day(file, days, day)):
            yield f"{days.rows_path(day)}: {problem}: {_WAY_OUT}"


def _of_day(file: DuckDBFile, days: Days, day: Day) -> str | None:
    span = {"start": day.day * DAY_MS, "stop": (day.day + 1) * DAY_MS - 1}
    with file.reading() as reader:
        rows, outside, valueless = reader.execute(_FILE.format(rows=quoted(days.rows_path(day))), span).fetchall()[0]
        hours, total = reader.execute(_HOURS.format(hours=quoted(days.hours_path(day)))).fetchall()[0]
        counted, summed = reader.execute(_DAILY, {"day": day.day}).fetchall()[0]
    if rows != day.rows:
        return f"{rows} rows, expected {day.rows}"
    if outside or valueless:
        return f"{outside} rows of another day, {valueless} without a value, expected none"
    if counted != hours or (not day.forgotten and hours != rows):
        return f"hours count {hours} rows and the day {counted}, expected {rows}"
    if abs(total - summed) > 1e-6 * max(abs(total), 1.0):
        return f"hours add up to {total:g} and the day to {summed:g}, expected the same"
    return None
