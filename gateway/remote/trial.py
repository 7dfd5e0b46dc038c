"""The trial of a configuration: whether devices answer and rows arrive, after so many seconds of real time.

Of the uplink the second half alone counts: in the first one answers come in to what left before the change, and by the
way that it took then.
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Protocol

from edge_agent.stats import OK, BusStats, DeviceStats
from gateway.spool import Stats

_SOUND: Final = (OK, DeviceStats().state)
"""Of a device that answers, or has not been asked yet."""


class Link(Protocol):
    """What is looked at of an uplink."""

    connected: bool
    trouble: str | None

    def unacknowledged_s(self) -> float:
        """How long the centre has answered nothing, real seconds."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether a configuration stays; why not, or what could not be judged."""

    passed: bool
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """What is to be judged: the buses that came, and how each device and the uplink were before (None: well)."""

    buses: Sequence[str]
    before: Mapping[str, str]
    trouble: str | None
    stats: Callable[[], Mapping[str, BusStats]]
    link: Link
    spool: Callable[[], Stats]

    async def run(self, trial_s: float) -> Verdict:
        """Watch for so long, then judge."""
        await asyncio.sleep(trial_s / 2)
        half = self.spool()
        await asyncio.sleep(trial_s / 2)
        troubles = [*self._uplink(half, trial_s), *self._devices()]
        if troubles:
            return Verdict(False, f"after {trial_s:g} s: {'; '.join(troubles)}")
        waiting = self._unjudged()
        unjudged = f"; not judged, since not due yet: {', '.join(waiting)}" if waiting else ""
        return Verdict(True, f"devices answer and rows arrive{unjudged}")

    def _uplink(self, half: Stats, trial_s: float) -> list[str]:
        """Rows that were acknowledged prove it; without any it must be connected and owe no answer for long.

        Rows that the centre refuses are against it, unless the uplink had its trouble before.
        """
        now = self.spool()
        if now.refused_batches > half.refused_batches and self.trouble is None:
            return [self.link.trouble or "the centre refuses rows, and they are set aside here"]
        if now.acked_rows > half.acked_rows:
            return []
        if not self.link.connected:
            return [self.link.trouble or "no connection to the broker"]
        silent_s = self.link.unacknowledged_s()
        return [f"connected, but not acknowledged for {silent_s:.0f} s"] if silent_s >= trial_s / 4 else []

    def _devices(self) -> list[str]:
        """Devices that never answered, unless they did not before either."""
        stats = self.stats()
        return [
            f"{name}: {device.state}"
            for bus in self.buses
            for name, device in stats[bus].devices.items()
            if _failed(device) and self.before.get(name, OK) in _SOUND
        ]

    def _unjudged(self) -> list[str]:
        stats = self.stats()
        found = [(name, device) for bus in self.buses for name, device in stats[bus].devices.items()]
        return [name for name, device in found if not device.polls and device.state != OK]


def _failed(device: DeviceStats) -> bool:
    return 0 < device.polls == device.failures
