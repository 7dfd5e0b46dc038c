"""The SQL of closed days: their files written and read, their sums joined with those of open rows.

Measured on a day of 16,000 series at ten minutes with jittered milliseconds, and on a simulated storm, in bytes a row:
doubles as they are 4.4 and 3.5; seconds apart from milliseconds 3.2 and 3.0; decimal digits as whole numbers, delta
coded, with the divisor of their series beside them, 2.8 and 1.8. A value that this does not give back to the last bit
stays as it is, in ``raw``. Rows in groups of 122,880 are found in a third of the time that groups of 20,480 take.
Hours are read by many series at once, so their doubles are unpacked in full: a week of 50 series of 16,000 takes 25 ms
from lz4, 45 from zstd, which is a sixth smaller; smaller groups are slower.
"""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Final

_OPEN: Final = "SELECT commit_no, source, series, time_ms, value, quality, cause FROM samples"
_DIGITS: Final = range(7)
_KINDS: Final = ("unchecked", "good", "suspect", "bad", "missing")
_COUNTS: Final = ", ".join(f"count(*) FILTER (quality = {at}) AS {name}" for at, name in enumerate(_KINDS))
_WORST: Final = (
    "CASE WHEN missing > 0 THEN 4 WHEN bad > 0 THEN 3 WHEN suspect > 0 THEN 2 WHEN good > 0 THEN 1 ELSE 0 END"
)


def quoted(path: Path) -> str:
    """A path as text in SQL."""
    return "'" + str(path).replace("'", "''") + "'"


def files_of(paths: Sequence[Path]) -> str:
    """Files as a list in SQL."""
    return f"[{', '.join(map(quoted, paths))}]"


def closed(files: Sequence[Path], *, numbered: bool = False) -> str:
    """The rows in files of closed days, under the number of the last commit that each holds."""
    more, option = (", file_row_number", ", file_row_number = true") if numbered else ("", "")
    return f"""
    SELECT commit_no, source, series, second * 1000 + ms AS time_ms, coalesce(digits / per, raw) AS value,
        quality, cause{more} FROM read_parquet({files_of(files)}{option})
    """  # noqa: S608 - our own files


def rows(files: Sequence[Path]) -> str:
    """Open rows and those in files; the file's row comes last, so that it is the later one of two that are the same."""
    return f"({_OPEN} UNION ALL {closed(files)})" if files else f"({_OPEN})"


def _winners(source: str, where: str) -> str:
    """Of each series and time the row of the later commit."""
    return f"""
    SELECT * FROM {source} WHERE {where}
    QUALIFY lead(time_ms) OVER (PARTITION BY series ORDER BY time_ms, commit_no) IS DISTINCT FROM time_ms
    """  # noqa: S608 - made of our own parts


def write_rows(target: Path, old: Sequence[Path], open_where: str, kept_where: str) -> str:
    """The rows of a day into a file: the old ones and the open ones up to a commit, sorted by series and time."""
    source = f"({_OPEN} WHERE {open_where}{' UNION ALL ' + closed(old) if old else ''})"
    fits = ", ".join(
        f"bool_and(value IS NULL OR (abs(value) < 9e15 / 1e{k} AND round(value * 1e{k}) / 1e{k} = value)) AS fits_{k}"
        for k in _DIGITS
    )
    chosen = " ".join(f"WHEN fits_{k} THEN 1e{k}" for k in _DIGITS)
    return f"""
    COPY (
        WITH winners AS MATERIALIZED ({_winners(source, kept_where)}),
            scales AS (SELECT series, CASE {chosen} END::DOUBLE AS per FROM (
                SELECT series, {fits} FROM winners GROUP BY series))
        SELECT $upto::BIGINT AS commit_no, source, series, (time_ms + 500) // 1000 AS second,
            (time_ms - (time_ms + 500) // 1000 * 1000)::SMALLINT AS ms,
            CASE WHEN per IS NOT NULL THEN round(value * per)::BIGINT END AS digits, per,
            CASE WHEN per IS NULL THEN value END AS raw, quality, cause
        FROM winners JOIN scales USING (series) ORDER BY series, time_ms
    ) TO {quoted(target)} (FORMAT parquet, PARQUET_VERSION v2, COMPRESSION zstd, ROW_GROUP_SIZE 122880)
    """  # noqa: S608 - made of constants and our own files


def write_hours(target: Path, made: Path, old: Sequence[Path]) -> str:
    """The hours of a day's file; those of series whose rows retention let go stay as they were."""
    fresh = f"""
    SELECT series, time_ms // 3600000 AS hour, min(time_ms) AS first_ms, max(time_ms) AS last_ms, {_SUMS}
    FROM ({closed([made])}) GROUP BY ALL
    """  # noqa: S608
    kept = f"""
    UNION ALL BY NAME SELECT * FROM read_parquet({files_of(old)})
    ANTI JOIN (SELECT DISTINCT series FROM read_parquet({quoted(made)})) AS present USING (series)
    """  # noqa: S608
    return f"""
    COPY (SELECT * FROM ({fresh}{kept if old else ""}) ORDER BY series, hour)
    TO {quoted(target)} (FORMAT parquet, COMPRESSION lz4_raw, ROW_GROUP_SIZE 122880)
    """  # noqa: S608


