"""One scheduler per bus: every device at its own moments, and one row per series for each of them.

The promise: each due moment of each device gives exactly one row per series, a reading or MISSING with its cause.
Moments lie on a grid of the period in UTC, shifted by the device's phase. A moment that has passed before the bus got
to it (the line is overloaded) is skipped: counted, and recorded as MISSING with COMMS, since silence is data.
"""

import heapq
import time
from typing import Final

import numpy as np

from edge_agent.breaker import Breaker
from edge_agent.compiled import BusPlan, PolledPlan
from edge_agent.lines.line import LineDownError
from edge_agent.opened import attributes_of, opened
from edge_agent.poll import Connection, Poll, Pollable
from edge_agent.rounds import Rounds
from edge_agent.state_log import StateLog
from edge_agent.stats import OK, BusStats, DeviceStats, Sink
from telemetry.batch import Batch, concat, missing, rows
from telemetry.clock import SECOND_NS, Clock
from telemetry.quality import Cause

_RECONNECT_NS: Final = (SECOND_NS, 30 * SECOND_NS)
_PROBE_NS: Final = (SECOND_NS, 60 * SECOND_NS)
_SET_BACK_NS: Final = SECOND_NS
"""Waking so long before the moment waited for means that the clock was set back meanwhile."""
_DEAD_SHARE: Final = 20
"""Dead units get one part in so many of the time of a bus (P1)."""
_SKIPS_RECORDED: Final = 60
"""Skipped moments that become rows at most, so that a leap of the clock makes no flood; all of them are counted."""


