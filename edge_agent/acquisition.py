"""All buses of a gateway, polled and heard together."""

import asyncio
from collections.abc import Collection, Sequence
from itertools import count
from typing import Final

import numpy as np

from edge_agent.bus import Bus
from edge_agent.compiled import AnyBusPlan, PushedPlan
from edge_agent.drivers.modbus.shared import SharedLine
from edge_agent.listener import Listener
from edge_agent.replies import Kept, at_once
from edge_agent.stats import BusStats, Sink
from telemetry.clock import SECOND_NS, Clock
from telemetry.progress import Progress

_LEAST_PATIENCE_S: Final = 60.0
_PERIODS: Final = 3
_TRIES: Final = 8
"""Requests to one device that may all time out, one after another, before a bus has anything to say."""


class Acquisition:
    """Polls or hears every bus in a task of its own; ``sink`` takes un-numbered batches, one per bus and moment.

    Devices that report get their replies when what they said is ``kept``. ``seed`` seeds the jitter of retries, so that
    a drill replays.
    """

    def __init__(
        self,
        source: str,
        buses: Sequence[AnyBusPlan],
        clock: Clock,
        sink: Sink,
        *,
        kept: Kept = at_once,
        seed: int = 0,
    ) -> None:
        self._source, self._clock, self._sink, self._kept, self._seed = source, clock, sink, kept, seed
        self._number = count()
        self._buses = {plan.name: self._made(plan) for plan in buses}
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._group: asyncio.TaskGroup | None = None

    async def run(self) -> None:
        """Poll and hear until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            self._group = tasks
            for name in self._buses:
                self._start(name)
            await asyncio.Event().wait()  # a bus may be added to none

    async def swap(self, gone: Collection[str], new: Sequence[AnyBusPlan]) -> None:
        """Stop some buses and start others, which may have the same names or lines; the rest goes on untouched.

        What is under way on a line that goes (a command, say) is waited for.
        """
        for name in gone:
            await self._stop(name)
        for plan in new:
            self._buses[plan.name] = self._made(plan)
            self._start(plan.name)

    def line(self, bus: str) -> SharedLine:
        """The line of a bus with Modbus devices; raises KeyError for any other."""
        found = self._buses[bus]
        if isinstance(found, Bus) and isinstance(found.line, SharedLine):
            return found.line
        raise KeyError(bus)

    def stats(self) -> dict[str, BusStats]:
        """Figures since start, per bus and device; they go on counting."""
        return {bus.plan.name: bus.stats for bus in self._buses.values()}

    def devices(self) -> dict[str, str]:
        """Per device ``ok``, or the reason of its last failure."""
        return {name: device.state for bus in self._buses.values() for name, device in bus.stats.devices.items()}

    def attributes(self) -> dict[str, dict[str, str]]:
        """Per device what it says of itself, once it was asked."""
        buses = (bus for bus in self._buses.values() if isinstance(bus, Bus))
        return {name: dict(one.found) for bus in buses for name, one in bus.attributes.items() if one.found is not None}

    def progress(self) -> dict[str, Progress]:
        """Per bus the rows it has given, failed polls included: whatever its devices do, there must be some."""
        return {f"bus {name}": _progress(bus) for name, bus in self._buses.items()}

    def _made(self, plan: AnyBusPlan) -> Bus | Listener:
        number = next(self._number)
        if isinstance(plan, PushedPlan):
            return Listener(plan, self._source, self._clock, self._sink, self._kept)
        return Bus(plan, self._source, self._clock, self._sink, np.random.default_rng([self._seed, number]))

    def _start(self, name: str) -> None:
        if self._group is not None:
            self._tasks[name] = self._group.create_task(self._buses[name].run(), name=f"bus {name}")

    async def _stop(self, name: str) -> None:
        bus, task = self._buses.pop(name), self._tasks.pop(name, None)
        if isinstance(bus, Bus) and isinstance(bus.line, SharedLine):
            await bus.line.retire()
        if task is not None:
            task.cancel()
            await asyncio.wait([task])


def _progress(bus: Bus | Listener) -> Progress:
    devices, stats = bus.plan.devices, bus.stats.devices.values()
    soonest_s = min(device.period_ns for device in devices) / SECOND_NS
    slowest_s = _TRIES * len(devices) * bus.plan.timeout_s
    return Progress(
        done=sum(one.rows for one in stats), patience_s=max(_LEAST_PATIENCE_S, _PERIODS * soonest_s + slowest_s)
    )
