"""What watches the risk sources: which series meet which of their needs, from the register and the catalogue."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from alerting.register import Risk, WatchedBy
from ingest.catalogue import Entry
from ingest.coverage.rates import of_needs, of_sources
from telemetry.batch import F64, I64, U8, Mask
from telemetry.series import Station

_EARTH_M: Final = 6_371_008.8
"""Mean radius (IUGG)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Watcher:
    """A station that watches a risk source: how far away it stands, and whether the register names it."""

    station: Station
    distance_m: float
    named: bool
    entries: tuple[Entry, ...]
    """The series of it that count."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Watched:
    """One risk source: who watches it, what the register names and nobody announces, what nothing measures."""

    risk: Risk
    watchers: tuple[Watcher, ...]
    unknown: tuple[str, ...]
    unmet: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Watching:
    """All risk sources; a source has a need for each quantity that it asks for, or one for any series.

    ``source`` (needs,) says whose a need is; ``need`` and ``place`` (pairs,) which series, by place, meets which need.
    """

    watched: tuple[Watched, ...]
    source: I64
    need: I64
    place: I64

    def states(self, by_place: U8) -> tuple[U8, Mask]:
        """The state of each source, and whether it is watched in part only, from the states of series by place."""
        needs = of_needs(self.need, by_place[self.place], len(self.source))
        return of_sources(self.source, needs, len(self.watched))


def watching(risks: Sequence[Risk], entries: Iterable[Entry]) -> Watching:
    """Find what watches each source."""
    by_station: dict[str, list[Entry]] = {}
    for entry in entries:
        by_station.setdefault(entry.station.id, []).append(entry)
    stations = [found[0].station for found in by_station.values()]
    names, number = list(by_station), {name: at for at, name in enumerate(by_station)}
    away = distances_m(risks, stations)
    watched, source, need, place = list[Watched](), list[int](), list[int](), list[int]()
    for index, risk in enumerate(risks):
        near = np.flatnonzero(away[index] <= (risk.within_m or -1.0))
        told = [at for at in map(number.__getitem__, _told(risk, by_station)) if at not in near]
        watchers = _watchers(risk, {names[at]: float(away[index, at]) for at in (*near.tolist(), *told)}, by_station)
        met = {quantity: _meeting(watchers, quantity) for quantity in risk.quantities or (None,)}
        for found in met.values():
            need += [len(source)] * len(found)
            place += found
            source.append(index)
        unmet = tuple(quantity for quantity, found in met.items() if quantity is not None and not found)
        watched.append(Watched(risk=risk, watchers=watchers, unknown=_unknown(risk, by_station), unmet=unmet))
    columns = {"source": source, "need": need, "place": place}
    return Watching(watched=tuple(watched), **{name: np.array(one, np.int64) for name, one in columns.items()})


def distances_m(risks: Sequence[Risk], stations: Sequence[Station]) -> F64:
    """Great-circle distances (haversine) in metres. Shape (risks, stations)."""
    here = np.radians([(risk.lat, risk.lon) for risk in risks]).reshape(-1, 1, 2)
    there = np.radians([(station.lat, station.lon) for station in stations]).reshape(1, -1, 2)
    half = np.sin((there - here) / 2) ** 2
    arc = half[..., 0] + np.cos(here[..., 0]) * np.cos(there[..., 0]) * half[..., 1]
    return 2 * _EARTH_M * np.arcsin(np.sqrt(np.clip(arc, 0.0, 1.0)))


def _told(risk: Risk, by_station: Mapping[str, list[Entry]]) -> list[str]:
    """The stations that the register names, each once, of those that there are."""
    return [station for station in dict.fromkeys(watch.station for watch in risk.watched_by) if station in by_station]


def _watchers(risk: Risk, away_m: Mapping[str, float], by_station: Mapping[str, list[Entry]]) -> tuple[Watcher, ...]:
    """What watches a source, of the stations that are named or near enough; ``away_m``: their distances."""
    found = []
    for station, distance_m in away_m.items():
        entries = by_station[station]
        named = [entry for entry in entries if any(_means(watch, entry) for watch in risk.watched_by)]
        near = risk.within_m is not None and distance_m <= risk.within_m
        chosen = named or [entry for entry in entries if near and entry.series.quantity in risk.quantities]
        if chosen:
            watcher = Watcher(
                station=entries[0].station, distance_m=distance_m, named=bool(named), entries=tuple(chosen)
            )
            found.append(watcher)
    return tuple(sorted(found, key=lambda one: (not one.named, one.distance_m)))


def _meeting(watchers: Iterable[Watcher], quantity: str | None) -> list[int]:
    """The places of the series that meet a need."""
    every = (entry for watcher in watchers for entry in watcher.entries)
    return [entry.place for entry in every if quantity in (None, entry.series.quantity)]


def _unknown(risk: Risk, by_station: dict[str, list[Entry]]) -> tuple[str, ...]:
    return tuple(
        "/".join(filter(None, (watch.station, watch.point, watch.quantity)))
        for watch in risk.watched_by
        if not any(_means(watch, entry) for entry in by_station.get(watch.station, ()))
    )


def _means(watch: WatchedBy, entry: Entry) -> bool:
    return (
        watch.station == entry.station.id
        and watch.point in (None, entry.series.point)
        and watch.quantity in (None, entry.series.quantity)
    )
