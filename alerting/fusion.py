"""From subjects to areas: thin and literal. The level of an area is the highest of its subjects, nothing is inferred.

What this is not yet: no probabilities, no cascades, no exposure (HAZARDS 3.2); an area without sensors stays grey
however bad its neighbours are. Confidence is the share of what is watched that is known now, and no more than that
(ADR 0010).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import msgspec
import numpy as np

from alerting.alarms.events import Outcome
from alerting.site import LEVEL_NAMES, Area
from telemetry.batch import I64, U8, Mask
from telemetry.series import Text

_SAID: Final = {
    Outcome.NO_DATA: Text("无数据", "no data"),
    Outcome.UNCONFIGURED: Text("未配置阈值", "no thresholds configured"),
}


class HazardLevel(msgspec.Struct, frozen=True, kw_only=True):
    """One hazard in one area (or at one station), with the open alarms that say so."""

    outcome: Outcome
    level: int
    alarms: tuple[str, ...] = ()


class AreaLevel(msgspec.Struct, frozen=True, kw_only=True):
    """One area: the highest level of its hazards, normal only where all of them are.

    ``confidence`` is the mean over its hazards of the share of checks that have thresholds and data; None where nothing
    is watched.
    """

    code: str
    name: Text
    level: int
    outcome: Outcome
    hazards: dict[str, HazardLevel]
    confidence: float | None
    explanation: Text


@dataclass(frozen=True, slots=True)
class Subjects:
    """What is known of subjects, arrays of shape (s,): hazard number, level, and whether each is doubtful, has any
    threshold, and has readings now. ``pair`` (p, 2) says which subject (first) concerns which area (second).
    """

    hazard: I64
    level: U8
    suspect: Mask
    configured: Mask
    usable: Mask
    pair: I64


@dataclass(frozen=True, slots=True)
class Fused:
    """Areas x hazards: highest level, highest level by readings that are not doubtful, and counts of subjects."""

    level: U8
    clean: U8
    subjects: I64
    configured: I64
    usable: I64


def fuse(subjects: Subjects, areas: int, hazards: int) -> Fused:
    """Fold subjects into (areas, hazards)."""
    who, area = subjects.pair[:, 0], subjects.pair[:, 1]
    cell = area, subjects.hazard[who]
    level, clean = np.zeros((areas, hazards), np.uint8), np.zeros((areas, hazards), np.uint8)
    np.maximum.at(level, cell, subjects.level[who])
    np.maximum.at(clean, cell, np.where(subjects.suspect, 0, subjects.level)[who].astype(np.uint8))
    counts = []
    for mask in (np.ones(len(subjects.level), np.bool_), subjects.configured, subjects.configured & subjects.usable):
        count = np.zeros((areas, hazards), np.int64)
        np.add.at(count, cell, mask[who])
        counts.append(count)
    return Fused(level, clean, *counts)


def outcome_of(level: int, clean: int, subjects: int, configured: int, usable: int) -> Outcome:
    """The outcome of one cell: a level first; then unknown before normal."""
    if level:
        return Outcome.LEVEL if clean == level else Outcome.SUSPECT
    if subjects and not configured:
        return Outcome.UNCONFIGURED
    return Outcome.NORMAL if usable else Outcome.NO_DATA


def area_levels(
    areas: Sequence[Area], hazards: Mapping[str, Text], fused: Fused, alarms: Mapping[tuple[str, str], Sequence[str]]
) -> list[AreaLevel]:
    """The areas as people see them; ``alarms`` are the open ones by area code and hazard."""
    return [_area(area, row, tuple(hazards), hazards, fused, alarms) for row, area in enumerate(areas)]


def _area(
    area: Area,
    row: int,
    names: Sequence[str],
    texts: Mapping[str, Text],
    fused: Fused,
    alarms: Mapping[tuple[str, str], Sequence[str]],
) -> AreaLevel:
    cells = {
        name: HazardLevel(
            outcome=outcome_of(
                *(
                    int(table[row, column])
                    for table in (fused.level, fused.clean, fused.subjects, fused.configured, fused.usable)
                )
            ),
            level=int(fused.level[row, column]),
            alarms=tuple(alarms.get((area.code, name), ())),
        )
        for column, name in enumerate(names)
        if fused.subjects[row, column] or (area.code, name) in alarms
    }
    usable, configured = int(fused.usable[row].sum()), int(fused.configured[row].sum())
    return AreaLevel(
        code=area.code,
        name=area.name,
        level=max((cell.level for cell in cells.values()), default=0),
        outcome=combined(list(cells.values())),
        hazards=cells,
        confidence=_known(fused.usable[row], fused.subjects[row]),
        explanation=_explain(cells, texts, usable, configured),
    )


def _known(usable: I64, subjects: I64) -> float | None:
    """The mean share of usable subjects over the hazards (h,) that have any; None when none has."""
    watched = subjects > 0
    return float(np.mean(usable[watched] / subjects[watched])) if watched.any() else None


def combined(cells: Sequence[HazardLevel]) -> Outcome:
    """The outcome of all hazards together: the highest level, else unknown before normal."""
    top = max((cell.level for cell in cells), default=0)
    if top:
        return Outcome.LEVEL if any(c.outcome is Outcome.LEVEL and c.level == top for c in cells) else Outcome.SUSPECT
    found = {cell.outcome for cell in cells}
    order = (Outcome.NO_DATA, Outcome.UNCONFIGURED, Outcome.NORMAL)
    return next((outcome for outcome in order if outcome in found), Outcome.NO_DATA)


def _explain(cells: Mapping[str, HazardLevel], texts: Mapping[str, Text], usable: int, configured: int) -> Text:
    raised = sorted((name for name in cells if cells[name].level), key=lambda name: (-cells[name].level, name))
    zh = [f"{texts[name].zh}{LEVEL_NAMES[cells[name].level].zh}" for name in raised]
    en = [f"{texts[name].en}: {LEVEL_NAMES[cells[name].level].en}" for name in raised]
    for outcome, said in _SAID.items():
        zh += [f"{texts[name].zh}{said.zh}" for name in cells if cells[name].outcome is outcome]
        en += [f"{texts[name].en}: {said.en}" for name in cells if cells[name].outcome is outcome]
    if not configured:
        return Text("; ".join([*zh, "本区没有可用的监测"]), "; ".join([*en, "nothing is monitored here"]))
    zh.append(f"{configured} 项监测中 {usable} 项可用")
    en.append(f"{usable} of {configured} checks have data")
    return Text("; ".join(zh), "; ".join(en))
