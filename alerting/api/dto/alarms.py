"""Sensor alarms."""

from dataclasses import dataclass

from alerting.alarms import Outcome, State, SubjectKind
from alerting.api.dto.plain import Level, Text


@dataclass(frozen=True, slots=True, kw_only=True)
class Alarm:
    """A sensor alarm: what, where, since when, on which reading, under which rule, and who has seen it."""

    id: str
    version: int
    hazard: str
    hazard_name: Text
    level: Level
    peak_level: Level
    outcome: Outcome
    state: State
    subject_kind: SubjectKind
    subject: str
    subject_name: Text
    town: str
    raised_at: str
    updated_at: str
    cleared_at: str | None
    acknowledged_by: str | None
    acknowledged_at: str | None
    series: list[str]
    value: float | None
    threshold: float | None
    unit: str
    quality: str
    text: Text
    rule: str
    edition: str
    source: str
    note: str
    drill: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Alarms:
    """A page of alarms, newest change first; ``next`` is the cursor of the page after it."""

    items: list[Alarm]
    next: str | None
