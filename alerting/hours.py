"""The engine's memory of weeks: its window's hours, read from the store after the start and after late rows."""

import asyncio
import time
from dataclasses import dataclass
from typing import Final

import numpy as np
import structlog

from ingest.store.hourly import Hourly
from ingest.store.protocol import Store, StoreRefusedError
from ingest.window import Window
from ingest.window.filling import PastHours
from ingest.window.hours import HOURS
from telemetry.batch import I64
from telemetry.clock import HOUR_NS, Clock

_LOG: Final = structlog.get_logger()
_AT_ONCE: Final = 500
"""Series: 60 days of them are taken over within 50 ms, which an alarm can wait."""
_EVERY_S: Final = 30.0
_REST: Final = 3.0
"""Of the time that a read takes, before the next one: the store has other readers, and rows to write."""


@dataclass(slots=True)
class LongMemory:
    """Reads hours in a thread and hands them to the window between two commits (``turn``)."""

    store: Store
    window: Window
    clock: Clock
    turn: asyncio.Lock

    async def run(self) -> None:
        """Read all hours, then again those of series of which rows came too late for the minutes, until cancelled."""
        owed = self.window.summed()
        while isinstance(self.store, Hourly):
            for at in range(0, len(owed), _AT_ONCE):
                begun_s = time.monotonic()
                await self._load(self.store, owed[at : at + _AT_ONCE])
                await asyncio.sleep(_REST * (time.monotonic() - begun_s))
            await asyncio.sleep(_EVERY_S)
            owed = self.window.series(np.array(sorted(self.window.outdated), np.int64))

    async def _load(self, store: Hourly, series: I64) -> None:
        to_ns = self.clock.now_ns() // HOUR_NS * HOUR_NS + HOUR_NS
        try:
            found = await asyncio.to_thread(store.hours, series, to_ns - HOURS * HOUR_NS, to_ns)
        except StoreRefusedError as exc:
            _LOG.warning("hours can't be read now", reason=str(exc), series=len(series))
            return
        slots = self.window.slots(found.series)
        order = np.lexsort((found.time_ns, slots))
        past = PastHours(
            slots=slots, time_ns=found.time_ns, mean=found.mean, maximum=found.maximum, by_quality=found.by_quality
        )
        async with self.turn:
            self.window.load_hours(past.take(order))
