"""Events in words: what was measured, against which threshold of which rule, in Chinese and English."""

from dataclasses import dataclass
from typing import Final

import numpy as np

from alerting.alarms.events import Event, Kind, Outcome, identity
from alerting.engine.plan import Plan
from alerting.rules.compiled import OPS, Measured
from alerting.rules.packs import Rule, span_minutes
from alerting.site import LEVEL_NAMES
from ingest.window import Window
from telemetry.clock import MINUTE_NS
from telemetry.quality import Quality
from telemetry.series import Text

_DIGITS: Final = {"m": 2, "mm": 1, "m/s": 1, "%LEL": 1, "ppm": 2, "%vol": 1, "%": 1, "code": 1}
_LEADS: Final = (Text("补到的数据: ", "Late data: "), Text("事后存疑的读数: ", "Reading doubted afterwards: "))
"""Of corrections: what was missing, and what should not have counted."""
_SHOWN_UNIT: Final = {"code": ""}


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One transition of one subject of a plan, before it becomes an event."""

    plan: Plan
    subject: int
    kind: Kind
    before: int
    after: int
    version: int
    raised_ns: int
    time_ns: int
    suspect: bool
    doubted: bool = False
    """The reading that the alarm rests on was found doubtful by its later neighbours."""


@dataclass(frozen=True, slots=True)
class Cause:
    """The condition that explains a change: the row of the plan, the number of the condition, and its value."""

    row: int
    condition: int
    value: float | None
    suspect: bool


def cause(change: Change, measured: Measured, rows: np.ndarray[tuple[int], np.dtype[np.int64]], at: int) -> Cause:
    """The cause of a change from what was measured of its row, the ``at``-th of ``rows``."""
    compiled, row = change.plan.compiled, int(rows[at])
    value = measured.value[at, compiled.probe]
    level = change.after if change.after > change.before else change.before
    condition = compiled.decisive(level, value, change.plan.thresholds[row])
    found = float(value[condition])
    return Cause(
        row, condition, None if np.isnan(found) else found, bool(measured.suspect[at, compiled.probe[condition]])
    )


def narrate(change: Change, why: Cause, window: Window, now_ns: int, answered_ns: int) -> Event:
    """The event of a change; ``now_ns`` is the data time of the decision."""
    plan, subject = change.plan, change.plan.subjects[change.subject]
    compiled, head = plan.compiled, plan.compiled.pack.head
    threshold = float(plan.thresholds[why.row, why.condition])
    rule = _rule(change)
    return Event(
        kind=change.kind,
        version=change.version,
        hazard=plan.hazard,
        hazard_name=compiled.hazard.name,
        alarm_id=identity(plan.hazard, subject.kind, subject.id, change.raised_ns),
        subject_kind=subject.kind,
        subject=subject.id,
        subject_name=subject.name,
        town=subject.town,
        level=change.after,
        previous_level=change.before,
        outcome=_outcome(change),
        time_ns=change.time_ns,
        at_ns=now_ns,
        rule=rule.id,
        edition=f"{head.id} {head.edition}",
        source=_source(plan, why),
        series=_series(plan, why, window),
        value=why.value,
        threshold=None if np.isnan(threshold) else threshold,
        unit=compiled.probes[compiled.probe[why.condition]].metric.unit,
        quality=_quality(plan, why, window),
        drill=subject.drill,
        answered_ns=answered_ns,
        text=_text(change, why, now_ns),
    )


def _outcome(change: Change) -> Outcome:
    if change.kind is Kind.CLEARED:
        return Outcome.CLEARED
    return Outcome.SUSPECT if change.suspect else Outcome.LEVEL


def _rule(change: Change) -> Rule:
    level = change.after or change.before
    return next(rule for rule in change.plan.compiled.rules if rule.level >= level)


def _series(plan: Plan, why: Cause, window: Window) -> tuple[str, ...]:
    slots = plan.slots[int(plan.compiled.probe[why.condition])][why.row]
    return tuple(str(identity) for identity in window.series(slots).tolist())


def _quality(plan: Plan, why: Cause, window: Window) -> str:
    if why.value is None:
        return ""
    if why.suspect:
        return Quality.SUSPECT.name
    probe = int(plan.compiled.probe[why.condition])
    slots = plan.slots[probe][why.row]
    single = len(slots) == 1 and plan.compiled.probes[probe].minutes == 0
    return Quality(window.shown_quality[slots[0]]).name if single else Quality.GOOD.name


def _source(plan: Plan, why: Cause) -> str:
    head, scheme = plan.compiled.pack.head, plan.compiled.conditions[why.condition].site
    surveyed = plan.surveyed[why.row].get(scheme or "")
    if surveyed is None:
        return head.source
    return f"{head.source}; {surveyed.surveyor}, {surveyed.date}, {surveyed.datum}"


def _text(change: Change, why: Cause, now_ns: int) -> Text:
    compiled = change.plan.compiled
    condition = compiled.conditions[why.condition]
    rule = compiled.rules[int(compiled.rule_of[why.condition])]
    sentence = compiled.pack.document.settings.text
    metric = compiled.probes[int(compiled.probe[why.condition])].metric
    values = {
        "value": number(why.value, metric.unit),
        "op": OPS[condition.op],
        "unit": _SHOWN_UNIT.get(metric.unit, metric.unit),
        "threshold": number(float(change.plan.thresholds[why.row, why.condition]), metric.unit),
    }
    name = change.plan.subjects[change.subject].name
    window = "" if condition.window is None else condition.window.replace("min", " min").replace("h", " h") + " "
    gap = " " if window else ""
    zh = {**values, "subject": name.zh, "metric": gap + window + metric.text.zh, "rule": rule.name.zh}
    en = {**values, "subject": name.en, "metric": window + metric.text.en, "rule": rule.name.en}
    if change.kind is not Kind.CORRECTION and change.after < change.before:
        return _lowered(change, rule, zh, en)
    tail = _tail(change, why, now_ns)
    lead = _LEADS[change.doubted] if change.kind is Kind.CORRECTION else Text("", "")
    return Text(
        lead.zh + _tidy(sentence.zh.format(**zh)) + tail.zh, lead.en + _tidy(sentence.en.format(**en)) + tail.en
    )


def _lowered(change: Change, rule: Rule, zh: dict[str, str], en: dict[str, str]) -> Text:
    level, held = LEVEL_NAMES[change.after], span_minutes(rule.hold)
    below = Text(
        "{subject}{metric} {value} {unit}: 低于{rule} {threshold} {unit}",
        "{subject} {metric} {value} {unit}: below {rule} {threshold} {unit}",
    )
    since = Text(f", 已 {held} min", f" for {held} min") if held else Text("", "")
    end = Text("解除", "cleared") if change.after == 0 else Text(f"降为{level.zh}", f"lowered to {level.en}")
    return Text(
        f"{_tidy(below.zh.format(**zh))}{since.zh}, {end.zh}", f"{_tidy(below.en.format(**en))}{since.en}, {end.en}"
    )


def _tail(change: Change, why: Cause, now_ns: int) -> Text:
    """What an officer must know besides: the age of the reading, doubt about it, and that a level was not surveyed."""
    parts = [age(now_ns - change.time_ns)] if now_ns - change.time_ns >= MINUTE_NS else []
    if change.suspect:
        parts.append(Text("读数可疑", "doubtful reading"))
    plan = change.plan
    surveyed = plan.surveyed[why.row].get(plan.compiled.conditions[why.condition].site or "")
    if plan.compiled.pack.head.confidence == "illustrative" or (surveyed is not None and surveyed.illustrative):
        parts.append(Text("示例阈值", "illustrative threshold"))
    if not parts:
        return Text("", "")
    return Text(f" ({', '.join(p.zh for p in parts)})", f" ({', '.join(p.en for p in parts)})")


def age(span_ns: int) -> Text:
    """How long ago, in the largest unit that leaves a whole number above one."""
    minutes = span_ns // MINUTE_NS
    if minutes >= 120:
        return Text(f"{minutes // 60} h 前", f"{minutes // 60} h ago")
    return Text(f"{minutes} min 前", f"{minutes} min ago")


def number(value: float | None, unit: str) -> str:
    """A number as people read it, with the digits that its unit deserves, more where they decide."""
    if value is None or np.isnan(value):
        return "-"
    digits = _DIGITS.get(unit, 2)
    shown = f"{value:.{digits}f}"
    return shown if abs(float(shown) - value) < 1e-9 else f"{value:.{digits + 1}f}"


def _tidy(text: str) -> str:
    return " ".join(text.split())
