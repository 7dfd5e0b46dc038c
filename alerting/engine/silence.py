"""The watch over silence: stations without usable rows for some poll periods, and gateways without any rows at all.

A silent gateway is one alarm, not one for each of its stations, and what somebody works on (MANUAL) is none. Time
counts from the moment of listening where that is later than the newest row, so that a restart of the centre accuses
nobody (F9), and a series that never spoke is missed all the same (F12). Data that return clear the alarm, and say so
(F10, F11). Rows whose time can't be are no readings, but whoever sends them is not silent.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from alerting.alarms.events import Event, Kind, Outcome, SubjectKind, identity
from alerting.alarms.machine import Changes, Limits, Memory, Seen, step
from alerting.engine.members import Entry, Subject
from alerting.rules.compiled import Compiled
from ingest.window import Window
from telemetry.batch import I64, Mask
from telemetry.clock import MINUTE_NS, SECOND_NS
from telemetry.quality import Cause, Quality
from telemetry.quantity import QUANTITIES
from telemetry.series import Text

FLOOR_NS: Final = 60 * SECOND_NS
"""Shorter silence is never an alarm, however fast the poll."""
_SHOWN: Final = 4
_WRONG_TIME: Final = Text(
    ", 新数据的时间有误, 请检查时钟", "; what comes carries an impossible time: look at the clock"
)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Roster:
    """Who is expected to speak, by watched series (k,): slot, limit, number of its station and of its gateway."""

    compiled: Compiled
    entries: tuple[Entry, ...]
    subjects: tuple[Subject, ...]
    """Stations, then gateways."""
    stations: int
    slot: I64
    limit_ns: I64
    station: I64
    gateway: I64

    @property
    def level(self) -> int:
        """The level of a no-data alarm."""
        return self.compiled.rules[0].level


def make_roster(compiled: Compiled, entries: Sequence[Entry], window: Window) -> Roster:
    """The roster of the announced series."""
    periods = float(compiled.thresholds(lambda _scheme, _level: None)[0])
    stations = {entry.station.id: entry for entry in entries}
    gateways = {entry.source: entry for entry in entries}
    station_names, gateway_names = sorted(stations), sorted(gateways)
    subjects = [_station(stations[name]) for name in station_names]
    subjects += [_gateway(gateways[name]) for name in gateway_names]
    number = {name: index for index, name in enumerate(station_names)}
    source = {name: index for index, name in enumerate(gateway_names)}
    period_ns = np.array([entry.series.period_s for entry in entries]) * SECOND_NS
    return Roster(
        compiled=compiled,
        entries=tuple(entries),
        subjects=tuple(subjects),
        stations=len(station_names),
        slot=window.slots(np.array([entry.id for entry in entries], np.int64)),
        limit_ns=np.maximum(period_ns * periods, FLOOR_NS).astype(np.int64),
        station=np.array([number[entry.station.id] for entry in entries], np.int64),
        gateway=np.array([source[entry.source] for entry in entries], np.int64),
    )


def _station(entry: Entry) -> Subject:
    return Subject(
        kind=SubjectKind.STATION,
        id=entry.station.id,
        name=entry.station.name,
        towns=(entry.station.town,),
        drill=entry.drill,
    )


def _gateway(entry: Entry) -> Subject:
    name = Text(f"网关 {entry.source}", f"Gateway {entry.source}")
    return Subject(kind=SubjectKind.GATEWAY, id=entry.source, name=name, towns=(), drill=entry.drill)


class Silence:
    """The watch itself: the roster, and an alarm machine over its subjects."""

    def __init__(self, roster: Roster, memory: Memory, heard_ns: I64) -> None:
        """``heard_ns`` (k,): since when each series has been listened to (0: from the next tick on)."""
        self.roster = roster
        self.memory = memory
        self.heard_ns = heard_ns
        self._limits = Limits(np.zeros(5, np.int64), np.ones((5, 2), np.int64))

    def check(self, window: Window, now_ns: int, *, returns_only: bool = False) -> list[Event]:
        """Transitions by now. ``returns_only`` looks at open alarms alone: what rows that have just come must end."""
        roster = self.roster
        if returns_only and not self.memory.level.any():
            return []
        if not returns_only:
            self.heard_ns[self.heard_ns == 0] = now_ns
        usable = np.maximum(window.usable_ns[roster.slot], self.heard_ns)
        quiet = now_ns - usable > roster.limit_ns
        gateways = self._silent_gateways(window, now_ns)
        silent = np.zeros(len(roster.subjects), np.bool_)
        tended = self._tended(window, now_ns)
        told = quiet & ~gateways[roster.gateway] & ~tended
        silent[roster.station[told]] = True
        silent[roster.stations :] = gateways
        who = self._whom(silent, quiet & (gateways[roster.gateway] | tended), returns_only)
        level = np.where(silent[who], roster.level, 0).astype(np.uint8)
        moment = np.full(len(who), now_ns, np.int64)
        changes = step(self.memory, Seen(who, moment, level, level, np.full(len(who), now_ns)), self._limits)
        self._forgive(changes, now_ns)
        return [self._event(changes, index, quiet & ~tended, window, now_ns) for index in range(len(changes.who))]

    def _tended(self, window: Window, now_ns: int) -> Mask:
        """Series that somebody works on (k,): their newest row says so, and is not old itself."""
        slot = self.roster.slot
        by_hand = (window.quality[slot] >= Quality.BAD) & (window.cause[slot] & Cause.MANUAL != 0)
        tended: Mask = by_hand & (now_ns - window.time_ns[slot] <= self.roster.limit_ns)
        return tended

    def _whom(self, silent: Mask, excused: Mask, returns_only: bool) -> I64:
        """Everybody, but stations that are quiet for their gateway or for work alone: those keep what they have."""
        judged = np.ones(len(silent), np.bool_)
        judged[self.roster.station[excused]] = False
        judged |= silent
        if returns_only:
            judged &= self.memory.level > 0
        return np.flatnonzero(judged)

    def _silent_gateways(self, window: Window, now_ns: int) -> Mask:
        roster, n = self.roster, len(self.roster.subjects) - self.roster.stations
        newest, limit = np.zeros(n, np.int64), np.full(n, np.iinfo(np.int64).max)
        came = np.maximum(window.time_ns[roster.slot], window.doubted_ns[roster.slot])
        np.maximum.at(newest, roster.gateway, np.maximum(came, self.heard_ns))
        np.minimum.at(limit, roster.gateway, roster.limit_ns)
        silent: Mask = now_ns - newest > limit
        return silent

    def _forgive(self, changes: Changes, now_ns: int) -> None:
        """A gateway that is back gives its stations their full time again."""
        back = changes.who[changes.after == 0] - self.roster.stations
        if (back >= 0).any():
            self.heard_ns[np.isin(self.roster.gateway, back)] = now_ns

    def _event(self, changes: Changes, index: int, quiet: Mask, window: Window, now_ns: int) -> Event:
        roster, who = self.roster, int(changes.who[index])
        subject, raised = roster.subjects[who], changes.after[index] > 0
        mine = self._of(who)
        lost = mine & quiet if raised else mine
        newest = np.maximum(window.usable_ns[roster.slot[lost]], self.heard_ns[lost])
        minutes = int((now_ns - newest.min(initial=now_ns)) // MINUTE_NS)
        rule, head = roster.compiled.rules[0], roster.compiled.pack.head
        raised_ns = int(self.memory.raised_ns[who])
        return Event(
            kind=Kind.RAISED if raised else Kind.CLEARED,
            version=int(self.memory.version[who]),
            alarm_id=identity("no_data", subject.kind, subject.id, raised_ns),
            hazard="no_data",
            hazard_name=roster.compiled.hazard.name,
            subject_kind=subject.kind,
            subject=subject.id,
            subject_name=subject.name,
            town=subject.town,
            level=int(changes.after[index]),
            previous_level=int(changes.before[index]),
            outcome=Outcome.NO_DATA if raised else Outcome.CLEARED,
            time_ns=now_ns,
            at_ns=now_ns,
            rule=rule.id,
            edition=f"{head.id} {head.edition}",
            source=head.source,
            series=tuple(str(roster.entries[at].id) for at in np.flatnonzero(lost).tolist()),
            drill=subject.drill,
            text=self._text(who, lost, minutes, window) if raised else _back(subject.name),
        )

    def _of(self, who: int) -> Mask:
        roster = self.roster
        mine: Mask = roster.station == who if who < roster.stations else roster.gateway == who - roster.stations
        return mine

    def _text(self, who: int, lost: Mask, minutes: int, window: Window) -> Text:
        roster, name = self.roster, self.roster.subjects[who].name
        if who >= roster.stations:
            count = len(np.unique(roster.station[lost]))
            return Text(
                f"{name.zh}: 已 {minutes} min 无任何数据, 涉及 {count} 个站",
                f"{name.en}: nothing for {minutes} min, {count} stations concerned",
            )
        names = dict.fromkeys(roster.entries[at].series.quantity for at in np.flatnonzero(lost).tolist())
        shown = [QUANTITIES[quantity] for quantity in names][:_SHOWN]
        more = Text("等", " and others") if len(names) > _SHOWN else Text("", "")
        slot = roster.slot[lost]
        why = _WRONG_TIME if (window.doubted_ns[slot] > window.time_ns[slot]).any() else Text("", "")
        return Text(
            f"{name.zh}: {'、'.join(q.zh for q in shown)}{more.zh}已 {minutes} min 无有效数据{why.zh}",
            f"{name.en}: no usable {', '.join(q.en.lower() for q in shown)}{more.en} for {minutes} min{why.en}",
        )


def _back(name: Text) -> Text:
    return Text(f"{name.zh}: 数据恢复", f"{name.en}: data are back")
