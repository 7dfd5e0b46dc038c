"""A gateway without a time that is killed at random moments, also while its rows get their time: none is lost."""

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

from gateway.spool import Limits, Spool
from telemetry.clock import SECOND_NS
from telemetry.wire import Lane, decode_batch
from tests.unit.gateway_batches import SOURCE, HandClock, drain

_LIVES = 10
_REAL_NS = 1_800_000_000 * SECOND_NS
"""What the clock says of the boot, once it is set."""
_GATEWAYS = """
import asyncio, os, sys, time
from pathlib import Path
import numpy as np, structlog
from gateway.spool import Limits, Spool, keep_synced
from gateway.timekeeping import Timekeeper
from telemetry.batch import rows
from tests.unit.gateway_batches import SOURCE, HandClock

structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(50))

class Machine:
    boot_id = "boot-1"
    def __init__(self, offset_ns):
        self.offset_ns = offset_ns
    def boot_ns(self):
        return time.clock_gettime_ns(time.CLOCK_BOOTTIME)
    def wall_ns(self):
        return self.boot_ns() + self.offset_ns
    def synchronised(self):
        return False

async def live(k, offset_ns):
    folder = Path(sys.argv[1])
    spool, machine = Spool.open(folder, Limits(), HandClock()), Machine(offset_ns)
    keeper = Timekeeper(machine, folder / "untimed", SOURCE, lambda _: None)
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(keep_synced(spool))
        tasks.create_task(keeper.run(spool, lambda: None))
        while True:
            if offset_ns == 0:
                boot_ns = machine.boot_ns()
                keeper.admit(rows(SOURCE, np.array([1]), np.array([boot_ns]), np.array([float(k)])))
                print(k, boot_ns, flush=True)
                k += 1
            elif not keeper.health().held_rows:
                print("released", flush=True)
            await asyncio.sleep(0.001)

for line in sys.stdin:
    if os.fork() == 0:
        print(os.getpid(), flush=True)
        asyncio.run(live(*map(int, line.split())))
    os.wait()
    print("dead", flush=True)
"""


def _start(gateways, first, offset_ns):
    gateways.stdin.write(f"{first} {offset_ns}\n")
    gateways.stdin.flush()
    return int(gateways.stdout.readline())


def _until_dead(gateways, pid):
    os.kill(pid, signal.SIGKILL)
    return [line.split() for line in iter(gateways.stdout.readline, "dead\n")]


def test_ten_kills_lose_no_row_that_waits_for_its_time(tmp_path):
    read, rng = {}, random.Random(1)
    command = [sys.executable, "-c", _GATEWAYS, tmp_path / "spool"]
    with subprocess.Popen(
        command, cwd=Path(__file__).parents[2], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as gateways:
        for life in range(_LIVES):
            pid = _start(gateways, 10_000 * life, _REAL_NS if life % 3 == 2 else 0)
            time.sleep(rng.uniform(0.02, 0.3))
            lines = _until_dead(gateways, pid)
            read |= {int(line[0]): int(line[1]) for line in lines if len(line) == 2}
        pid = _start(gateways, 0, _REAL_NS)
        assert gateways.stdout.readline() == "released\n"
        _until_dead(gateways, pid)
        gateways.communicate()
    spool = Spool.open(tmp_path / "spool", Limits(), HandClock())
    batches = [decode_batch(spool.read(entry), SOURCE)[0] for entry in drain(spool, Lane.BACKLOG)]
    found = {int(batch.value[0]): int(batch.time_ns[0]) for batch in batches}
    spool.close()
    assert len(read) > 100
    assert read.keys() <= found.keys()
    assert all(0 <= read[k] + _REAL_NS - found[k] < 2 * 10**6 for k in read), "the time at which it was read"
    assert not any((tmp_path / "spool" / "untimed").iterdir())
