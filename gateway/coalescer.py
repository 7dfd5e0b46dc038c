"""Between polls and spool: a poll leaves at once, unless many end close to each other: they leave together.

A message costs much the same whatever it holds: gateway, broker and centre each pay for it, and the centre commits it.
So where the last ``_MANY`` polls ended within ``gather_s``, rows wait that long for those that follow. Rows wait for a
busy uplink, too, and leave together when it can take them. Alarms wait for nothing (``flush``).
"""

import asyncio
import math
import time
from collections import deque
from collections.abc import Awaitable, Callable, Iterator
from typing import Final

from telemetry.batch import MAX_ROWS, Batch, concat
from telemetry.clock import Clock

PATIENCE_S: Final = 0.2
"""Rows wait at most this long for a busy or absent uplink before they go to the spool: the interval of its sync."""
_MOST_ROWS: Final = 4 * MAX_ROWS
_MANY: Final = 4
"""Polls: fewer than a hundred a second cost little, each in a message of its own."""


class Coalescer:
    """A bounded queue of unnumbered batches of one source. What is in it holds a drill's clock."""

    def __init__(
        self,
        clock: Clock,
        append: Callable[[Batch], None],
        ready: Callable[[float], Awaitable[None]],
        gather_s: float = 0.0,
    ) -> None:
        """``append`` keeps a batch; ``ready`` waits until one could leave at once, for some seconds at most."""
        self._clock = clock
        self._append = append
        self._ready = ready
        self._gather_s = gather_s
        self._queue: deque[Batch] = deque()
        self._rows = 0
        self._filled = asyncio.Event()
        self._ended_s: deque[float] = deque([-math.inf], maxlen=_MANY)

    def put(self, batch: Batch) -> None:
        """Take a batch; a full queue goes to the spool at once, so nothing is ever lost here."""
        if not len(batch):
            return
        self._clock.hold()
        self._queue.append(batch)
        self._ended_s.append(time.monotonic())
        self._rows += len(batch)
        self._filled.set()
        if self._rows >= _MOST_ROWS:
            self.flush()

    async def run(self) -> None:
        """Hand on what is there whenever the uplink can take it."""
        while True:
            await self._filled.wait()
            patience_s = PATIENCE_S
            if time.monotonic() - self._ended_s[0] < self._gather_s:
                await asyncio.sleep(self._gather_s)
                patience_s -= self._gather_s
            await self._ready(patience_s)
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
