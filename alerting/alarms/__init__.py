"""Sensor alarms: events (one transition each), their fold into alarms, and the machine that makes transitions."""

from alerting.alarms.events import Event, Kind, Outcome, SubjectKind, identity
from alerting.alarms.fold import Alarm, StaleVersionError, State, acknowledge, apply, fold

__all__ = [
    "Alarm",
    "Event",
    "Kind",
    "Outcome",
    "StaleVersionError",
    "State",
    "SubjectKind",
    "acknowledge",
    "apply",
    "fold",
    "identity",
]
