"""A gateway without a time that is killed at random moments, also while its rows get their time: none is lost."""

import asyncio
import random
import time

import numpy as np
import structlog

from gateway.spool import Limits, Spool, keep_synced
from gateway.timekeeping import Timekeeper
from telemetry.batch import rows
from telemetry.clock import SECOND_NS
from telemetry.wire import Lane, decode_batch
from tests.integration.lives import lives, say
from tests.unit.gateway_batches import SOURCE, HandClock, drain

_KILLS = 10
_REAL_NS = 1_800_000_000 * SECOND_NS
"""What the clock says of the boot, once it is set."""


class _Machine:
    boot_id = "boot-1"

    def __init__(self, offset_ns):
        self.offset_ns = offset_ns

    def boot_ns(self):
        return time.clock_gettime_ns(time.CLOCK_BOOTTIME)

    def wall_ns(self):
        return self.boot_ns() + self.offset_ns

    def synchronised(self):
        return False


def live(folder, k, offset_ns):
    """One life of the gateway: without a time it says each row and when it was read, with one that all are released."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(50))
    asyncio.run(_live(folder, k, offset_ns))


async def _live(folder, k, offset_ns):
    spool, machine = Spool.open(folder, Limits(), HandClock()), _Machine(offset_ns)
    keeper = Timekeeper(machine, folder / "untimed", SOURCE, lambda _: None)
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(keep_synced(spool))
        tasks.create_task(keeper.run(spool, lambda: None))
        while True:
            if offset_ns == 0:
                boot_ns = machine.boot_ns()
                keeper.admit(rows(SOURCE, np.array([1]), np.array([boot_ns]), np.array([float(k)])))
                say(k, boot_ns)
                k += 1
            elif not keeper.health().held_rows:
                say("released")
            await asyncio.sleep(0.001)


def test_ten_kills_lose_no_row_that_waits_for_its_time(tmp_path):
    read, rng = {}, random.Random(1)
    with lives(live, tmp_path / "spool") as gateway:
        for life in range(_KILLS):
            gateway.start(10_000 * life, _REAL_NS if life % 3 == 2 else 0)
            time.sleep(rng.uniform(0.02, 0.3))
            read |= dict(map(int, line.split()) for line in gateway.kill() if line != "released")
        gateway.start(0, _REAL_NS)
        assert gateway.heard() == "released"
        gateway.kill()
    spool = Spool.open(tmp_path / "spool", Limits(), HandClock())
    batches = [decode_batch(spool.read(entry), SOURCE)[0] for entry in drain(spool, Lane.BACKLOG)]
    found = {int(batch.value[0]): int(batch.time_ns[0]) for batch in batches}
    spool.close()
    assert len(read) > 100
    assert read.keys() <= found.keys()
    assert all(0 <= read[k] + _REAL_NS - found[k] < 2 * 10**6 for k in read), "the time at which it was read"
    assert not any((tmp_path / "spool" / "untimed").iterdir())
