"""The outbox: sends what the state says must be sent, most severe first, until it is delivered or given up.

It wakes by event, not by the clock, and never stands in the way of evaluation: rows are on disk, a bounded number per
channel is under way, and one slow receiver takes no place from another. What was being sent when the process died is
sent again under the same idempotency key. Retries live in real time. A drill's data time does not wait for receivers,
since nothing that they answer flows back into the engine; a drill ends with ``await outbox.drained()`` instead.
"""

import asyncio
import contextlib
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
import structlog

from alerting.alarms import Event, Kind
from alerting.channels import ChannelError, ChannelSettings, Sent
from alerting.lane import Lane
from alerting.state.database import StateError
from alerting.state.deliveries import Delivery, Planned, Settled
from alerting.state.state import Route, State
from alerting.state.tables import Progress
from alerting.unrecorded import Unrecorded
from telemetry.clock import SECOND_NS, Clock

_BACKOFF_S: Final = (0.25, 60.0)
_LONGEST_WAIT_S: Final = 30.0
_TOLD: Final = (Kind.RAISED, Kind.LEVEL_CHANGED, Kind.CLEARED)
_LOG: Final = structlog.get_logger(room="outbox")


@dataclass(slots=True)
class LaneCount:
    """What happened on a channel since the start; ``trouble`` is the last failure until something goes through."""

    delivered: int = 0
    retried: int = 0
    dead: int = 0
    trouble: str | None = None


def route(settings: Sequence[ChannelSettings]) -> Route:
    """Which channels an event goes to: those whose level it reaches, and those that have heard of its alarm."""

    def planned(event: Event, told: Collection[str], now_ns: int) -> list[Planned]:
        return [
            Planned(channel=one.name, deadline_ns=now_ns + int(one.retry_for_s * SECOND_NS))
            for one in settings
            if event.kind in _TOLD
            and (one.drills or not event.drill)
            and (event.level >= one.min_level or one.name in told)
        ]

    return planned


@dataclass(slots=True, eq=False)
class Outbox:
    """Owns the channels. ``wall`` is real time in UTC; ``rng`` spreads the retries.

    ``unrecorded`` tells what the state can't take: see there.
    """

    state: State
    lanes: Mapping[str, Lane]
    wall: Clock
    rng: np.random.Generator
    on_turn: Callable[[], None] | None = None
    counts: dict[str, LaneCount] = field(default_factory=dict)
    unrecorded: Unrecorded = field(init=False)
    _settled: list[Settled] = field(default_factory=list)
    _busy: dict[str, int] = field(default_factory=dict)
    _awake: asyncio.Event = field(default_factory=asyncio.Event)
    _turned: asyncio.Event = field(default_factory=asyncio.Event)

    def __post_init__(self) -> None:
        self.unrecorded = Unrecorded(self.lanes, route([lane.settings for lane in self.lanes.values()]), self.rng)

    def wake(self) -> None:
        """Say that rows were queued."""
        self._awake.set()

    async def run(self) -> None:
        """Deliver until cancelled; then what was finished is written down, and what was not stays leased."""
        self.counts = {name: LaneCount() for name in self.lanes}
        self._busy = dict.fromkeys(self.lanes, 0)
        await self.state.recover(self.lanes)
        try:
            async with asyncio.TaskGroup() as attempts:
                attempts.create_task(self.unrecorded.run(), name="tell what is not recorded")
                while True:
                    await self._wait(await self._turn(attempts))
        finally:
            await asyncio.shield(self._close())

    async def drained(self) -> None:
        """Wait until every delivery is final; needs ``run`` under way."""
        self._turned.clear()
        while await self.state.undelivered():
            await self._turned.wait()
            self._turned.clear()

    async def _turn(self, attempts: asyncio.TaskGroup) -> int | None:
        """One transaction: what became of attempts, and what to send now. When the next retry is due."""
        self._awake.clear()
        settled, self._settled = self._settled, []
        free = {name: lane.settings.parallel - self._busy[name] for name, lane in self.lanes.items()}
        try:
            turn = await self.state.turn(settled, {name: slots for name, slots in free.items() if slots > 0})
        except StateError as exc:
            self._settled = settled + self._settled
            _LOG.error("outbox can't write its state, will try again", reason=str(exc))
            return self.wall.now_ns() + SECOND_NS
        for delivery in turn.leased:
            self._busy[delivery.channel] += 1
            attempts.create_task(self._attempt(delivery), name=f"send {delivery.key}")
        self._turned.set()
        return turn.next_at_ns

    async def _wait(self, next_at_ns: int | None) -> None:
        """Until something happens; bounded, because the wall clock may be set meanwhile."""
        due_s = _LONGEST_WAIT_S if next_at_ns is None else (next_at_ns - self.wall.now_ns()) / SECOND_NS
        with contextlib.suppress(TimeoutError):  # not wait_for: in Python 3.11 it may swallow a cancellation
            async with asyncio.timeout(min(max(due_s, 0.0), _LONGEST_WAIT_S)):
                await self._awake.wait()

    async def _attempt(self, delivery: Delivery) -> None:
        lane = self.lanes[delivery.channel]
        try:
            sent = await self.unrecorded.told_of(delivery.channel, delivery.key)
            sent = sent or await lane.attempt(delivery.event, delivery.key, delivery.attempts)
        except ChannelError as exc:
            self._failed(delivery, exc)
        else:
            self._delivered(delivery, sent)
        self._busy[delivery.channel] -= 1
        self._awake.set()

    def _delivered(self, delivery: Delivery, sent: Sent) -> None:
        count = self.counts[delivery.channel]
        count.delivered += 1
        count.trouble = None
        self._settled.append(
            Settled(
                id=delivery.id, state=Progress.DELIVERED, at_ns=self.wall.now_ns(), receipt=sent.receipt, note=sent.note
            )
        )

    def _failed(self, delivery: Delivery, error: ChannelError) -> None:
        now_ns = self.wall.now_ns()
        next_at_ns = now_ns + int(self._pause_s(delivery.attempts, error) * SECOND_NS)
        dead = error.final or next_at_ns > delivery.deadline_ns
        state = Progress.DEAD if dead else Progress.QUEUED
        self._settled.append(Settled(id=delivery.id, state=state, at_ns=now_ns, next_at_ns=next_at_ns, note=str(error)))
        self._note_failure(delivery, error, dead=dead)

    def _note_failure(self, delivery: Delivery, error: ChannelError, *, dead: bool) -> None:
        count = self.counts[delivery.channel]
        count.trouble = str(error)
        facts: dict[str, Any] = {"key": delivery.key, "attempt": delivery.attempts, "reason": str(error)}
        if dead:
            count.dead += 1
            _LOG.error("delivery given up", channel=delivery.channel, **facts)
        else:
            count.retried += 1
            _LOG.warning("delivery failed, will be tried again", channel=delivery.channel, **facts)

    def _pause_s(self, attempts: int, error: ChannelError) -> float:
        shortest_s, longest_s = _BACKOFF_S
        pause_s = min(longest_s, shortest_s * 2.0 ** min(attempts - 1, 16))
        return max(pause_s * self.rng.uniform(0.5, 1.5), error.retry_after_s)

    async def _close(self) -> None:
        await self.state.settle(self._settled)
        self._settled = []
        for lane in self.lanes.values():
            await lane.channel.close()
