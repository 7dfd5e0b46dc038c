"""Replies that wait: a device deletes what was acknowledged, so it is told once a power cut can't take that from us."""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Final, NamedTuple

import structlog

from edge_agent.lines.feeds import Send
from edge_agent.lines.line import LineCounters

Kept = Callable[[], Awaitable[None]]
"""Waits until everything that went into the sink so far survives a power cut; who calls it sets the deadline."""

_log = structlog.get_logger(__name__)
PATIENCE_S: Final = 3.0
"""Real seconds for which a reply may wait. By HJ 212's table of default timeouts a device sends again after 5 s on a
fixed line and 10 s over GPRS; a reply after that would meet the next message."""
_MOST: Final = 1024


async def at_once() -> None:
    """Nothing is kept here, so nothing is waited for."""


class _Reply(NamedTuple):
    due_s: float
    send: Send
    data: bytes


class Replies:
    """The replies of one port or line, in order. What can't be kept in time is not acknowledged: it will come again."""

    def __init__(self, kept: Kept, counters: LineCounters, bus: str) -> None:
        self._kept, self._counters = kept, counters
        self._log = _log.bind(bus=bus)
        self._waiting: deque[_Reply] = deque()
        self._some = asyncio.Event()
        self._late = False

    def put(self, send: Send, data: bytes) -> None:
        """Send ``data`` as soon as what came before is kept."""
        if len(self._waiting) >= _MOST:
            self._withhold(1)
            return
        self._waiting.append(_Reply(asyncio.get_running_loop().time() + PATIENCE_S, send, data))
        self._some.set()

    async def run(self) -> None:
        """Send until cancelled: one wait serves all that have queued during the last one."""
        while True:
            await self._some.wait()
            answered = 0
            with suppress(TimeoutError):
                async with asyncio.timeout_at(self._waiting[0].due_s):
                    count = len(self._waiting)
                    await self._kept()
                    answered = count
            if answered:
                self._answer(answered)
            else:
                now_s = asyncio.get_running_loop().time()
                self._withhold(self._drop(sum(reply.due_s <= now_s for reply in self._waiting)))
            if not self._waiting:
                self._some.clear()

    def _answer(self, count: int) -> None:
        for _ in range(count):
            reply = self._waiting.popleft()
            reply.send(reply.data)
        if self._late:
            self._late = False
            self._log.warning("replies leave again", withheld=self._counters.withheld)

    def _drop(self, count: int) -> int:
        for _ in range(count):
            self._waiting.popleft()
        return count

    def _withhold(self, count: int) -> None:
        """Let replies go unsent; said once, until one leaves again."""
        self._counters.withheld += count
        if count and not self._late:
            self._late = True
            self._log.error("replies withheld: what was reported is not on disk", within_s=PATIENCE_S)
