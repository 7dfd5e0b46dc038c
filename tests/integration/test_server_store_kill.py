"""SIGKILL of a process that commits to a server: what it said was committed is there, once, and so is all else."""

import os
import time
from pathlib import Path
from typing import NoReturn

import numpy as np

from ingest.store.server.address import Address
from ingest.store.server.store import ServerStore
from ingest.store.server.victoriametrics import VictoriaMetrics
from tests.contract.store_servers import victoria_metrics
from tests.integration.lives import lives, say
from tests.integration.test_store_kill import group
from tests.unit.ingest_data import SOURCE, START_NS

_KILLS = 5
_GROUP = 4
_ROWS = 500
URL = "PETREL_TEST_ROWS"


def opened(folder: Path) -> ServerStore:
    talk = VictoriaMetrics(Address(url=os.environ[URL]))
    return ServerStore(talk, folder / "journal", now_ns=lambda: START_NS)


def live(folder: Path, number: int) -> NoReturn:
    """Commit group after group, partly resent from the one before, and say each."""
    store = opened(folder)
    say("open")
    while True:
        store.commit(group(number))
        say(number)
        number += 1


def test_kills_in_the_middle_of_a_commit_lose_and_double_nothing(tmp_path, monkeypatch):
    rng, last = np.random.default_rng(5), -1
    with victoria_metrics(tmp_path / "vm") as server:
        monkeypatch.setenv(URL, server.url)
        with lives(live, tmp_path) as life:
            for _ in range(_KILLS):
                life.start(max(last, 0))
                assert life.heard() == "open"
                said = [life.heard() for _ in range(int(rng.integers(1, 4)))]
                time.sleep(float(rng.uniform(0.0, 0.02)))  # the moment of the kill is what is tried
                last = int([*said, *life.kill()][-1])
                store = opened(tmp_path)
                store.commit([])
                newest = (last + 1) * _GROUP - 1
                assert all(store.is_committed(SOURCE, 7, seq) for seq in range(1, newest + 1))
                committed = {seq for seq in range(1, newest + 2 * _GROUP) if store.is_committed(SOURCE, 7, seq)}
                batches = [one for commit in store.rows_after(0) for one in commit.batches]
                assert [one.seq for one in batches] == sorted(committed), "each once, for an engine that missed them"
                rows = store.samples(np.arange(_ROWS), 0, 2**62)
                assert set(np.unique(rows.value).astype(int).tolist()) == committed
                assert store.count() == store.distinct_count() == len(rows) == len(committed) * _ROWS
                store.close()
