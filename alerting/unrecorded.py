"""Unrecorded: what the state can't take, because its disk is full, is told to people all the same (ADR 0005).

One event after another on each channel, from memory, under the key that its recorded delivery will have. When the state
takes the event later, the outbox finds here that it was told, and does not tell it again.
"""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

import numpy as np
import structlog

from alerting.alarms import Event
from alerting.channels import ChannelError, Sent
from alerting.lane import Lane
from alerting.state.deliveries import delivery_key
from alerting.state.state import Route

_PAUSE_S: Final = (1.0, 60.0)
_LOG: Final = structlog.get_logger(room="outbox")


@dataclass(slots=True, eq=False)
class _Line:
    """What one channel has still to tell, oldest first, by key."""

    lane: Lane
    waiting: dict[str, Event] = field(default_factory=dict)
    filled: asyncio.Event = field(default_factory=asyncio.Event)
    busy: asyncio.Lock = field(default_factory=asyncio.Lock)


@dataclass(slots=True, eq=False)
class Unrecorded:
    """``rng`` spreads the attempts. Only the state knows who heard of an alarm: later versions go to all channels."""

    lanes: Mapping[str, Lane]
    route: Route
    rng: np.random.Generator
    told: int = 0
    """Deliveries made so since the start."""
    _lines: dict[str, _Line] = field(default_factory=dict)
    _done: dict[str, Sent | None] = field(default_factory=dict)
    """By key what its receiver said, None where it refused for good."""

    def __post_init__(self) -> None:
        self._lines = {name: _Line(lane) for name, lane in self.lanes.items()}

    def tell(self, events: Sequence[Event]) -> None:
        """Tell these events, but for what was told or waits already."""
        for event in events:
            heard = self.lanes if event.version > 1 else ()
            for planned in self.route(event, heard, 0):
                line, key = self._lines[planned.channel], delivery_key(event, planned.channel)
                if key not in self._done:
                    line.waiting.setdefault(key, event)
                    line.filled.set()

    def recorded(self) -> None:
        """The state has taken everything: what was not told yet is the outbox's."""
        for line in self._lines.values():
            line.waiting.clear()

    async def told_of(self, channel: str, key: str) -> Sent | None:
        """What the receiver said if the delivery was made already, else None; asked once, then forgotten."""
        async with self._lines[channel].busy:  # it may be under way at this moment
            return self._done.pop(key, None)

    async def run(self) -> None:
        """Tell until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            for name, line in self._lines.items():
                tasks.create_task(self._tell(line), name=f"unrecorded {name}")

    async def _tell(self, line: _Line) -> None:
        failures = 0
        while True:
            while not line.waiting:
                line.filled.clear()
                await line.filled.wait()
            async with line.busy:
                told = await self._attempt(line, failures + 1)
            failures = 0 if told else failures + 1
            if failures:
                await asyncio.sleep(self._pause_s(failures))

    async def _attempt(self, line: _Line, number: int) -> bool:
        if not line.waiting:
            return True
        key, event = next(iter(line.waiting.items()))
        try:
            self._tick_off(line, key, await line.lane.attempt(event, key, number))
        except ChannelError as exc:
            _LOG.error("an alarm that can't be recorded was not told", key=key, reason=str(exc))
            if exc.final:
                self._tick_off(line, key, None)
            return False
        return True

    def _tick_off(self, line: _Line, key: str, sent: Sent | None) -> None:
        line.waiting.pop(key, None)
        self._done[key] = sent
        self.told += sent is not None

    def _pause_s(self, failures: int) -> float:
        shortest_s, longest_s = _PAUSE_S
        return float(min(longest_s, shortest_s * 2.0 ** min(failures - 1, 16)) * self.rng.uniform(0.5, 1.5))
