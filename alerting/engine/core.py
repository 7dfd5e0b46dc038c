"""Engine: commits and ticks in, events out. It does no I/O, knows no clock, and the same input gives the same events.

Every row is judged the moment it arrives, in the order of event time within its station; nothing waits for a
watermark. Rows are late, and then only corrections, when they are older than their station's newest row by more than
the lateness, or older than the newest row of all by more than ``news_s``: a crossing of minutes ago that nobody has
seen is news, one of hours ago is history. Rows whose time can't be (of the future, or years ago) are for the store
alone: they move no window, no watch over silence, and nothing is judged by them.

What the centre derives enters the window, and rules may look at it. It moves no data time and ends no silence: it goes
on for hours when a station is silent, and a backlog must not count as late because its hour has been summed up.
"""

from collections import deque
from collections.abc import Iterable

import numpy as np

from alerting.alarms.events import Event, Kind
from alerting.alarms.fold import Alarm, fold
from alerting.engine import snapshot
from alerting.engine.arrivals import Arrivals, arrivals, identities, newest_ns, parted, steps
from alerting.engine.assembly import NO_DATA, Key, make_post, make_silence, resume
from alerting.engine.corrections import corrections, doubts
from alerting.engine.datums import set_aside
from alerting.engine.marks import Marks, marks
from alerting.engine.members import Catalogue, Entry
from alerting.engine.post import Moment, Post
from alerting.engine.silence import Silence
from alerting.fusion import AreaLevel
from alerting.hazards import sums
from alerting.rules.packs import Pack
from alerting.rules.rulebook import Rulebook
from alerting.site import Site
from ingest.commit import Commit
from ingest.qc.control import misdated
from ingest.qc.rows import USUAL
from ingest.window import Window
from telemetry.batch import I64, Mask
from telemetry.clock import HOUR_NS, SECOND_NS
from telemetry.quality import Cause
from telemetry.span import moment_ns


