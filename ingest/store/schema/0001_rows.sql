-- Rows in the order of their commits; times in whole milliseconds of UTC (two bytes a row less than nanoseconds).
CREATE TABLE samples (
    commit_no BIGINT NOT NULL,
    source INTEGER NOT NULL,
    series BIGINT NOT NULL,
    time_ms BIGINT NOT NULL,
    value DOUBLE, -- NULL: no reading
    quality UTINYINT NOT NULL,
    cause USMALLINT NOT NULL
);

-- Which batches are in `samples`: inclusive ranges, appended with each commit and merged now and then. No key: an
-- index costs more than the rows do, and the one writer merges in memory.
CREATE TABLE committed (
    commit_no BIGINT NOT NULL,
    source INTEGER NOT NULL,
    epoch BIGINT NOT NULL,
    first_seq BIGINT NOT NULL,
    last_seq BIGINT NOT NULL
);

CREATE TABLE sources (id INTEGER NOT NULL, name VARCHAR NOT NULL);

-- The newest announcements of each gateway as they came: a spool may still hold rows of series that are no longer
-- announced, so a few older ones are kept.
CREATE TABLE announcements (
    number BIGINT NOT NULL,
    source VARCHAR NOT NULL,
    revision VARCHAR NOT NULL,
    payload BLOB NOT NULL
);

-- For people with a SQL prompt.
CREATE VIEW readings AS
SELECT commit_no, sources.name AS source, series, make_timestamp(time_ms * 1000) AS time, value, quality, cause
FROM samples JOIN sources ON sources.id = samples.source;
