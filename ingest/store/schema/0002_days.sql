-- Closed days (UTC): one Parquet file of rows and one of hours each, beside this file; a row here makes them count.
-- Rows of ``samples`` with ``commit_no <= upto`` of a closed day are in its file, and are swept from here by and by.
CREATE TABLE days (
    day INTEGER NOT NULL, -- since 1970-01-01
    generation INTEGER NOT NULL,
    upto BIGINT NOT NULL,
    rows BIGINT NOT NULL,
    missing BIGINT NOT NULL,
    first_commit BIGINT NOT NULL,
    first_ms BIGINT NOT NULL,
    last_ms BIGINT NOT NULL,
    rows_bytes BIGINT NOT NULL,
    rows_crc BIGINT NOT NULL,
    hours_bytes BIGINT NOT NULL,
    hours_crc BIGINT NOT NULL,
    forgotten BIGINT NOT NULL -- mark of the series whose rows retention let go, 0: none
);

-- Sums of each series over each closed day, kept for ever; ``total`` is over the rows better than BAD.
CREATE TABLE daily (
    day INTEGER NOT NULL,
    series BIGINT NOT NULL,
    first_ms BIGINT NOT NULL,
    last_ms BIGINT NOT NULL,
    minimum DOUBLE,
    maximum DOUBLE,
    total DOUBLE,
    unchecked BIGINT NOT NULL,
    good BIGINT NOT NULL,
    suspect BIGINT NOT NULL,
    bad BIGINT NOT NULL,
    missing BIGINT NOT NULL
);
