"""The book of days: folds every commit into the slots of its days, keeps them in a file, and tells what they hold.

Folding is by slots, and idempotent: after a kill the commits that the file does not hold yet are folded again, and rows
that come twice count once. Of those nobody knows when they came first, so they count as received, never as in time.
"""

import sqlite3
import threading
from collections import OrderedDict
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Final, NamedTuple
from weakref import WeakKeyDictionary
from zoneinfo import ZoneInfo

import numpy as np
import structlog

from ingest.catalogue import Catalogue, Entry
from ingest.commit import Commit
from ingest.coverage import day as days
from ingest.coverage import roll, slots
from ingest.coverage.day import Counts, Day
from ingest.coverage.shelf import Head, Shelf
from ingest.qc.control import misdated
from ingest.store.protocol import Store
from telemetry.batch import I64, MILLISECOND_NS, Mask
from telemetry.quality import Quality
from telemetry.topics import is_derived

_LOG: Final = structlog.get_logger(__name__)
_MOST_BYTES: Final = 128_000_000
_HOUR_MS: Final = 3_600_000
_DAY_MS: Final = 24 * _HOUR_MS
_MOST_REMEMBERED: Final = 2_000_000


class _Readings(NamedTuple):
    """Readings with a value, in the order of their commits; columns (n,), ``place`` in the roll."""

    place: I64
    time_ms: I64
    good: Mask
    timely: Mask


