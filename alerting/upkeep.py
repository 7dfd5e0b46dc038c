"""The store's upkeep in a running centre: days are closed and old rows let go, now and then, in a thread of its own."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, Protocol, runtime_checkable

import numpy as np
import structlog

from alerting.api import dto
from ingest.catalogue import Catalogue
from ingest.store.days import Days
from ingest.store.protocol import Store, StoreRefusedError
from ingest.store.upkeep import Expiry, Upkeep
from telemetry.clock import Clock

_LOG: Final = structlog.get_logger(__name__)
_EVERY_S: Final = 15.0
_SHOWN: Final = 3


@runtime_checkable
class Kept(Protocol):
    """A store that keeps closed days in files."""

    upkeep: Upkeep
    days: Days


@dataclass(slots=True)
class Housekeeping:
    """Closes days up to the commit that the engine had passed at the turn before: others may be a little behind it."""

    store: Store
    catalogue: Catalogue
    clock: Clock
    keep_days: Mapping[str, int] = field(default_factory=dict)
    """How many days rows of a quantity are kept; those that are not named, for ever."""
    every_s: float = _EVERY_S
    trouble: str = ""

    async def run(self) -> None:
        """Work until cancelled; a store that keeps no days has its own upkeep."""
        passed = 0
        while isinstance(self.store, Kept):
            await asyncio.sleep(self.every_s)
            upto, passed = passed, self.store.upkeep.passed
            try:
                await asyncio.to_thread(self.store.upkeep.run, self.clock.now_ns(), upto, self._expiries())
                self.trouble = ""
            except (StoreRefusedError, OSError) as exc:
                self.trouble = str(exc)
                _LOG.warning("no day was closed; rows stay open", reason=self.trouble)

    def _expiries(self) -> list[Expiry]:
        by_quantity: dict[str, list[int]] = {}
        for entry in self.catalogue.entries():
            if entry.series.quantity in self.keep_days:
                by_quantity.setdefault(entry.series.quantity, []).append(entry.id)
        return [Expiry(np.array(sorted(found), np.int64), self.keep_days[one]) for one, found in by_quantity.items()]

    def part(self) -> dto.Part | None:
        """The closed days as a part of the health: degraded while rows of one can't be read, or none can be closed."""
        if not isinstance(self.store, Kept):
            return None
        days, damaged = self.store.days.by_day.values(), self.store.days.damaged
        problems = [self.trouble] * bool(self.trouble) + [damaged[day] for day in sorted(damaged)]
        return dto.Part(
            status=dto.Condition.DEGRADED if problems else dto.Condition.OK,
            detail="; ".join(problems[:_SHOWN]) or "every closed day can be read",
            figures={
                "days": len(days),
                "rows": sum(day.rows for day in days),
                "bytes": sum(day.rows_bytes + day.hours_bytes for day in days),
                "damaged": len(damaged),
                "last_close_seconds": round(self.store.upkeep.last_s, 3),
            },
        )
