"""Engine: commits and ticks in, events out. It does no I/O, knows no clock, and the same input gives the same events.

Every row is judged the moment it arrives, in the order of event time within its station; nothing waits for a
watermark. Rows are late, and then only corrections, when they are older than their station's newest row by more than
the lateness, or older than the newest row of all by more than ``news_s``: a crossing of minutes ago that nobody has
seen is news, one of hours ago is history.
"""

from collections.abc import Iterable
from typing import Final, Protocol

import numpy as np

from alerting.alarms.events import Event, Kind
from alerting.alarms.fold import Alarm, fold
from alerting.alarms.machine import Limits, Memory
from alerting.engine import snapshot
from alerting.engine.arrivals import Arrivals, arrivals, identities, steps
from alerting.engine.corrections import corrections
from alerting.engine.plan import Entry, make_plan
from alerting.engine.post import Moment, Post, adopt
from alerting.engine.silence import Silence, make_roster
from alerting.fusion import AreaLevel
from alerting.hazards import hazards, sums
from alerting.rules.compiled import compile_rules
from alerting.rules.packs import Pack, Rulebook
from alerting.site import Site, moment_ns
from ingest.commit import Commit
from ingest.window import Window
from telemetry.batch import I64, Mask
from telemetry.clock import SECOND_NS
from telemetry.quality import Cause

NO_DATA: Final = "no_data"
Key = tuple[str, str, str]
"""Hazard, kind and identity of a subject."""


class Catalogue(Protocol):
    """What the engine asks of the catalogue: ``revision`` grows when the entries change."""

    @property
    def revision(self) -> int:
        """Number of the present state."""

    def entries(self) -> Iterable[Entry]:
        """The series that are announced now."""


