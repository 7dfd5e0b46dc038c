"""Devices that send of their own accord: their reports become rows, and their silence becomes MISSING rows.

The promise: a report is one row per series that it holds, at the device's own time, and is acknowledged once these rows
survive a power cut (P10); a series that has brought nothing for one and a half of its periods gets a MISSING row with
COMMS at each moment at which one was expected (P8).
"""

import asyncio
import time
from collections.abc import Mapping
from typing import Final

import numpy as np
import structlog

from edge_agent.compiled import FieldDevicePlan, PushedPlan
from edge_agent.drivers.contract import Refused, Reply, Report
from edge_agent.fields import FieldDecoder
from edge_agent.lines.feeds import Heard, Send
from edge_agent.opened import feed
from edge_agent.replies import Kept, Replies, at_once
from edge_agent.state_log import EVERY_NS, StateLog
from edge_agent.stats import OK, BusStats, DeviceStats, Sink
from telemetry.batch import I64, Batch, Mask, missing, rows
from telemetry.clock import SECOND_NS, Clock
from telemetry.quality import Cause

_log = structlog.get_logger(__name__)
_ANYONE: Final = "*"
_REPLAYED: Final = 60
"""Expected moments that become MISSING rows at most after a leap of the clock."""


class _Heard:
    """A device with what is expected of it: ``due_ns``, shape (n,), is when each series counts as silent."""

    def __init__(self, bus: str, plan: FieldDevicePlan, now_ns: int) -> None:
        self.plan, self.decoder, self.stats = plan, FieldDecoder(plan.columns), DeviceStats(state="not heard yet")
        self._told = StateLog(bus, plan.name, plan.address, self.stats.state)
        self.due_ns = now_ns + self._patience_ns

    @property
    def _patience_ns(self) -> I64:
        return self.plan.periods_ns * 3 // 2

    def is_now(self, state: str, now_ns: int) -> None:
        """Its state from now on."""
        self.stats.state = state
        self._told.note(state, now_ns)

    def set_back(self, now_ns: int) -> None:
        """Nothing is due later than after its patience: else silence would go unnoticed once the clock is set back."""
        np.minimum(self.due_ns, now_ns + self._patience_ns, out=self.due_ns)

    def heard(self, sent: Mask, now_ns: int) -> None:
        """Some series have come: they are due again after their patience."""
        self.due_ns[sent] = now_ns + self._patience_ns[sent]


