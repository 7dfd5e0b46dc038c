"""The centre: commits in, events and deliveries out, and the picture that people see.

    commit --> board (newest samples)
       |
       +-----> engine --> events --> state (events + outbox + cursor, one transaction) --> outbox --> channels
                                       |
                                       +--> board (alarms) --> fan-out --> consoles

Commits, ticks and acknowledgements pass one after another. While a commit or a tick is under way data time is held, so
that a drill in lock step decides the same things at the same times whatever the speed of the machine.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Final, Protocol

import structlog

from alerting.alarms import Event, StaleVersionError, acknowledge
from alerting.api import dto
from alerting.api.board import Board, Judge
from alerting.api.fanout import Fanout
from alerting.api.view import Acknowledgement, StaleError, UnavailableError
from alerting.outbox import Outbox
from alerting.state import Operation, State, StateError
from alerting.state.log import Tick
from ingest.catalogue import Catalogue
from ingest.commit import Commit
from ingest.qc.rows import USUAL
from ingest.store.ahead import ahead
from ingest.store.protocol import Store, StoreRefusedError
from telemetry.clock import HOUR_NS, SECOND_NS, Clock
from telemetry.progress import Progress

TICK_NS: Final = 30 * SECOND_NS
_TICK_PHASE_NS: Final = 777_000_000  # off the full second, on which polls are due: which came first would be chance
_WINDOW_NS: Final = 48 * HOUR_NS
_PATIENCE_TICKS: Final = 4
_CURSOR_S: Final = 1.0
_MOST_PENDING: Final = 10_000
_LOG: Final = structlog.get_logger(room="centre")


def _nothing() -> None:
    """Nobody wants to know."""


async def _nobody_counts(_commit: Commit) -> None:
    """Nobody wants to know."""


class Engine(Judge, Protocol):
    """What decides (``alerting.engine.Engine``)."""

    def announce(self, catalogue: Catalogue) -> None:
        """Learn which series there are."""

    def restore(self, events: Iterable[Event], now_ns: int = 0) -> None:
        """Take up the alarms of the log, at ``now_ns``."""

    def warm(self, commit: Commit) -> None:
        """Take rows into the window without deciding anything."""

    def evaluate(self, commit: Commit) -> Sequence[Event]:
        """Take rows into the window and decide."""

    def tick(self, now_ns: int) -> Sequence[Event]:
        """Decide what silence and the passing of time call for."""


@dataclass(slots=True, kw_only=True)
class Figures:
    """What was counted since the start. ``lag_s`` is real time from a commit's arrival to its recorded events."""

    commits: int = 0
    rows: int = 0
    events: int = 0
    ticks: int = 0
    lag_s: float = 0.0
    trouble: str | None = None
    """Why the state could not be written, until it can."""
    unrecorded: int = 0
    """Events that wait for that."""