_SUMS: Final = f"""
    min(value) FILTER (quality < 3) AS minimum, max(value) FILTER (quality < 3) AS maximum,
    sum(value) FILTER (quality < 3) AS total, {_COUNTS}
"""
INSERT_DAILY: Final = """
INSERT INTO daily BY NAME
SELECT $day::INTEGER AS day, series, min(first_ms) AS first_ms, max(last_ms) AS last_ms, min(minimum) AS minimum,
    max(maximum) AS maximum, sum(total) AS total, sum(unchecked)::BIGINT AS unchecked, sum(good)::BIGINT AS good,
    sum(suspect)::BIGINT AS suspect, sum(bad)::BIGINT AS bad, sum(missing)::BIGINT AS missing
FROM read_parquet({hours}) GROUP BY series ORDER BY series
"""


def buckets(files: Sequence[Path], hours: Sequence[Path], daily: Iterable[int], raw_where: str) -> str:
    """Buckets of one series from rows, hours and days, each where it is enough."""
    parts = [
        f"""
        SELECT time_ms // $every AS bucket, min(value) FILTER (quality < 3) AS minimum,
            max(value) FILTER (quality < 3) AS maximum, sum(value) FILTER (quality < 3) AS total,
            count(*) FILTER (quality < 3) AS usable, max(quality)::INTEGER AS worst
        FROM (
            SELECT DISTINCT ON (time_ms) time_ms, value, quality FROM {rows(files)}
            WHERE series = $series AND time_ms >= $start AND time_ms < $stop AND {raw_where}
            ORDER BY time_ms, commit_no DESC
        ) GROUP BY ALL
        """  # noqa: S608
    ]
    summed = f"minimum, maximum, total, unchecked + good + suspect AS usable, {_WORST} AS worst"
    if hours:
        parts.append(f"""
        SELECT hour * 3600000 // $every, {summed} FROM read_parquet({files_of(hours)})
        WHERE series = $series AND hour * 3600000 >= $start AND (hour + 1) * 3600000 <= $stop
        """)  # noqa: S608
    if days := list(daily):
        parts.append(f"""
        SELECT day::BIGINT * 86400000 // $every, {summed} FROM daily
        WHERE series = $series AND day BETWEEN {min(days)} AND {max(days)} AND day IN ({", ".join(map(str, days))})
        """)  # noqa: S608
    return f"""
    SELECT bucket * $every * 1000000 AS time_ns, coalesce(min(minimum), 'nan') AS minimum,
        coalesce(sum(total) / sum(usable), 'nan') AS mean, coalesce(max(maximum), 'nan') AS maximum,
        sum(usable)::BIGINT AS count, max(worst)::UTINYINT AS quality
    FROM ({" UNION ALL ".join(parts)}) GROUP BY bucket ORDER BY bucket
    """  # noqa: S608


def hours(files: Sequence[Path], summed: Sequence[Path], raw_where: str) -> str:
    """Hours of the series in ``asked``, from rows and from hours."""
    parts = f"""
    SELECT series, time_ms // 3600000 AS hour, {_SUMS} FROM (
        SELECT series, time_ms, arg_max(quality, commit_no) AS quality, arg_max(value, commit_no) AS value
        FROM {rows(files)} SEMI JOIN asked USING (series)
        WHERE time_ms >= $start AND time_ms < $stop AND {raw_where} GROUP BY series, time_ms
    ) GROUP BY ALL
    """  # noqa: S608
    if summed:
        parts += f"""
        UNION ALL BY NAME SELECT series, hour, minimum, maximum, total, {", ".join(_KINDS)}
        FROM read_parquet({files_of(summed)}) SEMI JOIN asked USING (series)
        WHERE hour * 3600000 >= $start AND hour * 3600000 < $stop
        """  # noqa: S608
    return f"""
    SELECT series, hour * 3600000000000 AS time_ns,
        coalesce(total / (unchecked + good + suspect), 'nan') AS mean,
        coalesce(maximum, 'nan') AS maximum, {", ".join(_KINDS)}
    FROM ({parts}) ORDER BY 1, 2
    """  # noqa: S608


def gone(hours: Path, rows: Path) -> str:
    """A table of the series that a day has hours of and no rows."""
    return f"""
    CREATE OR REPLACE TEMP TABLE gone AS SELECT DISTINCT series FROM read_parquet({quoted(hours)})
    EXCEPT SELECT DISTINCT series FROM read_parquet({quoted(rows)})
    """  # noqa: S608 - our own files
