"""The whole gateway against a real broker: lock step, outage, clean stop, what people are told."""

import asyncio
import json
import math
import os
import time
from contextlib import asynccontextmanager
from pathlib import Path

import numpy as np
import pytest

from gateway.agent import Gateway
from gateway.settings import GatewayPlan
from gateway.spool import Limits, Spool, SpoolError
from gateway.status import read_status, status_text
from gateway.timing import Timing
from telemetry.broker import BrokerAddress
from telemetry.clock import MINUTE_NS, LockstepClock, SystemClock
from telemetry.wire import Announce, Lane, Presence
from tests.integration.brokers import nats_server
from tests.integration.gateway_centre import always, scripted_centre, until
from tests.unit.gateway_batches import SOURCE, START_NS, HandClock, drain, make_batch
from tests.unit.gateway_machine import NOW_NS, HandMachine

TIMING = Timing(reconnect_s=(0.02, 0.2), resend_s=0.5, deadline_s=1.0, gather_s=0.0)


class CountingClock(SystemClock):
    """The clock of the machine, with holds that are counted."""

    def __init__(self):
        self.holds = 0

    def hold(self):
        self.holds += 1

    def release(self):
        self.holds -= 1
        assert self.holds >= 0


class Ticker:
    """A source of one batch a minute of data time, that notes what is still open when it wakes."""

    def __init__(self, sink, clock, n):
        self.sink, self.clock, self.n = sink, clock, n
        self.gateway = None
        self.open_at_wake = []
        self.done = asyncio.Event()

    async def run(self):
        for k in range(self.n):
            await self.clock.sleep_until(START_NS + (k + 1) * MINUTE_NS)
            if self.gateway is not None:
                self.open_at_wake.append(self.gateway.spool.stats().batches)
            for part in range(3):
                self.sink(make_batch(4, start=12 * k + 4 * part, time_ns=self.clock.now_ns()))
        self.done.set()
        await asyncio.Event().wait()

    def devices(self):
        return {"level-1": "ok"}


@pytest.fixture
def broker(tmp_path):
    with nats_server(tmp_path) as running:
        yield running


@pytest.fixture
async def centre(broker):
    async with scripted_centre(broker.port, SOURCE) as running:
        yield running


def plan_for(port, folder):
    announce = Announce(revision="r1", drill=True, stations=(), series=())
    broker = BrokerAddress("127.0.0.1", port)
    return GatewayPlan(
        source=SOURCE,
        broker=broker,
        spool_dir=folder,
        limits=Limits(),
        buses=(),
        announce=announce,
    )


@asynccontextmanager
async def running(plan, clock, n, timing=TIMING, machine=None):
    tickers = []

    def source(sink):
        tickers.append(Ticker(sink, clock, n))
        return tickers[0]

    gateway = Gateway(plan, clock, np.random.default_rng(1), timing=timing, source=source, machine=machine)
    tickers[0].gateway = gateway
    async with asyncio.TaskGroup() as tasks:
        task = tasks.create_task(gateway.run())
        try:
            yield gateway, tickers[0]
        finally:
            task.cancel()


def expected_rows(n):
    return [float(value) for value in range(12 * n)]


def delivered(centre):
    return [value for key in sorted(centre.committed) for value in centre.committed[key]]


async def test_a_drill_never_outruns_delivery(broker, centre, tmp_path):
    """Lock step: when the next moment comes, everything of the one before has been acknowledged."""
    clock = LockstepClock(START_NS)
    async with asyncio.TaskGroup() as tasks:
        passing = tasks.create_task(clock.run())
        async with running(plan_for(broker.port, tmp_path / "spool"), clock, 200) as (gateway, ticker):
            await ticker.done.wait()
            await centre.until(lambda: gateway.spool.stats().batches == 0)
        passing.cancel()
    assert ticker.open_at_wake == [0] * 200
    assert delivered(centre) == expected_rows(200)
    assert clock._holds == 0


async def test_a_drill_waits_for_a_broker_that_is_away(broker, centre, tmp_path):
    clock = LockstepClock(START_NS)
    async with asyncio.TaskGroup() as tasks:
        passing = tasks.create_task(clock.run())
        async with running(plan_for(broker.port, tmp_path / "spool"), clock, 30) as (gateway, ticker):
            await until(lambda: len(ticker.open_at_wake) >= 5)
            await asyncio.to_thread(broker.kill)
            await asyncio.sleep(0.3)
            reached = len(ticker.open_at_wake)
            await asyncio.sleep(0.3)
            assert len(ticker.open_at_wake) <= reached + 1
            await asyncio.to_thread(broker.start)
            await ticker.done.wait()
            await centre.until(lambda: gateway.spool.stats().batches == 0)
        passing.cancel()
    assert ticker.open_at_wake == [0] * 30
    assert delivered(centre) == expected_rows(30)


async def test_what_was_polled_at_once_travels_together(broker, centre, tmp_path):
    clock = LockstepClock(START_NS)
    async with asyncio.TaskGroup() as tasks:
        passing = tasks.create_task(clock.run())
        async with running(plan_for(broker.port, tmp_path / "spool"), clock, 10) as (_, ticker):
            await ticker.done.wait()
            await centre.until(lambda: len(centre.committed) == 10)
        passing.cancel()
    assert {len(values) for values in centre.committed.values()} == {12}


