"""Which derived series there are: rules met with what is announced and with what the site says."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final, Protocol

import numpy as np

from ingest.derived.cells import Method, Output
from ingest.derived.methods import METHODS
from ingest.derived.rules import Rule, reach_ns, span_ns
from ingest.derived.surroundings import Surroundings
from ingest.derived.tide import Constants
from ingest.derived.wind import samples_in_gust
from telemetry.batch import F64, I64, Mask
from telemetry.deployment import Deployment
from telemetry.quantity import QUANTITIES
from telemetry.series import Series, Station, series_id
from telemetry.span import SECOND_NS, moment_ns
from telemetry.topics import is_name

NONE: Final = -1
"""In the place of a series that is not there."""
LAKES: Final = ("lake", "reservoir")
"""Kinds of stations whose water is still: GB 3838 has limits of phosphorus of their own for it."""
OWN_ZERO: Final = "gauge"
"""The datum of a gauge whose zero nobody has levelled."""
COMPLETENESS: Final = Output(quantity="completeness", valid=(0, 100))


class Entry(Protocol):
    """What must be known of a series that is announced."""

    @property
    def id(self) -> int:
        """The identity."""

    @property
    def station(self) -> Station:
        """Where it stands."""

    @property
    def series(self) -> Series:
        """What it measures."""

    @property
    def deployments(self) -> tuple[Deployment, ...]:
        """The instruments that measured it, oldest first."""


@dataclass(frozen=True, slots=True)
class Member:
    """One station with the series that a rule needs there; ``entries`` by input, None where one is not measured."""

    station: Station
    entries: tuple[Entry | None, ...]
    point: str
    period_s: float
    shifts: tuple[tuple[int, float], ...] = ()
    """Since when how high the datum of the leading input lies above the wanted one; NaN: nobody knows."""
    tide: Constants | None = None
    datum: str | None = None
    """What levels count from that are derived here."""


@dataclass(frozen=True, slots=True, eq=False)
class Group:
    """All members of a rule as arrays: by input the identities and periods (m,), of the outputs those (outputs, m).

    The last output is the completeness, but of a sampled method: there a value is its own.
    """

    rule: Rule
    method: Method
    members: tuple[Member, ...]
    inputs: Mapping[str, I64]
    period_ns: Mapping[str, I64]
    outputs: I64
    lake: Mask

    def __len__(self) -> int:
        return len(self.members)

    @property
    def lead(self) -> str:
        """The input that the others are taken with."""
        return next(iter(self.inputs))


@dataclass(frozen=True, slots=True)
class Plan:
    """What is derived here, and of which series something is not, with the reason."""

    groups: tuple[Group, ...]
    left_out: tuple[tuple[str, str], ...]


def make_plan(site: str, rules: Sequence[Rule], entries: Iterable[Entry], surroundings: Surroundings) -> Plan:
    """Meet the rules with the series that are announced (derived ones are not to be among them)."""
    here: dict[str, dict[str, list[Entry]]] = {}
    for entry in sorted(entries, key=lambda one: (one.station.id, one.series.point)):
        here.setdefault(entry.station.id, {}).setdefault(entry.series.quantity, []).append(entry)
    groups, left_out = [], list[tuple[str, str]]()
    for rule in rules:
        members = []
        for found in here.values():
            for member in _members(rule, found):
                problem, fitted = _fitted(rule, member, surroundings)
                if problem:
                    left_out.append((f"{member.station.id}/{member.point}", problem))
                else:
                    members.append(fitted)
        if members:
            groups.append(_group(site, rule, members))
    return Plan(tuple(groups), tuple(left_out))


def outputs_of(method: Method) -> tuple[Output, ...]:
    """The outputs of a method with the completeness, where it has one."""
    return method.outputs if method.sampled else (*method.outputs, COMPLETENESS)


def point_of(member: Member, output: Output) -> str:
    """The point of one derived series."""
    return f"{member.point}-{output.name}" if output.name else member.point


def _members(rule: Rule, here: Mapping[str, Sequence[Entry]]) -> Iterator[Member]:
    """The members that a rule has at one station."""
    method, quantities = METHODS[rule.method], tuple(rule.inputs.values())
    if method.station:
        entries = tuple(_quickest(here.get(quantity, ())) for quantity in quantities)
        known = [entry for entry in entries if entry is not None]
        if known:
            yield Member(known[0].station, entries, rule.id, min(entry.series.period_s for entry in known))
        return
    for lead in here.get(quantities[0], ()):
        beside = [_beside(lead, here.get(quantity, ())) for quantity in quantities[1:]]
        periods = [entry.series.period_s for entry in (lead, *beside) if entry is not None]
        yield Member(lead.station, (lead, *beside), f"{lead.series.point}-{rule.id}", max(periods))


def _quickest(found: Sequence[Entry]) -> Entry | None:
    return min(found, key=lambda entry: entry.series.period_s, default=None)


def _beside(lead: Entry, found: Sequence[Entry]) -> Entry | None:
    """The series of the same device, else the first of the station."""
    return next((one for one in found if one.series.device == lead.series.device), next(iter(found), None))


def _fitted(rule: Rule, member: Member, surroundings: Surroundings) -> tuple[str, Member]:
    """Why a member can't have this derivative, or the member with what the site says of it."""
    method = METHODS[rule.method]
    if not method.station and None in member.entries:
        missing = list(rule.inputs.values())[member.entries.index(None)]
        return f"{rule.id}: no {missing} at {member.station.id}", member
    if not is_name(member.point) or len(member.point) > 58:
        return f"{rule.id}: the name of the point grows too long, expected at most 58 characters", member
    if problem := _too_rare(rule, member):
        return problem, member
    if method.needs:
        return _levelled(rule, method.needs, member, surroundings)
    return "", member