@dataclass(slots=True, eq=False, kw_only=True)
class Centre:
    """One centre. Call ``restore`` once, then run ``run`` in a task of its own and hand commits to ``on_commit``."""

    clock: Clock
    wall: Clock
    store: Store
    engine: Engine
    state: State
    outbox: Outbox
    board: Board
    fanout: Fanout
    on_learnt: Callable[[], None] = _nothing
    """Called when the engine has learnt of a change in the catalogue."""
    counting: Callable[[Commit], Awaitable[None]] = _nobody_counts
    """Called with each commit after it has been judged; it may take its time, but data time waits for it."""
    tick_ns: int = TICK_NS
    figures: Figures = field(default_factory=Figures)
    _cursor: int = 0
    _revision: int = -1
    _unwritten: list[Event] = field(default_factory=list)
    _ticks: list[Tick] = field(default_factory=list)
    _written_s: float = 0.0
    turn: asyncio.Lock = field(default_factory=asyncio.Lock)
    """Held by whoever uses the engine."""

    async def restore(self) -> None:
        """Take up the alarms of the log and the rows of the last 48 hours; evaluate what came after the cursor."""
        events = [event async for event in self.state.events()]
        self._learn()
        now_ns = self.clock.now_ns()
        self.engine.restore(events, now_ns)
        self.board.apply(events)
        self._cursor = await self.state.cursor()
        try:
            await asyncio.to_thread(self._warm, now_ns)
        except StoreRefusedError as exc:  # a server of rows that is away must not keep the alarms away too
            _LOG.error("the windows begin empty", reason=str(exc))
        missed = await asyncio.to_thread(lambda: list(self.store.rows_after(self._cursor)))
        for commit in missed:
            await self.on_commit(commit)
        _LOG.info("restored", events=len(events), cursor=self._cursor, evaluated=len(missed))

    def _warm(self, now_ns: int) -> None:
        since_ns = now_ns - _WINDOW_NS
        for commit in ahead(self.store.recent(since_ns, self._cursor)):
            self.engine.warm(commit)
        self.board.latest.take(self.store.latest(since_ns, now_ns + USUAL.ahead_ns), now_ns)

    async def run(self) -> None:
        """Tick, deliver and publish until cancelled; then write down what is not written yet."""
        try:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self._tick_for_ever(), name="ticks")
                tasks.create_task(self.outbox.run(), name="outbox")
                tasks.create_task(self.fanout.run(), name="fan-out")
        finally:
            await asyncio.shield(self._write())

    async def on_commit(self, commit: Commit) -> None:
        """Evaluate a commit and record what it caused; returns when both are done."""
        begun_s = time.monotonic()
        self.clock.hold()
        try:
            async with self.turn:
                self._learn()
                events = self.engine.evaluate(commit)
                self._cursor = max(self._cursor, commit.number)
                self.board.take(commit)
                await self._keep(events)
            self.figures.commits += 1
            self.figures.rows += len(commit)
            self.figures.lag_s = time.monotonic() - begun_s
            self.fanout.touch()
            await self.counting(commit)
        finally:
            self.clock.release()

    def progress(self) -> Progress:
        """Ticks: each of them passes the engine, and waits for its turn behind commits and the state's disk."""
        return Progress(done=self.figures.ticks, patience_s=_PATIENCE_TICKS * self.tick_ns / SECOND_NS)

    async def _tick_for_ever(self) -> None:
        while True:
            passed = (self.clock.now_ns() - _TICK_PHASE_NS) // self.tick_ns
            await self.clock.sleep_until((passed + 1) * self.tick_ns + _TICK_PHASE_NS)
            await self.tick()

    async def tick(self) -> None:
        """Tell the engine the time, and record what that caused."""
        async with self.turn:
            now_ns = self.clock.now_ns()
            self._learn()
            events = self.engine.tick(now_ns)
            self._ticks.append(Tick(self._cursor, now_ns))
            await self._keep(events)
        self.figures.ticks += 1
        self.fanout.touch()

    def _learn(self) -> None:
        if self._revision != self.board.catalogue.revision:
            self._revision = self.board.catalogue.revision
            self.engine.announce(self.board.catalogue)
            self.board.learn()
            self.on_learnt()

    async def _keep(self, events: Sequence[Event]) -> None:
        """Record events at once; a cursor alone once a second, since evaluating twice raises once."""
        self._unwritten += events  # in one step with the cursor: a cancellation must not part them
        self.board.apply(events)
        if self._unwritten or time.monotonic() - self._written_s >= _CURSOR_S:
            await self._write()

    async def _write(self) -> None:
        events, ticks, cursor = list(self._unwritten), list(self._ticks), self._cursor
        try:
            recorded = await self.state.record(events, cursor, ticks)
        except StateError as exc:
            self._trouble(exc)
            return
        del self._unwritten[: len(events)], self._ticks[: len(ticks)]
        self.store.passed(cursor)
        self._written_s = time.monotonic()
        if self.figures.trouble is not None:
            _LOG.warning("state can be written again", was=self.figures.trouble)
            self.outbox.unrecorded.recorded()
        self.figures.trouble, self.figures.unrecorded = None, 0
        self.figures.events += len(recorded.events)
        if recorded.queued:
            self.outbox.wake()

    def _trouble(self, error: StateError) -> None:
        """Alarms are shown and told all the same, and kept to be recorded as soon as the disk allows (ADR 0005)."""
        del self._unwritten[:-_MOST_PENDING], self._ticks[:-_MOST_PENDING]
        waiting = len(self._unwritten)
        if self.figures.trouble is None or waiting != self.figures.unrecorded:
            _LOG.critical("alarms can't be recorded, will try again", events=waiting, reason=str(error))
        self.figures.trouble, self.figures.unrecorded = str(error), waiting
        self.outbox.unrecorded.tell(self._unwritten)

    async def acknowledge(self, identity: str, seen: Acknowledgement) -> dto.Alarm:
        """Acknowledge the version that was seen (F23); raises UnknownError, StaleError, UnavailableError."""
        async with self.turn:
            now_ns = self.clock.now_ns()
            try:
                event = acknowledge(
                    self.board.known_alarm(identity), version=seen.version, by=seen.by, at_ns=now_ns, note=seen.note
                )
            except StaleVersionError as exc:
                raise StaleError(str(exc)) from exc
            if event is not None:
                await self._acknowledge(event, seen, now_ns)
        return self.board.alarm(identity)

    async def _acknowledge(self, event: Event, seen: Acknowledgement, now_ns: int) -> None:
        operation = Operation(
            kind=event.kind,
            alarm_id=event.alarm_id,
            version=seen.version,
            by=seen.by,
            note=seen.note,
            time_ns=now_ns,
            real_ns=self.wall.now_ns(),
        )
        try:
            recorded = await self.state.acknowledge(event, operation)
        except StateError as exc:
            raise UnavailableError(str(exc)) from exc
        self.board.apply(recorded.events)
        self.fanout.touch()
