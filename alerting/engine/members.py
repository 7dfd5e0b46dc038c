"""The subjects of a hazard and their rows, before they become arrays.

A subject (a station, a pipeline) has one row, or several where a metric has several series there (two gas detectors):
row ``i`` takes the ``i``-th series of each metric, and a metric with a single series serves all rows.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from alerting.alarms.events import SubjectKind
from alerting.rules.compiled import Compiled
from alerting.site import End, Pipeline, Site
from telemetry.series import Series, Station, Text


class Entry(Protocol):
    """What the engine must know of a series."""

    @property
    def id(self) -> int:
        """The identity."""

    @property
    def source(self) -> str:
        """The gateway, ``site/node``."""

    @property
    def station(self) -> Station:
        """Where it stands."""

    @property
    def series(self) -> Series:
        """What it measures."""

    @property
    def drill(self) -> bool:
        """Whether its input is simulated."""

    @property
    def datum(self) -> str | None:
        """What its values count from; None where nobody has said."""

    @property
    def is_derived(self) -> bool:
        """Whether the centre computes it."""


class Catalogue(Protocol):
    """What the engine asks of the catalogue: ``revision`` grows when the entries change."""

    @property
    def revision(self) -> int:
        """Number of the present state."""

    def entries(self) -> Iterable[Entry]:
        """The series that are announced now."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """What an alarm is about."""

    kind: SubjectKind
    id: str
    name: Text
    towns: tuple[str, ...]
    drill: bool

    @property
    def town(self) -> str:
        """The first area concerned."""
        return self.towns[0] if self.towns else ""


@dataclass(frozen=True, slots=True)
class Member:
    """One row before it becomes arrays: by probe the series that it looks at (None: there is none)."""

    subject: Subject
    entries: tuple[tuple[Entry | None, ...], ...]


def members_of(compiled: Compiled, site: Site, entries: Sequence[Entry]) -> list[Member]:
    """All rows of a hazard, those of one subject together."""
    if compiled.hazard.subject is SubjectKind.PIPELINE:
        return list(_pipelines(compiled, site.pipelines, entries))
    return list(_stations(compiled, entries))


def _stations(compiled: Compiled, entries: Sequence[Entry]) -> Iterable[Member]:
    inputs = [probe.metric.inputs for probe in compiled.probes]
    wanted = {quantity for some in inputs for quantity in some}
    here: dict[str, dict[str, list[Entry]]] = {}
    for entry in entries:
        if entry.series.quantity in wanted:
            here.setdefault(entry.station.id, {}).setdefault(entry.series.quantity, []).append(entry)
    for _, found in sorted(here.items()):
        yield from _station(inputs, {name: sorted(some, key=_point) for name, some in found.items()})


def _point(entry: Entry) -> str:
    return entry.series.point


def _station(inputs: Sequence[tuple[str, ...]], found: Mapping[str, Sequence[Entry]]) -> Iterable[Member]:
    some = next(iter(found.values()))[0]
    subject = Subject(
        kind=SubjectKind.STATION,
        id=some.station.id,
        name=some.station.name,
        towns=(some.station.town,),
        drill=some.drill,
    )
    for row in range(max(map(len, found.values()))):
        yield Member(
            subject,
            tuple(tuple(_nth(found.get(quantity, ()), row) for quantity in quantities) for quantities in inputs),
        )


def _nth(found: Sequence[Entry], row: int) -> Entry | None:
    if len(found) == 1:
        return found[0]
    return found[row] if row < len(found) else None


def _pipelines(compiled: Compiled, pipelines: Sequence[Pipeline], entries: Sequence[Entry]) -> Iterable[Member]:
    here: dict[tuple[str, str], list[Entry]] = {}
    for entry in entries:
        here.setdefault((entry.station.id, entry.series.quantity), []).append(entry)
    for pipeline in pipelines:
        found = tuple(tuple(_at_end(pipeline, name, here) for name in probe.metric.inputs) for probe in compiled.probes)
        known = [entry for some in found for entry in some if entry is not None]
        if known:
            subject = Subject(
                kind=SubjectKind.PIPELINE,
                id=pipeline.id,
                name=pipeline.name,
                drill=known[0].drill,
                towns=pipeline.towns or tuple(dict.fromkeys(entry.station.town for entry in known)),
            )
            yield Member(subject, found)


def _at_end(pipeline: Pipeline, name: str, here: Mapping[tuple[str, str], Sequence[Entry]]) -> Entry | None:
    role, _, quantity = name.partition(".")
    end: End = pipeline.inlet if role == "inlet" else pipeline.outlet
    point = end.flow if quantity == "flow" else end.pressure
    found = sorted(here.get((end.station, quantity), ()), key=_point)
    return next((entry for entry in found if point in (None, entry.series.point)), None)
