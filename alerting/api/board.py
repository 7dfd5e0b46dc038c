"""The board: what the centre shows, kept up to date by commits and events, and told as a snapshot and deltas."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, Protocol

from alerting.alarms import Alarm, Event, apply
from alerting.api import dto, words
from alerting.api.answers import encode
from alerting.api.latest import Latest
from alerting.api.times import iso
from alerting.api.view import UnknownError
from alerting.engine import StationLevel, ThresholdLine
from alerting.fusion import AreaLevel
from alerting.site import Site
from ingest.catalogue import Catalogue, Entry
from ingest.commit import Commit
from ingest.presence import PresenceBook
from telemetry.clock import HOUR_NS, Clock

_SHOWN_NS: Final = 24 * HOUR_NS
"""What is no longer in force stays in the picture for a day; the list of alarms goes back further."""


class Judge(Protocol):
    """What the board asks of the engine."""

    def areas(self) -> Sequence[AreaLevel]:
        """The level of every area now."""

    def station_levels(self) -> Mapping[str, StationLevel]:
        """The level of every announced station now."""

    def thresholds_of(self, series: int) -> Sequence[ThresholdLine]:
        """The thresholds of a series."""


@dataclass(slots=True, eq=False)
class Board:
    """The picture. ``speed``: seconds of data time in a real one, None where it follows the work."""

    place: Site
    drill: bool
    clock: Clock
    catalogue: Catalogue
    judge: Judge
    presence: PresenceBook
    speed: float | None = 1.0
    alarms_by_id: dict[str, Alarm] = field(default_factory=dict)
    latest: Latest = field(init=False)
    _by_station: dict[str, list[Entry]] = field(default_factory=dict)
    _by_place: dict[int, str] = field(default_factory=dict)
    _touched_alarms: set[str] = field(default_factory=set)
    _told: dict[str, bytes] = field(default_factory=dict)
    _levels: Mapping[str, StationLevel] = field(default_factory=dict)
    _lines: dict[int, list[dto.Threshold]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.latest = Latest(self.catalogue)

    def learn(self) -> None:
        """Take over the catalogue, after the engine has: which stations there are, and their thresholds."""
        self.latest.learn()
        self._by_station, self._lines = {}, {}
        for entry in self.catalogue.entries():
            self._by_station.setdefault(entry.station.id, []).append(entry)
        self._by_place = {entry.place: station for station, entries in self._by_station.items() for entry in entries}

    def take(self, commit: Commit) -> None:
        """Keep the newest samples of a commit."""
        now_ns = self.clock.now_ns()
        for batch in commit.batches:
            self.latest.take(batch, now_ns)

    def apply(self, events: Iterable[Event]) -> None:
        """Keep up with the log of alarms."""
        for event in events:
            alarm = apply(self.alarms_by_id.get(event.alarm_id), event)
            if alarm is None:
                continue
            self.alarms_by_id[alarm.id] = alarm
            self._touched_alarms.add(alarm.id)

    def site(self) -> dto.Site:
        """Where we are, and data time."""
        return words.site(self.place, drill=self.drill, speed=self.speed, now=self._now())

    def stations(self) -> list[dto.Station]:
        """All stations, by identity."""
        return self._stations(sorted(self._by_station), self.judge.station_levels())

    def areas(self) -> list[dto.Area]:
        """All areas, in the order of the site file."""
        return [words.area(area) for area in self.judge.areas()]

    def gateways(self) -> list[dto.Gateway]:
        """All gateways, by source."""
        return [words.gateway(heard, self.place.timezone, drill=self.drill) for heard in self.presence.all()]

    def alarms(self) -> list[dto.Alarm]:
        """All alarms, newest change first."""
        return [words.alarm(alarm, self.place.timezone) for alarm in self._newest(self.alarms_by_id.values())]

    def alarm(self, identity: str) -> dto.Alarm:
        """One alarm; raises UnknownError."""
        return words.alarm(self.known_alarm(identity), self.place.timezone)

    def known_alarm(self, identity: str) -> Alarm:
        """One alarm as the log has it; raises UnknownError."""
        if identity not in self.alarms_by_id:
            raise UnknownError(f"no alarm {identity!r}, expected an identity from the list of alarms")
        return self.alarms_by_id[identity]

    def snapshot(self) -> bytes:
        """The whole picture as JSON, with the alarms of the last day and all that are open."""
        since_ns = self.clock.now_ns() - _SHOWN_NS
        shown = [alarm for alarm in self.alarms_by_id.values() if alarm.open or alarm.updated_ns >= since_ns]
        return encode(
            dto.Picture(
                site=self.site(),
                stations=self.stations(),
                areas=self.areas(),
                alarms=[words.alarm(alarm, self.place.timezone) for alarm in self._newest(shown)],
                gateways=self.gateways(),
            )
        )

    def delta(self) -> bytes | None:
        """What changed since the last call."""
        now_ns = self.clock.now_ns()
        touched = {self._by_place[place] for place in self.latest.changed(now_ns).tolist() if place in self._by_place}
        touched |= self._changed_levels()
        alarms = [self.alarms_by_id[identity] for identity in self._touched_alarms]
        self._touched_alarms.clear()
        changed = {
            "stations": self._stations(sorted(touched), self._levels),
            "alarms": [words.alarm(alarm, self.place.timezone) for alarm in self._newest(alarms)],
            "areas": self._fresh("area", {area.code: area for area in self.areas()}),
            "gateways": self._fresh("gateway", {gateway.source: gateway for gateway in self.gateways()}),
        }
        found = {key: items for key, items in changed.items() if items}
        return encode(found | {"site": self._pulse()}) if found else None

    def pulse(self) -> bytes:
        """Data time and its speed, by which consoles keep their clocks."""
        return encode(self._pulse())

    def _pulse(self) -> dict[str, str | float | None]:
        return {"now": self._now(), "speed": self.speed}

    def _now(self) -> str:
        return iso(self.clock.now_ns(), self.place.timezone)

    def _fresh(self, kind: str, items: Mapping[str, dto.Area | dto.Gateway]) -> list[dto.Area | dto.Gateway]:
        """The items that differ from what was told last."""
        fresh = []
        for key, item in items.items():
            text = encode(item)
            if self._told.get(f"{kind}/{key}") != text:
                self._told[f"{kind}/{key}"] = text
                fresh.append(item)
        return fresh

    def _changed_levels(self) -> set[str]:
        """The stations that the engine judges otherwise than at the last call."""
        before, self._levels = self._levels, self.judge.station_levels()
        return {name for name, level in self._levels.items() if before.get(name) != level} & self._by_station.keys()

    def _stations(self, names: Sequence[str], levels: Mapping[str, StationLevel]) -> list[dto.Station]:
        now_ns = self.clock.now_ns()
        stale = self.latest.stale(now_ns)
        shown = []
        for name in names:
            entries = self._by_station[name]
            readings = [
                words.reading(
                    entry,
                    self.latest,
                    now_ns,
                    stale=bool(stale[entry.place]),
                    thresholds=self._thresholds(entry.id),
                    timezone=self.place.timezone,
                )
                for entry in entries
            ]
            shown.append(words.station(entries[0], readings, levels.get(name)))
        return shown

    def _thresholds(self, series: int) -> list[dto.Threshold]:
        if series not in self._lines:
            self._lines[series] = words.thresholds(self.judge.thresholds_of(series))
        return self._lines[series]

    def _newest(self, alarms: Iterable[Alarm]) -> list[Alarm]:
        return sorted(alarms, key=lambda alarm: (-alarm.updated_ns, alarm.id))
