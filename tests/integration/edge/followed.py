"""Follow what an acquisition in lock step logs about its devices."""

import asyncio

from edge_agent.acquisition import Acquisition
from telemetry.clock import SECOND_NS, LockstepClock

START_NS = 1_700_000_000 * SECOND_NS


class Log:
    """The log lines about devices of an acquisition in lock step."""

    def __init__(self, plans, told):
        self.clock, self.rows, self._told = LockstepClock(START_NS), asyncio.Queue(), told
        self._task = asyncio.create_task(Acquisition("test/gw", plans, self.clock, self.rows.put_nowait, seed=3).run())

    async def upto(self, seconds: float) -> list[bool]:
        """Whether each line so far called its device well, after so many seconds of data time."""
        async with asyncio.timeout(20):
            await self.clock.run(START_NS + int(seconds * SECOND_NS))
        return [line["state"] == "ok" for line in self._told if line["event"] == "device"]

    async def close(self):
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)
