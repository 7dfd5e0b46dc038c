"""A process to be killed: records events in batches, delivers them to a webhook, goes on where it was."""

import asyncio
import os
import sys
from pathlib import Path

import numpy as np

from alerting.channels.webhook import WebhookChannel, WebhookSettings
from alerting.lane import Lane
from alerting.outbox import Outbox, route
from alerting.state import State
from telemetry.clock import SystemClock
from tests.unit.centre_things import make_event

BATCH = 3


async def main(folder: Path, url: str, last: int) -> None:
    settings = WebhookSettings(name="hook", url=url, retry_for_s=86_400.0)
    state = await State.open(folder / "state.db", route([settings]), SystemClock())
    lanes = {"hook": Lane(settings=settings, channel=WebhookChannel(settings, folder))}
    outbox = Outbox(state=state, lanes=lanes, wall=SystemClock(), rng=np.random.default_rng(os.getpid()))
    async with asyncio.TaskGroup() as tasks:
        delivering = tasks.create_task(outbox.run())
        while (cursor := await state.cursor()) < last:
            events = [make_event(f"a{cursor + 1}-{i}", level=1 + i) for i in range(BATCH)]
            await state.record(events, cursor + 1)
            outbox.wake()
        await outbox.drained()
        delivering.cancel()
    await state.close()


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]), sys.argv[2], int(sys.argv[3])))
