"""Closed days of the store: files, late rows, retention, damage, and files of every older schema."""

from pathlib import Path

import duckdb
import numpy as np
import pytest

from ingest.store import schema
from ingest.store.days import date_of
from ingest.store.duckdb import DuckDBStore
from ingest.store.upkeep import Expiry, Timing
from telemetry.batch import Batch, rows
from telemetry.clock import HOUR_NS, MINUTE_NS
from telemetry.quality import Quality
from tests.unit.ingest_data import SOURCE

DAY_NS = 24 * HOUR_NS
FIRST_NS = 19_566 * DAY_NS  # 2023-07-28
SERIES = np.array([5, 9], np.int64)
NOW_NS = FIRST_NS + 5 * DAY_NS


def quarter_hours(seq: int, day: int, value: float = 1.25) -> Batch:
    """A day of both series, every quarter of an hour."""
    time_ns = FIRST_NS + day * DAY_NS + np.arange(96) * 15 * MINUTE_NS
    levels = value + np.round(np.arange(96) * 0.001, 3)
    return rows(SOURCE, np.repeat(SERIES, 96), np.tile(time_ns, 2), np.tile(levels, 2)).numbered(7, seq)


def late(seq: int, day: int, value: float) -> Batch:
    time_ns = FIRST_NS + day * DAY_NS + HOUR_NS
    return rows(SOURCE, SERIES[:1], np.array([time_ns]), np.array([value])).numbered(7, seq)


@pytest.fixture
def path(tmp_path):
    return tmp_path / "store.duckdb"


@pytest.fixture
def store(path):
    store = DuckDBStore(path)
    for day in range(3):
        store.commit([quarter_hours(day + 1, day)])
    store.passed(3)
    yield store
    store.close()


def names(path: Path) -> list[str]:
    return sorted(file.name for file in path.with_name(path.name + ".days").iterdir())


def open_rows(store: DuckDBStore) -> int:
    with store._file.reading() as reader:
        return reader.execute("SELECT count(*) FROM samples").fetchall()[0][0]


def test_a_day_is_closed_into_files_two_hours_after_its_end_and_swept(store, path):
    store.upkeep.run(FIRST_NS + DAY_NS + 2 * HOUR_NS - 1)
    assert open_rows(store) == 3 * 192
    assert store.upkeep.run(FIRST_NS + DAY_NS + 2 * HOUR_NS) == 1
    assert names(path) == ["2023-07-28.0001.hours.parquet", "2023-07-28.0001.rows.parquet"]
    assert (open_rows(store), store.count(), store.distinct_count()) == (2 * 192, 3 * 192, 3 * 192)
    assert store.upkeep.run(FIRST_NS + DAY_NS + 2 * HOUR_NS) == 0


def test_a_day_is_not_closed_before_the_engine_is_past_its_rows(path):
    store = DuckDBStore(path)
    store.commit([quarter_hours(1, 0)])
    store.commit([quarter_hours(2, 1)])
    assert store.upkeep.run(NOW_NS) == 0
    store.passed(1)
    assert store.upkeep.run(NOW_NS) == 1
    assert [len(commit) for commit in store.rows_after(1)] == [192]
    assert store.tally(SOURCE, 0).distinct == 384
    store.close()


def test_a_late_row_is_read_at_once_and_merged_at_most_once_an_hour(store, path):
    store.upkeep.run(NOW_NS)
    everything = (5, FIRST_NS, FIRST_NS + DAY_NS, DAY_NS)
    before = store.buckets(*everything)
    for seq, (value, files) in enumerate([(900.0, 2), (901.0, 2), (899.0, 3)], start=10):
        store.commit([late(seq, 0, value)])
        store.passed(store.last_commit())
        assert store.buckets(*everything).maximum.tolist() == [value]
        assert store.points(5, FIRST_NS + HOUR_NS, FIRST_NS + HOUR_NS + 1).value.tolist() == [value]
        at_ns = NOW_NS + (seq - 10) * 40 * MINUTE_NS
        store.upkeep.run(at_ns)
        assert f"2023-07-28.{files:04}.rows.parquet" in names(path)
        assert store.buckets(*everything).maximum.tolist() == [value]
    after = store.buckets(*everything)
    assert after.count.tolist() == before.count.tolist() == [96]
    assert (open_rows(store), len(names(path)), store.count()) == (0, 6, 3 * 192)


def test_hours_and_days_answer_long_ranges_without_the_rows(store, path):
    """What is deleted behind its back proves where an answer comes from."""
    store.upkeep.run(NOW_NS)
    hourly = store.buckets(5, FIRST_NS, FIRST_NS + 3 * DAY_NS, HOUR_NS)
    daily = store.buckets(5, FIRST_NS, FIRST_NS + 3 * DAY_NS, DAY_NS)
    assert (len(hourly.time_ns), daily.count.tolist()) == (72, [96] * 3)
    expiry = Expiry(SERIES, 1)
    assert store.upkeep.run(NOW_NS, expiries=[expiry]) == 3
    assert store.upkeep.run(NOW_NS, expiries=[expiry]) == 0
    assert len(store.points(5, 0, 2**62)) == store.count() == 0
    for every, known in ((HOUR_NS, hourly), (DAY_NS, daily)):
        found = store.buckets(5, FIRST_NS, FIRST_NS + 3 * DAY_NS, every)
        for name in ("time_ns", "minimum", "mean", "maximum", "count", "quality"):
            np.testing.assert_array_equal(getattr(found, name), getattr(known, name))
    assert len(store.spans().series) == 2


