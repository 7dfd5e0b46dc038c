"""The time of readings: held while it is unknown, rebased once it is known, flagged while nothing keeps it right."""

import asyncio

import numpy as np
import pytest

from gateway.spool import Limits, Spool, keep_synced
from gateway.timekeeping import EARLIEST_NS, LATEST_NS, LinuxMachine, Timekeeper
from gateway.untimed import Untimed
from telemetry.batch import check, missing, rows
from telemetry.clock import HOUR_NS, MINUTE_NS, SECOND_NS, SystemClock
from telemetry.quality import Cause, Quality
from telemetry.wire import Lane, decode_batch
from tests.integration.gateway_centre import until
from tests.unit.gateway_batches import SOURCE, HandClock, drain, make_batch
from tests.unit.gateway_machine import NOW_NS, HandMachine


class Box:
    """A timekeeper with its spool and what it said of steps."""

    def __init__(self, folder, machine):
        self.machine, self.set_to = machine, []
        self.spool = Spool.open(folder, Limits(), HandClock())
        self.time = Timekeeper(machine, folder / "untimed", SOURCE, self.set_to.append)

    def read(self, value, *, at_ns=None, series=1):
        """A poll that was answered now."""
        at_ns = self.machine.wall_ns() if at_ns is None else at_ns
        return self.time.admit(rows(SOURCE, np.array([series]), np.array([at_ns]), np.array([float(value)])))

    async def until_released(self):
        async with asyncio.TaskGroup() as tasks:
            running = [
                tasks.create_task(part) for part in (self.time.run(self.spool, lambda: None), keep_synced(self.spool))
            ]
            await until(lambda: not self.time.health().held_rows)
            for task in running:
                task.cancel()

    def kept(self):
        """Time, value and cause of every row that is to be sent."""
        batches = [decode_batch(self.spool.read(entry), SOURCE)[0] for entry in drain(self.spool, Lane.BACKLOG)]
        columns = [zip(b.time_ns.tolist(), b.value.tolist(), b.cause.tolist(), strict=True) for b in batches]
        return [row for column in columns for row in column]

    def close(self):
        self.time.close()
        self.spool.close()


@pytest.fixture
def boxed(tmp_path):
    boxes = []

    def make(machine):
        boxes.append(Box(tmp_path / "spool", machine))
        return boxes[-1]

    yield make
    for box in boxes:
        box.close()


def test_a_clock_that_is_kept_right_changes_nothing(boxed):
    box = boxed(HandMachine())
    batch = box.read(1)
    assert (batch.cause.tolist(), batch.quality.tolist()) == ([0], [Quality.UNCHECKED])
    assert box.time.note() is None


def test_a_clock_that_nothing_keeps_right_is_said_with_every_row_and_costs_no_quality(boxed):
    box = boxed(HandMachine(synchronised=False))
    batch = box.read(1)
    assert batch.cause.tolist() == [Cause.UNSYNCED]
    assert batch.quality.tolist() == [Quality.UNCHECKED]
    box.machine.is_synchronised = True
    assert box.read(1).cause.tolist() == [0]


@pytest.mark.parametrize("wakes_ns", [30 * SECOND_NS, LATEST_NS + HOUR_NS], ids=["1970", "a date of no battery"])
async def test_a_gateway_that_wakes_at_no_possible_time_gives_its_rows_their_real_one(boxed, wakes_ns):
    """A row stamped in 2099 would stay there: the centre keeps it, and shows it to nobody."""
    box = boxed(HandMachine(wall_ns=wakes_ns, synchronised=False, boot_ns=20 * SECOND_NS))
    lived = {}
    for value in range(5):
        lived[value] = box.machine.boot
        assert box.read(value) is None
        box.machine.pass_(10 * SECOND_NS)
    assert "5 rows wait for it" in box.time.note()
    box.machine.set(NOW_NS)
    await box.until_released()
    found = box.kept()
    offset = box.machine.offset
    assert [(time, value) for time, value, _ in found] == [(boot + offset, value) for value, boot in lived.items()]
    assert all(cause & Cause.CLOCK for _, _, cause in found)
    assert max(time for time, _, _ in found) <= box.machine.wall_ns()
    assert box.time.note() is None


