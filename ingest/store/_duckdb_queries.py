"""The SQL of the DuckDB store; times inside are whole milliseconds, NULL is the value of a missing reading."""

from typing import Final

APPEND: Final = {
    "samples": "INSERT INTO samples SELECT * FROM incoming_samples",
    "committed": "INSERT INTO committed SELECT * FROM incoming_committed",
}

POINTS: Final = """
SELECT series, time_ms * 1000000 AS time_ns, coalesce(value, 'nan') AS value, quality, cause
FROM samples WHERE series = $series AND time_ms >= $start AND time_ms < $stop
ORDER BY time_ms, commit_no LIMIT $most
"""

SAMPLES: Final = """
SELECT commit_no, series, time_ms * 1000000 AS time_ns, coalesce(value, 'nan') AS value, quality, cause
FROM samples SEMI JOIN asked USING (series) WHERE time_ms >= $start AND time_ms < $stop
"""

BUCKETS: Final = """
SELECT time_ms // $every * $every * 1000000 AS time_ns,
    coalesce(min(value) FILTER (usable), 'nan') AS minimum,
    coalesce(avg(value) FILTER (usable), 'nan') AS mean,
    coalesce(max(value) FILTER (usable), 'nan') AS maximum,
    count(*) FILTER (usable) AS count,
    max(quality) AS quality
FROM (
    SELECT *, quality < $bad AS usable FROM samples
    WHERE series = $series AND time_ms >= $start AND time_ms < $stop
)
GROUP BY time_ms // $every ORDER BY 1
"""

LATEST: Final = """
SELECT series, time_ms * 1000000 AS time_ns, coalesce(value, 'nan') AS value, quality, cause
FROM (
    SELECT unnest(arg_max(s, (s.time_ms, s.commit_no))) FROM samples AS s
    WHERE time_ms >= $start AND time_ms < $stop AND NOT (quality >= $suspect AND cause & $clock <> 0)
    GROUP BY series
)
ORDER BY series
"""

PAGE_END: Final = """
SELECT max(commit_no) FROM (
    SELECT commit_no FROM samples WHERE commit_no > $after AND commit_no <= $upto AND time_ms >= $start
    ORDER BY commit_no LIMIT $most
)
"""

PAGE: Final = """
SELECT commit_no, source, series, time_ms * 1000000 AS time_ns, coalesce(value, 'nan') AS value, quality, cause
FROM samples WHERE commit_no > $after AND commit_no <= $upto AND time_ms >= $start
ORDER BY commit_no, rowid
"""

SPANS: Final = """
SELECT series, min(time_ms) * 1000000 AS first_ns, max(time_ms) * 1000000 AS last_ns
FROM samples GROUP BY series ORDER BY series
"""

COUNT: Final = "SELECT count(*) FROM samples"
DISTINCT_COUNT: Final = "SELECT count(*) FROM (SELECT DISTINCT series, time_ms FROM samples)"
QUALITY_COUNT: Final = "SELECT count(*) FROM samples WHERE quality = $quality"
TALLY: Final = """
SELECT count(*), count(DISTINCT (series, time_ms)), count(*) FILTER (quality = $missing)
FROM samples WHERE commit_no > $after AND source = $source
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