def test_rows_are_let_go_by_series_and_only_when_their_time_is_over(store):
    store.upkeep.run(NOW_NS)
    assert store.upkeep.run(NOW_NS, expiries=[Expiry(SERIES[:1], 4)]) == 1  # of the day before the day before
    assert [len(store.points(one, 0, 2**62)) for one in SERIES.tolist()] == [2 * 96, 3 * 96]
    store.commit([late(20, 0, 7.0)])
    store.passed(store.last_commit())
    store.upkeep.run(NOW_NS)
    assert len(store.points(5, 0, FIRST_NS + DAY_NS)) == 0, "a late row of a series whose rows are gone"
    assert store.buckets(5, FIRST_NS, FIRST_NS + DAY_NS, DAY_NS).count.tolist() == [96]


@pytest.mark.parametrize("harm", ["missing", "truncated", "flipped"])
def test_a_damaged_day_is_said_and_the_others_are_read(store, path, harm):
    store.upkeep.run(NOW_NS)
    store.close()
    victim = path.with_name(path.name + ".days") / "2023-07-29.0001.rows.parquet"
    content = bytearray(victim.read_bytes())
    if harm == "missing":
        victim.unlink()
    elif harm == "truncated":
        victim.write_bytes(content[:-100])
    else:
        content[len(content) // 2] ^= 1
        victim.write_bytes(content)
    again = DuckDBStore(path)
    (problem,) = again.troubles()
    assert "2023-07-29.0001.rows.parquet" in problem
    assert "expected" in problem
    assert "copy this file back from a backup" in problem
    times = again.points(5, 0, 2**62).time_ns // DAY_NS - FIRST_NS // DAY_NS
    assert np.unique(times).tolist() == [0, 2]
    assert again.buckets(5, FIRST_NS, FIRST_NS + 3 * DAY_NS, 15 * MINUTE_NS).count.sum() == 192
    assert list(again.check()) == [problem]
    again.close()


def test_files_of_a_process_that_died_are_removed_and_others_left_alone(store, path):
    store.upkeep.run(NOW_NS)
    store.close()
    folder = path.with_name(path.name + ".days")
    known = names(path)
    for name in ("2023-07-28.0007.rows.parquet", "2023-07-30.0002.hours.parquet.part", "mine.parquet"):
        (folder / name).write_bytes(b"x")
    DuckDBStore(path).close()
    assert names(path) == sorted([*known, "mine.parquet"])


def test_a_reader_keeps_the_files_that_it_began_with(store, path):
    store.upkeep.run(NOW_NS)
    store.upkeep.timing = Timing(patience_s=0.0)
    with store._rows(0, 2**62) as (reader, source):
        store.commit([late(10, 0, 900.0)])
        store.passed(4)
        store.upkeep.run(NOW_NS)
        found = reader.execute(f"SELECT count(*) FROM {source}").fetchall()[0][0]
        assert found >= 3 * 192
        assert "2023-07-28.0001.rows.parquet" in names(path)
    store.upkeep.run(NOW_NS)
    assert "2023-07-28.0001.rows.parquet" not in names(path)


@pytest.mark.parametrize("version", range(1, schema.VERSION + 1))
def test_a_store_of_every_version_opens_with_its_rows(path, version):
    """Made by the SQL of that version, as its program would have."""
    with duckdb.connect(str(path)) as file:
        file.execute("CREATE TABLE schema_version (version INTEGER NOT NULL)")
        for number, text in schema.steps().items():
            if number <= version:
                file.execute(text)
                file.execute("INSERT INTO schema_version VALUES (?)", [number])
        file.execute("INSERT INTO sources VALUES (1, ?)", [SOURCE])
        file.execute("INSERT INTO committed VALUES (1, 1, 7, 1, 3)")
        file.execute("INSERT INTO announcements VALUES (1, ?, 'r1', 'x'::BLOB)", [SOURCE])
        start_ms = FIRST_NS // 1_000_000
        file.execute("INSERT INTO samples SELECT 1, 1, 5, ? + i * 60000, i, 1, 0 FROM range(90) AS t(i)", [start_ms])
        file.execute("INSERT INTO samples VALUES (1, 1, 5, ?, NULL, 4, 32)", [start_ms + 90 * 60_000])
    store = DuckDBStore(path)
    assert (store.info().schema, store.last_commit(), store.announcements()) == (schema.VERSION, 1, [(SOURCE, b"x")])
    store.passed(1)
    assert store.upkeep.run(NOW_NS) == 1
    assert store.points(5, 0, 2**62).value[:90].tolist() == list(map(float, range(90)))
    assert store.buckets(5, FIRST_NS, FIRST_NS + DAY_NS, HOUR_NS).quality.tolist() == [Quality.GOOD, Quality.MISSING]
    assert not any(store.commit([late(seq, 0, 1.0) for seq in (1, 2, 3)]).fresh)
    store.close()
    assert date_of(19_566) == "2023-07-28"
