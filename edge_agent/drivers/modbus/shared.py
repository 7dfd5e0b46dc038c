"""A line for polls and commands alike: one transaction at a time, first come, first served.

A poll takes the line anew for each of its requests. So a command waits for the transaction under way at most, and not
for the rest of the poll, nor for the other devices of the bus (P4, P23).
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from edge_agent.drivers.modbus.driver import Call, Line
from edge_agent.lines.line import LineDownError


class SharedLine:
    """A line with a lock around it. Locks of asyncio are handed on in the order in which they were asked for."""

    def __init__(self, line: Line) -> None:
        self.counters = line.counters
        self._line = line
        self._lock = asyncio.Lock()
        self._retired = False

    @property
    def connected(self) -> bool:
        """Whether a request can be tried."""
        return self._line.connected

    async def connect(self) -> None:
        """Open it, unless somebody else has done so meanwhile; raises LineDownError within the line's timeout."""
        async with self._lock:
            await self._open()

    async def transact(self, call: Call) -> bytes:
        """The data of the answer; see ``Line``."""
        async with self._lock:
            self._check()
            return await self._line.transact(call)

    @asynccontextmanager
    async def reserved(self) -> AsyncIterator[Line]:
        """The line, open, for nobody else until the end of the block; raises LineDownError when it can't be opened."""
        async with self._lock:
            await self._open()
            yield self._line

    async def retire(self) -> None:
        """Wait until nothing is under way, then close it for good: whoever waits for it finds it down."""
        async with self._lock:
            self._retired = True
            self._line.close()

    def close(self) -> None:
        """Let go of it; whoever waits for an answer is told."""
        self._line.close()

    async def _open(self) -> None:
        self._check()
        if not self._line.connected:
            await self._line.connect()

    def _check(self) -> None:
        """Another line may have its port by now."""
        if self._retired:
            raise LineDownError("the bus was taken away")
