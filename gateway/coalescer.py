"""Between polls and spool: merges what has queued while the uplink was busy, and never waits to gather more."""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Iterator
from typing import Final

from telemetry.batch import MAX_ROWS, Batch, concat
from telemetry.clock import Clock

PATIENCE_S: Final = 0.2
"""Rows wait at most this long for a busy or absent uplink before they go to the spool: the interval of its sync."""
_MOST_ROWS: Final = 4 * MAX_ROWS


class Coalescer:
    """A bounded queue of unnumbered batches of one source. What is in it holds a drill's clock."""

    def __init__(
        self, clock: Clock, append: Callable[[Batch], None], ready: Callable[[float], Awaitable[None]]
    ) -> None:
        """``append`` keeps a batch; ``ready`` waits until one could leave at once, for some seconds at most."""
        self._clock = clock
        self._append = append
        self._ready = ready
        self._queue: deque[Batch] = deque()
        self._rows = 0
        self._filled = asyncio.Event()

    def put(self, batch: Batch) -> None:
        """Take a batch; a full queue goes to the spool at once, so nothing is ever lost here."""
        if not len(batch):
            return
        self._clock.hold()
        self._queue.append(batch)
        self._rows += len(batch)
        self._filled.set()
        if self._rows >= _MOST_ROWS:
            self.flush()

    async def run(self) -> None:
        """Hand on what is there whenever the uplink can take it."""
        while True:
            await self._filled.wait()
            await self._ready(PATIENCE_S)
            self.flush()

    def flush(self, append: Callable[[Batch], None] | None = None) -> None:
        """Hand on everything now, to ``append`` where that is given instead of the usual one."""
        append = append or self._append
        batches, self._queue, self._rows = self._queue, deque(), 0
        self._filled.clear()
        for group in _groups(batches):
            append(group[0] if len(group) == 1 else concat(group))
        for _ in batches:
            self._clock.release()


def _groups(batches: deque[Batch]) -> Iterator[list[Batch]]:
    """Neighbours whose rows fit into one message; a poll is never cut in two here."""
    group: list[Batch] = []
    rows = 0
    for batch in batches:
        if group and rows + len(batch) > MAX_ROWS:
            yield group
            group, rows = [], 0
        group.append(batch)
        rows += len(batch)
    if group:
        yield group
