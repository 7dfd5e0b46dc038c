"""The DuckDB store: what is written once is read back, whatever is asked for, and never twice."""

import subprocess
import sys
from dataclasses import replace

import duckdb
import numpy as np
import pytest

from ingest.store import schema
from ingest.store.duckdb import DuckDBStore
from ingest.store.protocol import Store, StoreOpenError, StoreRefusedError, Tally
from telemetry.batch import MILLISECOND_NS, Batch, concat
from telemetry.clock import MINUTE_NS, SECOND_NS
from telemetry.quality import Cause, Quality
from tests.unit.ingest_data import SOURCE, START_NS, batch, ids

NAN = float("nan")


@pytest.fixture
def path(tmp_path):
    return tmp_path / "store.duckdb"


@pytest.fixture
def store(path):
    store = DuckDBStore(path)
    yield store
    store.close()


def columns(found: Batch) -> list[np.ndarray]:
    return [found.series, found.time_ns, found.value, found.quality, found.cause]


def assert_rows(found: Batch, expected: Batch) -> None:
    assert found.source == expected.source
    for ours, theirs in zip(columns(found), columns(expected), strict=True):
        assert ours.dtype == theirs.dtype
        np.testing.assert_array_equal(ours, theirs)


def test_the_adapter_answers_the_protocol(store):
    asked: Store = store
    assert asked.last_commit() == 0


def test_a_batch_is_committed_once_also_when_it_comes_twice_in_a_group_or_later(store):
    first, second = batch(1, [1.0, 2.0]), batch(2, [3.0, 4.0], time_ns=START_NS + SECOND_NS)
    result = store.commit([first, first, second])
    assert (result.number, result.fresh, result.rows) == (1, (True, False, True), 4)
    again = store.commit([second, first])
    assert (again.number, again.fresh, again.rows) == (0, (False, False), 0)
    assert (store.count(), store.distinct_count(), store.last_commit()) == (4, 4, 1)
    assert store.is_committed(SOURCE, 7, 2)
    assert not store.is_committed(SOURCE, 7, 3)
    assert not store.is_committed(SOURCE, 8, 2)


def test_the_same_number_of_another_epoch_or_gateway_is_another_batch(store):
    first = batch(1, [1.0, 2.0])
    store.commit([first])
    assert store.commit([replace(first, epoch=8), replace(first, source="demo/gw-2")]).fresh == (True, True)


def test_what_a_file_holds_is_known_after_it_was_closed(path):
    store = DuckDBStore(path)
    store.commit([batch(1, [1.0, 2.0]), batch(3, [1.0, 2.0])])
    store.close()
    store = DuckDBStore(path)
    again = store.commit([batch(1, [1.0, 2.0]), batch(2, [1.0, 2.0]), batch(3, [1.0, 2.0])])
    assert (again.number, again.fresh) == (2, (False, True, False))
    store.close()


def test_commits_come_back_in_order_with_every_column_as_it_was(store):
    flagged = batch(2, [NAN, 4.5], time_ns=START_NS + 1000 * MILLISECOND_NS)
    flagged = flagged.flagged(
        np.array([Quality.MISSING, Quality.SUSPECT], np.uint8), np.array([Cause.COMMS, Cause.RANGE], np.uint16)
    )
    other = batch(9, [7.0], points=("z",), source="demo/gw-2")
    store.commit([batch(1, [1.0, 2.0]), flagged, other, batch(3, [5.0, 6.0])])
    store.commit([batch(4, [8.0, 9.0])])
    commits = list(store.rows_after(0))
    assert [(commit.number, commit.stored, len(commit)) for commit in commits] == [(1, True, 7), (2, True, 2)]
    assert_rows(commits[0].batches[0], concat([batch(1, [1.0, 2.0]), flagged]))
    assert_rows(commits[0].batches[1], other)
    assert_rows(commits[0].batches[2], batch(3, [5.0, 6.0]))
    assert [commit.number for commit in store.rows_after(1)] == [2]
    assert list(store.rows_after(2)) == []


def test_reading_commits_stops_at_the_limit(store):
    for seq in range(1, 6):
        store.commit([batch(seq, [1.0, 2.0])])
    assert [commit.number for commit in store.rows_after(1, limit=3)] == [2, 3, 4]
    assert list(store.rows_after(1, limit=0)) == []


def test_commits_larger_than_a_page_come_back_whole(store, monkeypatch):
    monkeypatch.setattr("ingest.store.duckdb._PAGE_ROWS", 3)
    for seq in range(1, 8):
        store.commit([batch(seq, [float(seq), 2.0])])
    commits = list(store.rows_after(0))
    assert [(commit.number, len(commit)) for commit in commits] == [(n, 2) for n in range(1, 8)]