def _too_rare(rule: Rule, member: Member) -> str:
    """Why the samples are too rare for this derivative; empty where they are not."""
    period_s = member.period_s
    if rule.method == "gust" and samples_in_gust(period_s) is None:
        return f"{rule.id}: unknown, a sample each {period_s:g} s; expected one each second or more"
    due = reach_ns(rule) / SECOND_NS / period_s
    if rule.window is not None and due < rule.fewest:
        return f"{rule.id}: {due:.3g} samples of {period_s:g} s in {rule.window}, expected {rule.fewest} or more"
    return ""


def _levelled(rule: Rule, needs: str, member: Member, surroundings: Surroundings) -> tuple[str, Member]:
    lead = member.entries[0]
    if lead is None:
        return f"{rule.id}: nothing measured", member
    tide = surroundings.tides.get((member.station.id, lead.series.point))
    if needs == "tide" and tide is None:
        return f"{rule.id}: no harmonic constants in the site file", member
    wanted = surroundings.datum if tide is None or needs == "datum" else tide.datum
    shifts = tuple(_shifts(lead, wanted, surroundings))
    if np.isnan([height for _, height in shifts]).all():
        return f"{rule.id}: counts from {_datum(lead)}, and nobody says how high that lies over {wanted}", member
    return "", replace(member, shifts=shifts, tide=tide if needs == "tide" else None, datum=wanted)


def _datum(entry: Entry) -> str:
    zero = entry.deployments[-1].zeros.get(entry.series.key) if entry.deployments else None
    return OWN_ZERO if zero is None else zero.datum


def _shifts(entry: Entry, wanted: str | None, surroundings: Surroundings) -> Iterator[tuple[int, float]]:
    """Since when how high the gauge's datum lies above the wanted one; its first deployment holds for all before."""
    if not entry.deployments:
        yield -(2**62), _height(OWN_ZERO, wanted, surroundings)
    for at, deployment in enumerate(entry.deployments):
        zero = deployment.zeros.get(entry.series.key)
        datum = OWN_ZERO if zero is None else zero.datum
        yield (moment_ns(deployment.since) if at else -(2**62)), _height(datum, wanted, surroundings)


def _height(datum: str, wanted: str | None, surroundings: Surroundings) -> float:
    if wanted is None:
        return float("nan")
    if datum == wanted:
        return 0.0
    mine, theirs = surroundings.height_of(datum), surroundings.height_of(wanted)
    return float("nan") if mine is None or theirs is None else mine - theirs


def _group(site: str, rule: Rule, members: Sequence[Member]) -> Group:
    method = METHODS[rule.method]
    names = tuple(rule.inputs)
    columns = list(zip(*(member.entries for member in members), strict=True))
    return Group(
        rule=rule,
        method=method,
        members=tuple(members),
        inputs={name: _ids(column) for name, column in zip(names, columns, strict=True)},
        period_ns={name: _periods(column) for name, column in zip(names, columns, strict=True)},
        outputs=np.array(
            [
                [series_id(site, one.station.id, point_of(one, output), output.quantity) for one in members]
                for output in outputs_of(method)
            ],
            np.int64,
        ),
        lake=np.array([member.station.kind in LAKES for member in members]),
    )


def _ids(column: Sequence[Entry | None]) -> I64:
    return np.array([NONE if entry is None else entry.id for entry in column], np.int64)


def _periods(column: Sequence[Entry | None]) -> I64:
    return np.array([0 if entry is None else round(entry.series.period_s * SECOND_NS) for entry in column], np.int64)


def heights(group: Group, who: I64, at_ns: I64) -> F64:
    """How high the datum of each member's samples lies above the wanted one at each moment; both (n,)."""
    begins = [since for member in group.members for since, _ in member.shifts]
    values = np.array([height for member in group.members for _, height in member.shifts])
    counts = np.array([len(member.shifts) for member in group.members])
    first = np.cumsum(counts) - counts
    found = np.full(len(who), np.nan)
    for turn in range(int(counts.max(initial=0))):  # deployments of one gauge: a handful
        mine = turn < counts[who]
        at = (first[who] + turn)[mine]
        later = np.array(begins, np.int64)[at] <= at_ns[mine]
        found[np.flatnonzero(mine)[later]] = values[at[later]]
    return found


def period_s(group: Group, member: Member) -> float:
    """How often a derived series has a row, in seconds."""
    return member.period_s if group.rule.every is None else span_ns(group.rule.every) / SECOND_NS


def unit_of(output: Output) -> str:
    """The canonical unit of an output."""
    return QUANTITIES[output.quantity].unit
