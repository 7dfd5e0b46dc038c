"""What a data logger may delete: it is told so only when a power cut can't take its report from the gateway (P10)."""

import asyncio
import errno
import os
import random
import signal
import sys
import tty
from asyncio.subprocess import PIPE
from datetime import UTC, datetime
from pathlib import Path

import pytest

from edge_agent import replies
from telemetry.clock import SECOND_NS
from tests.integration.brokers import nats_server
from tests.integration.gateway_centre import scripted_centre, until
from tests.integration.loggers import SOURCE, Logger, gateway, kept, message, settings, watched_disk
from tests.unit.gateway_machine import HandMachine

_KILLS = 10
_GATEWAYS = """
import asyncio, os, sys
from pathlib import Path
import structlog
from tests.integration.loggers import gateway

structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(50))

async def live():
    async with gateway(Path(sys.argv[1])):
        await asyncio.Event().wait()

for _ in sys.stdin:  # a process of its own for each life, without importing everything again
    if (pid := os.fork()) == 0:
        asyncio.run(live())
    print(pid, flush=True)
    os.wait()
"""


@pytest.fixture
def disk(tmp_path, monkeypatch):
    with watched_disk(tmp_path / "platter", monkeypatch) as watched:
        yield watched


@pytest.fixture
async def calling():
    """Loggers that hang up when the test is over."""
    loggers = []

    def call(*args, **kwargs):
        loggers.append(Logger(*args, **kwargs))
        return loggers[-1]

    yield call
    for logger in loggers:
        await logger.hang_up()


async def nothing_comes(reader, seconds=0.3):
    """Whether a caller hears nothing for so long."""
    try:
        async with asyncio.timeout(seconds):
            await reader.read(1)
    except TimeoutError:
        return True
    return False


async def test_a_power_cut_after_an_acknowledgement_never_takes_the_report(tmp_path, calling, disk):
    """After each acknowledgement the power is cut: what the disk was made to keep holds all that was acknowledged."""
    logger = calling(settings(tmp_path))
    async with gateway(tmp_path):
        for _ in range(12):
            await logger.report()
            assert logger.acknowledged <= disk.after_a_power_cut(tmp_path / "trial")


async def test_a_gateway_without_the_time_keeps_first_and_acknowledges_then(tmp_path, calling, disk):
    """Rows that wait for the time are in a spool of their own."""
    logger, machine = calling(settings(tmp_path), patience_s=5.0), HandMachine(SECOND_NS, synchronised=False)
    async with gateway(tmp_path, machine):
        await logger.report()
        held = disk.after_a_power_cut(tmp_path / "trial")
    assert logger.acknowledged <= held


async def test_no_reply_leaves_while_the_disk_works_and_everybody_is_heard_meanwhile(tmp_path, calling, disk):
    one, other = (calling(port, first) for port in [settings(tmp_path)] for first in (1, 101))
    async with gateway(tmp_path) as running:
        await one.report()
        disk.hold()
        begun = disk.begun
        await one.send()
        await until(lambda: disk.begun > begun)
        await other.send()
        await until(lambda: running.spool.stats().rows >= 3)
        streams = [await logger.connect() for logger in (one, other)]
        assert [await nothing_comes(reader) for reader, _ in streams] == [True, True]
        assert not {one.number, other.number} & disk.after_a_power_cut(tmp_path / "trial")
        disk.release()
        async with asyncio.timeout(2.0):
            assert await one.acknowledgement()
            assert await other.acknowledgement()
        assert {one.number, other.number} <= disk.after_a_power_cut(tmp_path / "trial")


async def test_a_reply_waits_for_the_disk_alone_and_not_for_the_next_group_sync(tmp_path, calling):
    logger = calling(settings(tmp_path))
    loop, took_s = asyncio.get_running_loop(), []
    async with gateway(tmp_path):
        for _ in range(10):
            began_s = loop.time()
            await logger.report()
            took_s.append(loop.time() - began_s)
    assert sorted(took_s)[5] < 0.1, "half of the interval of the group sync"


