"""The time of readings: whether the clock may be believed, when it was set, what waits until it is known (ADR 0007).

The reference is the time since boot, which nobody sets and which goes on while the machine sleeps. A clock that is
neither kept right by anything nor between ``EARLIEST_NS`` and ``LATEST_NS`` was never set: what is read meanwhile is
kept (on disk) with its time since boot, and leaves with its real time once that is known.
"""

import asyncio
import ctypes
import time
from collections import deque
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Final, Protocol

import numpy as np
import structlog

from gateway.spool import Spool
from gateway.spool.sync import INTERVAL_S
from gateway.untimed import Untimed
from telemetry.batch import MILLISECOND_NS, Batch
from telemetry.clock import HOUR_NS, MINUTE_NS, SECOND_NS, SystemClock
from telemetry.health import ClockHealth
from telemetry.quality import Cause, Quality
from telemetry.wire import Lane

_LOG = structlog.get_logger()
EARLIEST_NS: Final = 1_793_491_200 * SECOND_NS
"""2026-11-01: this software did not exist before, so a clock that says so was never set. Raised with each release."""
LATEST_NS: Final = EARLIEST_NS + 20 * 366 * 24 * HOUR_NS
"""No box is that old: a clock whose battery has died may wake at any date, and what is stamped in 2099 stays there."""
_STEP_NS: Final = SECOND_NS // 2
"""A clock that is kept right drifts and is steered far more slowly than so much between two looks: it was set."""
_SETTLING_NS: Final = 10 * SECOND_NS
"""After a step: rows of polls that were under way carry a time of before it, of after it, or of neither."""
_AHEAD_NS: Final = MINUTE_NS
"""As the centre's quality control."""
_LOOK_S: Final = 1.0
_SYNC_S: Final = 1.0
"""Longer than the group sync of the spool takes."""
_UNSYNCHRONISED: Final = 0x40
"""STA_UNSYNC (adjtimex(2))."""
_BOOT_ID: Final = Path("/proc/sys/kernel/random/boot_id")


class Machine(Protocol):
    """What a computer knows of time."""

    boot_id: str
    """Which start of the machine this is."""

    def wall_ns(self) -> int:
        """UTC, as far as the machine knows."""

    def boot_ns(self) -> int:
        """Since this start; nobody sets it."""

    def synchronised(self) -> bool:
        """Whether something keeps the clock right."""


class _Timex(ctypes.Structure):
    """``struct timex`` up to its status; the rest is longer on some machines."""

    _fields_ = (
        ("modes", ctypes.c_uint),
        ("offset", ctypes.c_long),
        ("freq", ctypes.c_long),
        ("maxerror", ctypes.c_long),
        ("esterror", ctypes.c_long),
        ("status", ctypes.c_int),
        ("rest", ctypes.c_byte * 256),
    )


class LinuxMachine:
    """This machine. The kernel knows whether timesyncd, chrony (``rtcsync``), ntpd or a GPS receiver keeps it right."""

    def __init__(self) -> None:
        self.boot_id = _BOOT_ID.read_text(encoding="ascii").strip()
        self._libc = ctypes.CDLL(None)
        self._clock = SystemClock()

    def wall_ns(self) -> int:
        """UTC of the operating system."""
        return self._clock.now_ns()

    def boot_ns(self) -> int:
        """CLOCK_BOOTTIME, which counts while the machine is suspended too."""
        return time.clock_gettime_ns(time.CLOCK_BOOTTIME)

    def synchronised(self) -> bool:
        """Only reads; where even that is forbidden, nothing is known of the clock."""
        timex = _Timex()
        return self._libc.adjtimex(ctypes.byref(timex)) >= 0 and not timex.status & _UNSYNCHRONISED