def test_recent_rows_are_those_sampled_since_up_to_a_commit(store):
    for seq in range(1, 5):
        store.commit([batch(seq, [float(seq), 2.0], time_ns=START_NS + seq * SECOND_NS)])
    assert [commit.number for commit in store.recent(START_NS + 2 * SECOND_NS)] == [2, 3, 4]
    assert [commit.number for commit in store.recent(START_NS + 2 * SECOND_NS, upto=3)] == [2, 3]


def test_points_are_a_half_open_span_in_order_of_time(store):
    for seq in (3, 1, 2):
        store.commit([batch(seq, [float(seq), 0.0], time_ns=START_NS + seq * SECOND_NS)])
    points = store.points(int(ids("a")[0]), START_NS + SECOND_NS, START_NS + 3 * SECOND_NS)
    assert points.value.tolist() == [1.0, 2.0]
    assert points.time_ns.tolist() == [START_NS + SECOND_NS, START_NS + 2 * SECOND_NS]
    assert len(store.points(5, 0, 2**62)) == 0


def test_buckets_keep_good_values_apart_from_missing_ones(store):
    start = START_NS // MINUTE_NS * MINUTE_NS
    values = [(0, 1.0, 0), (20, 3.0, Quality.SUSPECT), (40, NAN, 0), (70, NAN, 0), (130, 9.0, Quality.BAD)]
    for seq, (second, value, quality) in enumerate(values, start=1):
        sample = batch(seq, [value], points=("a",), time_ns=start + second * SECOND_NS)
        store.commit([sample.flagged(np.array([quality], np.uint8), np.zeros(1, np.uint16))])
    found = store.buckets(int(ids("a")[0]), start, start + 10 * MINUTE_NS, MINUTE_NS)
    assert found.time_ns.tolist() == [start, start + MINUTE_NS, start + 2 * MINUTE_NS]
    np.testing.assert_array_equal(found.minimum, [1.0, NAN, NAN])
    np.testing.assert_array_equal(found.mean, [2.0, NAN, NAN])
    np.testing.assert_array_equal(found.maximum, [3.0, NAN, NAN])
    assert found.count.tolist() == [2, 0, 0]
    assert found.quality.tolist() == [Quality.MISSING, Quality.MISSING, Quality.BAD]
    with pytest.raises(ValueError, match="expected at least"):
        store.buckets(1, 0, 1, 10)


def test_the_newest_sample_of_each_series_is_by_its_time_not_by_its_arrival(store):
    store.commit([batch(2, [2.0, NAN], time_ns=START_NS + SECOND_NS)])
    store.commit([batch(1, [1.0, 1.5])])
    newest = store.latest(0)
    assert dict(zip(newest.series.tolist(), newest.value.tolist(), strict=True))[int(ids("a")[0])] == 2.0
    assert np.isnan(newest.value).sum() == 1
    assert len(store.latest(START_NS + 2 * SECOND_NS)) == 0


def test_missing_rows_are_counted(store):
    store.commit([batch(1, [NAN, 1.0]), batch(2, [NAN, NAN])])
    assert (store.count(), store.missing_count()) == (4, 3)


def test_a_tally_is_of_one_gateway_since_a_commit(store):
    """The rows of a run are not those of another run, nor those of a neighbour."""
    other = replace(batch(1, [5.0, 6.0]), source="demo/gw-2")
    store.commit([batch(1, [1.0, 2.0]), other])
    since = store.last_commit()
    store.commit([batch(2, [NAN, NAN]), batch(3, [3.0, NAN], time_ns=START_NS + SECOND_NS)])
    store.commit([batch(4, [3.0, 4.0], time_ns=START_NS + SECOND_NS)])
    assert store.tally(SOURCE, 0) == Tally(rows=8, distinct=4, missing=3)
    assert store.tally(SOURCE, since) == Tally(rows=6, distinct=4, missing=3)
    assert store.tally(other.source, 0) == Tally(rows=2, distinct=2, missing=0)
    assert store.tally("demo/nobody", 0) == Tally(rows=0, distinct=0, missing=0)


def test_the_newest_announcements_are_kept_in_order(store):
    for number in range(20):
        store.save_announcement("demo/gw-1", f"r{number}", f"one {number}".encode())
    store.save_announcement("demo/gw-2", "r", b"other")
    store.save_announcement("demo/gw-1", "r10", b"ten again")
    kept = store.announcements()
    assert len(kept) == 17
    assert kept[-2:] == [("demo/gw-2", b"other"), ("demo/gw-1", b"ten again")]
    assert kept[0] == ("demo/gw-1", b"one 4")


def test_ranges_are_merged_in_the_file_and_still_known(path):
    store = DuckDBStore(path, compact_ranges=10)
    for seq in range(1, 40):
        store.commit([batch(seq, [1.0, 2.0])])
    store.close()
    with duckdb.connect(str(path)) as file:
        assert file.execute("SELECT count(*) FROM committed").fetchall()[0][0] < 20
    store = DuckDBStore(path)
    assert store.last_commit() == 39
    assert not any(store.commit([batch(seq, [1.0, 2.0]) for seq in range(1, 40)]).fresh)
    store.close()


