"""One transition of one alarm, complete enough to be explained years later without the rules that caused it."""

from enum import StrEnum
from hashlib import blake2b
from typing import Final

import msgspec

from telemetry.series import Text

_DIGEST_BYTES: Final = 12


class Kind(StrEnum):
    """What happened."""

    RAISED = "raised"
    LEVEL_CHANGED = "level_changed"
    CLEARED = "cleared"
    ACKNOWLEDGED = "acknowledged"
    CORRECTION = "correction"
    """Rows that came too late show that an alarm would have been raised then, or the reading that one rests on was
    found doubtful by later ones; logged, never sent as fresh."""


class Outcome(StrEnum):
    """What an evaluation can say. Unknown (the first two) is never shown as normal."""

    UNCONFIGURED = "unconfigured"
    NO_DATA = "no_data"
    SUSPECT = "suspect"
    """A level is reached, but only by doubtful readings."""
    NORMAL = "normal"
    LEVEL = "level"
    CLEARED = "cleared"


class SubjectKind(StrEnum):
    """What an alarm is about."""

    STATION = "station"
    AREA = "area"
    PIPELINE = "pipeline"
    GATEWAY = "gateway"


class Event(msgspec.Struct, frozen=True, kw_only=True):
    """One transition of one alarm.

    ``version`` counts what an officer must see: 1 when raised, one more at every change of level and when cleared; an
    acknowledgement carries the version that it saw. ``level`` is the level after the event (0 when cleared).
    ``time_ns`` is the sample time of the reading that caused it (the time of the tick where silence or an expired hold
    caused it); ``at_ns`` is the data time at which it was decided. ``value`` and ``threshold`` are in ``unit``; None
    where nothing was measured. ``series`` are the identities of the readings, as text. ``answered_ns`` is that of the
    batch that caused it (0: a tick, or a person). ``key`` is the same whenever the same thing is decided again.
    """

    kind: Kind
    alarm_id: str
    version: int
    hazard: str
    hazard_name: Text
    subject_kind: SubjectKind
    subject: str
    subject_name: Text
    town: str
    level: int
    outcome: Outcome
    time_ns: int
    at_ns: int
    text: Text
    previous_level: int = 0
    rule: str = ""
    edition: str = ""
    source: str = ""
    series: tuple[str, ...] = ()
    value: float | None = None
    threshold: float | None = None
    unit: str = ""
    quality: str = ""
    """Name of the Quality of the value: ``GOOD``, ``SUSPECT`` ...; empty where nothing was measured."""
    drill: bool = False
    answered_ns: int = 0
    by: str = ""
    note: str = ""

    @property
    def key(self) -> str:
        """The identity of the event: recording it twice must change nothing."""
        return f"{self.alarm_id}.{self.version}.{self.kind}"


def identity(hazard: str, subject_kind: SubjectKind, subject: str, raised_ns: int) -> str:
    """The identity of an alarm: hexadecimal digest of the rule family, its subject and the sample time of the raise."""
    path = f"{hazard}/{subject_kind}/{subject}/{raised_ns}".encode()
    return blake2b(path, digest_size=_DIGEST_BYTES).hexdigest()