class DayBook:
    """Thread-safe. ``timely_ms``: within which time of its sample a reading must be committed to count as in time."""

    def __init__(self, path: Path, catalogue: Catalogue, timezone: str, timely_ms: int) -> None:
        """Open or make the file; one that can't be read is moved aside, and counting begins anew: alarms go first."""
        self.timely_ms = timely_ms
        self.zone = ZoneInfo(timezone)
        self.trouble = ""
        self._catalogue = catalogue
        self._lock = threading.Lock()
        self._revision = -1
        self._open: OrderedDict[date, Day] = OrderedDict()
        self._by_roll: WeakKeyDictionary[Day, I64] = WeakKeyDictionary()
        self._remembered: dict[bytes, I64] = {}
        self._remembered_rows = 0
        self._shelf, head = _opened(path)
        self._cursor = head.cursor if head else -1
        self._written_ms = head.written_ms if head else 0
        self._now_ms = self._written_ms
        self.since_ms = head.since_ms if head else 0
        self._roll = roll.unpacked(head.roll) if head else roll.nobody()

    def restore(self, store: Store, now_ns: int) -> None:
        """Count what was committed after the file was written last; a new book begins with the commits to come."""
        self._begin(store, now_ns)
        self._catch_up(store, now_ns)
        self.flush()  # from here on a kill finds where counting began

    def _begin(self, store: Store, now_ns: int) -> None:
        with self._lock:
            if self._cursor < 0:
                self._cursor, self.since_ms = store.last_commit(), now_ns // MILLISECOND_NS
            self._now_ms = max(self._now_ms, now_ns // MILLISECOND_NS)
            self._learn(self._now_ms)

    def _catch_up(self, store: Store, now_ns: int) -> None:
        with self._lock:
            cursor, since_ns = self._cursor, self._written_ms * MILLISECOND_NS
        if store.last_commit() <= cursor:
            return
        for commit in store.recent(since_ns):  # also what a store no longer holds by the number of its commit
            self._take(commit, None, now_ns)
        for commit in store.rows_after(cursor):
            self.take(commit, None, now_ns)

    def take(self, commit: Commit, arrived_ns: int | None, now_ns: int) -> None:
        """Count a commit; ``arrived_ns`` is when it was made, None where that is not known any more."""
        if not commit.stored or commit.number > self._cursor:
            self._take(commit, arrived_ns, now_ns)
            self._cursor = max(self._cursor, commit.number)

    def _take(self, commit: Commit, arrived_ns: int | None, now_ns: int) -> None:
        with self._lock:
            self._now_ms = now_ns // MILLISECOND_NS
            self._learn(self._now_ms)
            if (rows := self._readings(commit, arrived_ns, now_ns)) is not None:
                self._roll.meet(rows.place, rows.time_ms)
                for day in self._days(rows.time_ms):
                    self._fold(self._day(day), rows)

    def _fold(self, day: Day, rows: _Readings) -> None:
        if not len(day.layout.series):
            return
        if day not in self._by_roll:
            self._by_roll[day] = day.places(self._roll.series)
        place = self._by_roll[day][rows.place]
        number = slots.numbers(rows.time_ms, day.layout.phase_ms[place], day.layout.width_ms[place])
        day.fold(place, number, rows.good, rows.timely)

    def counts(self, day: date, now_ns: int) -> tuple[I64, Counts]:
        """The series of a day (identities) and their counts: of today, what should have come in time by now."""
        with self._lock:
            self._learn(now_ns // MILLISECOND_NS)
            found = self._day(day).copy()
        return found.layout.series, found.counts(now_ns // MILLISECOND_NS - self.timely_ms)

    def is_counted(self, day: date, now_ns: int) -> bool:
        """Whether anything of a day was, or could have been, counted: not before counting began, not in the future."""
        begin, end = slots.bounds(day, self.zone)
        return end > self.since_ms and begin <= now_ns // MILLISECOND_NS

    def flush(self) -> None:
        """Write what changed; where the disk does not take it, say so once, and try again the next time."""
        with self._lock:
            dirty = [found for found in self._open.values() if found.dirty]
            copies = [found.copy() for found in dirty]
            head = Head(self._cursor, self.since_ms, self._now_ms, self._roll.packed())
            for found in dirty:
                found.dirty = False
        problem = self._written(head, copies)
        if problem and not self.trouble:
            _LOG.error("the book of days can't be written, will try again", reason=problem)
        self.trouble = problem

    def close(self) -> None:
        """Write what changed and give the file free."""
        self.flush()
        self._shelf.close()

    def _written(self, head: Head, copies: list[Day]) -> str:
        try:
            self._shelf.write(head, {found.day: found.packed() for found in copies})
        except sqlite3.Error as exc:
            with self._lock:
                for found in copies:
                    self._open[found.day].dirty = True
            return str(exc)
        self._forget()
        return ""

    def _forget(self) -> None:
        """Close the days that nobody has asked for longest, as many as are too many, of those that are written."""
        with self._lock:
            for day, found in list(self._open.items()):
                if sum(one.size for one in self._open.values()) <= _MOST_BYTES or len(self._open) <= 1:
                    return
                if not found.dirty:
                    del self._open[day]

    def _learn(self, now_ms: int) -> None:
        if self._revision == self._catalogue.revision:
            return
        self._revision = self._catalogue.revision
        self._roll = self._roll.called((one for one in self._catalogue.entries() if is_measured(one)), now_ms)
        self._by_roll, self._remembered, self._remembered_rows = WeakKeyDictionary(), {}, 0
        for day, found in self._open.items():
            self._open[day] = found.relaid(self._roll.layout(*slots.bounds(day, self.zone), found.layout))

    def _places(self, series: I64) -> I64:
        """Places in the roll; a poll names the same series each time, so they are remembered by the bytes."""
        key = series.tobytes()
        if key not in self._remembered:
            if self._remembered_rows > _MOST_REMEMBERED:
                self._remembered, self._remembered_rows = {}, 0
            self._remembered[key] = self._roll.places(series)
            self._remembered_rows += len(series)
        return self._remembered[key]

    def _readings(self, commit: Commit, arrived_ns: int | None, now_ns: int) -> _Readings | None:
        if not commit.batches:
            return None
        time_ns, quality, cause = (
            np.concatenate([getattr(batch, name) for batch in commit.batches])
            for name in ("time_ns", "quality", "cause")
        )
        place = np.concatenate([self._places(batch.series) for batch in commit.batches])
        read = (place >= 0) & (quality < Quality.MISSING) & ~misdated(time_ns, quality, cause, now_ns)
        late_ns = np.full(len(time_ns), 2**62) if arrived_ns is None else arrived_ns - time_ns
        timely = late_ns <= self.timely_ms * MILLISECOND_NS
        return _Readings(place[read], time_ns[read] // MILLISECOND_NS, (quality == Quality.GOOD)[read], timely[read])

    def _days(self, time_ms: I64) -> Iterator[date]:
        """The days that readings may belong to: by half a period, a reading may stand for the day before or after."""
        if not len(time_ms):
            return iter(())
        begin, end = int(time_ms.min()), int(time_ms.max())
        hours = [begin, end] if end - begin < _DAY_MS else (np.unique(time_ms // _HOUR_MS) * _HOUR_MS).tolist()
        reach = (_HOUR_MS, 0, -_HOUR_MS)
        found = {slots.day_of(hour + more, self.zone) for hour in hours for more in reach}
        return (day for day in sorted(found) if slots.bounds(day, self.zone)[1] > self.since_ms)

    def _day(self, day: date) -> Day:
        if day not in self._open:
            body = self._shelf.day(day)
            stored = None if body is None else days.unpacked(day, body)
            layout = self._roll.layout(*slots.bounds(day, self.zone), None if stored is None else stored.layout)
            self._open[day] = Day(day, layout) if stored is None else stored.relaid(layout)
        self._open.move_to_end(day)
        return self._open[day]


def is_measured(entry: Entry) -> bool:
    """Whether a series is measured at a station, and not derived from others at the centre."""
    return not is_derived(entry.source)


def _opened(path: Path) -> tuple[Shelf, Head | None]:
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        return _read(path)
    except (sqlite3.DatabaseError, ValueError) as exc:
        aside = next(aside for n in range(1, 1_000) if not (aside := path.with_name(f"{path.name}.bad{n}")).exists())
        _LOG.error("the book of days can't be read: set aside, counting begins anew", file=str(aside), reason=str(exc))
        path.replace(aside)
        for rest in ("-wal", "-shm"):
            path.with_name(path.name + rest).unlink(missing_ok=True)
        return _read(path)


def _read(path: Path) -> tuple[Shelf, Head | None]:
    shelf = Shelf(path)
    try:
        head = shelf.head()
        if head is not None:
            roll.unpacked(head.roll)
    except (sqlite3.Error, ValueError):
        shelf.close()
        raise
    return shelf, head
