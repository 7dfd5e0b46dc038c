"""SIGKILL of a committing process: no row lost that it said was committed, none doubled (DESIGN 4)."""

import subprocess
import sys
from pathlib import Path

import numpy as np

from ingest.store.duckdb import DuckDBStore
from telemetry.batch import Batch, rows
from tests.unit.ingest_data import SOURCE, START_NS

_KILLS = 10
_ROWS = 500
_GROUP = 4
_PROGRAM = """
import sys
from pathlib import Path
from ingest.store.duckdb import DuckDBStore
from tests.integration.test_store_kill import group
store = DuckDBStore(Path(sys.argv[1]), compact_ranges=5)
print("open", flush=True)
number = int(sys.argv[2])
while True:
    store.commit(group(number))
    print(number, flush=True)
    number += 1
"""


def group(number: int) -> list[Batch]:
    """Some batches, each naming its rows by its number, resent in part from the group before."""
    first = number * _GROUP
    return [one_batch(seq) for seq in range(max(first - 2, 1), first + _GROUP)]


def one_batch(seq: int) -> Batch:
    series = np.arange(_ROWS, dtype=np.int64)
    batch = rows(SOURCE, series, np.full(_ROWS, START_NS + seq * 1_000_000_000), np.full(_ROWS, float(seq)))
    return batch.numbered(7, seq)


def kill_after(path: Path, first: int, commits: int, wait_s: float) -> int:
    """Let a process commit, kill it in the middle of a later commit; returns the last group that it reported."""
    command = [sys.executable, "-c", _PROGRAM, path, str(first)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "open\n"
        reported = [process.stdout.readline() for _ in range(commits)]
        try:
            process.wait(wait_s)
        except subprocess.TimeoutExpired:
            process.kill()
        reported += process.stdout.readlines()
    whole = [int(line) for line in reported if line.endswith("\n")]
    return whole[-1]


def test_ten_kills_in_the_middle_of_a_commit_lose_and_double_nothing(tmp_path):
    path, rng, last = tmp_path / "store.duckdb", np.random.default_rng(11), -1
    for _ in range(_KILLS):
        last = kill_after(path, max(last, 0), int(rng.integers(1, 4)), float(rng.uniform(0.0, 0.01)))
        store = DuckDBStore(path)
        newest = (last + 1) * _GROUP - 1
        assert all(store.is_committed(SOURCE, 7, seq) for seq in range(1, newest + 1))
        batches = [one for commit in store.rows_after(0) for one in commit.batches]
        held = {int(value) for one in batches for value in np.unique(one.value)}
        assert held == {seq for seq in range(1, newest + 2 * _GROUP) if store.is_committed(SOURCE, 7, seq)}
        assert store.count() == store.distinct_count() == len(held) * _ROWS
        store.close()
