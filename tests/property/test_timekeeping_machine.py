"""Whatever happens to clock and gateway: each row leaves once, none from the future, held ones with their time."""

import shutil
import tempfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, precondition, rule

from gateway import timekeeping
from gateway.spool import Limits, Spool
from gateway.timekeeping import EARLIEST_NS, Timekeeper
from telemetry.batch import MILLISECOND_NS, rows
from telemetry.clock import HOUR_NS, SECOND_NS
from telemetry.quality import Cause
from telemetry.wire import Lane, decode_batch
from tests.unit.gateway_batches import SOURCE, HandClock, drain
from tests.unit.gateway_machine import HandMachine

UNSET = st.integers(0, 40 * 365 * 24).map(lambda hours: hours * HOUR_NS)
REAL = st.integers(0, 1000).map(lambda hours: EARLIEST_NS + hours * HOUR_NS)


class Clockwork(RuleBasedStateMachine):
    """The model: when each row was read by the time since boot, and how far the wall was from it when it left."""

    def __init__(self):
        super().__init__()
        self.folder = Path(tempfile.mkdtemp())
        self.machine = HandMachine(wall_ns=0, synchronised=False, boot_ns=10 * SECOND_NS)
        self.spool = Spool.open(self.folder / "spool", Limits(), HandClock())
        self.waiting, self.n = {}, 0
        self.start()

    def start(self):
        self.keeper = Timekeeper(self.machine, self.folder / "untimed", SOURCE, lambda _: None)

    @property
    def known(self):
        return self.machine.is_synchronised or self.machine.wall_ns() >= EARLIEST_NS

    @rule(seconds=st.integers(1, 10_000))
    def time_passes(self, seconds):
        self.machine.pass_(seconds * SECOND_NS)

    @rule(wall_ns=UNSET)
    def the_clock_is_set_wrong(self, wall_ns):
        self.machine.set(wall_ns, synchronised=False)

    @rule(wall_ns=REAL, synchronised=st.booleans())
    def the_clock_is_set_right(self, wall_ns, synchronised):
        self.machine.set(wall_ns, synchronised=synchronised)

    @rule()
    def a_device_is_read(self):
        self.n += 1
        self.machine.pass_(MILLISECOND_NS)
        self.keeper.look()
        at_ns = self.machine.wall_ns() // MILLISECOND_NS * MILLISECOND_NS
        batch = self.keeper.admit(rows(SOURCE, np.array([1]), np.array([at_ns]), np.array([float(self.n)])))
        assert (batch is not None) is self.known
        if batch is None:
            self.waiting[self.n] = self.machine.boot
        else:
            assert batch.time_ns.tolist() == [at_ns]
            assert bool(batch.cause[0] & Cause.UNSYNCED) is not self.machine.is_synchronised
        assert self.keeper.health().held_rows == len(self.waiting)

    @rule()
    def the_gateway_is_killed(self):
        if self.keeper._untimed._spool is not None:
            self.keeper._untimed._spool._lock.release()
        self.start()
        assert self.keeper.health().held_rows == len(self.waiting)

    @precondition(lambda self: self.known)
    @rule()
    def somebody_looks(self):
        self.keeper.look()
        self.keeper._release(self.spool, lambda: None)
        self.spool.sync()
        self.keeper._release(self.spool, lambda: None)
        left = {}
        for entry in drain(self.spool, Lane.BACKLOG):
            batch = decode_batch(self.spool.read(entry), SOURCE)[0]
            left[int(batch.value[0])] = int(batch.time_ns[0])
            assert batch.cause[0] & Cause.CLOCK
        assert left.keys() == self.waiting.keys()
        for number, boot_ns in self.waiting.items():
            assert 0 <= boot_ns + self.machine.offset - left[number] < 2 * MILLISECOND_NS
            assert left[number] <= self.machine.wall_ns()
        self.waiting = {}
        assert self.keeper.health().held_rows == 0

    def teardown(self):
        self.keeper.close()
        self.spool.close()
        shutil.rmtree(self.folder)


@pytest.fixture(autouse=True)
def patience(monkeypatch):
    monkeypatch.setattr(timekeeping, "_SYNC_S", 0.0)


class TestClockwork(Clockwork.TestCase):
    settings = settings(max_examples=40, stateful_step_count=25, deadline=None)
