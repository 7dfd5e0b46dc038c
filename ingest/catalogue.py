"""The catalogue: what the gateways announced, and which series ids the centre therefore knows.

A series keeps its *place*, a small number, for as long as the process lives: arrays with one element per series
(limits of quality control, last samples) are indexed by it.
"""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ingest.claims import IsGone, nobody
from ingest.plausible import deployments_of, impossible, nowhere, unlikely
from ingest.vocabulary import vocabulary
from telemetry.batch import I64, Mask
from telemetry.codes import Codes
from telemetry.deployment import Deployment
from telemetry.series import Series, Station, Text, series_id
from telemetry.topics import is_derived
from telemetry.wire import Announce

I32 = NDArray[np.int32]

UNKNOWN: Final = -1


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One series as its gateway announced it.

    ``active`` is False once the newest announcement of the gateway no longer holds it: rows that a spool kept are
    still welcome, but nobody waits for new ones.
    """

    id: int
    place: int
    source: str
    site: str
    station: Station
    series: Series
    drill: bool
    codes: Codes | None = None
    """What its numbers mean, where they are a code with words."""
    deployments: tuple[Deployment, ...] = ()
    """Of its device, oldest first."""
    active: bool = True

    @property
    def is_derived(self) -> bool:
        """Whether the centre computes it, so that no device is missed when it is silent."""
        return is_derived(self.source)

    @property
    def datum(self) -> str | None:
        """What its values count from; None where nobody has said."""
        zero = self.deployments[-1].zeros.get(self.series.key) if self.deployments else None
        return None if zero is None else zero.datum

    @property
    def path(self) -> str:
        """The name behind the identity."""
        return f"{self.site}/{self.series.station}/{self.series.point}/{self.series.quantity}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What became of an announcement: a ``reason`` when all of it is refused, reasons by series when parts are.

    ``accepted`` is the part that counts. ``contested`` are the entries that stand in the way of a part, ``replaced``
    those that gave way: both as their owners announced them. ``doubts``: what can't be shown, though its series count.
    """

    reason: str | None = None
    changed: tuple[Entry, ...] = ()
    refused: tuple[tuple[str, str], ...] = ()
    accepted: tuple[Series, ...] = ()
    contested: tuple[Entry, ...] = ()
    replaced: tuple[Entry, ...] = ()
    doubts: tuple[str, ...] = ()


class _Beside(NamedTuple):
    """What an announcement says beside its series: stations by id, codes by series, deployments by device."""

    stations: Mapping[str, Station]
    codes: Mapping[int, Codes]
    deployments: Mapping[str, tuple[Deployment, ...]]


@dataclass(frozen=True, slots=True, eq=False)
class _Index:
    """Identities in ascending order, their places, and the number of the gateway that owns each place."""

    ids: I64
    places: I32
    owners: I32