class Listener:
    """Hears one line or port for ever; every batch goes to ``sink``, and replies leave when that has ``kept`` it."""

    def __init__(self, plan: PushedPlan, source: str, clock: Clock, sink: Sink, kept: Kept = at_once) -> None:
        self.plan, self._source, self._clock, self._sink = plan, source, clock, sink
        self._feed = feed(plan)
        self._replies = Replies(kept, self._feed.counters, plan.name)
        self._devices = {device.address: _Heard(plan.name, device, clock.now_ns()) for device in plan.devices}
        self._strangers: dict[str, int] = {}
        self.stats = BusStats(self._feed.counters, {one.plan.name: one.stats for one in self._devices.values()})

    async def run(self) -> None:
        """Hear until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._feed.run(self._opened), name=f"feed {self.plan.name}")
            tasks.create_task(self._watch(), name=f"watch {self.plan.name}")
            tasks.create_task(self._replies.run(), name=f"replies {self.plan.name}")

    def _opened(self, caller: str, send: Send) -> Heard:
        """A session of its own for each connection: half a frame of one must not meet half a frame of another."""
        session = self.plan.protocol.session(self.plan.secret)

        def heard(data: bytes) -> None:
            taken = False
            for event in session.receive(data, self._clock.now_ns()):
                if isinstance(event, Reply):
                    self._reply(event, send, taken=taken)
                    taken = False
                else:
                    taken |= self._take(event, caller)

        return heard

    def _take(self, event: Report | Refused, caller: str) -> bool:
        """Whether it was a report of a device that somebody has entered."""
        if isinstance(event, Refused):
            self._refuse(event, caller)
            return False
        self._feed.counters.answers += 1
        return self._report(event)

    def _reply(self, reply: Reply, send: Send, *, taken: bool) -> None:
        """A stranger gets none unless we took something of what it passed on: it would delete what we drop."""
        if taken or self._device(reply.address) is not None:
            self._replies.put(send, reply.data)
        else:
            self._feed.counters.withheld += 1

    def _device(self, address: str) -> _Heard | None:
        return self._devices.get(address) or self._devices.get(_ANYONE)

    def _refuse(self, event: Refused, caller: str) -> None:
        self._feed.counters.garbled += 1
        _log.warning(
            "frame refused", bus=self.plan.name, caller=caller, reason=event.reason, data=event.data[:32].hex(" ")
        )

    def _report(self, report: Report) -> bool:
        """Rows of a report; whether its device is known."""
        one = self._device(report.address)
        if one is None:
            self._stranger(report)
            return False
        one.stats.polls += 1
        sent = one.decoder.sent(report.numbers)
        now_ns = self._clock.now_ns()
        if sent.any():
            one.heard(sent, now_ns)
            one.is_now(OK, now_ns)
            self._emit(one, self._rows(one, report, sent, now_ns))
        return True

    def _rows(self, one: _Heard, report: Report, sent: Mask, now_ns: int) -> Batch:
        found = one.decoder.decode(report.numbers)
        time_ns = now_ns if report.time_ns is None else report.time_ns
        ids = one.plan.ids[sent]
        return rows(
            self._source,
            ids,
            np.full(len(ids), time_ns, np.int64),
            found.value[sent],
            quality=found.quality[sent],
            cause=found.cause[sent],
            answered_ns=time.time_ns(),  # noqa: TID251  # real UTC of the arrival, for latency figures only
        )

    def _emit(self, one: _Heard, batch: Batch) -> None:
        one.stats.rows += len(batch)
        one.stats.missing_rows += int(np.isnan(batch.value).sum())
        self._sink(batch)

    def _stranger(self, report: Report) -> None:
        """A device that nobody has entered: said once, counted always, and never a row."""
        self._feed.counters.refusals += 1
        if len(self._strangers) < 1000 and report.address not in self._strangers:
            _log.warning("unknown device", bus=self.plan.name, address=report.address, kind=report.kind)
            self._strangers[report.address] = 0
        if report.address in self._strangers:
            self._strangers[report.address] += 1

    async def _watch(self) -> None:
        """Write down what did not come, when it is overdue, and look every minute whether there is more to tell."""
        while True:
            overdue_ns = min(int(one.due_ns.min()) for one in self._devices.values())
            await self._clock.sleep_until(min(overdue_ns, self._clock.now_ns() + EVERY_NS))
            for one in self._devices.values():
                one.set_back(self._clock.now_ns())
                self._silence(one, self._clock.now_ns())
                one.is_now(one.stats.state, self._clock.now_ns())

    def _silence(self, one: _Heard, now_ns: int) -> None:
        overdue = one.due_ns <= now_ns
        if not overdue.any():
            return
        periods = one.plan.periods_ns
        leapt = np.maximum((now_ns - one.due_ns) // periods - _REPLAYED, 0) * overdue
        one.due_ns += leapt * periods
        while (overdue := one.due_ns <= now_ns).any():
            for moment in np.unique((one.due_ns - periods // 2)[overdue]):
                chosen = overdue & (one.due_ns - periods // 2 == moment)
                self._emit(one, missing(self._source, one.plan.ids[chosen], int(moment), Cause.COMMS))
            one.due_ns[overdue] += periods[overdue]
        one.stats.failures += 1
        one.is_now(f"silent for {round(float(periods.max() / SECOND_NS) * 1.5, 3)} s or more", now_ns)

    def strangers(self) -> Mapping[str, int]:
        """Reports of devices that nobody has entered, by address."""
        return self._strangers
