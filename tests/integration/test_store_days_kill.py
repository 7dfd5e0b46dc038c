"""SIGKILL while days are closed, at every step: nothing lost, nothing doubled, no file left behind."""

import signal
from pathlib import Path
from typing import NoReturn

import numpy as np
import pytest

from ingest.store.duckdb import DuckDBStore
from telemetry.batch import Batch, rows
from telemetry.clock import HOUR_NS, SECOND_NS
from tests.integration.lives import lives, say
from tests.unit.ingest_data import SOURCE

DAY_NS = 24 * HOUR_NS
FIRST_NS = 19_566 * DAY_NS
SERIES = np.arange(1, 41, dtype=np.int64)
ROWS = 40 * 100


def polls(seq: int, *, late: bool = False) -> Batch:
    """A hundred polls of a day; late ones correct every second of them."""
    at = np.arange(0, 100, 2 if late else 1)
    time_ns = FIRST_NS + (seq % 10) * DAY_NS + at * 100 * SECOND_NS
    value = np.full(len(at) * 40, 99.0 if late else 1.0)
    return rows(SOURCE, np.tile(SERIES, len(at)), np.repeat(time_ns, 40), value).numbered(7, seq)


def close_days(folder: Path, deadly: int) -> NoReturn:
    """Close two days, correct one of them, close again; stop for good at a step."""
    store = DuckDBStore(folder / "store.duckdb")
    left = iter(range(deadly))

    def step(name: str) -> None:
        if next(left, None) is None:
            say("at", name)
            signal.pause()

    store.upkeep.on_step = step
    for seq in (1, 2, 11):
        store.commit([polls(seq, late=seq > 10)])
        store.passed(store.last_commit())
        store.upkeep.run(FIRST_NS + (10 + seq) * DAY_NS)
    say("at", "the end")
    signal.pause()
    raise AssertionError


def assert_whole(store: DuckDBStore) -> None:
    """The days of those batches that are committed, whatever became of their files."""
    plain = [seq for seq in (1, 2) if store.is_committed(SOURCE, 7, seq)]
    expected = np.concatenate([polls(seq).time_ns for seq in plain])
    found = store.samples(SERIES, 0, 2**62)
    assert len(found) == len(expected) == store.distinct_count() == ROWS * len(plain)
    corrected = 50 if store.is_committed(SOURCE, 7, 11) else 0
    assert np.count_nonzero(found.value == 99.0) == corrected * 40
    assert list(store.check()) == []
    assert len(store.days.orphans()) == 0


@pytest.mark.parametrize(
    "steps", [{1: "part", 4: "swap", 5: "swapped", 6: "sweep"}, {15: "part", 18: "swap", 19: "swapped"}]
)
def test_a_kill_at_any_step_loses_and_doubles_nothing(tmp_path, steps):
    """The first day's steps, and those of its merging with late rows."""
    path = tmp_path / "store.duckdb"
    with lives(close_days, tmp_path) as one:
        for step, name in steps.items():
            one.start(step)
            assert next(line for line in iter(one.heard, "") if line.startswith("at ")) == f"at {name}"
            one.kill()
            store = DuckDBStore(path)
            assert_whole(store)
            for seq in (1, 2, 11):
                store.commit([polls(seq, late=seq > 10)])
            store.passed(store.last_commit())
            for hours in range(2):
                store.upkeep.run(FIRST_NS + 40 * DAY_NS + hours * HOUR_NS)
            assert_whole(store)
            assert store.count() == 2 * ROWS
            store.close()
            for file in [path, *store.days.folder.iterdir()]:
                file.unlink()
