"""Copies of a store and of its rows: taken while it runs, looked at, put back, handed on and taken in."""

import io
import threading

import numpy as np
import pytest

from ingest.store import backup, export
from ingest.store.duckdb import DuckDBStore
from ingest.store.export import Label, Wanted
from ingest.store.importing import ImportFileError, batches
from telemetry.batch import rows
from telemetry.clock import HOUR_NS
from telemetry.quality import Cause, Quality
from tests.unit.ingest_data import SOURCE

DAY_NS = 24 * HOUR_NS
FIRST_NS = 19_566 * DAY_NS
SERIES = np.array([5, 2**62 + 9], np.int64)


def hourly(seq: int, day: int):
    time_ns = FIRST_NS + day * DAY_NS + np.arange(24) * HOUR_NS
    value = np.round(np.arange(48) * 0.1, 1)
    value[5] = np.nan
    cause = np.where(np.isnan(value), Cause.COMMS | Cause.CLOCK, 0).astype(np.uint16)
    quality = np.where(np.arange(48) % 7 == 0, Quality.SUSPECT, Quality.GOOD).astype(np.uint8)
    batch = rows(SOURCE, np.repeat(SERIES, 24), np.tile(time_ns, 2), value, quality=quality, cause=cause)
    return batch.numbered(7, seq)


@pytest.fixture
def store(tmp_path):
    store = DuckDBStore(tmp_path / "store.duckdb")
    for day in range(3):
        store.commit([hourly(day + 1, day)])
    store.passed(2)
    store.upkeep.run(FIRST_NS + 9 * DAY_NS)
    yield store
    store.close()


def copied(store: DuckDBStore, target) -> list[str]:
    with backup.snapshot(store) as files:
        content = b"".join(backup.tar(files))
        assert len(content) == backup.tar_bytes(files)
    return backup.take(io.BytesIO(content), target)


def test_a_copy_is_of_one_moment_while_rows_and_days_go_on(store, tmp_path):
    """Each commit is in it with its rows and its number, or not at all."""
    stop = threading.Event()

    def go_on() -> None:
        seq = 4
        while not stop.is_set() and seq < 60:
            store.commit([hourly(seq, seq)])
            store.passed(seq)
            store.upkeep.run(FIRST_NS + (seq + 3) * DAY_NS)
            seq += 1

    running = threading.Thread(target=go_on)
    running.start()
    for number in range(4):
        assert copied(store, tmp_path / f"copy-{number}") == []
    stop.set()
    running.join()
    for number in range(4):
        copy = DuckDBStore(tmp_path / f"copy-{number}" / backup.NAME)
        assert copy.count() == copy.distinct_count() == 48 * copy.last_commit()
        assert copy.is_committed(SOURCE, 7, copy.last_commit())
        copy.close()


def test_a_restored_store_answers_as_the_one_that_was_copied(store, tmp_path):
    assert copied(store, tmp_path / "copy") == []
    target = tmp_path / "again" / "petrel.duckdb"
    backup.restore(tmp_path / "copy", target)
    again = DuckDBStore(target)
    ours, theirs = (one.samples(SERIES, 0, 2**62) for one in (store, again))
    np.testing.assert_array_equal(ours.value, theirs.value)
    assert len(theirs) == 3 * 48
    assert not again.commit([hourly(2, 1)]).rows
    again.close()
    with pytest.raises(backup.BackupError, match="is there already"):
        backup.restore(tmp_path / "copy", target)


@pytest.mark.parametrize("harm", ["cut", "day", "empty"])
def test_a_copy_that_is_not_whole_is_said_and_not_restored(store, tmp_path, harm):
    target = tmp_path / "copy"
    with backup.snapshot(store) as files:
        content = b"".join(backup.tar(files))
    if harm == "cut":
        with pytest.raises(backup.BackupError, match="expected room, and a stream to its end"):
            backup.take(io.BytesIO(content[: len(content) // 2]), target)
        assert not target.exists()
        return
    backup.take(io.BytesIO(content), target)
    if harm == "day":
        next((target / f"{backup.NAME}.days").glob("*.rows.parquet")).unlink()
    else:
        (target / backup.NAME).unlink()
    with pytest.raises(backup.BackupError, match="1 findings, expected a whole backup"):
        backup.restore(target, tmp_path / "elsewhere.duckdb")
    assert not (tmp_path / "elsewhere.duckdb").exists()


@pytest.mark.parametrize("write", [export.csv, export.parquet])
def test_an_export_taken_in_again_is_the_same_rows_once(store, tmp_path, write):
    label = Label(station="st-1", point="level", quantity="water_level", unit="m")
    wanted = Wanted(labels=dict.fromkeys(SERIES.tolist(), label), from_ns=0, to_ns=FIRST_NS + 9 * DAY_NS)
    file = tmp_path / f"rows.{write.__name__}"
    file.write_bytes(b"".join(write(store, wanted, tmp_path)))
    other = DuckDBStore(tmp_path / "other.duckdb")
    for _ in range(2):
        for batch, total in batches(file, "demo/import"):
            other.commit([batch])
            assert total == 3 * 48
    ours, theirs = (one.samples(SERIES, 0, 2**62) for one in (store, other))
    for name in ("series", "time_ns", "value", "quality", "cause"):
        np.testing.assert_array_equal(getattr(ours, name), getattr(theirs, name))
    assert other.count() == 3 * 48
    other.close()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a,b\n1,2\n", "no column time, value, quality, cause, series"),
        ("time,value,quality,cause,series\n2023-07-28T00:00:00Z,1,FINE,,5\n", "a quality that is none of ours"),
        ("time,value,quality,cause,series\n2023-07-28T00:00:00Z,1,GOOD,RUST,5\n", "cause 'RUST'"),
        ("time,value,quality,cause,series\nyesterday,1,GOOD,,5\n", "expected CSV or Parquet"),
    ],
)
def test_a_file_that_is_no_export_is_refused_in_one_line(tmp_path, text, said):
    file = tmp_path / "rows.csv"
    file.write_text(text)
    with pytest.raises(ImportFileError, match=said) as refused:
        list(batches(file, "demo/import"))
    assert "\n" not in str(refused.value)
