"""What passes between a gateway and its centre besides rows: who takes what comes, and what waits to be told."""

import asyncio
from collections import deque
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Final

import structlog

from gateway.connection import Connection
from telemetry.topics import Channel, topic

_LOG = structlog.get_logger()
_WAITING: Final = 64
Take = Callable[[bytes, bool], None]
"""Takes a payload, and whether the broker had kept it for whoever comes later; refuses what is bad."""


class Mailbox:
    """Outlives connections: what could not be told waits for the next one."""

    def __init__(self, source: str, inbox: Mapping[Channel, Take] | None = None) -> None:
        self._source = source
        self._inbox = {topic(source, channel): take for channel, take in (inbox or {}).items()}
        self._waiting: deque[tuple[str, bytes]] = deque()
        self._posted = asyncio.Event()
        self._empty = asyncio.Event()
        self._empty.set()

    def open(self, inbox: Mapping[Channel, Take]) -> None:
        """There is somebody for these, too, from the next connection on."""
        self._inbox |= {topic(self._source, channel): take for channel, take in inbox.items()}

    @property
    def topics(self) -> list[str]:
        """What there is somebody for."""
        return list(self._inbox)

    def receive(self, name: str, payload: bytes, retained: bool) -> bool:
        """Hand on what came; False when there is nobody for it."""
        take = self._inbox.get(name)
        if take is None:
            return False
        take(payload, retained)
        return True

    def tell(self, channel: Channel, payload: bytes) -> None:
        """Send something once there is a connection; the oldest goes when too much waits."""
        if len(self._waiting) >= _WAITING:
            name, _ = self._waiting.popleft()
            _LOG.warning("could not be told in time", topic=name)
        self._waiting.append((topic(self._source, channel), payload))
        self._empty.clear()
        self._posted.set()

    async def told(self, within_s: float) -> None:
        """Wait until everything has left, ``within_s`` real seconds at most."""
        with suppress(TimeoutError):
            async with asyncio.timeout(within_s):
                await self._empty.wait()

    async def post(self, link: Connection) -> None:
        """Send what waits, for as long as a connection lives; what the broker has not taken waits on."""
        while True:
            while self._waiting:
                first = self._waiting[0]
                await link.send(*first, qos=1)
                if self._waiting and self._waiting[0] is first:
                    self._waiting.popleft()
            self._empty.set()
            self._posted.clear()
            await self._posted.wait()
