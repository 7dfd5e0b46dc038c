"""The alarm machine of one hazard: arrays of state, one element per subject, and pure steps over some of them.

Up at once (or after n of m), down only after the value has stayed below for the hold, at most to the highest level
held meanwhile. There is one alarm per hazard and subject, so that two can't be raised milliseconds apart (F4), and
only a reading below the threshold can lower it: silence keeps it (F13).
"""

from dataclasses import dataclass, fields
from typing import Final

import numpy as np
from numpy.typing import NDArray

from telemetry.batch import I64, U8, Mask

LEVELS: Final = 5
_NONE: Final = 0


@dataclass(frozen=True, slots=True)
class Limits:
    """By level 0 to 4: the hold before a level is given up (5,), and n of m evaluations to raise it (5, 2)."""

    hold_ns: I64
    confirm: I64


@dataclass(slots=True)
class Memory:
    """State of the subjects of one hazard, shape (s,); times 0 mean never.

    ``level`` and ``version`` of the alarm, its identity's ``raised_ns``, and ``changed_ns`` of its newest transition.
    ``time_ns`` and ``held`` of the newest evaluation. ``below_ns`` is since when the value is below the level, ``peak``
    the highest level held since then. ``history`` are the last evaluations by level as bits, (s, 5).
    """

    level: U8
    version: I64
    raised_ns: I64
    changed_ns: I64
    time_ns: I64
    held: U8
    below_ns: I64
    peak: U8
    history: U8

    @classmethod
    def blank(cls, subjects: int) -> "Memory":
        """No alarm, nothing seen."""
        small, big = np.zeros(subjects, np.uint8), np.zeros(subjects, np.int64)
        return cls(
            level=small,
            version=big,
            raised_ns=big.copy(),
            changed_ns=big.copy(),
            time_ns=big.copy(),
            held=small.copy(),
            below_ns=big.copy(),
            peak=small.copy(),
            history=np.zeros((subjects, LEVELS), np.uint8),
        )

    def carry(self, source: "Memory", to: I64, came_from: I64) -> None:
        """Take over the state of subjects that stood elsewhere before; both of shape (k,)."""
        for name in (field.name for field in fields(self)):
            getattr(self, name)[to] = getattr(source, name)[came_from]


@dataclass(frozen=True, slots=True)
class Seen:
    """One evaluation of some subjects, shape (k,): who, when, the level reached, and the level that must be kept."""

    who: I64
    time_ns: I64
    reached: U8
    held: U8
    gap_ns: I64
    """After such a silence the hold starts anew: nobody knows what the value did meanwhile."""


@dataclass(frozen=True, slots=True)
class Changes:
    """Transitions, shape (k,): whose, when, from and to which level."""

    who: I64
    time_ns: I64
    before: U8
    after: U8


def step(memory: Memory, seen: Seen, limits: Limits, *, mute: bool = False) -> Changes:
    """Take in one evaluation per subject and return the transitions.

    An evaluation that is older than its subject's newest (out of order within the lateness) can raise, and interrupts a
    hold that it falls into; it never lowers. ``mute`` is for rows that were judged before a restart: levels stay as
    they were restored, timers run from the newest transition on.
    """
    late = seen.time_ns < memory.time_ns[seen.who]
    level = memory.level[seen.who]
    target = _confirmed(memory, seen, limits, late)
    rising = np.zeros(len(level), np.bool_) if mute else target > level
    counts = seen.time_ns > memory.changed_ns[seen.who] if mute else np.ones(len(level), np.bool_)
    lowering = _below(memory, seen, level, counts & ~rising, late)
    expired = _expired(memory, seen.who, seen.time_ns, limits) & lowering & ~late
    if mute:
        expired[:] = False
    after = np.where(rising, target, np.where(expired, memory.peak[seen.who], level))
    changed = rising | expired
    _transit(memory, seen, changed, after, rising & late)
    _remember(memory, seen, ~late)
    return Changes(seen.who[changed], seen.time_ns[changed], level[changed], after[changed])


def expire(memory: Memory, now_ns: int, fresh: Mask, limits: Limits) -> Changes:
    """Lower what has been below for its hold by now without a further row; ``fresh`` (s,) says who is not silent."""
    who = np.flatnonzero((memory.level > 0) & (memory.below_ns > 0) & fresh)
    who = who[_expired(memory, who, np.full(len(who), now_ns), limits)]
    before, after = memory.level[who], memory.peak[who]
    moment = np.full(len(who), now_ns, np.int64)
    memory.level[who], memory.version[who] = after, memory.version[who] + 1
    memory.below_ns[who], memory.peak[who], memory.changed_ns[who] = _NONE, 0, moment
    return Changes(who, moment, before, after)


def _confirmed(memory: Memory, seen: Seen, limits: Limits, late: Mask) -> U8:
    """The highest level that is reached now and was n times of the last m evaluations; updates the history."""
    if (limits.confirm[:, 1] == 1).all():
        return seen.reached
    now = seen.reached[:, None] >= np.arange(LEVELS)
    bits = ((memory.history[seen.who].astype(np.uint16) << 1) | now).astype(np.uint8)
    on_time = ~late
    memory.history[seen.who[on_time]] = bits[on_time]
    window = (1 << limits.confirm[:, 1]) - 1
    often = np.bitwise_count(bits & window.astype(np.uint8)) >= limits.confirm[:, 0]
    confirmed: NDArray[np.int64] = np.where(often & now, np.arange(LEVELS), 0).max(axis=1)
    return confirmed.astype(np.uint8)


def _below(memory: Memory, seen: Seen, level: U8, counts: Mask, late: Mask) -> Mask:
    """Start, keep or break the hold; returns who is below the level."""
    who = seen.who
    below = counts & (seen.held < level)
    since = memory.below_ns[who]
    silent = seen.time_ns - memory.time_ns[who] > seen.gap_ns
    start = below & ~late & ((since == _NONE) | silent)
    peak = np.where(start, seen.held, np.maximum(memory.peak[who], seen.held))
    broken = counts & (level > 0) & ~below
    hit = broken & late & (since != _NONE) & (since <= seen.time_ns)
    since = np.where(start, seen.time_ns, np.where(broken & ~late, _NONE, since))
    memory.below_ns[who] = np.where(hit, memory.time_ns[who], since)
    peak = np.where(below, peak, np.where(broken & ~late, 0, memory.peak[who]))
    memory.peak[who] = np.where(hit, memory.held[who], peak)
    return below


def _expired(memory: Memory, who: I64, time_ns: I64, limits: Limits) -> Mask:
    since = memory.below_ns[who]
    expired: Mask = (since != _NONE) & (time_ns - since >= limits.hold_ns[memory.level[who]])
    return expired


def _transit(memory: Memory, seen: Seen, changed: Mask, after: U8, late_rise: Mask) -> None:
    who, time_ns = seen.who[changed], seen.time_ns[changed]
    new = memory.level[who] == 0
    memory.raised_ns[who[new]] = time_ns[new]
    memory.version[who] = np.where(new, 1, memory.version[who] + 1)
    memory.level[who] = after[changed]
    memory.changed_ns[who] = np.maximum(memory.changed_ns[who], time_ns)
    memory.below_ns[who], memory.peak[who] = _NONE, 0
    back = seen.who[late_rise & (memory.held[seen.who] < after)]
    memory.below_ns[back], memory.peak[back] = memory.time_ns[back], memory.held[back]


def _remember(memory: Memory, seen: Seen, on_time: Mask) -> None:
    who = seen.who[on_time]
    memory.time_ns[who], memory.held[who] = seen.time_ns[on_time], seen.held[on_time]