def test_info_says_what_it_is(store, path):
    store.commit([batch(1, [1.0, 2.0])])
    info = store.info()
    assert (info.path, info.rows, info.commits, info.sources, info.schema) == (str(path), 2, 1, 1, schema.VERSION)
    assert info.file_bytes + info.log_bytes > 0


def test_every_schema_version_has_its_file():
    assert list(schema.steps()) == list(range(1, schema.VERSION + 1))


def test_a_file_of_a_newer_program_is_left_alone(path):
    DuckDBStore(path).close()
    with duckdb.connect(str(path)) as file:
        file.execute("INSERT INTO schema_version VALUES (99)")
    with pytest.raises(StoreOpenError, match=r"store of schema 99, expected at most \d+: a newer petrel wrote it"):
        DuckDBStore(path)


@pytest.mark.parametrize("content", [b"SQLite format 3\0" * 40, b"\0" * 9000])
def test_a_file_that_is_no_store_is_refused_and_left_alone(path, content):
    path.write_bytes(content)
    with pytest.raises(StoreOpenError, match=r"can't be opened .*expected a store of DuckDB 2.*restore a backup"):
        DuckDBStore(path)
    assert path.read_bytes() == content


def test_a_damaged_store_is_refused_with_what_was_found(path):
    store = DuckDBStore(path)
    store.commit([batch(seq, [1.0, 2.0]) for seq in range(1, 500)])
    store.close()
    damaged = bytearray(path.read_bytes())
    damaged[8200:8300] = bytes(100)
    path.write_bytes(damaged)
    with pytest.raises(StoreOpenError, match=r"can't be opened \(.*checksum.*\)"):
        DuckDBStore(path)


def test_an_empty_file_left_by_a_power_cut_is_begun_anew(path):
    path.touch()
    store = DuckDBStore(path)
    assert store.count() == 0
    store.close()


def test_a_folder_that_does_not_exist_is_said(tmp_path):
    with pytest.raises(StoreOpenError, match=r"can't be created .*expected a folder"):
        DuckDBStore(tmp_path / "nowhere" / "store.duckdb")


def test_a_second_process_is_told_who_holds_the_file(store, path):
    program = (
        "import sys; from pathlib import Path; from ingest.store.duckdb import DuckDBStore\n"
        "try: DuckDBStore(Path(sys.argv[1]))\n"
        "except Exception as exc: print(type(exc).__name__, exc)"
    )
    done = subprocess.run([sys.executable, "-c", program, path], capture_output=True, text=True, check=True)
    assert done.stdout.startswith("StoreOpenError")
    assert "in use by another process" in done.stdout
    assert "PID" in done.stdout
    assert "\n" not in done.stdout.strip()


def test_after_an_error_the_file_is_opened_again_and_asked_what_it_holds(store, monkeypatch):
    store.commit([batch(1, [1.0, 2.0])])
    with monkeypatch.context() as broken:
        broken.setattr("ingest.store._duckdb_queries.APPEND", {"samples": "SELECT error('torn')", "committed": ""})
        with pytest.raises(StoreRefusedError, match="torn"):
            store.commit([batch(2, [1.0, 2.0])])
        assert not store.is_committed(SOURCE, 7, 2)
    result = store.commit([batch(1, [1.0, 2.0]), batch(2, [1.0, 2.0])])
    assert (result.number, result.fresh) == (2, (False, True))
    assert (store.count(), store.distinct_count()) == (4, 2)


def test_a_closed_store_may_be_closed_again(path):
    store = DuckDBStore(path)
    store.close()
    store.close()
    DuckDBStore(path).close()


def test_samples_of_many_series_come_in_order_and_the_later_commit_wins(store):
    first, second = batch(1, [1.0, 2.0]), batch(2, [3.0, 4.0], time_ns=START_NS + SECOND_NS)
    store.commit([second])
    store.commit([first])
    store.commit([batch(3, [9.0, NAN], time_ns=START_NS + SECOND_NS)])
    found = store.samples(np.concatenate([first.series, [77]]), START_NS, START_NS + 2 * SECOND_NS)
    order = np.argsort(first.series)
    assert found.series.tolist() == np.repeat(first.series[order], 2).tolist()
    assert found.time_ns.tolist() == [START_NS, START_NS + SECOND_NS] * 2
    values = np.array([[1.0, 9.0], [2.0, NAN]])[order].ravel()
    np.testing.assert_array_equal(found.value, values)
    assert len(store.samples(first.series, START_NS + SECOND_NS, START_NS + SECOND_NS)) == 0