async def test_what_is_not_kept_in_time_is_not_acknowledged_and_comes_again(tmp_path, calling, disk, monkeypatch):
    """A disk that is stuck: the logger keeps its report and sends it again; a late reply would meet another one."""
    monkeypatch.setattr(replies, "PATIENCE_S", 0.2)
    logger = calling(settings(tmp_path))
    async with gateway(tmp_path) as running:
        await logger.report()
        figures = running._source.stats()["loggers"].line
        disk.hold()
        await logger.send()
        reader, _ = await logger.connect()
        await until(lambda: figures.withheld == 1)
        disk.release()
        assert await nothing_comes(reader)
        await logger.report()
        assert logger.acknowledged == {1, 2}
        assert logger.acknowledged <= disk.after_a_power_cut(tmp_path / "trial")


async def test_a_disk_that_takes_nothing_keeps_replies_back_and_a_disk_that_does_again_lets_them_go(
    tmp_path, calling, disk, monkeypatch
):
    """Without a centre a power cut takes what is in memory; with room again it goes to disk, and replies leave."""
    monkeypatch.setattr(replies, "PATIENCE_S", 0.3)
    real, is_full = os.pwrite, True

    def pwrite(descriptor, data, offset):
        if is_full:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return real(descriptor, data, offset)

    monkeypatch.setattr(os, "pwrite", pwrite)
    logger = calling(settings(tmp_path), patience_s=1.5)
    async with gateway(tmp_path) as running:
        await logger.send()
        reader, _ = await logger.connect()
        await until(lambda: running._source.stats()["loggers"].line.withheld == 1)
        assert running.spool.stats().memory_batches == 1
        is_full = False
        assert await nothing_comes(reader)
        await until(lambda: running.spool._shelf._retry_s < asyncio.get_running_loop().time())
        await logger.report()
        assert running.spool.stats().memory_batches == 0
        assert logger.acknowledged <= disk.after_a_power_cut(tmp_path / "trial")


async def test_on_a_full_disk_the_centre_keeps_it(tmp_path, calling, monkeypatch):
    """Live data still goes out (issue 3): what the centre has committed is kept, so the reply leaves."""

    def full(*_):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with nats_server(tmp_path) as broker:
        async with scripted_centre(broker.port, SOURCE) as centre:
            logger = calling(settings(tmp_path, broker=broker.port), patience_s=5.0)
            async with gateway(tmp_path) as running:
                await until(lambda: running.uplink.connected)
                monkeypatch.setattr(os, "pwrite", full)
                await logger.report()
                assert running.spool.stats().failing == "No space left on device"
            assert list(centre.committed.values()) == [[1.0]]


async def test_replies_on_a_serial_line_wait_too(tmp_path, disk):
    far, near = os.openpty()
    tty.setraw(near)
    os.set_blocking(far, False)
    settings(tmp_path, line=f"serial: {{port: {os.ttyname(near)}}}")
    heard = asyncio.Event()
    async with gateway(tmp_path) as running:
        await until(lambda: running._source.stats()["loggers"].line.connects)
        asyncio.get_running_loop().add_reader(far, heard.set)
        disk.hold()
        os.write(far, message("7", datetime.now(UTC)))
        await until(lambda: disk.begun)
        assert not heard.is_set()
        disk.release()
        async with asyncio.timeout(2.0):
            await heard.wait()
        asyncio.get_running_loop().remove_reader(far)
        assert b"CN=9014" in os.read(far, 4096)
        assert disk.after_a_power_cut(tmp_path / "trial") == {7}
    os.close(far)
    os.close(near)


async def _live_and_die(gateways, logger, rng):
    """One life of the gateway: it is killed at a random moment while the logger reports."""
    gateways.stdin.write(b"\n")
    pid = int(await gateways.stdout.readline())
    await logger.report()  # it is up
    async with asyncio.TaskGroup() as tasks:
        reporting = tasks.create_task(_report_for_ever(logger))
        await asyncio.sleep(rng.uniform(0.0, 0.15))
        os.kill(pid, signal.SIGKILL)
        reporting.cancel()


async def _report_for_ever(logger):
    while True:
        await logger.report()


async def test_ten_kills_lose_nothing_that_a_logger_was_told_to_delete(tmp_path, calling):
    logger, rng = calling(settings(tmp_path)), random.Random(1)
    gateways = await asyncio.create_subprocess_exec(
        sys.executable, "-c", _GATEWAYS, tmp_path, cwd=Path(__file__).parents[2], stdin=PIPE, stdout=PIPE
    )
    for _ in range(_KILLS):
        await _live_and_die(gateways, logger, rng)
        await logger.hang_up()
    await gateways.communicate(b"")
    assert len(logger.acknowledged) > 3 * _KILLS
    assert logger.acknowledged <= kept(tmp_path / "spool")
