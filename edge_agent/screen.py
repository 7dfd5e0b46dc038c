"""The last look at readings before they leave: doubtful ones are flagged, dull ones held back, alarming ones hurried.

Only the centre decides what is an alarm. What happens here is that a reading which crosses a value that the centre
watches, or which jumps, goes out at once together with what was held back before it. Flag, never fix.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from edge_agent.compiled import AnyBusPlan
from edge_agent.screening import Screening
from telemetry.batch import F64, I64, U8, U16, Batch, Mask, concat, rows
from telemetry.clock import SECOND_NS
from telemetry.quality import Cause, Quality

_KEPT: Final = 8
"""Readings of a series that are held back at most: the way to a crossing, not a history."""
_NEVER_NS: Final = np.iinfo(np.int64).max // 4


@dataclass(frozen=True, slots=True)
class Passed:
    """What is to leave (None: nothing), and whether it is urgent."""

    batch: Batch | None
    urgent: bool = False


class Screen:
    """Screens the batches of one gateway; ``ids`` of shape (n,) with a ``Screening`` for each."""

    def __init__(self, ids: I64, screenings: Sequence[Screening]) -> None:
        self._watched: Mapping[int, Sequence[float]] = {}
        self._use(ids, screenings)

    def _use(self, ids: I64, screenings: Sequence[Screening]) -> None:
        order = np.argsort(ids)
        self._ids: I64 = ids[order]
        chosen = [screenings[at] for at in order]
        self._circle = np.array([360.0 if one.circular else np.inf for one in chosen])
        self._rate = np.array([one.max_rate for one in chosen])
        self._stuck_ns = _nanoseconds([one.stuck_after_s for one in chosen])
        self._deadband = np.array([one.deadband for one in chosen])
        self._heartbeat_ns = _nanoseconds([one.heartbeat_s for one in chosen])
        self._marks: F64 = np.empty((len(ids), 0))
        self._idle = not any(one.wanted for one in chosen)
        self._memory = _Memory(len(ids))

    def change(self, buses: Sequence[AnyBusPlan]) -> None:
        """Screen what these read from now on; of series that stay, everything is remembered."""
        ids, memory = self._ids, self._memory
        self._use(*_read_by(buses))
        _, here, before = np.intersect1d(self._ids, ids, assume_unique=True, return_indices=True)
        self._memory.inherit(here, memory, before)
        self.watch(self._watched)

    def watch(self, marks: Mapping[int, Sequence[float]]) -> None:
        """The values of each series whose crossing is urgent, from now on; unknown series are ignored."""
        self._watched = marks
        widest = max((len(values) for values in marks.values()), default=0)
        table = np.full((len(self._ids), widest), np.inf)
        for row, series in enumerate(self._ids.tolist()):
            values = marks.get(series, ())
            table[row, : len(values)] = values
        self._marks = table
        known = ~np.isnan(self._memory.value)
        self._memory.level[known] = self._level(np.flatnonzero(known), self._memory.value[known])

    def set_back(self, now_ns: int) -> None:
        """The clock was set back to ``now_ns``: nothing remembered lies ahead of it, else all that comes were late."""
        memory = self._memory
        for times in (memory.time_ns, memory.since_ns, memory.said_ns):
            np.minimum(times, now_ns, out=times)

    def take(self, batch: Batch) -> Passed:
        """Screen rows in their order; several rows of one series are looked at one after another."""
        if (self._idle and not self._marks.shape[1]) or not len(self._ids):
            return Passed(batch)
        at = np.minimum(np.searchsorted(self._ids, batch.series), len(self._ids) - 1)
        if not np.array_equal(self._ids[at], batch.series):
            return Passed(batch)  # a source of somebody else's: nothing is known of its series
        turns = _turns(at)
        passed = [self._turn(batch.take(turns == turn), at[turns == turn]) for turn in range(int(turns.max()) + 1)]
        batches = [one.batch for one in passed if one.batch is not None]
        if not batches:
            return Passed(None)
        return Passed(batches[0] if len(batches) == 1 else concat(batches), any(one.urgent for one in passed))

    def _turn(self, batch: Batch, at: I64) -> Passed:
        """Rows of different series, ``at`` their places in the memory. A late one passes and teaches nothing, and
        neither does one of a test by hand: it is no jump, and neither is what comes after it."""
        memory, value, time_ns = self._memory, batch.value, batch.time_ns
        memory.come_back(at, time_ns)
        late = (time_ns < memory.time_ns[at]) | _tested(batch)
        known = ~(np.isnan(value) | late)
        fast = known & self._is_fast(at, value, time_ns)
        still = memory.still(at, value, time_ns)
        stuck = known & (time_ns - still >= self._stuck_ns[at])
        batch = batch.flagged(_suspect(fast | stuck), _causes(fast, stuck))
        level = np.where(known, self._level(at, value), memory.level[at])
        urgent = fast | (level != memory.level[at])
        leaves = urgent | late | self._is_news(batch, at, known)
        memory.learn(at[known], value[known], time_ns[known], still[known], level[known])
        memory.doubted[at[known]] = _misdated(batch)[known]
        return self._leaving(batch, at, leaves, urgent)

    def _leaving(self, batch: Batch, at: I64, leaves: Mask, urgent: Mask) -> Passed:
        """What leaves, with what was held back before an urgent reading; the rest is held back."""
        memory = self._memory
        before = memory.kept(self._ids, at[urgent], batch) if urgent.any() else None
        told = leaves & (batch.time_ns >= memory.said_ns[at])
        memory.said(at[told], batch.take(told))
        memory.keep(at[~leaves], batch.take(~leaves))
        parts = [part for part in (before, batch.take(leaves)) if part is not None and len(part)]
        if not parts:
            return Passed(None)
        return Passed(parts[0] if len(parts) == 1 else concat(parts), bool(urgent.any()))

    def _is_fast(self, at: I64, value: F64, time_ns: I64) -> Mask:
        elapsed_s = (time_ns - self._memory.time_ns[at]) / SECOND_NS
        step = self._distance(at, value, self._memory.value[at])
        rate = np.where(elapsed_s > 0, self._rate[at], 0.0)  # no time times any rate is no number
        fast: Mask = (elapsed_s > 0) & (step > rate * elapsed_s)
        return fast

    def _is_news(self, batch: Batch, at: I64, known: Mask) -> Mask:
        """Whether rows leave for their own sake: always without a deadband, else when they say something new."""
        memory, deadband = self._memory, self._deadband[at]
        changed = (batch.quality != memory.said_quality[at]) | (batch.cause != memory.said_cause[at])
        moved = known & ~(self._distance(at, batch.value, memory.said_value[at]) < deadband)
        due = batch.time_ns - memory.said_ns[at] >= self._heartbeat_ns[at]
        news: Mask = (deadband == 0) | changed | moved | due
        return news

    def _distance(self, at: I64, one: F64, other: F64) -> F64:
        """How far two values are apart, on the circle where there is one; NaN when either is."""
        apart = np.abs(one - other)
        around = np.where(np.isinf(self._circle[at]), apart, self._circle[at] - apart)
        return np.minimum(apart, around)

    def _level(self, at: I64, value: F64) -> I64:
        """How many of the watched values are reached."""
        level: I64 = (self._marks[at] <= value[:, None]).sum(axis=1)
        return level


class _Memory:
    """What is remembered of each series: its last reading, what was said last, and what was held back since."""

    def __init__(self, n: int) -> None:
        self.value, self.said_value = np.full(n, np.nan), np.full(n, np.nan)
        self.time_ns, self.since_ns = np.zeros(n, np.int64), np.zeros(n, np.int64)
        self.said_ns = np.full(n, -_NEVER_NS, np.int64)
        self.doubted = np.zeros(n, np.bool_)
        """Whether the last reading had a time that can't be."""
        self.level = np.zeros(n, np.int64)
        self.said_quality, self.said_cause = np.full(n, 255, np.uint8), np.zeros(n, np.uint16)
        self._count = np.zeros(n, np.int64)
        self._held_ns, self._held_value = np.zeros((n, _KEPT), np.int64), np.full((n, _KEPT), np.nan)
        self._held_quality, self._held_cause = np.zeros((n, _KEPT), np.uint8), np.zeros((n, _KEPT), np.uint16)

    def inherit(self, at: I64, before: "_Memory", there: I64) -> None:
        """Take over what another memory knows of some series: its places ``there`` become ``at``."""
        for name, column in vars(self).items():
            column[at] = vars(before)[name][there]

    def come_back(self, at: I64, time_ns: I64) -> None:
        """Before rows of ``time_ns``: what is remembered with a later time that can't be gets theirs, so that a logger
        whose clock was once years ahead has its crossings hurried again when it is right."""
        back = self.doubted[at] & (time_ns < self.time_ns[at])
        for times in (self.time_ns, self.since_ns, self.said_ns):
            times[at[back]] = np.minimum(times[at[back]], time_ns[back])

    def still(self, at: I64, value: F64, time_ns: I64) -> I64:
        """Since when each series has had exactly this value."""
        return np.where(value == self.value[at], self.since_ns[at], time_ns)

    def learn(self, at: I64, value: F64, time_ns: I64, since_ns: I64, level: I64) -> None:
        """Readings that count."""
        self.value[at], self.time_ns[at], self.since_ns[at], self.level[at] = value, time_ns, since_ns, level

    def said(self, at: I64, batch: Batch) -> None:
        """Rows that have left: nothing is held back of their series any more."""
        self.said_value[at], self.said_ns[at] = batch.value, batch.time_ns
        self.said_quality[at], self.said_cause[at] = batch.quality, batch.cause
        self._count[at] = 0

    def keep(self, at: I64, batch: Batch) -> None:
        """Rows that are held back; beyond the newest few they are gone for good."""
        place = self._count[at] % _KEPT
        self._held_ns[at, place], self._held_value[at, place] = batch.time_ns, batch.value
        self._held_quality[at, place], self._held_cause[at, place] = batch.quality, batch.cause
        self._count[at] += 1

    def kept(self, ids: I64, at: I64, batch: Batch) -> Batch:
        """What was held back of some series, oldest first in each."""
        places = np.arange(_KEPT)
        oldest = np.maximum(self._count[at] - _KEPT, 0)
        turn = (oldest[:, None] + places) % _KEPT
        held = places < np.minimum(self._count[at], _KEPT)[:, None]
        series = np.broadcast_to(at[:, None], held.shape)[held]
        place = turn[held]
        return rows(
            batch.source,
            ids[series],
            self._held_ns[series, place],
            self._held_value[series, place],
            quality=self._held_quality[series, place],
            cause=self._held_cause[series, place],
            answered_ns=batch.answered_ns,
        )


