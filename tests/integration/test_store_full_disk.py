"""A store on a disk that is really full."""

import numpy as np
import pytest

from ingest.store.duckdb import DuckDBStore
from ingest.store.protocol import StoreRefusedError
from telemetry.batch import Batch, rows
from tests.integration.disks import mounted, stuff
from tests.unit.ingest_data import SOURCE, START_NS

_ROWS = 9000


@pytest.fixture
def small_disk(tmp_path):
    """A folder on a disk of 16 MB."""
    with mounted(tmp_path / "disk", 16) as folder:
        yield folder


def noise(seq: int) -> Batch:
    """Rows that do not compress."""
    rng = np.random.default_rng(seq)
    series = rng.integers(0, 2**62, _ROWS)
    return rows(SOURCE, series, np.full(_ROWS, START_NS), rng.normal(size=_ROWS)).numbered(7, seq)


def fill(store: DuckDBStore, first: int) -> int:
    """Commit until the store refuses for want of space; returns the number of the batch that it refused."""
    for seq in range(first, first + 200):
        try:
            store.commit([noise(seq)])
        except StoreRefusedError as exc:
            if "No space left" in str(exc):
                return seq
            raise
    raise AssertionError("the disk is larger than it should be")


def test_a_full_disk_is_said_and_nothing_is_lost_or_doubled_when_there_is_room_again(small_disk):
    ballast = small_disk / "ballast"
    ballast.write_bytes(bytes(6 * 1024 * 1024))
    store = DuckDBStore(small_disk / "store.duckdb")
    refused = fill(store, 1)
    assert refused > 1
    assert fill(store, refused) == refused, "it is still full"
    ballast.unlink()
    store.commit([noise(seq) for seq in range(1, refused + 1)])
    assert all(store.is_committed(SOURCE, 7, seq) for seq in range(1, refused + 1))
    assert store.count() == store.distinct_count() == refused * _ROWS
    store.close()


def test_rows_leave_the_room_of_the_alarms(small_disk):
    store = DuckDBStore(small_disk / "store.duckdb", keep_free=4_000_000)
    store.commit([noise(1)])
    ballast = stuff(small_disk, 3_000_000)
    with pytest.raises(StoreRefusedError, match=r"3\.0 MB free on its disk, expected at least 4 MB"):
        store.commit([noise(2)])
    store.save_announcement(SOURCE, "r1", b"small")
    ballast.unlink()
    assert store.commit([noise(2)]).fresh == (True,)
    store.close()


def test_a_disk_without_room_for_a_store_is_said(small_disk):
    (small_disk / "ballast").write_bytes(bytes(16 * 1024 * 1024 - 4096))
    with pytest.raises(Exception, match="No space left") as refused:
        DuckDBStore(small_disk / "store.duckdb")
    assert "\n" not in str(refused.value)