class Catalogue:
    """All series that the centre knows. One thread announces; any may look up.

    ``site`` is that of the centre: the gateways of another one would take its stations' places. ``drill`` is its mode.
    """

    def __init__(self, *, site: str, drill: bool) -> None:
        self.site = site
        self.drill = drill
        self.revision = 0
        self._entries: dict[int, Entry] = {}
        self._numbers: dict[str, int] = {}
        self._announced: dict[str, set[int]] = {}
        self._refused: dict[str, str] = {}
        self._partly: dict[str, dict[int, str]] = {}
        self._contradicted: dict[str, dict[int, str]] = {}
        self._index = _indexed({}, {})

    def announce(self, source: str, announce: Announce, is_gone: IsGone = nobody) -> Verdict:
        """Take over an announcement; impossible parts are refused with a reason, the others count.

        ``is_gone`` says of the owner of a series, and its period, whether it gives way.
        """
        if source.partition("/")[0] != self.site:
            return self._refuse(source, f"this is the centre of {self.site}, expected a gateway of that site")
        if announce.drill is not self.drill:
            return self._refuse(source, _wrong_mode(announce.drill))
        stations = {station.id: station for station in announce.stations}
        absurd = unlikely(announce)
        taken: dict[int, Entry] = {}
        refused: dict[int, tuple[str, str]] = {}
        mixed: dict[int, str] = {}
        contested, replaced = list[Entry](), list[Entry]()
        words, doubts = vocabulary(announce)
        beside = _Beside(stations, words, deployments_of(announce))
        for series in announce.series:
            entry = self._candidate(source, series, beside)
            owner = self._other_owner(entry)
            in_the_way = owner is not None and not is_gone(owner.source, owner.series.period_s)
            reason = self._problem(entry, stations, taken, owner if in_the_way else None)
            if reason := reason or absurd.get(series.device):
                refused[entry.id] = (entry.path, reason)
                mixed |= self._mixed(entry, reason)
            else:
                taken[entry.id] = entry
            if owner is not None:
                (contested if in_the_way else replaced).append(owner)
        self._refused.pop(source, None)
        self._contradicted[source] = mixed
        self._partly[source] = {key: f"series {path}: {reason}" for key, (path, reason) in refused.items()}
        return Verdict(
            changed=self._take(source, taken),
            refused=tuple(refused.values()),
            accepted=tuple(entry.series for entry in taken.values()),
            contested=tuple(contested),
            replaced=tuple(owner for owner in replaced if owner.id in taken),
            doubts=doubts,
        )

    def known(self, series: I64) -> Mask:
        """Which identities are known. Shape (n,) -> (n,)."""
        return self.places(series) >= 0

    def places(self, series: I64) -> I32:
        """The place of each identity, ``UNKNOWN`` for others. Shape (n,) -> (n,)."""
        index = self._index
        if not len(index.ids):
            return np.full(len(series), UNKNOWN, np.int32)
        at = np.searchsorted(index.ids, series)
        at[at == len(index.ids)] = 0
        return np.where(index.ids[at] == series, index.places[at], np.int32(UNKNOWN))

    def identities(self, places: I32) -> I64:
        """The identity at each known place. Shape (n,) -> (n,)."""
        index = self._index
        return index.ids[np.argsort(index.places)[places]]

    def owners(self, places: I32) -> I32:
        """The number of the gateway that announced each place last; ``UNKNOWN`` for unknown places."""
        return np.where(places >= 0, self._index.owners[places], np.int32(UNKNOWN))

    def number(self, source: str) -> int:
        """The number of a gateway in ``owners``; ``UNKNOWN`` when it never announced anything."""
        return self._numbers.get(source, UNKNOWN)

    def has_announced(self, source: str, series: I64) -> bool:
        """Whether a gateway announced every one of these identities at some time, whoever owns them now."""
        return self._announced.get(source, set()).issuperset(series.tolist())

    def entry(self, series: int) -> Entry:
        """One series; raises KeyError when the identity is unknown."""
        return self._entries[series]

    def entries(self) -> Iterator[Entry]:
        """The series that are announced now, in order of their places."""
        return (entry for entry in list(self._entries.values()) if entry.active)

    def refusal(self, source: str, series: I64 | None = None) -> str | None:
        """Why nothing of a gateway may be taken, or nothing with one of these identities; None when it may."""
        reason = self._refused.get(source)
        partly = self._partly.get(source)
        if reason is not None or series is None or not partly:
            return reason
        return next((partly[key] for key in np.unique(series).tolist() if key in partly), None)

    def contradiction(self, source: str, series: I64) -> str | None:
        """Why rows of a series that counted once may not be taken: its gateway says by now that its unit is another."""
        mixed = self._contradicted.get(source)
        if not mixed:
            return None
        return next((mixed[key] for key in np.unique(series).tolist() if key in mixed), None)

    def _mixed(self, entry: Entry, reason: str) -> dict[int, str]:
        """A series whose unit contradicts the earlier announcement of the same gateway: its rows would be mixed."""
        known = self._entries.get(entry.id)
        if known is None or known.source != entry.source or known.series.unit == entry.series.unit:
            return {}
        return {entry.id: f"series {entry.path}: {reason}; it was announced in {known.series.unit!r} before"}

    def _refuse(self, source: str, reason: str) -> Verdict:
        self._refused[source] = reason
        self.revision += 1
        return Verdict(reason=reason)

    def _candidate(self, source: str, series: Series, beside: _Beside) -> Entry:
        site = source.partition("/")[0]
        key = series_id(site, series.station, series.point, series.quantity)
        known = self._entries.get(key)
        return Entry(
            id=key,
            place=len(self._entries) if known is None else known.place,
            source=source,
            site=site,
            station=beside.stations.get(series.station, _NOWHERE),
            series=series,
            drill=self.drill,
            codes=beside.codes.get(key),
            deployments=beside.deployments.get(series.device, ()),
        )

    def _other_owner(self, entry: Entry) -> Entry | None:
        """The same series as another gateway announces it now."""
        known = self._entries.get(entry.id)
        if known is None or not known.active or known.source == entry.source or known.path != entry.path:
            return None
        return known

    def _problem(
        self, entry: Entry, stations: dict[str, Station], taken: dict[int, Entry], owner: Entry | None
    ) -> str | None:
        if entry.id in taken:
            return f"identity {entry.id} is already taken by {taken[entry.id].path} in the same announcement"
        known = self._entries.get(entry.id)
        if known is not None and known.path != entry.path:
            return f"identity {entry.id} is already taken by {known.path}, expected a name of its own"
        if owner is not None:
            return f"already announced by {owner.source}, expected one gateway for a series"
        if entry.series.station not in stations:
            return f"no station {entry.series.station!r} in the announcement"
        return impossible(entry.series) or nowhere(entry.station)

    def _take(self, source: str, taken: dict[int, Entry]) -> tuple[Entry, ...]:
        entries = dict(self._entries)
        before = self._announced.setdefault(source, set())
        for key in before - taken.keys():
            if entries[key].source == source:
                entries[key] = replace(entries[key], active=False)
        place = len(entries)
        for key, entry in taken.items():
            if key not in entries:
                entry, place = replace(entry, place=place), place + 1
            entries[key] = entry
        changed = tuple(entry for key, entry in entries.items() if self._entries.get(key) != entry)
        before.update(taken)
        self._numbers.setdefault(source, len(self._numbers))
        self._entries = entries
        if changed:
            self._index = _indexed(entries, self._numbers)
            self.revision += 1
        return changed


_NOWHERE: Final = Station(id="", name=Text(zh="", en=""), kind="", lat=math.nan, lon=math.nan, town="")


def _wrong_mode(drill: bool) -> str:
    found, mode = ("a drill", "live") if drill else ("live data", "a drill")
    return f"this gateway announces {found}, but this centre is {mode}: expected one of its own kind"


def _indexed(entries: dict[int, Entry], numbers: dict[str, int]) -> _Index:
    ids = np.fromiter(entries, np.int64, len(entries))
    order = np.argsort(ids)
    places = np.fromiter((entry.place for entry in entries.values()), np.int32, len(entries))
    owners = np.full(max(len(entries), 1), UNKNOWN, np.int32)
    owners[places] = np.fromiter((numbers[entry.source] for entry in entries.values()), np.int32, len(entries))
    return _Index(ids[order], places[order], owners)
