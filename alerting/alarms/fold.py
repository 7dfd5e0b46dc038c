"""Alarms as a fold of their events (states after ISA-18.2: unacknowledged, acknowledged, returned to normal)."""

from collections.abc import Iterable
from enum import StrEnum

import msgspec

from alerting.alarms.events import Event, Kind, Outcome, SubjectKind
from telemetry.series import Text


class StaleVersionError(ValueError):
    """An acknowledgement of a version that is no longer the newest: the officer must look again."""


class State(StrEnum):
    """Where an alarm stands between the process and the officer."""

    UNACKNOWLEDGED = "unacknowledged"
    ACKNOWLEDGED = "acknowledged"
    CLEARED_UNACKNOWLEDGED = "cleared_unacknowledged"
    CLEARED = "cleared"


class Alarm(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of an alarm after all its events; fields as in ``Event``, ``level`` 0 once cleared."""

    id: str
    version: int
    hazard: str
    hazard_name: Text
    subject_kind: SubjectKind
    subject: str
    subject_name: Text
    town: str
    level: int
    peak_level: int
    outcome: Outcome
    raised_ns: int
    updated_ns: int
    text: Text
    rule: str
    edition: str
    source: str
    series: tuple[str, ...]
    value: float | None
    threshold: float | None
    unit: str
    quality: str
    drill: bool
    cleared_ns: int | None = None
    acknowledged_by: str | None = None
    acknowledged_ns: int | None = None
    note: str = ""

    @property
    def open(self) -> bool:
        """Whether its cause still stands."""
        return self.cleared_ns is None

    @property
    def state(self) -> State:
        """The four states that the console shows."""
        if self.open:
            return State.UNACKNOWLEDGED if self.acknowledged_ns is None else State.ACKNOWLEDGED
        return State.CLEARED_UNACKNOWLEDGED if self.acknowledged_ns is None else State.CLEARED


def fold(events: Iterable[Event]) -> dict[str, Alarm]:
    """All alarms by identity after events in the order of the log; corrections make no alarm."""
    alarms: dict[str, Alarm] = {}
    for event in events:
        alarm = apply(alarms.get(event.alarm_id), event)
        if alarm is not None:
            alarms[event.alarm_id] = alarm
    return alarms


def apply(alarm: Alarm | None, event: Event) -> Alarm | None:
    """The alarm after one more event; an event that is already in it, or that speaks of no alarm, changes nothing."""
    if event.kind is Kind.CORRECTION:
        return alarm
    if event.kind is Kind.RAISED:
        return alarm or _raised(event)
    if alarm is None:
        return None
    if event.kind is Kind.ACKNOWLEDGED:
        return _acknowledged(alarm, event)
    return _changed(alarm, event) if event.version > alarm.version else alarm


def acknowledge(alarm: Alarm, *, version: int, by: str, at_ns: int, note: str = "") -> Event | None:
    """The event of an acknowledgement, None where this version is already acknowledged; raises StaleVersionError."""
    if version != alarm.version:
        raise StaleVersionError(f"alarm {alarm.id}: version {version} was seen, expected the newest, {alarm.version}")
    if alarm.acknowledged_ns is not None:
        return None
    return Event(
        kind=Kind.ACKNOWLEDGED,
        alarm_id=alarm.id,
        version=version,
        hazard=alarm.hazard,
        hazard_name=alarm.hazard_name,
        subject_kind=alarm.subject_kind,
        subject=alarm.subject,
        subject_name=alarm.subject_name,
        town=alarm.town,
        level=alarm.level,
        previous_level=alarm.level,
        outcome=alarm.outcome,
        time_ns=at_ns,
        at_ns=at_ns,
        rule=alarm.rule,
        edition=alarm.edition,
        source=alarm.source,
        series=alarm.series,
        value=alarm.value,
        threshold=alarm.threshold,
        unit=alarm.unit,
        quality=alarm.quality,
        drill=alarm.drill,
        by=by,
        note=note,
        text=Text(f"{by} 已确认: {alarm.text.zh}", f"Acknowledged by {by}: {alarm.text.en}"),
    )


def _raised(event: Event) -> Alarm:
    return Alarm(
        id=event.alarm_id,
        version=event.version,
        hazard=event.hazard,
        hazard_name=event.hazard_name,
        subject_kind=event.subject_kind,
        subject=event.subject,
        subject_name=event.subject_name,
        town=event.town,
        level=event.level,
        peak_level=event.level,
        outcome=event.outcome,
        raised_ns=event.time_ns,
        updated_ns=event.time_ns,
        text=event.text,
        rule=event.rule,
        edition=event.edition,
        source=event.source,
        series=event.series,
        value=event.value,
        threshold=event.threshold,
        unit=event.unit,
        quality=event.quality,
        drill=event.drill,
    )


def _acknowledged(alarm: Alarm, event: Event) -> Alarm:
    if event.version != alarm.version or alarm.acknowledged_ns is not None:
        return alarm
    return msgspec.structs.replace(alarm, acknowledged_by=event.by, acknowledged_ns=event.at_ns, note=event.note)


def _changed(alarm: Alarm, event: Event) -> Alarm:
    """A new version. An escalation needs a new acknowledgement; a lower level keeps the one it has."""
    worse = event.level > alarm.level
    return msgspec.structs.replace(
        alarm,
        version=event.version,
        level=event.level,
        peak_level=max(alarm.peak_level, event.level),
        outcome=event.outcome,
        updated_ns=event.time_ns,
        text=event.text,
        rule=event.rule,
        edition=event.edition,
        source=event.source,
        series=event.series,
        value=event.value,
        threshold=event.threshold,
        unit=event.unit,
        quality=event.quality,
        cleared_ns=event.time_ns if event.kind is Kind.CLEARED else None,
        acknowledged_by=None if worse else alarm.acknowledged_by,
        acknowledged_ns=None if worse else alarm.acknowledged_ns,
        note="" if worse else alarm.note,
    )
