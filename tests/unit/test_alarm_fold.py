"""Alarms as a fold of events, and acknowledgements that carry the version they saw."""

import msgspec
import pytest

from alerting.alarms import Event, Kind, Outcome, StaleVersionError, State, SubjectKind, acknowledge, fold, identity
from telemetry.series import Text


def event(kind: Kind, version: int, level: int, time_ns: int) -> Event:
    return Event(
        kind=kind,
        alarm_id="a1",
        version=version,
        hazard="flood",
        hazard_name=Text("洪水", "Flood"),
        subject_kind=SubjectKind.STATION,
        subject="river",
        subject_name=Text("溪", "River"),
        town="A",
        level=level,
        outcome=Outcome.CLEARED if kind is Kind.CLEARED else Outcome.LEVEL,
        time_ns=time_ns,
        at_ns=time_ns,
        text=Text("高", "high"),
    )


RAISED = event(Kind.RAISED, 1, 2, 10)
WORSE = event(Kind.LEVEL_CHANGED, 2, 3, 20)
BETTER = event(Kind.LEVEL_CHANGED, 2, 1, 20)
CLEARED = event(Kind.CLEARED, 3, 0, 30)


def test_an_alarm_goes_through_its_states() -> None:
    alarm = fold([RAISED])["a1"]
    assert (alarm.state, alarm.open) == (State.UNACKNOWLEDGED, True)
    seen = acknowledge(alarm, version=1, by="Lin", at_ns=15, note="on the way")
    assert seen is not None
    alarm = fold([RAISED, seen])["a1"]
    assert (alarm.state, alarm.acknowledged_by, alarm.note, alarm.version) == (
        State.ACKNOWLEDGED,
        "Lin",
        "on the way",
        1,
    )
    assert fold([RAISED, seen, CLEARED])["a1"].state is State.CLEARED
    alarm = fold([RAISED, WORSE, CLEARED])["a1"]
    assert (alarm.state, alarm.cleared_ns, alarm.peak_level) == (State.CLEARED_UNACKNOWLEDGED, 30, 3)


def test_an_acknowledgement_of_an_older_version_is_refused() -> None:
    """F23: whoever saw yellow has not seen orange."""
    alarm = fold([RAISED, WORSE])["a1"]
    with pytest.raises(StaleVersionError, match="version 1 was seen, expected the newest, 2"):
        acknowledge(alarm, version=1, by="Lin", at_ns=25)


def test_an_escalation_must_be_acknowledged_again_and_a_lower_level_need_not() -> None:
    """F22, F23."""
    seen = acknowledge(fold([RAISED])["a1"], version=1, by="Lin", at_ns=15)
    assert seen is not None
    assert fold([RAISED, seen, WORSE])["a1"].state is State.UNACKNOWLEDGED
    assert fold([RAISED, seen, BETTER])["a1"].state is State.ACKNOWLEDGED


def test_the_second_acknowledgement_of_a_version_says_nothing_new() -> None:
    seen = acknowledge(fold([RAISED])["a1"], version=1, by="Lin", at_ns=15)
    assert seen is not None
    alarm = fold([RAISED, seen])["a1"]
    assert acknowledge(alarm, version=1, by="Chen", at_ns=16) is None
    again = msgspec.structs.replace(seen, by="Chen", at_ns=16)
    assert fold([RAISED, seen, again])["a1"].acknowledged_by == "Lin"


def test_events_that_are_told_twice_change_nothing() -> None:
    log = [RAISED, WORSE, CLEARED]
    assert fold(log) == fold([*log, *log]) == fold([RAISED, RAISED, WORSE, RAISED, CLEARED, WORSE])


def test_corrections_and_events_of_unknown_alarms_make_no_alarm() -> None:
    assert fold([event(Kind.CORRECTION, 0, 3, 5), WORSE, CLEARED]) == {}


def test_an_identity_is_that_of_hazard_subject_and_time() -> None:
    ids = {
        identity(hazard, kind, subject, time)
        for hazard in ("flood", "gale")
        for kind in (SubjectKind.STATION, SubjectKind.PIPELINE)
        for subject in ("a", "b")
        for time in (1, 2)
    }
    assert len(ids) == 16
    assert identity("flood", SubjectKind.STATION, "a", 1) in ids


def test_an_event_survives_its_json() -> None:
    text = msgspec.json.encode(RAISED)
    assert msgspec.json.decode(text, type=Event) == RAISED
    assert RAISED.key == "a1.1.raised"