class Engine:
    """The risk engine of one site. ``window`` may be read by others, between calls."""

    def __init__(self, site: Site, packs: Rulebook, *, lateness_s: float = 30.0, news_s: float = 600.0) -> None:
        self.site = site
        self.window = Window(sums())
        self.unknown_rows = 0
        """Rows of series that nobody announced: ignored here, counted."""
        self.late_rows = 0
        self.misdated_rows = 0
        """Rows whose time can't be: ignored here, counted."""
        self._packs = packs
        self._lateness_ns, self._news_ns = round(lateness_s * SECOND_NS), round(news_s * SECOND_NS)
        self._typhoons: I64 = np.array(
            [(moment_ns(typhoon.begins), moment_ns(typhoon.ends)) for typhoon in site.typhoons], np.int64
        ).reshape(-1, 2)
        self._entries: dict[int, Entry] = {}
        self._active: tuple[Entry, ...] = ()
        self.set_aside: tuple[str, ...] = ()
        """Thresholds that are not judged although the site has them, and why."""
        self._revision: int | None = None
        self._stale = True
        self._edition = (0, 0)
        self._chosen: dict[str, Pack] = {}
        self._memory_ns = HOUR_NS
        self._warming: deque[Commit] = deque()
        self._posts: tuple[Post, ...] = ()
        self._silence: Silence | None = None
        self._restored: dict[Key, Alarm] = {}
        self._corrected: dict[Key, tuple[int, int]] = {}
        self._now_ns = 0
        self._clock_ns = 0
        self._newest_ns = 0
        self._station: I64 = np.zeros(0, np.int64)
        self._station_ns: I64 = np.zeros(0, np.int64)
        self._answered: I64 = np.zeros(0, np.int64)
        self._derived: Mask = np.zeros(0, np.bool_)

    def announce(self, catalogue: Catalogue) -> None:
        """Take over the catalogue where it has changed; series that left it keep their alarms, and are not missed."""
        if catalogue.revision == self._revision:
            return
        self._revision = catalogue.revision
        self._active = tuple(catalogue.entries())
        self._entries.update((entry.id, entry) for entry in self._active)
        self.window.announce({entry.id: entry.series for entry in self._entries.values()})
        self._stale = True
        slowest_s = max((entry.series.period_s for entry in self._entries.values()), default=0.0)
        self._memory_ns = 2 * (self._packs.longest_hold_ns + round(slowest_s * SECOND_NS)) + HOUR_NS
        self._place_stations()
        self.set_aside = set_aside(self.site, self._active)

    def _place_stations(self) -> None:
        names = {entry.station.id for entry in self._entries.values()}
        known = self._station_ns
        number = {
            name: index
            for index, name in enumerate(dict.fromkeys(entry.station.id for entry in self._entries.values()))
        }
        slots = self.window.slots(np.fromiter(self._entries, np.int64, len(self._entries)))
        self._station = np.zeros(len(self.window), np.int64)
        self._station[slots] = [number[entry.station.id] for entry in self._entries.values()]
        self._derived = np.zeros(len(self.window), np.bool_)
        self._derived[slots] = [entry.is_derived for entry in self._entries.values()]
        self._station_ns = np.concatenate([known, np.zeros(len(names) - len(known), np.int64)])
        self._answered = np.concatenate([self._answered, np.zeros(len(self.window) - len(self._answered), np.int64)])

    def restore(self, events: Iterable[Event], now_ns: int = 0) -> None:
        """Continue the alarms of the log at ``now_ns`` (0: unknown); call it before ``warm``."""
        self._clock_ns = now_ns
        log = list(events)
        for alarm in sorted(fold(log).values(), key=lambda alarm: alarm.raised_ns):
            self._restored[alarm.hazard, alarm.subject_kind, alarm.subject] = alarm
        for event in log:
            if event.kind is Kind.CORRECTION:
                self._corrected[event.hazard, event.subject_kind, event.subject] = event.level, event.time_ns
        self._stale = True

    def warm(self, commit: Commit) -> None:
        """Feed a commit that was evaluated before a restart: windows and timers move, nothing is raised or lowered.

        Timers reach back no further than the longest hold, so older commits only fill the windows.
        """
        self._warming.append(commit)
        newest = newest_ns(commit)
        while newest - newest_ns(self._warming[0]) > self._memory_ns:
            self._absorb(self._warming.popleft())

    def _absorb(self, commit: Commit) -> None:
        commit, again = parted(commit)
        rows = self._timely(self._known(commit), warming=True)
        if len(rows):
            self._hear(rows)
            self._insert(rows)
        self._insert(self._known(again))

    def evaluate(self, commit: Commit) -> list[Event]:
        """Judge the rows of a commit; events in the order of event time."""
        self._ready()
        return self._take(commit, mute=False)

    def tick(self, now_ns: int) -> list[Event]:
        """Let data time pass: holds that expire, and silence."""
        self._ready()
        self._clock_ns = now_ns
        self._now_ns = max(self._now_ns, now_ns)
        self._prepare(self._now_ns)
        events = [event for post in self._posts for event in post.expire(self._moment())]
        if self._silence is not None:
            events += self._silence.check(self.window, self._now_ns)
        return _sorted(events)

    def _take(self, commit: Commit, *, mute: bool) -> list[Event]:
        commit, again = parted(commit)
        return _sorted(self._news(commit, mute=mute) + self._doubted(self._known(again), mute=mute))

    def _news(self, commit: Commit, *, mute: bool) -> list[Event]:
        rows = self._timely(self._known(commit), warming=mute)
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
        return events

    def _known(self, commit: Commit) -> Arrivals:
        slots = self.window.slots(identities(commit))
        rows = arrivals(commit, slots)
        self.unknown_rows += len(slots) - len(rows)
        return rows

    def _timely(self, rows: Arrivals, *, warming: bool) -> Arrivals:
        """The rows whose time can be, by the newest tick.

        Of an earlier run nobody knows when a row came: what was marked is held against the honest rows until then, or
        what was ahead by an hour would have come true after an hour; and nothing at all is taken from the future.
        """
        told = rows.time_ns[(rows.cause & Cause.CLOCK) == 0]
        newest_ns = max(self._newest_ns, int(told.max(initial=0)))
        now_ns = self._clock_ns or newest_ns
        wrong = misdated(rows.time_ns, rows.quality, rows.cause, min(now_ns, newest_ns) if warming else now_ns)
        if warming:
            wrong |= rows.time_ns > now_ns + USUAL.ahead_ns
        if not wrong.any():
            return rows
        if not warming:
            self.misdated_rows += int(wrong.sum())
            self.window.doubt(rows.slot[wrong], max(self._now_ns, self._clock_ns))
        return rows.take(~wrong)

    def _late(self, rows: Arrivals) -> Mask:
        newest = self._station_ns[self._station[rows.slot]]
        late: Mask = rows.time_ns < np.maximum(newest - self._lateness_ns, self._newest_ns - self._news_ns)
        return late

    def _hear(self, fresh: Arrivals) -> None:
        """Move data time; a clock that quality control doubts moves nothing."""
        told = ((fresh.cause & Cause.CLOCK) == 0) & ~self._derived[fresh.slot]
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
        self._insert(late)
        if mute:
            return []
        return [event for post in self._posts for event in corrections(post, self._moment(), late)]

    def _doubted(self, again: Arrivals, *, mute: bool) -> list[Event]:
        """Rows that are here, with what a later neighbour says of them: nothing is raised or lowered by it."""
        self._insert(again)
        if mute or not len(again):
            return []
        return [event for post in self._posts for event in doubts(post, self._moment(), again)]

    def _insert(self, rows: Arrivals) -> None:
        self.window.insert(rows.slot, rows.time_ns, rows.value, rows.quality, rows.cause)
        self.window.settle(rows.slot)

    def _moment(self) -> Moment:
        return Moment(self.window, self._typhoons, self._now_ns, self._answered)

    def _prepare(self, time_ns: int) -> None:
        """Compile when the catalogue or an edition has changed; before any data time by the newest editions."""
        begins, ends = self._edition
        if not self._stale and begins <= time_ns < ends:
            return
        self._edition = self._packs.edition(time_ns)
        chosen = self._packs.at(time_ns or self._packs.newest_ns)
        if not self._stale and chosen == self._chosen:
            return
        self._stale, self._chosen = False, dict(chosen)
        pack = chosen.pop(NO_DATA, None)
        if pack is not None and self._active:
            measured = [entry for entry in self._active if not entry.is_derived]
            self._silence = make_silence(pack, measured, self.window, self._silence, self._restored)
        entries = list(self._entries.values())
        posts = [
            make_post(pack, hazard, self.site, entries, self.window, self._posts)
            for hazard, pack in sorted(chosen.items())
        ]
        self._posts = tuple(post for post in posts if post is not None)
        for post in self._posts:
            resume(post, self._restored, self._corrected)

    def _ready(self) -> None:
        """Judge what the warm-up left for the last, and compile."""
        while self._warming:
            self._take(self._warming.popleft(), mute=True)
        self._prepare(self._now_ns)

    def areas(self) -> list[AreaLevel]:
        """The level of every area now."""
        self._ready()
        return snapshot.areas(self._posts, self._silence, self.site, self._now_ns, self._restored.values())

    def station_levels(self) -> dict[str, snapshot.StationLevel]:
        """The level of every announced station now, by its identity."""
        self._ready()
        known = dict.fromkeys(entry.station.id for entry in self._active)
        return snapshot.stations(self._posts, self._silence, self.site, self._now_ns, known)

    def marks(self) -> Marks:
        """The values of each series whose crossing is worth hurrying, by its id."""
        self._ready()
        return marks(self._posts, self.window)

    def thresholds_of(self, series: int) -> list[snapshot.ThresholdLine]:
        """The lines to draw in a chart of a series; none for a series that nobody announced."""
        entry = self._entries.get(series)
        if entry is None:
            return []
        self._ready()
        slot = int(self.window.slots(np.array([series], np.int64))[0])
        return snapshot.threshold_lines(self._posts, slot, entry.series.unit)


def _sorted(events: list[Event]) -> list[Event]:
    return sorted(events, key=lambda e: (e.time_ns, e.hazard, e.subject_kind, e.subject, e.version))
