"""The stage: at every tick of data time it derives what the newest rows allow, and computes anew what late rows change.

    commit --> late rows --> owed --+
                                    |
    tick ---> newest moments -------+--> store / hot window --> methods --> news --> courier --> intake --> store

A tick looks at moments that lie back by the lateness (30 s), as the areas of the engine do; rows that come later are
owed, and computed again at the next tick: in the store the row of the later commit wins. What is computed twice is
written once, so a restart, or a cursor that is old, neither loses nor doubles anything.
"""

import asyncio
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import structlog

from ingest.catalogue import Catalogue, Entry
from ingest.commit import Commit
from ingest.derivation import memory
from ingest.derivation.computing import Computer
from ingest.derivation.courier import Courier
from ingest.derivation.owed import Late, Owed, late_rows
from ingest.derivation.sources import Waiting
from ingest.derivation.terms import Announcing, Figures, Planned
from ingest.derived.announcing import announcement
from ingest.derived.gains import Sums
from ingest.derived.plan import Plan, make_plan
from ingest.derived.rows import Rows, concat
from ingest.derived.rules import Rule, span_ns
from ingest.derived.surroundings import Surroundings
from ingest.store.protocol import Store, StoreRefusedError
from telemetry.clock import HOUR_NS, MINUTE_NS, SECOND_NS, Clock
from telemetry.quality import Cause
from telemetry.topics import DERIVED, is_derived
from telemetry.wire import Lane

_LOG: Final = structlog.get_logger(room="derived")
_LATENESS_NS: Final = 30 * SECOND_NS
_PHASE_NS: Final = 555_000_000
"""Off the full second, on which polls are due."""
_LONGEST_OUTAGE_NS: Final = 48 * HOUR_NS
_PATIENCE_S: Final = 5.0
_AGAIN_S: Final = 0.5
_PARTS_A_TICK: Final = 32


