"""The window of batches that are on their way: who goes next, and what has been silent for too long."""

import math
from dataclasses import dataclass
from typing import Final

from gateway.spool import Entry, Key, Spool
from telemetry.batch import MAX_ROWS
from telemetry.bundle import MAX_PARTS
from telemetry.wire import Ack, Lane

WINDOW: Final = {Lane.ALARM: 4, Lane.LIVE: 4, Lane.BACKLOG: 24}
"""Unacknowledged batches at most, in the order of who goes first (DESIGN 4): the end-to-end back-pressure."""
BACKLOG_ROWS: Final = 16_000
"""Of them in the backlog, rows at most: an alarm waits behind what the centre is committing, so large batches go fewer
at a time."""
BUNDLED: Final = 1024
"""Batches of the backlog at most, in the place of 24, where the centre reads bundles: small ones by the thousand."""
_BUNDLE_BYTES: Final = 64 * 1024
"""A bundle is full from here on: a larger one would save little, and an alarm waits behind it on a slow line."""
_ROOM: Final = 4
"""Of what may be on its way, a fourth is free before the next bundle leaves: a centre that answers batch by batch would
otherwise get them batch by batch (the sender's silly window, RFC 9293, 3.8.6.2.1)."""
_LONGEST: Final = 32
"""Of the usual patience: the longest wait before a batch is sent again."""


@dataclass(slots=True)
class _Sent:
    entry: Entry
    times: int
    due_s: float


