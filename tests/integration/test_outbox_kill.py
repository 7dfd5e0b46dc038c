"""SIGKILL of a process that records and delivers: nothing lost, nothing under another key."""

import asyncio
import sys
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from alerting.outbox import route
from alerting.state import State
from alerting.state.tables import Progress
from telemetry.clock import SystemClock
from tests.integration.centre_victim import BATCH
from tests.unit.centre_receiver import Receiver, receiving

KILLS, LAST, PARALLEL = 10, 150, 8
ROOT = Path(__file__).parents[2]


async def start(folder: Path, url: str) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "tests.integration.centre_victim",
        str(folder),
        url,
        str(LAST),
        cwd=ROOT,
        stdout=asyncio.subprocess.DEVNULL,
    )


async def kill_amid(receiver: Receiver, process: asyncio.subprocess.Process, requests: int, extra_s: float) -> None:
    """Kill once so many more requests have come: in the middle of recording and sending."""
    goal = len(receiver.requests) + requests
    async with asyncio.timeout(20), receiver.arrived:
        await receiver.arrived.wait_for(lambda: len(receiver.requests) >= goal)
    await asyncio.sleep(extra_s)
    process.kill()
    await process.wait()


@pytest.mark.slow
async def test_ten_kills_lose_no_event_and_no_delivery(tmp_path):
    """F2, F5: after SIGKILL at random moments each event is recorded once and delivered under one key."""
    rng = np.random.default_rng(20)
    async with receiving() as receiver:
        for _ in range(KILLS):
            process = await start(tmp_path, receiver.url)
            await kill_amid(receiver, process, int(rng.integers(1, 25)), float(rng.uniform(0, 0.02)))
        process = await start(tmp_path, receiver.url)
        async with asyncio.timeout(60):
            assert await process.wait() == 0
        requests = list(receiver.requests)
    state = await State.open(tmp_path / "state.db", route([]), SystemClock())
    events = [event async for event in state.events()]
    depth, lines = await state.depth(), await state.verify()
    await state.close()
    expected = {f"a{commit}-{i}" for commit in range(1, LAST + 1) for i in range(BATCH)}
    assert {event.alarm_id for event in events} == expected, "an event was lost"
    assert lines == len(expected), "an event was recorded twice"
    assert depth == {"hook": {Progress.DELIVERED: len(expected)}}
    keys = Counter(request.key for request in requests)
    assert set(keys) == {f"{event.key}.hook" for event in events}, "missing, or under another key"
    assert sum(keys.values()) - len(keys) <= KILLS * PARALLEL, "only what was in flight comes again"
