"""What the engine knows now, for the console: levels of stations and areas, and the thresholds of a series."""

from collections.abc import Iterable, Sequence

import msgspec
import numpy as np

from alerting import fusion
from alerting.alarms.events import Outcome, SubjectKind, identity
from alerting.alarms.fold import Alarm
from alerting.engine.members import Subject
from alerting.engine.post import Post
from alerting.engine.silence import Silence
from alerting.fusion import AreaLevel, HazardLevel
from alerting.site import Area, Site
from telemetry.batch import I64, Mask
from telemetry.series import Text


class StationLevel(msgspec.Struct, frozen=True, kw_only=True):
    """The outcome of a station: the highest level of its hazards, and of the pipelines that end at it."""

    outcome: Outcome
    level: int
    hazards: dict[str, HazardLevel]


class ThresholdLine(msgspec.Struct, frozen=True, kw_only=True):
    """A line in a chart: at ``value`` (in the unit of the series) a rule reaches ``level``."""

    level: int
    value: float
    op: str
    name: Text
    hazard: str
    rule: str
    edition: str
    source: str


def usable(post: Post, now_ns: int) -> Mask:
    """Which subjects (s,) have readings that say something now."""
    silent = now_ns - post.memory.time_ns > post.plan.gap_ns
    good: Mask = (post.memory.time_ns > 0) & ~silent & ~post.unknown
    return good


def fused(posts: Sequence[Post], site: Site, now_ns: int) -> fusion.Fused:
    """All subjects folded into areas x hazards, hazards in the order of the posts."""
    places = {area.code: index for index, area in enumerate(site.areas)}
    pairs: list[tuple[int, int]] = []
    begin = 0
    for post in posts:
        pairs += [
            (begin + index, places[town])
            for index, subject in enumerate(post.plan.subjects)
            for town in subject.towns
            if town in places
        ]
        begin += len(post.plan.subjects)
    subjects = fusion.Subjects(
        hazard=np.repeat(np.arange(len(posts)), [len(post.plan.subjects) for post in posts]).astype(np.int64),
        level=_joined([post.memory.level for post in posts], np.uint8),
        suspect=_joined([post.doubtful for post in posts], np.bool_),
        configured=_joined([post.plan.configured for post in posts], np.bool_),
        usable=_joined([usable(post, now_ns) for post in posts], np.bool_),
        pair=np.array(pairs, np.int64).reshape(-1, 2),
    )
    return fusion.fuse(subjects, len(site.areas), len(posts))


def _joined(parts: Sequence[np.ndarray], dtype: type) -> np.ndarray:
    return np.concatenate(parts) if parts else np.zeros(0, dtype)


def areas(
    posts: Sequence[Post], silence: Silence | None, site: Site, now_ns: int, lost: Iterable[Alarm]
) -> list[AreaLevel]:
    """The areas now. ``lost`` are open alarms whose subject nobody announces any more: they count as before (F13)."""
    names = {post.plan.hazard: post.plan.compiled.hazard.name for post in posts}
    alarms: dict[tuple[str, str], list[str]] = {}
    for hazard, subject, _, alarm_id in _open(posts):
        for town in subject.towns:
            alarms.setdefault((town, hazard), []).append(alarm_id)
    found = fusion.area_levels(site.areas, names, fused(posts, site, now_ns), alarms)
    dark = _dark(silence, site.areas)
    vanished = [(alarm.town, alarm.hazard, _cell(alarm)) for alarm in lost if alarm.open and alarm.hazard != "no_data"]
    return [
        _with(area, [*dark.get(area.code, ()), *((h, c) for town, h, c in vanished if town == area.code)])
        for area in found
    ]


def _cell(alarm: Alarm) -> HazardLevel:
    return HazardLevel(outcome=alarm.outcome, level=alarm.level, alarms=(alarm.id,))


def _with(area: AreaLevel, more: Sequence[tuple[str, HazardLevel]]) -> AreaLevel:
    """An area with hazards besides those that are evaluated; silence never lifts it, an alarm that stands does.

    None of them is known now.
    """
    if not more:
        return area
    hazards = dict(area.hazards)
    for hazard, cell in more:
        known = hazards.get(hazard)
        hazards[hazard] = (
            cell
            if known is None
            else HazardLevel(
                outcome=cell.outcome if cell.level > known.level else known.outcome,
                level=max(cell.level, known.level),
                alarms=known.alarms + cell.alarms,
            )
        )
    return msgspec.structs.replace(
        area,
        hazards=hazards,
        level=max(cell.level for cell in hazards.values()),
        outcome=fusion.combined(list(hazards.values())),
        confidence=(area.confidence or 0.0) * len(area.hazards) / len(hazards),
    )


