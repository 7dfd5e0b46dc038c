"""State: the one door to the centre's SQLite file. Events, their deliveries and the cursor commit together."""

from collections.abc import AsyncIterator, Callable, Collection, Iterable, Mapping, Sequence
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Final, NamedTuple

import msgspec
from sqlalchemy import Connection

from alerting.alarms import Event
from alerting.state import deliveries, log
from alerting.state.database import Database
from alerting.state.deliveries import Planned, Settled, Turn
from alerting.state.log import Tick
from alerting.state.tables import Progress
from telemetry.clock import Clock

Route = Callable[[Event, Collection[str], int], Sequence[Planned]]
"""(event, channels that have heard of its alarm, real time now) -> the deliveries that it calls for."""
_PAGE: Final = 1_000


class Operation(msgspec.Struct, frozen=True, kw_only=True):
    """What a person did to an alarm, and which version of it they saw. ``time_ns`` is data time, ``real_ns`` real."""

    kind: str
    alarm_id: str
    version: int
    by: str
    note: str = ""
    time_ns: int
    real_ns: int


class Recorded(NamedTuple):
    """What ``record`` added."""

    events: list[Event]
    queued: int


class State:
    """Everything here runs in the database's own thread, one transaction a call; all may raise StateError."""

    def __init__(self, path: Path, route: Route, wall: Clock) -> None:
        self._database = Database(path)
        self._route = route
        self._wall = wall

    @classmethod
    async def open(cls, path: Path, route: Route, wall: Clock) -> "State":
        """Open the file, make or migrate its tables; raises StateError. ``wall`` is real time, not a drill's."""
        state = cls(path, route, wall)
        async with AsyncExitStack() as unless_open:
            unless_open.push_async_callback(state.close)
            await state._database.open()
            unless_open.pop_all()
        return state

    async def close(self) -> None:
        """Finish what is under way and let go of the file."""
        await self._database.close()

    async def record(self, events: Sequence[Event], cursor: int, ticks: Iterable[Tick] = ()) -> Recorded:
        """Append events, queue their deliveries, move the cursor: one transaction. Known events are ignored."""
        return await self._database.run(self._record, list(events), cursor, list(ticks))

    def _record(self, connection: Connection, events: list[Event], cursor: int, ticks: list[Tick]) -> Recorded:
        new = log.append_events(connection, events)
        log.write_cursor(connection, cursor, ticks)
        return self._queue(connection, new)

    def _queue(self, connection: Connection, new: list[tuple[int, Event]]) -> Recorded:
        now_ns = self._wall.now_ns()
        told = deliveries.told(connection, {event.alarm_id for _, event in new if event.version > 1})
        rows: list[tuple[int, Event, Planned]] = []
        for seq, event in new:
            heard = told.setdefault(event.alarm_id, set())
            planned = self._route(event, heard, now_ns)
            rows += [(seq, event, one) for one in planned]
            heard |= {one.channel for one in planned}
        return Recorded([event for _, event in new], deliveries.queue(connection, rows, now_ns))

    async def acknowledge(self, event: Event, operation: Operation) -> Recorded:
        """Append an acknowledgement to both logs: who and when, and the transition of the alarm that it caused."""
        return await self._database.run(self._acknowledge, event, operation)

    def _acknowledge(self, connection: Connection, event: Event, operation: Operation) -> Recorded:
        new = log.append_events(connection, [event])
        if new:
            log.append_operation(connection, operation)
        return self._queue(connection, new)

    async def events(self, after: int = 0) -> AsyncIterator[Event]:
        """Every event with a number above ``after``, oldest first; read in pages."""
        while page := await self._database.run(log.read_events, after, _PAGE):
            for seq, event in page:
                after = seq
                yield event

    async def operations(self) -> list[Operation]:
        """What people did, oldest first."""
        return await self._database.run(log.read_operations, Operation)

    async def cursor(self) -> int:
        """The number of the newest commit whose events are recorded; 0 before the first."""
        return await self._database.run(log.read_cursor)

    async def ticks(self, after_commit: int = 0) -> list[Tick]:
        """The ticks given to the engine at or after a commit."""
        return await self._database.run(log.read_ticks, after_commit)

    async def verify(self) -> int:
        """Check the hash chains of both logs; the number of events. Raises ChainError naming the line."""
        return await self._database.run(log.verify)

    async def recover(self, channels: Iterable[str]) -> None:
        """Call once before the first ``turn``: give back what a dead process was sending."""
        await self._database.run(deliveries.recover, list(channels), self._wall.now_ns())

    async def turn(self, settled: Sequence[Settled], free: Mapping[str, int]) -> Turn:
        """Settle attempts and lease what is due, ``free`` rows at most per channel: one transaction."""
        return await self._database.run(deliveries.turn, settled, free, self._wall.now_ns())

    async def settle(self, settled: Sequence[Settled]) -> None:
        """Settle attempts without taking more."""
        await self._database.run(deliveries.settle, settled)

    async def undelivered(self) -> bool:
        """Whether any delivery is neither delivered nor dead."""
        return await self._database.run(deliveries.undelivered)

    async def depth(self) -> dict[str, dict[Progress, int]]:
        """Deliveries per channel and progress."""
        return await self._database.run(deliveries.depth)
