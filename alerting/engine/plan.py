"""Who is judged by which rules: subjects of one hazard, their rows, and the slots of the window they look at."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from alerting.engine.datums import is_comparable
from alerting.engine.members import Entry, Member, Subject, members_of
from alerting.metric import Frame, Reading
from alerting.rules.compiled import Bars, Compiled, Ladder, Measured, Verdict
from alerting.site import Site, Threshold
from ingest.window import Window
from telemetry.batch import F64, I64, U8, Mask
from telemetry.clock import MINUTE_NS

GAP_PERIODS: Final = 3
GAP_MINUTES: Final = 2


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Plan:
    """The rows of one hazard (n,), in the order of their subjects (s,)."""

    compiled: Compiled
    subjects: tuple[Subject, ...]
    row_start: I64
    row_count: I64
    slots: tuple[I64, ...]
    """By probe: (n, inputs); an absent series has slot 0 here, and ``absent`` says so."""
    absent: Mask
    thresholds: F64
    bars: Bars
    surveyed: tuple[dict[str, Threshold], ...]
    """By row: the site's thresholds by scheme."""
    configured: Mask
    gap_ns: I64
    subject_of: I64
    """By slot: the subjects that look at it, padded with -1; (slots, most)."""

    @property
    def hazard(self) -> str:
        """The name of the hazard."""
        return self.compiled.hazard.id

    def touched(self, slots: I64) -> I64:
        """The subjects that look at any of these slots, ascending."""
        found = self.subject_of[slots]
        mark = np.zeros(len(self.subjects) + 1, np.bool_)  # the last one takes the padding, -1
        mark[found] = True
        return np.flatnonzero(mark[:-1])

    def moments(self, who: I64, slots: I64, time_ns: I64) -> I64:
        """The newest of these rows' times for each subject in ``who`` (k,)."""
        newest = np.zeros(len(self.subjects), np.int64)
        for column in range(self.subject_of.shape[1]):
            at = self.subject_of[slots, column]
            np.maximum.at(newest, at[at >= 0], time_ns[at >= 0])
        return newest[who]

    def rows_of(self, who: I64) -> tuple[I64, I64]:
        """The rows of subjects, and where each subject's begin among them."""
        count = self.row_count[who]
        begin = np.cumsum(count) - count
        return np.repeat(self.row_start[who] - begin, count) + np.arange(int(count.sum())), begin

    def measure(self, window: Window, typhoons: I64, rows: I64, at_ns: I64) -> Measured:
        """All probes of some rows, each at its own moment (k,)."""
        frame = Frame(window, at_ns, typhoons)
        absent = self.absent[rows]
        readings = [
            probe.metric.compute(frame, slots[rows], probe.minutes)
            for probe, slots in zip(self.compiled.probes, self.slots, strict=True)
        ]
        return _stacked(readings, absent)

    def judge(self, measured: Measured, rows: I64) -> Verdict:
        """The rules over rows that were measured."""
        return self.compiled.evaluate(measured, self.bars.take(rows))


def _stacked(readings: Sequence[Reading], absent: Mask) -> Measured:
    value = np.stack([reading.value for reading in readings], axis=1)
    share = np.stack([reading.share for reading in readings], axis=1)
    suspect = np.stack([reading.suspect for reading in readings], axis=1)
    if absent.any():
        value, share = np.where(absent, np.nan, value), np.where(absent, 0.0, share)
        suspect = suspect & ~absent
    return Measured(value, share, suspect, absent)


def by_subject(verdict: Verdict, begin: I64) -> Verdict:
    """The worst row of each subject; ``begin`` (k,) as from ``rows_of``."""
    if len(begin) == len(verdict.reached):
        return verdict
    reached: U8 = np.maximum.reduceat(verdict.reached, begin)
    clean = np.maximum.reduceat(np.where(verdict.suspect, 0, verdict.reached), begin)
    return Verdict(
        reached,
        np.maximum.reduceat(verdict.held, begin),
        np.maximum.reduceat(verdict.maybe, begin),
        np.logical_or.reduceat(verdict.unknown, begin),
        clean < reached,
    )


