"""How buses and their devices have done since start."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from edge_agent.lines.line import LineCounters
from telemetry.batch import Batch

OK: Final = "ok"
Sink = Callable[[Batch], None]


@dataclass(slots=True)
class DeviceStats:
    """How one device has done since start. ``state`` is ``ok`` or the reason of its last failure."""

    state: str = "not polled yet"
    polls: int = 0
    failures: int = 0
    held_back: int = 0
    skipped: int = 0
    rows: int = 0
    missing_rows: int = 0


@dataclass(frozen=True, slots=True)
class BusStats:
    """How one bus has done since start."""

    line: LineCounters
    devices: dict[str, DeviceStats] = field(default_factory=dict)