class Engine:
    """The risk engine of one site. ``window`` may be read by others, between calls."""

    def __init__(self, site: Site, packs: Rulebook, *, lateness_s: float = 30.0, news_s: float = 600.0) -> None:
        self.site = site
        self.window = Window(sums())
        self.unknown_rows = 0
        """Rows of series that nobody announced: ignored here, counted."""
        self.late_rows = 0
        self._packs = packs
        self._lateness_ns, self._news_ns = round(lateness_s * SECOND_NS), round(news_s * SECOND_NS)
        self._typhoons: I64 = np.array(
            [(moment_ns(typhoon.begins), moment_ns(typhoon.ends)) for typhoon in site.typhoons], np.int64
        ).reshape(-1, 2)
        self._entries: dict[int, Entry] = {}
        self._active: tuple[Entry, ...] = ()
        self._revision: int | None = None
        self._stale = True
        self._edition_ends: int | None = None
        self._posts: tuple[Post, ...] = ()
        self._silence: Silence | None = None
        self._restored: dict[Key, Alarm] = {}
        self._corrected: dict[Key, tuple[int, int]] = {}
        self._now_ns = 0
        self._newest_ns = 0
        self._station: I64 = np.zeros(0, np.int64)
        self._station_ns: I64 = np.zeros(0, np.int64)
        self._answered: I64 = np.zeros(0, np.int64)

    def announce(self, catalogue: Catalogue) -> None:
        """Take over the catalogue where it has changed; series that left it keep their alarms, and are not missed."""
        if catalogue.revision == self._revision:
            return
        self._revision = catalogue.revision
        self._active = tuple(catalogue.entries())
        self._entries.update((entry.id, entry) for entry in self._active)
        self.window.announce({entry.id: entry.series for entry in self._entries.values()})
        self._stale = True
        self._place_stations()

    def _place_stations(self) -> None:
        names = {entry.station.id for entry in self._entries.values()}
        known = self._station_ns
        number = {name: index for index, name in enumerate(dict.fromkeys(
            entry.station.id for entry in self._entries.values()
        ))}
        slots = self.window.slots(np.fromiter(self._entries, np.int64, len(self._entries)))
        self._station = np.zeros(len(self.window), np.int64)
        self._station[slots] = [number[entry.station.id] for entry in self._entries.values()]
        self._station_ns = np.concatenate([known, np.zeros(len(names) - len(known), np.int64)])
        self._answered = np.concatenate([
            self._answered, np.zeros(len(self.window) - len(self._answered), np.int64)
        ])

    def restore(self, events: Iterable[Event]) -> None:
        """Continue the alarms of the log; call it before ``warm``."""
        log = list(events)
        for alarm in sorted(fold(log).values(), key=lambda alarm: alarm.raised_ns):
            self._restored[alarm.hazard, alarm.subject_kind, alarm.subject] = alarm
        for event in log:
            if event.kind is Kind.CORRECTION:
                self._corrected[event.hazard, event.subject_kind, event.subject] = event.level, event.time_ns
        self._stale = True

    def warm(self, commit: Commit) -> None:
        """Feed a commit that was evaluated before a restart: windows and timers move, nothing is raised or lowered."""
        self._take(commit, mute=True)

    def evaluate(self, commit: Commit) -> list[Event]:
        """Judge the rows of a commit; events in the order of event time."""
        return self._take(commit, mute=False)

    def tick(self, now_ns: int) -> list[Event]:
        """Let data time pass: holds that expire, and silence."""
        self._now_ns = max(self._now_ns, now_ns)
        self._prepare(self._now_ns)
        events = [event for post in self._posts for event in post.expire(self._moment())]
        if self._silence is not None:
            events += self._silence.check(self.window, self._now_ns)
        return _sorted(events)

    def _take(self, commit: Commit, *, mute: bool) -> list[Event]:
        slots = self.window.slots(identities(commit))
        rows = arrivals(commit, slots)
        self.unknown_rows += len(slots) - len(rows)
        if not len(rows):
            return []
        late = self._late(rows)
        fresh = rows.take(~late) if late.any() else rows
        self._hear(fresh)
        self._prepare(max(self._now_ns, int(fresh.time_ns.max(initial=0))))
        events = [event for part in steps(fresh, self._station[fresh.slot]) for event in self._step(part, mute=mute)]
        if late.any():
            events += self._too_late(rows.take(late), mute=mute)
        if not mute and self._silence is not None:
            events += self._silence.check(self.window, self._now_ns, returns_only=True)
        return _sorted(events)

    def _late(self, rows: Arrivals) -> Mask:
        newest = self._station_ns[self._station[rows.slot]]
        late: Mask = rows.time_ns < np.maximum(newest - self._lateness_ns, self._newest_ns - self._news_ns)
        return late

    def _hear(self, fresh: Arrivals) -> None:
        """Move data time; a clock that quality control doubts moves nothing."""
        told = (fresh.cause & Cause.CLOCK) == 0
        np.maximum.at(self._station_ns, self._station[fresh.slot[told]], fresh.time_ns[told])
        self._newest_ns = max(self._newest_ns, int(fresh.time_ns[told].max(initial=0)))
        self._now_ns = max(self._now_ns, self._newest_ns)

    def _step(self, part: Arrivals, *, mute: bool) -> list[Event]:
        self.window.insert(part.slot, part.time_ns, part.value, part.quality, part.cause)
        self._answered[part.slot] = part.answered_ns
        moment = self._moment()
        events = [event for post in self._posts for event in post.judge(moment, part, mute=mute)]
        self.window.settle(part.slot)
        return events

    def _too_late(self, late: Arrivals, *, mute: bool) -> list[Event]:
        self.late_rows += len(late)
        self.window.insert(late.slot, late.time_ns, late.value, late.quality, late.cause)
        self.window.settle(late.slot)
        if mute:
            return []
        return [event for post in self._posts for event in corrections(post, self._moment(), late)]

    def _moment(self) -> Moment:
        return Moment(self.window, self._typhoons, self._now_ns, self._answered)

    def _prepare(self, time_ns: int) -> None:
        """Compile when the catalogue or the edition of a pack has changed."""
        if self._edition_ends is not None and time_ns >= self._edition_ends:
            self._stale = True
        if not self._stale:
            return
        self._stale = False
        chosen = self._packs.at(time_ns)
        self._edition_ends = self._packs.changes_after(time_ns)
        self._listen(chosen.pop(NO_DATA, None))
        entries = list(self._entries.values())
        posts = (self._post(pack, hazard, entries) for hazard, pack in sorted(chosen.items()))
        self._posts = tuple(post for post in posts if post is not None)

    def _post(self, pack: Pack, hazard: str, entries: list[Entry]) -> Post | None:
        compiled = compile_rules(pack, hazards()[hazard])
        plan = make_plan(compiled, self.site, entries, self.window)
        if plan is None:
            return None
        post = Post(plan, Memory.blank(len(plan.subjects)), Limits(compiled.hold_ns, compiled.confirm))
        place = {(hazard, subject.kind, subject.id): index for index, subject in enumerate(plan.subjects)}
        for old in (old for old in self._posts if old.plan.hazard == hazard):
            moved = [
                (place[key], index) for index, subject in enumerate(old.plan.subjects)
                if (key := (hazard, subject.kind, subject.id)) in place
            ]
            pairs = np.array(moved, np.int64).reshape(-1, 2)
            post.carry(old, pairs[:, 0], pairs[:, 1])
        for key in place.keys() & self._restored.keys():
            post.adopt(place[key], self._restored.pop(key))
        for key in place.keys() & self._corrected.keys():
            post.corrected[place[key]], post.corrected_ns[place[key]] = self._corrected.pop(key)
        return post

    def _listen(self, pack: Pack | None) -> None:
        if pack is None or not self._active:
            return
        roster = make_roster(compile_rules(pack, hazards()[NO_DATA]), self._active, self.window)
        memory, heard = Memory.blank(len(roster.subjects)), np.zeros(len(roster.slot), np.int64)
        place = {(NO_DATA, subject.kind, subject.id): index for index, subject in enumerate(roster.subjects)}
        if self._silence is not None:
            old = self._silence
            since = dict(zip(old.roster.slot.tolist(), old.heard_ns.tolist(), strict=True))
            heard = np.array([since.get(slot, 0) for slot in roster.slot.tolist()], np.int64)
            pairs = np.array([
                (place[NO_DATA, subject.kind, subject.id], index) for index, subject in enumerate(old.roster.subjects)
                if (NO_DATA, subject.kind, subject.id) in place
            ], np.int64).reshape(-1, 2)
            memory.carry(old.memory, pairs[:, 0], pairs[:, 1])
        for key in place.keys() & self._restored.keys():
            adopt(memory, place[key], self._restored.pop(key))
        self._silence = Silence(roster, memory, heard)

    def areas(self) -> list[AreaLevel]:
        """The level of every area now."""
        return snapshot.areas(self._posts, self._silence, self.site, self._now_ns, self._restored.values())

    def station_levels(self) -> dict[str, snapshot.StationLevel]:
        """The level of every announced station now, by its identity."""
        known = dict.fromkeys(entry.station.id for entry in self._active)
        return snapshot.stations(self._posts, self._silence, self.site, self._now_ns, known)

    def thresholds_of(self, series: int) -> list[snapshot.ThresholdLine]:
        """The lines to draw in a chart of a series; none for a series that nobody announced."""
        entry = self._entries.get(series)
        if entry is None:
            return []
        self._prepare(self._now_ns)
        slot = int(self.window.slots(np.array([series], np.int64))[0])
        return snapshot.threshold_lines(self._posts, slot, entry.series.unit)


def _sorted(events: list[Event]) -> list[Event]:
    return sorted(events, key=lambda e: (e.time_ns, e.hazard, e.subject_kind, e.subject, e.version))
