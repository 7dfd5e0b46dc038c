"""Made-up events, clocks and channels for the tests of the warning chain."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from alerting.alarms import Event, Kind, Outcome, SubjectKind
from alerting.channels import Channel, ChannelSettings, Message, Receipt, Sent
from alerting.lane import Lane
from alerting.outbox import Outbox, route
from alerting.state import State
from telemetry.clock import SECOND_NS
from telemetry.series import Text

START_NS = 1_690_502_400 * SECOND_NS


def make_event(alarm: str = "a1", version: int = 1, **changes: object) -> Event:
    """One transition of one alarm."""
    kind = changes.pop("kind", Kind.RAISED if version == 1 else Kind.LEVEL_CHANGED)
    level = changes.pop("level", 0 if kind is Kind.CLEARED else 2)
    fields = {
        "kind": kind,
        "alarm_id": alarm,
        "version": version,
        "level": level,
        "hazard": "gale",
        "hazard_name": Text("大风", "Gale"),
        "subject_kind": SubjectKind.STATION,
        "subject": "weather-1",
        "subject_name": Text("气象站", "Weather station"),
        "town": "350305100",
        "outcome": Outcome.CLEARED if kind is Kind.CLEARED else Outcome.LEVEL,
        "time_ns": START_NS,
        "at_ns": START_NS,
        "text": Text("大风蓝色", "Gale blue"),
    }
    return Event(**(fields | changes))  # type: ignore[arg-type]


class HandWall:
    """Real time that a test sets."""

    def __init__(self, now_ns: int = START_NS) -> None:
        self.ns = now_ns

    def now_ns(self) -> int:
        return self.ns

    async def sleep_until(self, time_ns: int) -> None:
        self.ns = max(self.ns, time_ns)

    def hold(self) -> None:
        """Nobody waits."""

    def release(self) -> None:
        """Nobody waits."""


@dataclass
class Scripted:
    """A channel that does what a test says; ``act`` may raise ChannelError or wait."""

    act: Callable[[Message], object] | None = None
    got: list[Message] = field(default_factory=list)
    closed: bool = False
    arrived: asyncio.Event = field(default_factory=asyncio.Event)

    async def send(self, message: Message) -> Sent:
        self.got.append(message)
        self.arrived.set()
        answer = None if self.act is None else self.act(message)
        if asyncio.iscoroutine(answer):
            await answer
        return Sent(receipt=Receipt.ACCEPTED)

    async def close(self) -> None:
        self.closed = True


class PlainSettings(ChannelSettings, frozen=True, kw_only=True, forbid_unknown_fields=True, tag="plain"):
    """Settings with nothing of their own."""


async def until(outbox: Outbox, reached: Callable[[], bool]) -> None:
    """Wait for turns of an outbox until something is so."""
    async with asyncio.timeout(5):
        while not reached():
            outbox._turned.clear()
            await outbox._turned.wait()


@asynccontextmanager
async def running(
    path: Path, channels: dict[str, Channel], wall: HandWall | None = None, **settings: object
) -> AsyncIterator[tuple[State, Outbox]]:
    """A state and its outbox at work."""
    wall = wall or HandWall()
    lanes = {
        name: Lane(settings=PlainSettings(name=name, **({"drills": True} | settings)), channel=channel)
        for name, channel in channels.items()
    }
    state = await State.open(path, route([lane.settings for lane in lanes.values()]), wall)
    outbox = Outbox(state=state, lanes=lanes, wall=wall, rng=np.random.default_rng(7))
    try:
        async with asyncio.TaskGroup() as tasks:
            task = tasks.create_task(outbox.run())
            try:
                yield state, outbox
            finally:
                task.cancel()
    finally:
        await state.close()
