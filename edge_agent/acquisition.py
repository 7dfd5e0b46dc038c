"""All buses of a gateway, polled and heard together."""

import asyncio
from collections.abc import Sequence

import numpy as np

from edge_agent.bus import Bus
from edge_agent.compiled import AnyBusPlan, PushedPlan
from edge_agent.listener import Listener
from edge_agent.stats import BusStats, Sink
from telemetry.clock import Clock


class Acquisition:
    """Polls or hears every bus in a task of its own; ``sink`` takes un-numbered batches, one per bus and moment.

    ``seed`` seeds the jitter of retries, so that a drill replays.
    """

    def __init__(self, source: str, buses: Sequence[AnyBusPlan], clock: Clock, sink: Sink, *, seed: int = 0) -> None:
        self._buses = [
            Listener(plan, source, clock, sink)
            if isinstance(plan, PushedPlan)
            else Bus(plan, source, clock, sink, np.random.default_rng([seed, number]))
            for number, plan in enumerate(buses)
        ]

    async def run(self) -> None:
        """Poll and hear until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            for bus in self._buses:
                tasks.create_task(bus.run(), name=f"bus {bus.plan.name}")

    def stats(self) -> dict[str, BusStats]:
        """Figures since start, per bus and device; they go on counting."""
        return {bus.plan.name: bus.stats for bus in self._buses}

    def devices(self) -> dict[str, str]:
        """Per device ``ok``, or the reason of its last failure."""
        return {name: device.state for bus in self._buses for name, device in bus.stats.devices.items()}