class Timekeeper:
    """Looks at the clock of a machine; every batch passes it. ``on_set`` is told the new time when that is earlier."""

    def __init__(self, machine: Machine, folder: Path, source: str, on_set: Callable[[int], None]) -> None:
        """``folder`` is where rows wait; what an earlier boot left there has no time any more and is set aside."""
        self._machine = machine
        self._on_set = on_set
        self._untimed = Untimed(folder, source, machine.boot_id, machine.boot_ns)
        self._offset_ns = machine.wall_ns() - machine.boot_ns()
        self._steps, self._last_step_ns = 0, 0
        self._settled_ns = 0
        self._was_unset = False
        self._moved_s = 0.0
        self._leaps: deque[tuple[int, int]] = deque(maxlen=8)
        self._synchronised, self._known = False, True
        self.look()

    def look(self) -> None:
        """Notice what has become of the clock."""
        boot_ns = self._machine.boot_ns()
        wall_ns = self._machine.wall_ns()
        moved_ns, before_ns = wall_ns - boot_ns - self._offset_ns, boot_ns + self._offset_ns
        self._offset_ns += moved_ns
        self._synchronised = self._machine.synchronised()
        if abs(moved_ns) >= _STEP_NS:
            self._stepped(before_ns, wall_ns, boot_ns)
        known = self._synchronised or EARLIEST_NS <= wall_ns < LATEST_NS
        if known is not self._known:
            _LOG.warning("clock known" if known else "clock was never set: rows are held", wall_ns=wall_ns)
        self._known = known

    def admit(self, batch: Batch) -> Batch | None:
        """The batch as it may leave; None when it has to wait, or tells of moments that there never were."""
        self.look()
        batch = self._without_leaps(batch)
        if not len(batch):
            return None
        if self._known:
            return self._flagged(batch)
        self._untimed.put(self._since_boot(batch))
        return None

    def health(self) -> ClockHealth:
        """For the status."""
        return ClockHealth(
            synchronised=self._synchronised,
            known=self._known,
            steps=self._steps,
            last_step_s=self._last_step_ns / SECOND_NS,
            held_rows=self._untimed.rows,
            lost_rows=self._untimed.lost_rows,
        )

    def note(self) -> str | None:
        """What people should know of the clock; None when it may be believed."""
        if not self._known:
            return (
                f"the clock was never set: {self._untimed.rows} rows wait for it, expected NTP, or somebody to set it"
            )
        if lost := self._untimed.lost_rows:
            return f"{lost} rows were lost that had no time; what is left of them: {self._untimed.folder}"
        return None

    async def run(self, spool: Spool, notify: Callable[[], None]) -> None:
        """Look every second; as soon as the time is known, what was held goes to ``spool`` as backlog: ``notify``."""
        while True:
            self.look()
            spool.believes_clock = self._synchronised
            await self._untimed.sync()
            if self._known and self._untimed.rows:
                self._release(spool, notify)
            await asyncio.sleep(INTERVAL_S if self._untimed.rows else _LOOK_S)

    async def kept(self) -> None:
        """Wait until what is held survives a power cut; the deadline is the caller's."""
        await self._untimed.kept()

    def close(self) -> None:
        """What still waits stays on disk."""
        self._untimed.close()

    def _release(self, spool: Spool, notify: Callable[[], None]) -> None:
        """Into the spool first, and forgotten when that is on disk: a crash in between sends rows twice, not never."""
        moved = 0
        for batch in self._untimed.read():
            spool.append(self._rebased(batch), Lane.BACKLOG)
            moved += len(batch)
        if moved:
            notify()
            self._moved_s = time.monotonic()
            _LOG.warning("held rows have their time", rows=moved)
        elif time.monotonic() - self._moved_s >= _SYNC_S and not spool.unsynced():
            self._untimed.forget()

    def _stepped(self, before_ns: int, now_ns: int, boot_ns: int) -> None:
        self._steps += 1
        self._last_step_ns = now_ns - before_ns
        self._settled_ns = boot_ns + _SETTLING_NS
        self._was_unset = not EARLIEST_NS <= before_ns < LATEST_NS
        _LOG.warning("clock was set", step_s=self._last_step_ns / SECOND_NS, synchronised=self._synchronised)
        if now_ns > before_ns:
            self._leaps.append((before_ns, now_ns))
        else:
            self._on_set(now_ns)

    def _without_leaps(self, batch: Batch) -> Batch:
        """A clock that is set forward jumps over moments: no poll was due at them, so none was missed."""
        if not self._leaps or int(batch.quality.max()) < Quality.MISSING:
            return batch
        missed = (batch.quality == Quality.MISSING) & (batch.cause & int(Cause.COMMS) > 0)
        skipped = np.zeros(len(batch), np.bool_)
        for first_ns, last_ns in self._leaps:
            skipped |= (batch.time_ns > first_ns) & (batch.time_ns < last_ns)
        return batch.take(~(missed & skipped)) if skipped.any() else batch

    def _flagged(self, batch: Batch) -> Batch:
        """Say what is doubtful about the times; only those that can't be are replaced, by the moment of arrival."""
        boot_ns = self._machine.boot_ns()
        now_ns = boot_ns + self._offset_ns
        common = 0 if self._synchronised else int(Cause.UNSYNCED)
        if boot_ns < self._settled_ns:
            common |= int(Cause.CLOCK)
            impossible = (batch.time_ns < EARLIEST_NS) | (batch.time_ns >= LATEST_NS)
            if self._was_unset and impossible.any():
                arrived_ns = now_ns // MILLISECOND_NS * MILLISECOND_NS
                batch = replace(batch, time_ns=np.where(impossible, arrived_ns, batch.time_ns))
        ahead = batch.time_ns > now_ns + _AHEAD_NS
        if not ahead.any():
            return replace(batch, cause=batch.cause | np.uint16(common)) if common else batch
        quality = np.where(ahead, np.uint8(Quality.SUSPECT), np.uint8(Quality.UNCHECKED))
        return batch.flagged(quality, np.where(ahead, common | int(Cause.CLOCK), common).astype(np.uint16))

    def _since_boot(self, batch: Batch) -> Batch:
        """Our own stamps as times since boot; the times that devices sent stay what they are."""
        since_ns = batch.time_ns - self._offset_ns
        ours = (since_ns >= -SECOND_NS) & (since_ns <= self._machine.boot_ns() + SECOND_NS)
        times = np.where(ours, np.maximum(since_ns, 0) // MILLISECOND_NS * MILLISECOND_NS, batch.time_ns)
        return replace(batch, time_ns=times, answered_ns=0)

    def _rebased(self, batch: Batch) -> Batch:
        """Times since boot as UTC, never later than now; flagged, since the clock was set only afterwards."""
        boot_ns = self._machine.boot_ns()
        real_ns = (np.minimum(batch.time_ns, boot_ns) + self._offset_ns) // MILLISECOND_NS * MILLISECOND_NS
        times = np.where(batch.time_ns <= boot_ns + SECOND_NS, real_ns, batch.time_ns)
        flags = np.full(len(batch), int(Cause.CLOCK), np.uint16)
        return replace(batch, time_ns=times).flagged(batch.quality, flags)