class Flight:
    """Unacknowledged batches of one connection. Times are ``time.monotonic`` seconds.

    A batch that stays unacknowledged for ``resend_s`` is sent again, since a broker may drop it (P24), then after twice
    that time and so on, so that a silent centre does not cost a metered line the whole window every few seconds. Until
    the first acknowledgement of a connection the first wait is ``eager_s``: a centre that starts with us may not have
    subscribed yet, and what is published before that, it never gets.

    What the centre holds (it has judged it and can't store it) gives its place in the window to newer batches and stays
    in the spool. While ``holding``, the oldest of it is sent again now and then with the same growing patience; as soon
    as anything is committed, all of it goes as backlog. A held answer of another run of the centre means that a new one
    knows nothing of what the former one held: all of it is sent again at once, for the centre's windows.
    """

    def __init__(self, spool: Spool, resend_s: float, eager_s: float = 1.0) -> None:
        self._spool = spool
        self._resend_s = resend_s
        self._eager_s = min(eager_s, resend_s)
        self._heard = False
        self._sent: dict[Key, _Sent] = {}
        self._since_s: float | None = None
        self.holding = False
        """Whether the centre's store takes nothing at present, as far as we know."""
        self.sparing = False
        """Whether backlog stays where it is, since the line costs too much."""
        self.bundling = False
        """Whether the centre has said that it reads bundles."""
        self._any_held = False
        self._run = 0
        self._probes = 0
        self._probe_s = -math.inf

    def next(self, now_s: float) -> Entry | None:
        """The batch to send now: one that is overdue, else the next of the first lane that has room."""
        self._land()
        overdue = min(self._wanted(), key=lambda sent: sent.due_s, default=None)
        if overdue is not None and overdue.due_s <= now_s:
            overdue.times += 1
            overdue.due_s = now_s + self._patience_s(overdue.times)
            return overdue.entry
        for lane in WINDOW:
            if self._has_room(lane) and (entry := self._unsent(lane, now_s)) is not None:
                self._depart(entry, now_s)
                return entry
        return None

    def beside(self, first: Entry, now_s: float) -> list[Entry]:
        """What goes in the same message with a batch that ``next`` gave: more backlog, where the centre reads bundles.

        What is overdue goes alone, so that whatever made the centre deaf to a bundle costs a batch once.
        """
        if not self.bundling or first.lane is not Lane.BACKLOG or self._sent[first.key].times:
            return []
        found = list[Entry]()
        places = min(self._most(Lane.BACKLOG) - self.count(Lane.BACKLOG), MAX_PARTS - 1)
        rows, size = min(BACKLOG_ROWS - self._backlog_rows(), MAX_ROWS - first.rows), _BUNDLE_BYTES - first.size
        while len(found) < places and rows > 0 and size > 0:
            entry = self._unsent(Lane.BACKLOG, now_s)
            if entry is None:
                break
            self._depart(entry, now_s)
            found.append(entry)
            rows -= entry.rows
            size -= entry.size
        return found

    def _has_room(self, lane: Lane) -> bool:
        places = self._most(lane) - self.count(lane)
        if lane is not Lane.BACKLOG:
            return places > 0
        rows = BACKLOG_ROWS - self._backlog_rows()
        least = (BUNDLED // _ROOM, BACKLOG_ROWS // _ROOM) if self.bundling else (1, 1)
        return not self.sparing and places >= least[0] and rows >= least[1]

    def _most(self, lane: Lane) -> int:
        return BUNDLED if self.bundling and lane is Lane.BACKLOG else WINDOW[lane]

    def _depart(self, entry: Entry, now_s: float) -> None:
        self._sent[entry.key] = _Sent(entry, 0, now_s + self._patience_s(0))
        self._since_s = now_s if self._since_s is None else self._since_s

    def count(self, lane: Lane) -> int:
        """Batches of a lane that are unacknowledged."""
        return sum(sent.entry.lane is lane and not sent.entry.is_gone for sent in self._sent.values())

    def _backlog_rows(self) -> int:
        return sum(sent.entry.rows for sent in self._sent.values() if sent.entry.lane is Lane.BACKLOG)

    def wait_s(self, now_s: float) -> float | None:
        """How long until something is to be sent again, if nothing is answered before; None when there is nothing."""
        due = [sent.due_s for sent in self._wanted()]
        if self.holding and self._any_held and self._has_room(Lane.BACKLOG):
            due.append(self._probe_s)
        return max(min(due) - now_s, 0.0) if due else None

    def _wanted(self) -> list[_Sent]:
        """What is sent again when nobody acknowledges it."""
        return [sent for sent in self._sent.values() if not (self.sparing and sent.entry.lane is Lane.BACKLOG)]

    def take(self, ack: Ack, now_s: float) -> bool:
        """Release what is committed, set aside what is refused, keep what is held; whether anything was released."""
        self.bundling = ack.bundles or (self.bundling and not ack.announce)
        released = self._release(ack)
        held = self._hold(ack, now_s)
        self._land()
        if released or held:
            self._hear(now_s)
            self._since_s = now_s if self._sent else None
        return released

    def silent_s(self, now_s: float) -> float:
        """How long the centre has answered nothing although something is on its way."""
        return 0.0 if self._since_s is None else now_s - self._since_s

    def clear(self) -> None:
        """Everything open is to be sent again, in order."""
        self._sent.clear()
        self._since_s = None
        self._heard = False
        self._probes, self._probe_s = 0, -math.inf
        self._spool.rewind()

    def _unsent(self, lane: Lane, now_s: float) -> Entry | None:
        """The next batch of a lane; in the backlog, what is held comes after what the centre has never seen."""
        entry = self._spool.next_unsent(lane)
        if entry is not None or lane is not Lane.BACKLOG or not self._any_held:
            return entry
        if self.holding and now_s < self._probe_s:
            return None
        entry = self._spool.next_held()
        self._any_held = entry is not None
        if self.holding:
            self._probe_s = now_s + self._patience_s(self._probes)
            self._probes += 1
        return entry

    def _release(self, ack: Ack) -> bool:
        released = False
        for part in ack.epochs:
            if self._spool.acknowledge(part.epoch, part.committed):
                self.holding, released = False, True
            for refusal in part.refused:
                released |= self._spool.refuse(part.epoch, refusal)
        return released

    def _hold(self, ack: Ack, now_s: float) -> bool:
        """Free the places of what is held; it stays in the spool."""
        if not any(part.held for part in ack.epochs):
            return False
        if ack.run != self._run:
            self._run = ack.run
            self._spool.unhold()
        held = [key for part in ack.epochs for key in self._spool.hold(part.epoch, part.held)]
        for key in held:
            self._sent.pop(key, None)
        if held and not self.holding:
            self._hear(now_s)
            self.holding, self._probes = True, 1
            self._probe_s = now_s + self._patience_s(0)
        self._any_held |= bool(held)
        return bool(held)

    def _hear(self, now_s: float) -> None:
        """Somebody is there: give what is on its way the usual time."""
        if self._heard:
            return
        self._heard = True
        for sent in self._sent.values():
            sent.due_s = now_s + self._patience_s(0)

    def _patience_s(self, times: int) -> float:
        """How long to wait for an acknowledgement of a batch that was sent again so many times."""
        first_s = self._resend_s if self._heard else self._eager_s
        return min(first_s * 2.0 ** min(times, _LONGEST), self._resend_s * _LONGEST)

    def _land(self) -> None:
        for key in [key for key, sent in self._sent.items() if sent.entry.is_gone]:
            del self._sent[key]
        if not self._sent:
            self._since_s = None


def refusal(ack: Ack) -> str | None:
    """What people should know of an answer that only refuses: what is sent arrives, and is no part of the record."""
    reasons = [refused.reason for part in ack.epochs for refused in part.refused]
    if not reasons or any(part.committed for part in ack.epochs):
        return None
    return f"the centre refuses what is sent, and it is set aside here: {reasons[-1]}"
