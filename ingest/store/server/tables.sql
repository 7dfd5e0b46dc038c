-- The journal beside a server of rows. `commits`: groups that the server or the engine may still need, whole.
CREATE TABLE commits (number INTEGER PRIMARY KEY, done INTEGER NOT NULL, payload BLOB NOT NULL) STRICT;

-- Which batches are part of the record: inclusive ranges, appended with each commit and merged now and then.
CREATE TABLE committed (
    source TEXT NOT NULL,
    epoch INTEGER NOT NULL,
    first_seq INTEGER NOT NULL,
    last_seq INTEGER NOT NULL,
    commit_no INTEGER NOT NULL
) STRICT;

-- The layers as they were after a commit; those after it come out of `commits`.
CREATE TABLE layers (number INTEGER NOT NULL, packed BLOB NOT NULL) STRICT;
INSERT INTO layers VALUES (0, x'90');

CREATE TABLE names (
    series INTEGER PRIMARY KEY, station TEXT NOT NULL, point TEXT NOT NULL, quantity TEXT NOT NULL
) STRICT;

CREATE TABLE announcements (
    number INTEGER PRIMARY KEY, source TEXT NOT NULL, revision TEXT NOT NULL, payload BLOB NOT NULL
) STRICT;