def screen_of(buses: Sequence[AnyBusPlan]) -> Screen:
    """The screen for everything that a gateway reads."""
    return Screen(*_read_by(buses))


def _read_by(buses: Sequence[AnyBusPlan]) -> tuple[I64, list[Screening]]:
    devices = [device for bus in buses for device in bus.devices]
    ids = np.concatenate([device.ids for device in devices]) if devices else np.empty(0, np.int64)
    return ids, [one for device in devices for one in device.screenings]


def _turns(at: I64) -> I64:
    """For each row, how many rows of the same series stand before it."""
    order = np.argsort(at, kind="stable")
    ranked = at[order]
    starts = np.r_[True, ranked[1:] != ranked[:-1]]
    first = np.maximum.accumulate(np.where(starts, np.arange(len(at)), 0))
    turns = np.empty(len(at), np.int64)
    turns[order] = np.arange(len(at)) - first
    return turns


def _tested(batch: Batch) -> Mask:
    """Rows that maintenance has marked."""
    return (batch.quality >= Quality.BAD) & (batch.cause & Cause.MANUAL != 0)


def _misdated(batch: Batch) -> Mask:
    """Rows whose time was found to be ahead of now."""
    return (batch.quality >= Quality.SUSPECT) & (batch.cause & Cause.CLOCK != 0)


def _suspect(doubtful: Mask) -> U8:
    return np.where(doubtful, np.uint8(Quality.SUSPECT), np.uint8(0))


def _causes(fast: Mask, stuck: Mask) -> U16:
    return (fast * int(Cause.RATE) + stuck * int(Cause.FLATLINE)).astype(np.uint16)


def _nanoseconds(seconds: Sequence[float]) -> I64:
    """Whole nanoseconds; never, where it is infinite."""
    return np.array([_NEVER_NS if one == np.inf else round(one * SECOND_NS) for one in seconds], np.int64)
