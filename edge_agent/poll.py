"""What a bus needs of its devices, whatever protocol they speak."""

from dataclasses import dataclass
from typing import Protocol

from edge_agent.compiled import AnyDevicePlan
from edge_agent.drivers.contract import FrameError
from edge_agent.lines.line import LineCounters, LineError
from edge_agent.scale import Readings


@dataclass(frozen=True, slots=True)
class Poll:
    """What a poll brought: readings (None: nothing at all), and the first failure in it."""

    readings: Readings | None
    failure: LineError | FrameError | None = None


class Pollable(Protocol):
    """A device that can be asked."""

    @property
    def plan(self) -> AnyDevicePlan:
        """What it is."""

    @property
    def longest(self) -> int:
        """Bytes that an answer of it has at most: so long the line rests after one that does not come."""

    async def poll(self, due_ns: int) -> Poll:
        """Ask it for everything, for the moment ``due_ns``; never raises what a line or a device may do."""


class Connection(Protocol):
    """What can be up or down."""

    counters: LineCounters

    @property
    def connected(self) -> bool:
        """Whether a request can be tried."""

    async def connect(self) -> None:
        """Open it; raises LineDownError within the line's timeout."""

    def close(self) -> None:
        """Let go of it; it can be opened again."""