@dataclass(slots=True, eq=False, kw_only=True)
class Stage:
    """Call ``start`` once before rows come, hand every commit to ``on_commit``, and run ``run`` in a task of its own.

    ``window`` holds the running sums of the quantities in ``kept``; it is read in the event loop alone.
    """

    store: Store
    catalogue: Catalogue
    admission: Announcing
    courier: Courier
    window: Sums
    kept: Collection[str]
    clock: Clock
    rules: Sequence[Rule]
    surroundings: Surroundings
    cursor_path: Path
    monotonic_s: Callable[[], float]
    figures: Figures = field(default_factory=Figures)
    plan: Plan = field(default_factory=lambda: Plan((), ()))
    _owed: Owed = field(default_factory=lambda: Owed(()))
    _entries: tuple[Entry, ...] = ()
    _revision: int = -1
    _strangers: list[Late] = field(default_factory=list)
    """Late rows of series that the plan does not know yet; until the next tick."""
    _done_ns: int = 0
    _seen: int = 0
    _saved: memory.Cursor | None = None
    _computer: Computer = field(init=False)
    _arrived: asyncio.Event = field(default_factory=asyncio.Event)

    def __post_init__(self) -> None:
        self._computer = Computer(self.store, self.kept, self.surroundings.timezone)

    @property
    def source(self) -> str:
        """The name that derived rows come under."""
        return f"{self.catalogue.site}/{DERIVED}"

    @property
    def owed(self) -> Owed:
        """What late rows have changed and nobody has computed yet."""
        return self._owed

    def start(self) -> None:
        """Learn the catalogue and what an earlier run left undone; blocks on the store, before anything runs."""
        self._adopt(self._planned())
        self.admission.take_own()
        self._done_ns = self._newest_moment()
        self._seen = self.store.last_commit()
        cursor = memory.load(self.cursor_path)
        if cursor is None or not self.plan.groups:
            return
        self._saved = cursor
        newest = cursor.until_ns
        for commit in self.store.rows_after(cursor.commit):
            newest = max(newest, self._late(commit, self._done_ns))
        since = max(cursor.until_ns, self._done_ns - _LONGEST_OUTAGE_NS)
        self._owed.everything(since, min(newest + HOUR_NS, self._done_ns))

    async def on_commit(self, commit: Commit) -> None:
        """Note rows that came late."""
        if commit.stored:
            self._seen = max(self._seen, commit.number)
        self._late(commit, self._done_ns)
        if any(is_derived(batch.source) for batch in commit.batches):
            self._arrived.set()

    async def run(self) -> None:
        """Tick until cancelled."""
        while True:
            step = self._step_ns()
            passed = (self.clock.now_ns() - _LATENESS_NS - _PHASE_NS) // step
            await self.clock.sleep_until((passed + 1) * step + _LATENESS_NS + _PHASE_NS)
            await self.tick()

    async def tick(self) -> None:
        """Derive the newest moments, then a part of what is owed, and see it all into the store."""
        self.clock.hold()
        begun_s = self.monotonic_s()
        try:
            if self._revision != self.catalogue.revision:
                self._adopt(await asyncio.to_thread(self._planned))
            seen, until = self._seen, self._newest_moment()
            since, self._done_ns = self._done_ns, max(self._done_ns, until)
            self.figures.problem = await self._derive(since, until)
            if self.figures.problem:
                self._owed.everything(since, until)
            else:
                await self._remember(memory.Cursor(commit=seen, until_ns=until))
        finally:
            self.clock.release()
        self.figures.ticks += 1
        self.figures.took_s = self.monotonic_s() - begun_s

    # -- what there is ----------------------------------------------------------------------------------------------

    def _planned(self) -> Planned:
        """The rules met with the catalogue, where anything of it has changed that they look at. For any thread."""
        revision = self.catalogue.revision
        entries = tuple(entry for entry in self.catalogue.entries() if not entry.is_derived)
        if entries == self._entries:
            return Planned(revision, entries, None, None)
        plan = make_plan(self.catalogue.site, self.rules, entries, self.surroundings)
        return Planned(revision, entries, plan, announcement(plan, drill=self.catalogue.drill))

    def _adopt(self, found: Planned) -> None:
        """Go by a new plan; what was owed still is, and so are late rows of series that it is the first to know."""
        self._revision, self._entries = found.revision, found.entries
        if found.plan is None or found.announce is None:
            return
        owed = Owed(found.plan.groups)
        owed.carry(self._owed)
        strangers, self._strangers = self._strangers, []
        for rows in strangers:
            owed.late(rows, self._done_ns)
        self.plan, self._owed = found.plan, owed
        self.figures.series = sum(group.outputs.size for group in found.plan.groups)
        self.admission.announce_own(self.source, found.announce)
        _LOG.info("derives", series=self.figures.series, left_out=len(found.plan.left_out))

    def _came_late(self, rows: Late, done_ns: int) -> None:
        self._owed.late(rows, done_ns)
        if self._revision != self.catalogue.revision:
            unknown = self._owed.strangers(rows)
            if len(unknown.series):
                self._strangers.append(unknown)

    def _step_ns(self) -> int:
        """The shortest time between two moments of any rule that has members here."""
        found = [span_ns(group.rule.every) for group in self.plan.groups if group.rule.every is not None]
        sampled = [int(group.period_ns[group.lead].min()) for group in self.plan.groups if group.rule.every is None]
        return max(min([*found, *sampled], default=MINUTE_NS), MINUTE_NS)

    def _newest_moment(self) -> int:
        """The newest moment whose rows are all here but those that are late."""
        step = self._step_ns()
        return (self.clock.now_ns() - _LATENESS_NS) // step * step

    def _late(self, commit: Commit, done_ns: int) -> int:
        """Owe what the rows of a commit change; the time of the newest of them."""
        newest = 0
        for batch in commit.batches:
            if is_derived(batch.source):
                continue
            told = (batch.cause & Cause.CLOCK) == 0
            late = told & (batch.time_ns <= done_ns)
            if late.any():
                self._came_late(late_rows(batch.series[late], batch.time_ns[late]), done_ns)
            newest = max(newest, int(batch.time_ns[told].max(initial=0)))
        return newest

    # -- computing --------------------------------------------------------------------------------------------------

    async def _derive(self, since_ns: int, until_ns: int) -> str:
        """Why the moments in ``(since, until]`` could not be derived; empty where they were.

        While the rows of the last tick are not taken, nothing more is computed: what waits must have a bound.
        """
        if not self.courier.idle:
            self.courier.again()
            await self._arrival()
        if not self.courier.idle:
            return "derived rows are not taken"
        try:
            await self._newest(since_ns, until_ns)
            await self._arrears()
        except StoreRefusedError as exc:
            return str(exc)
        return ""

    async def _newest(self, since_ns: int, until_ns: int) -> None:
        """All members at the moments in ``(since, until]``."""
        parts: list[Rows] = []
        plan, owed = self.plan, self._owed
        found = await asyncio.to_thread(self._computer.newest, plan.groups, since_ns, until_ns)
        for one in found:
            if isinstance(one, Waiting):
                one.look(self.window)
                await asyncio.sleep(0)  # alarms go first
        for number, told in enumerate(await asyncio.to_thread(self._computer.finished, found)):
            parts.append(told.rows)
            owed.add(number, told.who, told.at_ns - 1, told.at_ns)
        await self._send(concat(parts), Lane.LIVE)

    async def _arrears(self) -> None:
        """What late rows changed, in parts, as much as one tick has patience for."""
        for _ in range(_PARTS_A_TICK):
            part = self._owed.take() if self.courier.idle else None
            if part is None:
                return
            try:
                found = await asyncio.to_thread(self._computer.anew, part)
            except StoreRefusedError:
                self._owed.give_back(part)
                raise
            self.figures.again += found.cells
            await self._send(found.rows, Lane.BACKLOG)

    async def _send(self, rows: Rows, lane: Lane) -> None:
        """See rows into the store; what is not there after some seconds goes on with the next tick."""
        self.courier.give(rows, lane)
        self.figures.rows += len(rows)
        await self._arrival()

    async def _arrival(self) -> None:
        """Wait until everything is in the store, for some seconds."""
        deadline_s = self.monotonic_s() + _PATIENCE_S
        self._carry()
        while not self.courier.idle and self.monotonic_s() < deadline_s:
            self._arrived.clear()
            try:
                async with asyncio.timeout(_AGAIN_S):
                    await self._arrived.wait()
            except TimeoutError:
                self.courier.again()
            self._carry()

    def _carry(self) -> None:
        """Let the courier go on; what it gives up is owed again."""
        for rows in self.courier.carry():
            self._owed.everything(int(rows.time_ns.min()) - 1, int(rows.time_ns.max()))

    async def _remember(self, cursor: memory.Cursor) -> None:
        if self._owed.members or not self.courier.idle or cursor == self._saved:
            return
        try:
            await asyncio.to_thread(memory.save, self.cursor_path, cursor)
        except OSError as exc:
            self.figures.problem = f"{self.cursor_path}: {exc.strerror}"
            return
        self._saved = cursor