class _Polled:
    """A device with its schedule, breaker and figures."""

    def __init__(self, bus: str, device: Pollable, breaker: Breaker) -> None:
        self.device, self.breaker = device, breaker
        self.stats = DeviceStats()
        self.due_ns = 0
        self._told = StateLog(bus, device.plan.name, device.plan.address, self.stats.state)

    def is_now(self, state: str) -> None:
        """Its state at the moment that is due."""
        self.stats.state = state
        self._told.note(state, self.due_ns)

    def due_from(self, now_ns: int) -> int:
        """The first moment of the grid at or after ``now_ns``."""
        plan = self.device.plan
        self.due_ns = -(-(now_ns - plan.phase_ns) // plan.period_ns) * plan.period_ns + plan.phase_ns
        return self.due_ns


class Bus:
    """Polls the devices of one line for ever, whatever fails; every batch goes to ``sink``."""

    def __init__(
        self, plan: BusPlan | PolledPlan, source: str, clock: Clock, sink: Sink, rng: np.random.Generator
    ) -> None:
        self.plan, self._source, self._clock, self._sink = plan, source, clock, sink
        self._line, devices = opened(plan)
        self._link = Breaker(*_RECONNECT_NS, rng, grace=1)
        self._down = ""
        self._shared = len(plan.devices) > 1
        self._devices = [_Polled(plan.name, device, Breaker(*_PROBE_NS, rng, grace=1)) for device in devices]
        self.attributes = attributes_of(plan, self._line)
        """By device, what it says of itself."""
        self._rounds = Rounds(self.attributes)
        self.stats = BusStats(self._line.counters, {one.device.plan.name: one.stats for one in self._devices})

    @property
    def line(self) -> Connection:
        """What it polls on."""
        return self._line

    async def run(self) -> None:
        """Poll until cancelled."""
        agenda = self._agenda()
        try:
            while True:
                if self._is_ahead(agenda[0]):
                    agenda = self._agenda()
                await self._clock.sleep_until(agenda[0][0])
                if agenda[0][0] - self._clock.now_ns() > _SET_BACK_NS:
                    agenda = self._agenda()
                    continue
                self._emit(await self._moment(agenda))
                await self._rounds.step(self._clock.now_ns())
        finally:
            self._line.close()

    def _agenda(self) -> list[tuple[int, int]]:
        """The next moment of every device, as a heap; made anew when the clock was set back."""
        now_ns = self._clock.now_ns()
        agenda = [(one.due_from(now_ns), at) for at, one in enumerate(self._devices)]
        heapq.heapify(agenda)
        return agenda

    def _is_ahead(self, next_up: tuple[int, int]) -> bool:
        """Whether the next moment of a device lies more than its period ahead: the clock was set back in mid-poll."""
        due_ns, at = next_up
        return due_ns - self._clock.now_ns() > self._devices[at].device.plan.period_ns

    async def _moment(self, agenda: list[tuple[int, int]]) -> list[Batch]:
        """Serve every device that is due together, and put each on the agenda again."""
        due_ns, batches = agenda[0][0], []
        while agenda[0][0] == due_ns:
            one = self._devices[agenda[0][1]]
            batches += self._skip(one)
            batches.append(await self._serve(one))
            heapq.heapreplace(agenda, (self._next(one), agenda[0][1]))
        return batches

    def _emit(self, batches: list[Batch]) -> None:
        batch = batches[0] if len(batches) == 1 else concat(batches)
        self._sink(batch)

    def _next(self, one: _Polled) -> int:
        """The moment after the one just served."""
        one.due_ns += one.device.plan.period_ns
        return one.due_ns

    def _skip(self, one: _Polled) -> list[Batch]:
        """Moments that have passed unserved, but for the newest: counted and recorded."""
        plan = one.device.plan
        late = (self._clock.now_ns() - one.due_ns) // plan.period_ns
        if late <= 0:
            return []
        first_ns = one.due_ns
        one.due_ns += late * plan.period_ns
        one.stats.skipped += late
        recorded = range(max(0, late - _SKIPS_RECORDED), late)
        return [self._missing(one, first_ns + skipped * plan.period_ns) for skipped in recorded]

    async def _serve(self, one: _Polled) -> Batch:
        if self._shared and not one.breaker.allows(one.due_ns):
            one.stats.held_back += 1
            one.is_now(one.stats.state)
            return self._missing(one, one.due_ns)
        before_ns = self._clock.now_ns()
        poll = await self._poll(one)
        answered_ns = time.time_ns()  # noqa: TID251  # real UTC of the answer, for latency figures only
        self._judge(one, poll)
        if poll.readings is None:
            return self._missing(one, one.due_ns)
        middle_ns = (before_ns + self._clock.now_ns()) // 2
        found, ids = poll.readings, one.device.plan.ids
        batch = rows(
            self._source,
            ids,
            np.full(len(ids), middle_ns, np.int64),
            found.value,
            quality=found.quality,
            cause=found.cause,
            answered_ns=answered_ns,
        )
        one.stats.rows += len(batch)
        one.stats.missing_rows += int(np.isnan(batch.value).sum())
        return batch

    async def _poll(self, one: _Polled) -> Poll:
        one.stats.polls += 1
        try:
            await self._connect(one.due_ns)
        except LineDownError as exc:
            return Poll(None, exc)
        return await one.device.poll(one.due_ns)

    async def _connect(self, due_ns: int) -> None:
        """Open the line when it is down and its turn has come (P18)."""
        if self._line.connected:
            return
        if not self._link.allows(due_ns):
            raise LineDownError(self._down)
        await self._line.connect()

    def _judge(self, one: _Polled, poll: Poll) -> None:
        """Draw conclusions from a poll: breakers, figures, and one log line when the state changes."""
        if poll.readings is not None:
            self._link.succeed()
            one.breaker.succeed()
        else:
            one.stats.failures += 1
            self._hold_back(one, poll)
        one.is_now(OK if poll.failure is None else str(poll.failure))
        answered, connects = poll.readings is not None, self._line.counters.connects
        self._rounds.polled(one.device.plan.name, one.due_ns, connects, answered=answered)

    def _hold_back(self, one: _Polled, poll: Poll) -> None:
        """Blame the line when it is down, otherwise the device."""
        if not isinstance(poll.failure, LineDownError):
            one.breaker.fail(one.due_ns, self._least_wait_ns(one.device.longest))
        elif self._link.allows(one.due_ns):
            self._down = str(poll.failure)
            self._link.fail(one.due_ns)

    def _least_wait_ns(self, longest: int) -> int:
        """How rarely a dead unit must be probed so that all dead ones together cost little (P1).

        A probe takes its request, the timeout, the answer that could still have come, and a rest of that length again.
        """
        dead = 1 + sum(other.breaker.is_open for other in self._devices)
        cost = self.plan.cost
        probe_s = self.plan.timeout_s + 2 * (cost.request_s + longest * cost.byte_s)
        return int(_DEAD_SHARE * dead * probe_s * SECOND_NS)

    def _missing(self, one: _Polled, time_ns: int) -> Batch:
        batch = missing(self._source, one.device.plan.ids, time_ns, Cause.COMMS)
        one.stats.rows += len(batch)
        one.stats.missing_rows += len(batch)
        return batch
