"""A writer that is killed at random moments: what it had synced is there (P5, P10; DESIGN 9, kills)."""

import random
import time

from gateway.spool import Limits, Spool
from telemetry.wire import Lane
from tests.integration.lives import lives, say
from tests.unit.gateway_batches import HandClock, content, drain, make_batch

_KILLS = 10


def write(folder, k):
    """One life of the writer: it says how many batches it has synced."""
    spool = Spool.open(folder, Limits(max_bytes=256 * 1024 * 1024), HandClock())
    while True:
        for _ in range(5):
            spool.append(make_batch(50, start=50 * k), Lane.ALARM if k % 7 == 0 else Lane.BACKLOG)
            k += 1
        spool.sync()
        say(k)


def test_ten_kills_lose_nothing_that_was_synced(tmp_path):
    folder, written, rng = tmp_path / "spool", 0, random.Random(1)
    with lives(write, folder) as writer:
        for _ in range(_KILLS):
            writer.start(written)
            time.sleep(rng.uniform(0.005, 0.1))
            synced = max(map(int, writer.kill()), default=0)
            spool = Spool.open(folder, Limits(), HandClock())
            found = sorted(int(content(spool, entry)[0]) // 50 for entry in drain(spool, Lane.ALARM, Lane.BACKLOG))
            stats = spool.stats()
            spool.close()
            assert found == list(range(len(found))), "each batch once, none missing"
            assert len(found) >= max(synced, written)
            assert stats.corrupt_pieces == 0
            written = len(found)
    assert written > 5 * _KILLS