async def test_a_stop_keeps_what_was_not_delivered(broker, centre, tmp_path):
    centre.script = always("silent")
    clock, folder = CountingClock(), tmp_path / "spool"
    async with running(plan_for(broker.port, folder), clock, 50) as (gateway, ticker):
        await ticker.done.wait()
        await centre.until(lambda: centre.arrivals)
        with pytest.raises(SpoolError, match="in use by process"):
            Spool.open(folder, Limits(), clock)
    assert gateway.polled_rows == 600
    assert clock.holds == 0
    await centre.until(lambda: centre.statuses[-1].presence is Presence.OFFLINE)
    assert centre.statuses[-1].spool_rows == centre.statuses[-1].polled_rows == 600
    spool = Spool.open(folder, Limits(), clock)
    assert sum(entry.rows for entry in drain(spool)) == 600
    assert clock.holds == 0, "what an earlier run left holds no clock"
    spool.close()


async def test_the_next_start_delivers_what_the_last_one_left(broker, centre, tmp_path):
    folder = tmp_path / "spool"
    left = Spool.open(folder, Limits(), HandClock())
    for k in range(100):
        left.append(make_batch(3, start=3 * k), Lane.LIVE)
    left.close()
    async with running(plan_for(broker.port, folder), SystemClock(), 0):
        await centre.until(lambda: len(centre.committed) == 100)
    assert delivered(centre) == expected_rows(25)


async def test_people_at_the_gateway_are_told_how_it_does(broker, centre, tmp_path):
    centre.script = always("silent")
    folder = tmp_path / "spool"
    async with running(plan_for(broker.port, folder), SystemClock(), 5) as (_, ticker):
        await ticker.done.wait()
        await until(lambda: read_status(folder) is not None)
        await centre.until(lambda: centre.arrivals)
        text = status_text(folder)
        assert f"running, process {os.getpid()}" in text
        assert "60 rows" in text
        assert "device     level-1: ok" in text
        before = {path: path.stat().st_mtime_ns for path in folder.iterdir() if path.name != "status.json"}
        status_text(folder)
        assert {path: path.stat().st_mtime_ns for path in before} == before
    text = status_text(folder)
    assert "not running" in text
    assert "60 polled, 0 acknowledged" in text
    assert json.loads((folder / "status.json").read_text())["status"]["presence"] == "offline"


async def test_a_gateway_that_wakes_in_1970_says_so_and_sends_when_the_time_is_known(broker, centre, tmp_path):
    folder, clock = tmp_path / "spool", SystemClock()
    machine = HandMachine(wall_ns=START_NS, synchronised=False)
    async with running(plan_for(broker.port, folder), clock, 1, machine=machine) as (gateway, ticker):
        await ticker.done.wait()
        await until(lambda: gateway.uplink.connected)
        assert "12 rows wait for it" in gateway.status().notes[0]
        assert not centre.arrivals
        machine.set(NOW_NS)
        await centre.until(lambda: delivered(centre) == expected_rows(1))
        assert gateway.status().clock.steps == 1
        await until(lambda: not gateway.status().clock.held_rows)
    text = status_text(folder)
    assert "clock      synchronised, set 1 times, last by +" in text
    assert "line       0.00" in text


async def test_what_the_line_carried_is_counted_on_after_a_restart(broker, centre, tmp_path):
    plan = plan_for(broker.port, tmp_path / "spool")
    carried = []
    for _ in range(2):
        async with running(plan, SystemClock(), 3) as (gateway, ticker):
            await ticker.done.wait()
            await centre.until(lambda gateway=gateway: gateway.spool.stats().acked_rows == 36)
        carried.append(read_status(plan.spool_dir).status.line)
    assert carried[0].month_bytes > 500
    assert carried[1].month_bytes > 1.5 * carried[0].month_bytes


def test_status_of_a_gateway_that_never_ran_is_said(tmp_path):
    assert "not running" in status_text(tmp_path / "nothing")
    assert "0 batches" in status_text(tmp_path / "nothing")
    assert not Path(tmp_path / "nothing").exists()


@pytest.mark.parametrize(("speed", "n"), [(40.0, 1), (math.inf, 300)])
async def test_status_comes_every_ten_seconds_of_data_time_but_floods_nobody(broker, centre, tmp_path, speed, n):
    clock = LockstepClock(START_NS, speed)
    started_s = time.monotonic()
    async with asyncio.TaskGroup() as tasks:
        passing = tasks.create_task(clock.run())
        async with running(plan_for(broker.port, tmp_path / "spool"), clock, n) as (_, ticker):
            await ticker.done.wait()
        passing.cancel()
    await centre.until(lambda: centre.statuses[-1].presence is Presence.OFFLINE)
    took_s = time.monotonic() - started_s
    times = [status.time_ns for status in centre.statuses if status.presence is Presence.ONLINE]
    assert len(times) <= took_s / 0.2 + 2
    if speed == 40.0:
        assert set(np.diff(sorted(set(times))).tolist()) == {10 * 10**9}
        assert 6 <= len(set(times)) <= 7
