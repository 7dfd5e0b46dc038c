"""Rows that came too late to be news: what they would have raised is logged as a correction, never sent as fresh.

A row is judged by its own value, and sums as they stood at its moment; the alarm machine is not touched. Readings that
a later neighbour doubts are no news either: where an alarm rests on one, that is logged.
"""

from collections.abc import Callable, Iterator

import numpy as np

from alerting.alarms.events import Event, Kind
from alerting.engine.arrivals import Arrivals
from alerting.engine.narrate import Change, cause, narrate
from alerting.engine.plan import Plan, by_subject
from alerting.engine.post import Moment, Post
from alerting.rules.compiled import Measured
from telemetry.batch import I64, U8, Mask
from telemetry.clock import HOUR_NS
from telemetry.quality import Quality

_AGAIN_NS = 6 * HOUR_NS
"""Within this time of a correction, only a higher level is another one."""


def corrections(post: Post, moment: Moment, late: Arrivals) -> Iterator[Event]:
    """At most one event a subject: its highest level that no alarm covered, at the first of these rows that reached it.

    The rows must be in the window already.
    """
    return _told(post, moment, late, _uncovered)


def doubts(post: Post, moment: Moment, again: Arrivals) -> Iterator[Event]:
    """At most one event a subject, where the reading at which its newest alarm was raised, or changed its level, is
    among these rows. The rows must be in the window already.
    """
    return _told(post, moment, again, _rests, doubted=True)


Wanted = Callable[[Post, I64, I64, U8], Mask]
"""Which of subjects (n,) are worth an event, by the times of their rows and the levels that these reach."""


def _told(post: Post, moment: Moment, late: Arrivals, wanted: Wanted, *, doubted: bool = False) -> Iterator[Event]:
    plan = post.plan
    for column in range(plan.subject_of.shape[1]):
        subject = plan.subject_of[late.slot, column]
        concerned = np.flatnonzero(subject >= 0)
        if len(concerned):
            yield from _corrected(post, moment, late.take(concerned), subject[concerned], wanted, doubted)


def _corrected(
    post: Post, moment: Moment, late: Arrivals, subject: I64, wanted: Wanted, doubted: bool
) -> Iterator[Event]:
    plan = post.plan
    rows, begin = plan.rows_of(subject)
    which = np.repeat(np.arange(len(subject)), plan.row_count[subject])
    measured = _as_of(plan, moment, rows, late.take(which))
    verdict = plan.judge(measured, rows)
    reached = by_subject(verdict, begin).reached
    news = np.flatnonzero((reached > 0) & wanted(post, subject, late.time_ns, reached))
    order = news[np.lexsort((late.time_ns[news], -reached[news].astype(np.int64), subject[news]))]
    first = order[np.append(True, subject[order][1:] != subject[order][:-1])] if len(order) else order
    ends = np.append(begin[1:], len(rows))
    for at in first.tolist():
        who, level, time_ns = int(subject[at]), int(reached[at]), int(late.time_ns[at])
        post.corrected[who], post.corrected_ns[who] = level, time_ns
        change = Change(
            plan=plan,
            subject=who,
            kind=Kind.CORRECTION,
            before=0,
            after=level,
            version=0,
            raised_ns=int(post.memory.raised_ns[who]) if doubted else time_ns,
            time_ns=time_ns,
            suspect=bool(late.quality[at] == Quality.SUSPECT),
            doubted=doubted,
        )
        row = int(begin[at] + np.argmax(verdict.reached[begin[at] : ends[at]]))
        why = cause(change, measured, rows, row)
        yield narrate(change, why, moment.window, moment.now_ns, int(late.answered_ns[at]))


def _as_of(plan: Plan, moment: Moment, rows: I64, late: Arrivals) -> Measured:
    """Sums as they stood, and the late row's own value in place of the newest; other series say nothing (k rows)."""
    measured = plan.measure(moment.window, moment.typhoons, rows, late.time_ns)
    for index, probe in enumerate(plan.compiled.probes):
        if not probe.minutes and probe.metric.inputs:
            own = (plan.slots[index][rows] == late.slot[:, None]).any(axis=1) & (late.quality <= Quality.SUSPECT)
            measured.value[:, index] = np.where(own, late.value.round(6), np.nan)
            measured.share[:, index] = own
            measured.suspect[:, index] = own & (late.quality == Quality.SUSPECT)
    return measured


def _rests(post: Post, subject: I64, time_ns: I64, reached: U8) -> Mask:
    """Whether the newest alarm rests on a reading of that time that reached a level."""
    memory = post.memory
    rests: Mask = (memory.raised_ns[subject] == time_ns) | (memory.changed_ns[subject] == time_ns)
    return rests & (reached > 0)


def _uncovered(post: Post, subject: I64, time_ns: I64, reached: U8) -> Mask:
    """Whether neither the newest alarm nor an earlier correction tells of such a level at such a time."""
    memory = post.memory
    begun = (memory.raised_ns[subject] > 0) & (time_ns >= memory.raised_ns[subject])
    during = begun & ((memory.level[subject] > 0) | (time_ns <= post.cleared_ns[subject]))
    alarmed = during & (post.peak[subject] >= reached)
    near = np.abs(time_ns - post.corrected_ns[subject]) <= _AGAIN_NS
    covered: Mask = alarmed | (near & (post.corrected[subject] >= reached))
    return ~covered