def _dark(silence: Silence | None, areas: Sequence[Area]) -> dict[str, list[tuple[str, HazardLevel]]]:
    """The no-data alarms by area, as a hazard without level."""
    found: dict[str, list[str]] = {area.code: [] for area in areas}
    for subject, alarm_id in silent(silence):
        for town in subject.towns:
            found.setdefault(town, []).append(alarm_id)
    return {
        town: [("no_data", HazardLevel(outcome=Outcome.NO_DATA, level=0, alarms=tuple(alarms)))]
        for town, alarms in found.items()
        if alarms
    }


def silent(silence: Silence | None) -> list[tuple[Subject, str]]:
    """Who has an open no-data alarm, and which."""
    if silence is None:
        return []
    return [
        (subject, identity("no_data", subject.kind, subject.id, int(silence.memory.raised_ns[index])))
        for index, subject in enumerate(silence.roster.subjects)
        if silence.memory.level[index]
    ]


def _open(posts: Sequence[Post]) -> Iterable[tuple[str, Subject, int, str]]:
    for post in posts:
        for index in np.flatnonzero(post.memory.level).tolist():
            subject = post.plan.subjects[index]
            alarm_id = identity(post.plan.hazard, subject.kind, subject.id, int(post.memory.raised_ns[index]))
            yield post.plan.hazard, subject, index, alarm_id


def stations(
    posts: Sequence[Post], silence: Silence | None, site: Site, now_ns: int, known: Iterable[str]
) -> dict[str, StationLevel]:
    """All announced stations now."""
    cells: dict[str, dict[str, HazardLevel]] = {station: {} for station in known}
    ends = {pipeline.id: (pipeline.inlet.station, pipeline.outlet.station) for pipeline in site.pipelines}
    alarms = {(hazard, subject.id): alarm_id for hazard, subject, _, alarm_id in _open(posts)}
    for post in posts:
        good = usable(post, now_ns)
        for index, subject in enumerate(post.plan.subjects):
            places = ends[subject.id] if subject.kind is SubjectKind.PIPELINE else (subject.id,)
            alarm = alarms.get((post.plan.hazard, subject.id))
            cell = _subject_cell(post, index, good=bool(good[index]), alarm=alarm)
            for place in places:
                cells.setdefault(place, {})[post.plan.hazard] = cell
    for subject, alarm_id in silent(silence):
        if subject.kind is SubjectKind.STATION:
            cell = HazardLevel(outcome=Outcome.NO_DATA, level=0, alarms=(alarm_id,))
            cells.setdefault(subject.id, {})["no_data"] = cell
    return {station: _station(found) for station, found in cells.items()}


def _subject_cell(post: Post, index: int, *, good: bool, alarm: str | None) -> HazardLevel:
    level = int(post.memory.level[index])
    clean = 0 if post.doubtful[index] else level
    configured = int(post.plan.configured[index])
    return HazardLevel(
        outcome=fusion.outcome_of(level, clean, 1, configured, int(good)),
        level=level,
        alarms=() if alarm is None else (alarm,),
    )


def _station(cells: dict[str, HazardLevel]) -> StationLevel:
    outcome = fusion.combined(list(cells.values())) if cells else Outcome.UNCONFIGURED
    return StationLevel(outcome=outcome, level=max((cell.level for cell in cells.values()), default=0), hazards=cells)


def threshold_lines(posts: Sequence[Post], slot: int, unit: str) -> list[ThresholdLine]:
    """The thresholds that the values of a series can be held against, by hazard and level."""
    lines: dict[tuple[str, int, float], ThresholdLine] = {}
    for post in posts:
        compiled = post.plan.compiled
        for probe, slots in enumerate(post.plan.slots):
            metric = compiled.probes[probe].metric
            if metric.unit == unit and not metric.bound and len(metric.inputs) == 1:
                rows = np.flatnonzero((slots == slot).any(axis=1) & ~post.plan.absent[:, probe])
                for line in _lines(post, probe, rows[:1]):
                    lines[line.hazard, line.level, line.value] = line
    return [lines[key] for key in sorted(lines)]


def _lines(post: Post, probe: int, rows: I64) -> Iterable[ThresholdLine]:
    plan, compiled = post.plan, post.plan.compiled
    head = compiled.pack.head
    for row in rows.tolist():
        for index in np.flatnonzero((compiled.probe == probe) & ~np.isnan(plan.thresholds[row])).tolist():
            rule, condition = compiled.rules[int(compiled.rule_of[index])], compiled.conditions[index]
            surveyed = plan.surveyed[row].get(condition.site or "")
            yield ThresholdLine(
                level=rule.level,
                value=float(plan.thresholds[row, index]),
                op=condition.op,
                name=rule.name,
                hazard=rule.hazard,
                rule=rule.id,
                edition=f"{head.id} {head.edition}",
                source=head.source if surveyed is None else f"{surveyed.surveyor}, {surveyed.date}, {surveyed.datum}",
            )
