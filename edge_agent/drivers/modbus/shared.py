"""A line for polls and commands alike: one transaction at a time, first come, first served.

A poll takes the line anew for each of its requests. So a command waits for the transaction under way at most, and not
for the rest of the poll, nor for the other devices of the bus (P4, P23).
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from edge_agent.drivers.modbus.driver import Call, Line


class SharedLine:
    """A line with a lock around it. Locks of asyncio are handed on in the order in which they were asked for."""

    def __init__(self, line: Line) -> None:
        self.counters = line.counters
        self._line = line
        self._lock = asyncio.Lock()

    @property
    def connected(self) -> bool:
        """Whether a request can be tried."""
        return self._line.connected

    async def connect(self) -> None:
        """Open it, unless somebody else has done so meanwhile; raises LineDownError within the line's timeout."""
        async with self.reserved():
            pass

    async def transact(self, call: Call) -> bytes:
        """The data of the answer; see ``Line``."""
        async with self._lock:
            return await self._line.transact(call)

    @asynccontextmanager
    async def reserved(self) -> AsyncIterator[Line]:
        """The line, open, for nobody else until the end of the block; raises LineDownError when it can't be opened."""
        async with self._lock:
            if not self._line.connected:
                await self._line.connect()
            yield self._line

    async def rest(self) -> None:
        """Wait until nothing is under way on it."""
        async with self._lock:
            return

    def close(self) -> None:
        """Let go of it; whoever waits for an answer is told."""
        self._line.close()
