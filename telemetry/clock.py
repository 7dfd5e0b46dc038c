"""Data time: the clock that stamps readings, schedules polls and runs timers; it is passed in, never looked up.

Two clocks exist in the whole system. *Data time* is what this module gives; it may be accelerated for drills.
*Real time* (sockets, timeouts, latency figures) is ``time.monotonic`` and never accelerated.
"""

import asyncio
import heapq
import math
import time
from itertools import count
from typing import Any, Final, NamedTuple, Protocol

from telemetry.span import HOUR_NS as HOUR_NS
from telemetry.span import MINUTE_NS as MINUTE_NS
from telemetry.span import SECOND_NS as SECOND_NS

_LONGEST_SLEEP_S: Final = 3600.0
_SET_BACK_S: Final = 1.0
_TICK_S: Final = 0.001
"""uvloop rounds to it: a nap of less than half of it ends at once, and is taken again until the moment has come."""


class Clock(Protocol):
    """UTC in integer nanoseconds, and a way to wait for a moment of it."""

    def now_ns(self) -> int:
        """The present moment of data time."""

    async def sleep_until(self, time_ns: int) -> None:
        """Wait until data time reaches ``time_ns``."""

    def hold(self) -> None:
        """Ask data time to stand still until ``release``; for work that a drill must not outrun. Counted."""

    def release(self) -> None:
        """Give back one ``hold``."""


class SystemClock:
    """The clock of the machine; a step of it is noticed within the next wake-up."""

    def now_ns(self) -> int:
        """UTC of the operating system."""
        return time.time_ns()  # the one place that reads the wall clock for data time

    async def sleep_until(self, time_ns: int) -> None:
        """Sleep in bounded naps, because the wall clock may be set meanwhile.

        Returns early when the clock was set back by more than a second: whoever waits for a moment of a schedule looks
        at the time again, instead of waiting for as long as the clock was ahead.
        """
        latest_s = time.monotonic() + (time_ns - self.now_ns()) / SECOND_NS + _SET_BACK_S
        while (left_s := (time_ns - self.now_ns()) / SECOND_NS) > 0:
            patience_s = latest_s - time.monotonic()
            if patience_s <= 0:
                return
            nap_s = min(left_s, patience_s, _LONGEST_SLEEP_S)
            await asyncio.sleep(math.ceil(nap_s / _TICK_S) * _TICK_S)

    def hold(self) -> None:
        """Real time waits for nobody."""

    def release(self) -> None:
        """Real time waits for nobody."""


class _Sleeper(NamedTuple):
    """Somebody who waits for a moment; ``order`` keeps first come, first served."""

    time_ns: int
    order: int
    woken: "asyncio.Future[None]"
    task: "asyncio.Task[Any] | None"


class LockstepClock:
    """Data time of a drill: it jumps to the next moment somebody waits for, once nobody is at work any more.

    A task that wakes from ``sleep_until`` is at work until it sleeps again or ends; ``hold`` and ``release`` mark work
    that outlives that, such as a batch that has not been acknowledged. ``speed`` bounds data seconds per real second;
    ``math.inf`` runs as fast as the work allows. Whatever the speed, the same things happen at the same data times.
    """

    def __init__(self, start_ns: int, speed: float = math.inf) -> None:
        if not speed > 0:
            raise ValueError(f"speed {speed}, expected more than 0")
        self._now_ns = start_ns
        self._speed = speed
        self._holds = 0
        self._at_work: set[asyncio.Task[Any]] = set()
        self._sleepers: list[_Sleeper] = []
        self._order = count()
        self._changed = asyncio.Event()

    def now_ns(self) -> int:
        """Data time: constant while anybody is at work."""
        return self._now_ns

    async def sleep_until(self, time_ns: int) -> None:
        """Sleep; the waking task holds the clock until it sleeps again or ends."""
        task = asyncio.current_task()
        woken: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        heapq.heappush(self._sleepers, _Sleeper(time_ns, next(self._order), woken, task))
        self._finished(task)
        await woken

    def hold(self) -> None:
        """Stop data time; counted."""
        self._holds += 1

    def release(self) -> None:
        """Give back one ``hold``; raises RuntimeError when there is none, since that is a bug of the caller."""
        if self._holds == 0:
            raise RuntimeError("clock released more often than held")
        self._holds -= 1
        self._changed.set()

    async def run(self, until_ns: int | None = None) -> None:
        """Let data time pass, to ``until_ns`` at most (for ever without); one task owns this."""
        while True:
            await self._quiet()
            due_ns = self._sleepers[0].time_ns
            if until_ns is not None and due_ns > until_ns:
                return
            await self._pace(due_ns)
            if self._is_quiet():
                self._now_ns = max(self._now_ns, self._sleepers[0].time_ns)
                self._wake()

    async def _quiet(self) -> None:
        while not self._is_quiet():
            self._changed.clear()
            await self._changed.wait()

    def _is_quiet(self) -> bool:
        while self._sleepers and self._sleepers[0].woken.done():
            heapq.heappop(self._sleepers)
        return not self._holds and not self._at_work and bool(self._sleepers)

    async def _pace(self, due_ns: int) -> None:
        ahead_s = (due_ns - self._now_ns) / SECOND_NS / self._speed
        if ahead_s > 0:
            await asyncio.sleep(ahead_s)

    def _wake(self) -> None:
        while self._sleepers and self._sleepers[0].time_ns <= self._now_ns:
            sleeper = heapq.heappop(self._sleepers)
            if sleeper.woken.done():
                continue
            if sleeper.task is not None:
                self._at_work.add(sleeper.task)
                sleeper.task.add_done_callback(self._finished)
            sleeper.woken.set_result(None)

    def _finished(self, task: "asyncio.Task[Any] | None") -> None:
        if task is not None:
            task.remove_done_callback(self._finished)
            self._at_work.discard(task)
        self._changed.set()
