"""Server-sent events for many consoles: one task computes what changed, all of them read the same ring.

A console gets a snapshot, then deltas. Each delta holds whole items that changed since the one before, so taking one
twice harms nothing. Ids are ``<start of this process>-<number>``: a console that comes back with ``Last-Event-ID`` gets
what it missed as long as the ring holds it, else a snapshot. The ring is the only buffer: a console that is too slow
for it is not waited for, it gets a snapshot when it reads again.
"""

import asyncio
import time
from collections import deque
from collections.abc import AsyncIterator
from typing import Final, NamedTuple, Protocol

import numpy as np

HEARTBEAT_S: Final = 2.0
_PAUSE_S: Final = 0.2
_REST: Final = 9
"""Times as long as a delta took to compute it is not computed again: consoles get a tenth of the loop at most."""
_RING: Final = 512
_SNAPSHOT_S: Final = 0.25
_RETRY: Final = b"retry: 1000\n\n"


class Picture(Protocol):
    """Where the fan-out gets its data: JSON in one line."""

    def snapshot(self) -> bytes:
        """The whole picture."""

    def delta(self) -> bytes | None:
        """What changed since the last call; None when nothing did."""

    def pulse(self) -> bytes:
        """What a heartbeat carries."""


class _Frame(NamedTuple):
    number: int
    data: bytes


class Fanout:
    """The stream. ``pause_s`` is the shortest real time between deltas; ``rng`` names this start of the process."""

    def __init__(
        self,
        picture: Picture,
        rng: np.random.Generator,
        *,
        pause_s: float = _PAUSE_S,
        ring: int = _RING,
        heartbeat_s: float = HEARTBEAT_S,
        most: int = 64,
    ) -> None:
        self._picture = picture
        self._boot = f"{rng.integers(2**48):012x}"
        self._pause_s = pause_s
        self._heartbeat_s = heartbeat_s
        self._most = most
        self._ring: deque[_Frame] = deque(maxlen=ring)
        self._number = 0
        self._touched = asyncio.Event()
        self._published = asyncio.Event()
        self._cached: tuple[float, _Frame] | None = None
        self._closed = False
        self.clients = 0

    @property
    def full(self) -> bool:
        """Whether there are as many consoles as one centre serves."""
        return self.clients >= self._most

    def touch(self) -> None:
        """Say that the picture changed."""
        self._touched.set()

    async def run(self) -> None:
        """Publish changes until cancelled; then all streams end, so that the server can stop."""
        try:
            while True:
                await self._touched.wait()
                self._touched.clear()
                begun_s = time.monotonic()
                if self.clients:  # else changes gather in the picture until somebody looks
                    self.publish()
                await asyncio.sleep(max(self._pause_s, _REST * (time.monotonic() - begun_s)))
        finally:
            self._closed = True
            self._wake()

    def publish(self) -> None:
        """Compute what changed and give it to everybody."""
        if (data := self._picture.delta()) is not None:
            self._number += 1
            self._ring.append(_Frame(self._number, data))
            self._wake()

    async def stream(self, last_event_id: str | None) -> AsyncIterator[bytes]:
        """The bytes for one console, until it goes or the centre stops."""
        self.clients += 1
        self.touch()
        try:
            yield _RETRY
            async for message in self._follow(self._after(last_event_id)):
                yield message
        finally:
            self.clients -= 1

    async def _follow(self, seen: int | None) -> AsyncIterator[bytes]:
        """Messages after number ``seen``; None or one that the ring no longer holds: a snapshot first.

        One message at a time: the ring may turn while a reader takes it.
        """
        beat_at = time.monotonic() + self._heartbeat_s
        while not self._closed:
            news = self._published
            if seen is None or seen < self._oldest() - 1:
                frame = self._snapshot()
                seen = frame.number
                yield self._message("snapshot", frame)
            elif seen < self._number:
                frame = self._ring[seen + 1 - self._oldest()]
                seen = frame.number
                yield self._message("delta", frame)
            elif time.monotonic() < beat_at:
                await _first(news, beat_at)
            if time.monotonic() >= beat_at:
                beat_at = time.monotonic() + self._heartbeat_s
                yield b"event: heartbeat\ndata: " + self._picture.pulse() + b"\n\n"

    def _after(self, last_event_id: str | None) -> int | None:
        boot, _, number = (last_event_id or "").rpartition("-")
        if boot != self._boot or not (number.isascii() and number.isdigit()) or int(number) > self._number:
            return None
        return int(number)

    def _oldest(self) -> int:
        return self._ring[0].number if self._ring else self._number + 1

    def _snapshot(self) -> _Frame:
        """One for everybody who comes within a moment: what changes meanwhile is in the next delta."""
        now = time.monotonic()
        if self._cached is None or self._cached[1].number != self._number or now - self._cached[0] > _SNAPSHOT_S:
            self._cached = now, _Frame(self._number, self._picture.snapshot())
        return self._cached[1]

    def _message(self, event: str, frame: _Frame) -> bytes:
        return f"id: {self._boot}-{frame.number}\nevent: {event}\ndata: ".encode() + frame.data + b"\n\n"

    def _wake(self) -> None:
        self._published.set()
        self._published = asyncio.Event()


async def _first(news: asyncio.Event, beat_at: float) -> None:
    """Until there is news, or a heartbeat is due."""
    try:
        async with asyncio.timeout(max(0.0, beat_at - time.monotonic())):
            await news.wait()
    except TimeoutError:
        return
