"""What the stage of derived series counts, plans and asks of others."""

from dataclasses import dataclass
from typing import NamedTuple, Protocol

from ingest.catalogue import Entry
from ingest.derived.plan import Plan
from telemetry.wire import Announce


@dataclass(slots=True, kw_only=True)
class Figures:
    """What was counted since the start; ``took_s`` real time of the last tick."""

    series: int = 0
    rows: int = 0
    ticks: int = 0
    again: int = 0
    """Cells that were computed anew since rows came late."""
    took_s: float = 0.0
    problem: str = ""
    """Why the last tick could not read; empty when it could."""


class Planned(NamedTuple):
    """What follows from a state of the catalogue; no plan where the old one still holds."""

    revision: int
    entries: tuple[Entry, ...]
    plan: Plan | None
    announce: Announce | None


class Announcing(Protocol):
    """Who takes what the centre announces of its own (``ingest.admission.Admission``)."""

    def announce_own(self, source: str, announce: Announce) -> None:
        """Note an announcement."""

    def take_own(self) -> None:
        """Let it count."""