def make_plan(compiled: Compiled, site: Site, entries: Sequence[Entry], window: Window) -> Plan | None:
    """The plan of one hazard over the announced series; None where nothing here is a subject of it."""
    members = members_of(compiled, site, entries)
    if not members:
        return None
    subjects = tuple(dict.fromkeys(member.subject for member in members))
    number = {subject: index for index, subject in enumerate(subjects)}
    owner = np.array([number[member.subject] for member in members], np.int64)
    row_start = np.searchsorted(owner, np.arange(len(subjects)))
    slots = _slots(members, len(compiled.probes), window)
    absent = np.array([[None in found for found in member.entries] for member in members])
    surveyed = _surveyed(members, site.thresholds)
    thresholds = _thresholds(compiled, surveyed)
    return Plan(
        compiled=compiled,
        subjects=subjects,
        row_start=row_start,
        row_count=np.diff(np.append(row_start, len(owner))),
        slots=slots,
        absent=absent,
        thresholds=thresholds,
        bars=compiled.bars(thresholds),
        surveyed=surveyed,
        configured=np.logical_or.reduceat(compiled.configured(thresholds, absent), row_start),
        gap_ns=np.maximum.reduceat(_gaps(members), row_start),
        subject_of=_index(slots, absent, owner, len(window)),
    )


def _slots(members: Sequence[Member], probes: int, window: Window) -> tuple[I64, ...]:
    made = []
    for probe in range(probes):
        ids = [[0 if entry is None else entry.id for entry in member.entries[probe]] for member in members]
        table = np.array(ids, np.int64).reshape(len(members), -1)
        made.append(np.maximum(window.slots(table.ravel()), 0).reshape(table.shape))
    return tuple(made)


def _surveyed(members: Sequence[Member], thresholds: Sequence[Threshold]) -> tuple[dict[str, Threshold], ...]:
    known: dict[tuple[str, str, str], dict[str, Threshold]] = {}
    for threshold in thresholds:
        known.setdefault((threshold.station, threshold.point, threshold.quantity), {})[threshold.scheme] = threshold
    return tuple(
        {
            scheme: threshold
            for found in member.entries
            for entry in found
            if entry is not None
            for scheme, threshold in known.get(
                (entry.station.id, entry.series.point, entry.series.quantity), {}
            ).items()
            if is_comparable(entry, threshold)
        }
        for member in members
    )


def _thresholds(compiled: Compiled, surveyed: Sequence[dict[str, Threshold]]) -> F64:
    published = compiled.thresholds(_ladder({}))
    return np.stack([compiled.thresholds(_ladder(here)) if here else published for here in surveyed])


def _ladder(here: Mapping[str, Threshold]) -> Ladder:
    def value(scheme: str, level: int) -> float | None:
        return here[scheme].ladder()[level - 1] if scheme in here else None

    return value


def _gaps(members: Sequence[Member]) -> I64:
    """The silence after which a row's hold starts anew."""
    longest = [
        max(entry.series.period_s for found in member.entries for entry in found if entry is not None)
        for member in members
    ]
    return np.maximum(np.array(longest) * GAP_PERIODS * 1e9, GAP_MINUTES * MINUTE_NS).astype(np.int64)


def _index(slots: Sequence[I64], absent: Mask, owner: I64, size: int) -> I64:
    pairs = {
        (slot, int(owner[row]))
        for probe, table in enumerate(slots)
        for row, some in enumerate(table.tolist())
        for slot in some
        if not absent[row, probe]
    }
    users: dict[int, list[int]] = {}
    for slot, subject in sorted(pairs):
        users.setdefault(slot, []).append(subject)
    index = np.full((size, max(map(len, users.values()), default=1)), -1, np.int64)
    for slot, subjects in users.items():
        index[slot, : len(subjects)] = subjects
    return index
