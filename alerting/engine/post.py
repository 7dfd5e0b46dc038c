"""A post: the plan of one hazard with what is remembered of its subjects, and the steps that change it."""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace

import numpy as np

from alerting.alarms.events import Event, Kind
from alerting.alarms.fold import Alarm
from alerting.alarms.machine import Changes, Limits, Memory, Seen, expire, step
from alerting.engine.arrivals import Arrivals
from alerting.engine.narrate import Cause, Change, cause, narrate
from alerting.engine.plan import Plan, by_subject
from alerting.rules.compiled import Measured, Verdict
from ingest.window import Window
from telemetry.batch import I64, U8, Mask


@dataclass(frozen=True, slots=True)
class Moment:
    """What every step needs besides the rows: the window, the typhoon statements, data time, and by slot the real
    time at which its newest row was answered.
    """

    window: Window
    typhoons: I64
    now_ns: int
    answered_ns: I64


@dataclass(frozen=True, slots=True)
class _Judged:
    """Rows as they were judged together."""

    who: I64
    rows: I64
    begin: I64
    measured: Measured
    verdict: Verdict


@dataclass(slots=True, eq=False)
class Post:
    """Arrays of shape (subjects,): ``unknown`` and ``doubtful`` of the newest evaluation and alarm, ``peak`` and
    ``cleared_ns`` of the newest alarm (0: open or none), and the newest correction. ``row_held`` (rows,) is the level
    that each row held when it was last known: a row that says nothing now still holds that (F13), and no more.
    """

    plan: Plan
    memory: Memory
    limits: Limits
    unknown: Mask = field(init=False)
    doubtful: Mask = field(init=False)
    peak: U8 = field(init=False)
    cleared_ns: I64 = field(init=False)
    corrected: U8 = field(init=False)
    corrected_ns: I64 = field(init=False)
    row_held: U8 = field(init=False)

    def __post_init__(self) -> None:
        n = len(self.plan.subjects)
        self.unknown, self.doubtful = np.ones(n, np.bool_), np.zeros(n, np.bool_)
        self.peak, self.corrected = np.zeros(n, np.uint8), np.zeros(n, np.uint8)
        self.cleared_ns, self.corrected_ns = np.zeros(n, np.int64), np.zeros(n, np.int64)
        self.row_held = np.zeros(int(self.plan.row_count.sum()), np.uint8)

    def carry(self, source: "Post", to: I64, came_from: I64) -> None:
        """Take over subjects from the post of an older plan; both of shape (k,)."""
        self.memory.carry(source.memory, to, came_from)
        for name in ("unknown", "doubtful", "peak", "cleared_ns", "corrected", "corrected_ns"):
            getattr(self, name)[to] = getattr(source, name)[came_from]
        worst = np.maximum.reduceat(source.row_held, source.plan.row_start)[came_from]
        self.row_held[self.plan.rows_of(to)[0]] = np.repeat(worst, self.plan.row_count[to])
        alike = self.plan.row_count[to] == source.plan.row_count[came_from]
        rows, _ = self.plan.rows_of(to[alike])
        self.row_held[rows] = source.row_held[source.plan.rows_of(came_from[alike])[0]]

    def adopt(self, subject: int, alarm: Alarm) -> None:
        """Continue an alarm that the log knows."""
        adopt(self.memory, subject, alarm)
        self.peak[subject] = alarm.peak_level
        self.cleared_ns[subject] = alarm.cleared_ns or 0
        self.doubtful[subject] = alarm.outcome == "suspect"
        begin = self.plan.row_start[subject]
        self.row_held[begin : begin + self.plan.row_count[subject]] = alarm.level

    def judge(self, moment: Moment, arrived: Arrivals, *, mute: bool) -> list[Event]:
        """Evaluate whoever these rows concern."""
        plan = self.plan
        who = plan.touched(arrived.slot)
        if not len(who):
            return []
        at = plan.moments(who, arrived.slot, arrived.time_ns)
        judged = self._judged(moment, who, at)
        verdict = by_subject(judged.verdict, judged.begin)
        newest = at >= self.memory.time_ns[who]
        known = np.repeat(newest, self.plan.row_count[who])
        self.row_held[judged.rows[known]] = judged.verdict.held[known]
        self.unknown[who[newest]] = (verdict.unknown & (verdict.reached == 0))[newest]
        changes = step(
            self.memory, Seen(who, at, verdict.reached, verdict.held, plan.gap_ns[who]), self.limits, mute=mute
        )
        rising = changes.after > changes.before
        self.doubtful[changes.who[rising]] = verdict.suspect[np.searchsorted(who, changes.who[rising])]
        return list(self._told(moment, changes, judged)) if len(changes.who) else []

    def expire(self, moment: Moment) -> list[Event]:
        """Lower what has stayed below for its hold; silent subjects keep their level (F13)."""
        memory = self.memory
        fresh = moment.now_ns - memory.time_ns <= self.plan.gap_ns
        changes = expire(memory, moment.now_ns, fresh, self.limits)
        if not len(changes.who):
            return []
        return list(self._told(moment, changes, self._judged(moment, changes.who, memory.time_ns[changes.who])))

    def _judged(self, moment: Moment, who: I64, at_ns: I64) -> _Judged:
        plan = self.plan
        rows, begin = plan.rows_of(who)
        measured = plan.measure(moment.window, moment.typhoons, rows, np.repeat(at_ns, plan.row_count[who]))
        verdict = plan.judge(measured, rows)
        held = np.maximum(verdict.held, np.minimum(verdict.maybe, self.row_held[rows]))
        return _Judged(who, rows, begin, measured, replace(verdict, held=held))

    def _told(self, moment: Moment, changes: Changes, judged: _Judged) -> Iterator[Event]:
        ends = np.append(judged.begin[1:], len(judged.rows))
        self._log(changes)
        for index, subject in enumerate(changes.who.tolist()):
            place = int(np.searchsorted(judged.who, subject))
            rank = judged.verdict.reached if changes.after[index] > changes.before[index] else judged.verdict.held
            at = int(judged.begin[place] + np.argmax(rank[judged.begin[place] : ends[place]]))
            change = self._change(changes, index)
            why = cause(change, judged.measured, judged.rows, at)
            yield narrate(change, why, moment.window, moment.now_ns, self.answered(moment, why))

    def _log(self, changes: Changes) -> None:
        who, new = changes.who, changes.before == 0
        self.peak[who] = np.where(new, changes.after, np.maximum(self.peak[who], changes.after))
        self.cleared_ns[who] = np.where(changes.after == 0, changes.time_ns, 0)

    def _change(self, changes: Changes, index: int) -> Change:
        subject, before, after = (int(array[index]) for array in (changes.who, changes.before, changes.after))
        kind = Kind.RAISED if before == 0 else Kind.CLEARED if after == 0 else Kind.LEVEL_CHANGED
        return Change(
            plan=self.plan,
            subject=subject,
            kind=kind,
            before=before,
            after=after,
            version=int(self.memory.version[subject]),
            raised_ns=int(self.memory.raised_ns[subject]),
            time_ns=int(changes.time_ns[index]),
            suspect=bool(self.doubtful[subject]),
        )

    def answered(self, moment: Moment, why: Cause) -> int:
        """The real time of the answer that holds the cause; 0 where a condition looks at no series."""
        slots = self.plan.slots[int(self.plan.compiled.probe[why.condition])][why.row]
        return int(moment.answered_ns[slots].max(initial=0))


def adopt(memory: Memory, subject: int, alarm: Alarm) -> None:
    """Continue an alarm that the log knows in an alarm machine."""
    memory.level[subject] = alarm.level
    memory.version[subject] = alarm.version
    memory.raised_ns[subject] = alarm.raised_ns
    memory.changed_ns[subject] = alarm.updated_ns
