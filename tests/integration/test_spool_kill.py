"""A writer that is killed at random moments: what it had synced is there (P5, P10; DESIGN 9, kills)."""

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

from gateway.spool import Limits, Spool
from telemetry.wire import Lane
from tests.unit.gateway_batches import HandClock, content, drain

_KILLS = 10
_WRITERS = """
import os, sys
from pathlib import Path
from gateway.spool import Limits, Spool
from telemetry.wire import Lane
from tests.unit.gateway_batches import HandClock, make_batch

def write(k):
    print(os.getpid(), flush=True)
    spool = Spool.open(Path(sys.argv[1]), Limits(max_bytes=256 * 1024 * 1024), HandClock())
    while True:
        for _ in range(5):
            spool.append(make_batch(50, start=50 * k), Lane.ALARM if k % 7 == 0 else Lane.BACKLOG)
            k += 1
        spool.sync()
        print(k, flush=True)

for line in sys.stdin:  # a process of its own for each life of the writer, without importing everything again
    if os.fork() == 0:
        write(int(line))
    os.wait()
    print("dead", flush=True)
"""


def _live_and_die(writers, first, seconds):
    """One life of the writer: how many batches it said were synced before it was killed."""
    writers.stdin.write(f"{first}\n")
    writers.stdin.flush()
    pid = int(writers.stdout.readline())
    time.sleep(seconds)
    os.kill(pid, signal.SIGKILL)
    lines = iter(writers.stdout.readline, "dead\n")
    return max((int(line) for line in lines), default=0)


def test_ten_kills_lose_nothing_that_was_synced(tmp_path):
    folder, written, rng = tmp_path / "spool", 0, random.Random(1)
    command = [sys.executable, "-c", _WRITERS, folder]
    with subprocess.Popen(
        command, cwd=Path(__file__).parents[2], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as writers:
        for _ in range(_KILLS):
            synced = _live_and_die(writers, written, rng.uniform(0.005, 0.1))
            spool = Spool.open(folder, Limits(), HandClock())
            found = sorted(int(content(spool, entry)[0]) // 50 for entry in drain(spool, Lane.ALARM, Lane.BACKLOG))
            stats = spool.stats()
            spool.close()
            assert found == list(range(len(found))), "each batch once, none missing"
            assert len(found) >= max(synced, written)
            assert stats.corrupt_pieces == 0
            written = len(found)
        writers.communicate()
    assert written > 5 * _KILLS
