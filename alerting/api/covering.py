"""Coverage now: what of the network and of the risk sources reports, per town and kind."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from alerting.api import dto
from alerting.register import RISK_NAMES, Register, RiskKind
from alerting.site import Site
from alerting.watching import Watching, watching
from ingest.catalogue import Entry
from ingest.coverage import rates
from telemetry.batch import I64, U8
from telemetry.series import Text

Cell = tuple[str, str]
"""Town and kind."""
_COUNTED: Final = ("expected", "built", "reporting", "good", "series", "series_reporting", "series_good")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Ground:
    """What coverage is computed over, until the catalogue changes.

    ``place`` and ``station`` (series,): the place of a series, and the number of its station; ``cell`` (stations,): the
    number of a station's cell; ``planned`` (cells,): stations that the register plans there.
    """

    place: I64
    station: I64
    cell: I64
    cells: tuple[Cell, ...]
    planned: I64
    watching: Watching

    def padded(self, by_place: U8) -> U8:
        """States by place, SILENT for places that nothing has come to yet."""
        missing = int(self.place.max(initial=-1)) + 1 - len(by_place)
        return np.pad(by_place, (0, max(missing, 0)), constant_values=rates.SILENT)


def ground(entries: Sequence[Entry], register: Register) -> Ground:
    """Number the stations and cells of some entries."""
    stations = {entry.station.id: entry.station for entry in entries}
    number = {name: index for index, name in enumerate(stations)}
    planned = {(one.town, one.kind): one.stations for one in register.planned}
    of_station = [(station.town, station.kind) for station in stations.values()]
    cells = tuple(sorted({*planned, *of_station}))
    at = {cell: index for index, cell in enumerate(cells)}
    return Ground(
        place=np.array([entry.place for entry in entries], np.int64),
        station=np.array([number[entry.station.id] for entry in entries], np.int64),
        cell=np.array([at[cell] for cell in of_station], np.int64),
        cells=cells,
        planned=np.array([planned.get(cell, 0) for cell in cells], np.int64),
        watching=watching(register.risks, entries),
    )


def network(ground: Ground, by_place: U8, site: Site) -> dto.Network:
    """The network from the states of series by place."""
    state = by_place[ground.place]
    stations = rates.of_stations(ground.station, state, len(ground.cell))
    built, reporting, good = rates.grouped(ground.cell, stations, len(ground.cells))
    series, series_reporting, series_good = rates.grouped(ground.cell[ground.station], state, len(ground.cells))
    expected = np.maximum(ground.planned, built)
    counted = np.stack([expected, built, reporting, good, series, series_reporting, series_good], axis=1)
    names = town_names(site)

    def cells(group: Callable[[Cell], tuple[str | None, str | None]]) -> list[dto.NetworkCell]:
        found: dict[tuple[str | None, str | None], I64] = {}
        for cell, counts in zip(ground.cells, counted, strict=True):
            found[group(cell)] = found.get(group(cell), 0) + counts
        return [_network_cell(town, kind, counts, names) for (town, kind), counts in found.items()]

    total = cells(lambda _: (None, None)) or [_network_cell(None, None, np.zeros(len(_COUNTED), np.int64), names)]
    return dto.Network(
        total=total[0],
        towns=cells(lambda cell: (cell[0], None)),
        kinds=sorted(cells(lambda cell: (None, cell[1])), key=lambda one: one.kind or ""),
        cells=cells(lambda cell: cell),
    )


def risk_coverage(ground: Ground, by_place: U8, site: Site) -> dto.RiskCoverage:
    """The risk sources from the states of series by place."""
    states, _ = ground.watching.states(by_place)
    names = town_names(site)
    risks = [one.risk for one in ground.watching.watched]

    def cells(group: Callable[[Cell], tuple[str | None, str | None]]) -> list[dto.RiskCell]:
        found: dict[tuple[str | None, str | None], list[int]] = {}
        for risk, state in zip(risks, states.tolist(), strict=True):
            found.setdefault(group((risk.town, risk.kind.value)), []).append(state)
        return [_risk_cell(*cell, found[cell], names) for cell in sorted(found, key=lambda one: tuple(map(str, one)))]

    return dto.RiskCoverage(
        total=(cells(lambda _: (None, None)) or [_risk_cell(None, None, [], names)])[0],
        kinds=cells(lambda cell: (None, cell[1])),
        cells=cells(lambda cell: cell),
    )


def town_names(site: Site) -> Mapping[str, Text]:
    """The areas of a site by code."""
    return {area.code: area.name for area in site.areas}


def plain(text: Text | None) -> dto.Text | None:
    """A text as the interface has it."""
    return None if text is None else dto.Text(zh=text.zh, en=text.en)


def share(part: int, whole: int) -> float | None:
    """A share to four digits; None of nothing."""
    return round(part / whole, 4) if whole else None


def _network_cell(town: str | None, kind: str | None, counts: I64, names: Mapping[str, Text]) -> dto.NetworkCell:
    found = dict(zip(_COUNTED, counts.tolist(), strict=True))
    return dto.NetworkCell(
        town=town,
        town_name=plain(names.get(town or "")),
        kind=kind,
        coverage=share(found["reporting"], found["expected"]),
        good_share=share(found["good"], found["expected"]),
        **found,
    )


def _risk_cell(town: str | None, kind: str | None, states: Iterable[int], names: Mapping[str, Text]) -> dto.RiskCell:
    found = np.array(list(states), np.int64)
    expected = len(found)
    reporting, good = int((found >= rates.DOUBTFUL).sum()), int((found >= rates.WELL).sum())
    known = None if kind is None else RiskKind(kind)
    return dto.RiskCell(
        town=town,
        town_name=plain(names.get(town or "")),
        kind=None if known is None else known.value,
        kind_name=None if known is None else plain(RISK_NAMES[known]),
        expected=expected,
        watched=int((found > rates.ABSENT).sum()),
        reporting=reporting,
        good=good,
        coverage=share(reporting, expected),
        good_share=share(good, expected),
    )
