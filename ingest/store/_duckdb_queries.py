"""The SQL of the DuckDB store; times inside are whole milliseconds, NULL is the value of a missing reading.

``{rows}`` stands for the rows that a query reads: the open ones, and those in the files of closed days
(``ingest.store._day_queries``). Of two rows of one series and time the one with the larger ``commit_no`` counts.
"""

from typing import Final

APPEND: Final = {
    "samples": "INSERT INTO samples SELECT * FROM incoming_samples",
    "committed": "INSERT INTO committed SELECT * FROM incoming_committed",
}

POINTS: Final = """
SELECT series, time_ms * 1000000 AS time_ns, coalesce(value, 'nan') AS value, quality, cause
FROM (
    SELECT DISTINCT ON (time_ms) series, time_ms, value, quality, cause FROM {rows}
    WHERE series = $series AND time_ms >= $start AND time_ms < $stop ORDER BY time_ms, commit_no DESC
)
ORDER BY time_ms LIMIT $most
"""

SAMPLES: Final = """
SELECT commit_no, series, time_ms * 1000000 AS time_ns, coalesce(value, 'nan') AS value, quality, cause
FROM {rows} SEMI JOIN asked USING (series) WHERE time_ms >= $start AND time_ms < $stop
"""

LATEST: Final = """
SELECT series, time_ms * 1000000 AS time_ns, coalesce(value, 'nan') AS value, quality, cause
FROM (
    SELECT unnest(arg_max(s, (s.time_ms, s.commit_no))) FROM {rows} AS s
    WHERE time_ms >= $start AND time_ms < $stop AND NOT (quality >= $suspect AND cause & $clock <> 0)
    GROUP BY series
)
ORDER BY series
"""

_OPEN: Final = """samples WHERE commit_no > $after AND commit_no <= $upto AND time_ms >= $start AND NOT EXISTS (
    FROM days WHERE day = time_ms // 86400000 AND samples.commit_no <= days.upto)"""
PAGE_END: Final = f"""
SELECT max(commit_no) FROM (SELECT commit_no FROM {_OPEN} ORDER BY commit_no LIMIT $most)
"""  # noqa: S608 - made of constants

PAGE: Final = f"""
SELECT commit_no, source, series, time_ms * 1000000 AS time_ns, coalesce(value, 'nan') AS value, quality, cause
FROM {_OPEN} ORDER BY commit_no, rowid
"""  # noqa: S608 - made of constants

SPANS: Final = """
SELECT series, min(time_ms) * 1000000 AS first_ns, max(time_ms) * 1000000 AS last_ns
FROM (SELECT series, time_ms FROM samples UNION ALL SELECT series, unnest([first_ms, last_ms]) FROM daily)
GROUP BY series ORDER BY series
"""

_UNFILED: Final = """FROM samples WHERE NOT EXISTS (
    FROM days WHERE day = time_ms // 86400000 AND samples.commit_no <= days.upto)"""
"""Rows that are in no file; others that are still in the table are swept by and by."""
COUNT: Final = f"SELECT (SELECT count(*) {_UNFILED}) + (SELECT coalesce(sum(rows), 0) FROM days)"  # noqa: S608
MISSING_COUNT: Final = f"""
SELECT (SELECT count(*) {_UNFILED} AND quality = $missing) + (SELECT coalesce(sum(missing), 0) FROM days)
"""  # noqa: S608 - made of constants
DISTINCT_COUNT: Final = "SELECT count(*) FROM (SELECT DISTINCT series, time_ms FROM {rows})"
UNFILED: Final = f"SELECT commit_no, source, series, time_ms, value, quality, cause {_UNFILED}"
TALLY: Final = """
SELECT count(*), count(DISTINCT (series, time_ms)), count(*) FILTER (quality = $missing)
FROM ({rows}) WHERE commit_no > $after AND source = $source
"""
OPEN_DAYS: Final = """
SELECT DISTINCT time_ms // 86400000 FROM samples WHERE series = $series AND time_ms >= $start AND time_ms < $stop
"""
OPEN_DAYS_OF_ASKED: Final = """
SELECT DISTINCT time_ms // 86400000 FROM samples SEMI JOIN asked USING (series)
WHERE time_ms >= $start AND time_ms < $stop
"""
DAY_PAGE: Final = """
SELECT commit_no, source, series, time_ms * 1000000 AS time_ns, coalesce(value, 'nan') AS value, quality, cause
FROM ({rows}) WHERE file_row_number >= $first AND file_row_number < $stop AND time_ms >= $start
"""

LEDGER: Final = """
SELECT name, epoch, first_seq, last_seq, commit_no FROM committed JOIN sources ON id = source ORDER BY ALL
"""

SAVE_ANNOUNCEMENT: Final = """
INSERT INTO announcements SELECT coalesce(max(number), 0) + 1, $source, $revision, $payload FROM announcements
"""
FORGET_ANNOUNCEMENTS: Final = """
DELETE FROM announcements WHERE source = $source AND number NOT IN (
    SELECT number FROM announcements WHERE source = $source ORDER BY number DESC LIMIT $kept
)
"""
ANNOUNCEMENTS: Final = "SELECT source, payload FROM announcements ORDER BY number"
