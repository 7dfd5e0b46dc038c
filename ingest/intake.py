"""The intake: what the broker delivered and nobody has looked at yet, in order, with a bound for every gateway."""

import asyncio
import time
from collections import Counter, deque
from collections.abc import Callable
from typing import Final, NamedTuple

from ingest.salvage import is_backlog
from telemetry.topics import Channel

WINDOW: Final = 32
"""Batches of one gateway that may be unacknowledged."""
_OTHERS: Final = 8
_MOST_BYTES: Final = 256 * 1024 * 1024
_TAKE_MESSAGES: Final = 512
_TAKE_BYTES: Final = 2 * 1024 * 1024


class Message(NamedTuple):
    """One payload as it came."""

    source: str
    channel: Channel
    payload: bytes


class Intake:
    """A bounded queue between the connection and the pipeline; everything happens in the event loop.

    The client library either queues without bound or discards in silence, so its messages come here at once. A gateway
    that keeps to the window of 32 always finds room; what is more is its own resending, and is dropped and counted:
    a batch that is not acknowledged stays in the spool and comes again, so nothing is lost. The same holds when all
    gateways together exceed ``most_bytes``.
    """

    def __init__(
        self, *, window: int = WINDOW, most_bytes: int = _MOST_BYTES, now_s: Callable[[], float] = time.monotonic
    ) -> None:
        self.dropped: Counter[str] = Counter()
        self._now_s = now_s
        self._room = window + _OTHERS
        self._most_bytes = most_bytes
        self._first: deque[tuple[Message, float]] = deque()
        self._backlog: deque[tuple[Message, float]] = deque()
        self._queued: Counter[str] = Counter()
        self._bytes = 0
        self._filled = asyncio.Event()

    def __len__(self) -> int:
        return len(self._first) + len(self._backlog)

    def put(self, message: Message) -> bool:
        """Queue a message; False when it was dropped because there was no room for it."""
        size = len(message.payload)
        if self._queued[message.source] >= self._room or self._bytes + size > self._most_bytes:
            self.dropped[message.source] += 1
            return False
        may_wait = message.channel is Channel.DATA and is_backlog(message.payload)
        (self._backlog if may_wait else self._first).append((message, self._now_s()))
        self._queued[message.source] += 1
        self._bytes += size
        self._filled.set()
        return True

    @property
    def oldest_s(self) -> float | None:
        """When the oldest message came that is still here, in seconds of real time; None when nothing is."""
        return min((queue[0][1] for queue in (self._first, self._backlog) if queue), default=None)

    async def wait(self, longest_s: float | None) -> None:
        """Wait until something is queued, or for so many seconds of real time (None: for ever)."""
        try:
            async with asyncio.timeout(longest_s):
                await self._filled.wait()
        except TimeoutError:
            return

    def take(self, *, backlog: bool = True, most_bytes: int = _TAKE_BYTES) -> list[Message]:
        """The oldest messages of one channel, ``most_bytes`` of them or a little more; empty when nothing is queued.

        Data and announcements are never mixed, so that each batch is judged by what was announced before it. Backlog
        comes last, and not at all unless it is asked for: what is live must not wait for what has waited for hours.
        """
        taken: list[Message] = []
        size = 0
        while (queue := self._next(backlog)) is not None and len(taken) < _TAKE_MESSAGES and size < most_bytes:
            if taken and queue[0][0].channel is not taken[0].channel:
                break
            message, _ = queue.popleft()
            taken.append(message)
            size += len(message.payload)
            self._forget(message)
        if not len(self):
            self._filled.clear()
        return taken

    def _next(self, backlog: bool) -> "deque[tuple[Message, float]] | None":
        if self._first:
            return self._first
        return self._backlog if backlog and self._backlog else None

    def _forget(self, message: Message) -> None:
        self._bytes -= len(message.payload)
        self._queued[message.source] -= 1
        if not self._queued[message.source]:
            del self._queued[message.source]