async def test_an_unset_clock_that_is_set_wrong_first_still_gives_the_right_times(boxed):
    """The reference is the time since boot, not the clock that was wrong twice."""
    box = boxed(HandMachine(wall_ns=0, synchronised=False, boot_ns=20 * SECOND_NS))
    first = box.machine.boot
    box.read(1)
    box.machine.pass_(MINUTE_NS)
    box.machine.set(EARLIEST_NS // 2, synchronised=False)
    second = box.machine.boot
    box.read(2)
    box.machine.pass_(MINUTE_NS)
    box.machine.set(NOW_NS)
    await box.until_released()
    assert [time - box.machine.offset for time, _, _ in box.kept()] == [first, second]


def test_the_time_that_a_device_sent_is_its_own(boxed):
    box = boxed(HandMachine(wall_ns=0, synchronised=False, boot_ns=MINUTE_NS))
    box.read(1, at_ns=NOW_NS - HOUR_NS)
    box.read(2)
    box.machine.set(NOW_NS)
    asyncio.run(box.until_released())
    assert [time for time, _, _ in box.kept()] == [NOW_NS - HOUR_NS, NOW_NS]


async def test_what_is_held_is_forgotten_only_once_it_is_on_disk_elsewhere(boxed):
    box = boxed(HandMachine(wall_ns=0, synchronised=False, boot_ns=MINUTE_NS))
    box.read(1)
    box.machine.set(NOW_NS)
    async with asyncio.TaskGroup() as tasks:
        task = tasks.create_task(box.time.run(box.spool, lambda: None))
        await until(lambda: box.spool.stats().rows)
        await asyncio.sleep(1.3)
        assert box.time.health().held_rows == 1, "nobody synced the spool"
        box.spool.sync()
        await until(lambda: not box.time.health().held_rows)
        task.cancel()
    assert len(box.kept()) == 1


async def test_what_is_held_survives_a_kill_of_the_gateway(tmp_path):
    machine = HandMachine(wall_ns=0, synchronised=False, boot_ns=MINUTE_NS)
    killed = Untimed(tmp_path / "spool" / "untimed", SOURCE, machine.boot_id, machine.boot_ns)
    killed.put(rows(SOURCE, np.array([1]), np.array([MINUTE_NS]), np.array([7.0])))
    killed._spool._lock.release()  # as the kernel does
    machine.pass_(MINUTE_NS)
    machine.set(NOW_NS)
    box = Box(tmp_path / "spool", machine)
    await box.until_released()
    assert box.kept() == [(NOW_NS - MINUTE_NS, 7.0, Cause.CLOCK)]
    assert not (tmp_path / "spool" / "untimed" / machine.boot_id).exists()
    box.close()


def test_rows_of_a_boot_that_never_knew_the_time_are_set_aside_and_said(boxed):
    box = boxed(HandMachine(wall_ns=0, synchronised=False, boot_ns=MINUTE_NS))
    for value in range(3):
        box.read(value)
    box.close()
    later = boxed(HandMachine(boot_id="boot-2", boot_ns=SECOND_NS))
    assert later.time.health().lost_rows == 3
    assert "3 rows were lost that had no time" in later.time.note()
    assert list((later.spool.folder / "untimed" / "boot-1.lost").glob("*.samples")), "for people"
    assert later.kept() == []


def test_a_step_is_recorded_and_what_was_under_way_is_flagged(boxed):
    box = boxed(HandMachine())
    box.read(1)
    box.machine.pass_(SECOND_NS)
    box.machine.set(box.machine.wall_ns() + 3 * SECOND_NS)
    assert box.read(2).cause.tolist() == [Cause.CLOCK]
    health = box.time.health()
    assert (health.steps, health.last_step_s) == (1, 3.0)
    box.machine.pass_(20 * SECOND_NS)
    assert box.read(3).cause.tolist() == [0]


def test_drift_and_steering_are_no_steps(boxed):
    box = boxed(HandMachine())
    for _ in range(100):
        box.machine.pass_(SECOND_NS)
        box.machine.offset += SECOND_NS // 10
        box.time.look()
    assert box.time.health().steps == 0


def test_a_clock_that_is_set_back_is_told(boxed):
    box = boxed(HandMachine())
    box.machine.set(NOW_NS - HOUR_NS)
    box.time.look()
    assert box.set_to == [NOW_NS - HOUR_NS]
    assert box.time.health().last_step_s == -3600


def test_moments_that_a_clock_jumped_over_were_not_missed(boxed):
    box = boxed(HandMachine())
    box.machine.set(NOW_NS + HOUR_NS)
    ids = np.array([1, 2])
    assert box.time.admit(missing(SOURCE, ids, NOW_NS + MINUTE_NS, Cause.COMMS)) is None
    assert len(box.time.admit(missing(SOURCE, ids, NOW_NS + HOUR_NS, Cause.COMMS))) == 2
    assert len(box.time.admit(missing(SOURCE, ids, NOW_NS - MINUTE_NS, Cause.COMMS))) == 2


def test_nothing_leaves_with_a_time_before_the_clock_was_set(boxed):
    """A poll that was under way when the time became known carries a time of neither."""
    box = boxed(HandMachine(wall_ns=0, synchronised=False, boot_ns=MINUTE_NS))
    box.machine.set(NOW_NS)
    batch = box.read(1, at_ns=NOW_NS // 2)
    assert (batch.time_ns.tolist(), batch.cause.tolist()) == ([NOW_NS], [Cause.CLOCK])


def test_a_time_from_the_future_is_doubtful_and_left_as_it_is(boxed):
    box = boxed(HandMachine())
    batch = box.read(1, at_ns=NOW_NS + HOUR_NS)
    assert batch.time_ns.tolist() == [NOW_NS + HOUR_NS]
    assert (batch.quality.tolist(), batch.cause.tolist()) == ([Quality.SUSPECT], [Cause.CLOCK])
    check(box.read(1).numbered(1, 1))


async def test_a_clock_that_leaps_by_years_and_that_nothing_keeps_right_costs_no_backlog(tmp_path):
    clock, machine = HandClock(), HandMachine(synchronised=False)
    spool = Spool.open(tmp_path / "spool", Limits(max_age_h=1.0), clock)
    keeper = Timekeeper(machine, tmp_path / "untimed", SOURCE, lambda _: None)
    spool.append(make_batch(), Lane.BACKLOG)
    for synchronised, left in ((False, 2), (True, 1)):
        machine.is_synchronised = synchronised
        async with asyncio.TaskGroup() as tasks:
            task = tasks.create_task(keeper.run(spool, lambda: None))
            await until(lambda synchronised=synchronised: spool.believes_clock is synchronised)
            task.cancel()
        clock.time_ns += 10 * 365 * 24 * HOUR_NS
        spool.append(make_batch(time_ns=clock.time_ns), Lane.BACKLOG)
        assert spool.stats().batches == left
    spool.close()
    keeper.close()


def test_this_machine_says_what_its_kernel_knows():
    machine = LinuxMachine()
    assert len(machine.boot_id) == 36
    assert machine.boot_ns() > 0
    assert isinstance(machine.synchronised(), bool)
    assert abs(machine.wall_ns() - SystemClock().now_ns()) < SECOND_NS
