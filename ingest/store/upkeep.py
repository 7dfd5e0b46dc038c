"""Upkeep of the DuckDB store: days are closed into files, late rows merged, old rows let go, beside reads and commits.

    open rows --+--> rows of the day --> hours --> [days + daily, one transaction] --> open rows swept, in small steps
    old file  --+    written aside, synced, renamed        |
                                                           +-- the old file goes when nobody reads it any more

Killed at any step, the store holds either the day as it was or as it is now: what is written counts from that one
transaction on. Rows that are in a file and not swept yet are the same row twice, of which every read shows one.
"""

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Final, NamedTuple
from zlib import crc32

import numpy as np
import structlog

from ingest.store import _day_queries as sql
from ingest.store._duckdb_file import Connection, DuckDBFile
from ingest.store._gate import Gate
from ingest.store.days import DAY_MS, Day, Days, crc_of, sync
from telemetry.batch import I64, MILLISECOND_NS
from telemetry.clock import HOUR_NS

_LOG: Final = structlog.get_logger(__name__)
_SWEEP_ROWS: Final = 50_000
_OPEN: Final = """
SELECT time_ms // 86400000, max(commit_no), min(commit_no) FROM samples
WHERE commit_no <= ? AND time_ms >= 0 AND time_ms < ? GROUP BY 1 ORDER BY 1
"""
_SWEPT: Final = "samples WHERE commit_no <= $upto AND time_ms >= $start AND time_ms < $stop"
_INSERT: Final = f"INSERT INTO days VALUES ({', '.join(f'${one.name}' for one in fields(Day))})"  # noqa: S608
_SWEPT_SPAN: Final = f"SELECT count(*), min(commit_no), max(commit_no) FROM {_SWEPT}"  # noqa: S608 - of constants


class Expiry(NamedTuple):
    """Rows of these series older than a number of days are let go; their hours and days stay."""

    series: I64
    days: int


@dataclass(slots=True, kw_only=True)
class Timing:
    """When: a day is closed so long after its end, and merged with late rows so often at most, in data time."""

    close_ns: int = 2 * HOUR_NS
    merge_ns: int = HOUR_NS
    patience_s: float = 5.0
    """Real time to wait for readers, before rows are swept in a later pass."""


class Upkeep:
    """One pass after another, by one thread at a time; ``passed`` is the last commit that the engine is past."""

    def __init__(self, file: DuckDBFile, days: Days, gate: Gate, timing: Timing | None = None) -> None:
        self.passed = 0
        self.timing = timing or Timing()
        self.on_step: Callable[[str], None] = lambda _: None
        """Called before each step that a kill could come between; for tests."""
        self.last_s = 0.0
        """How long the last day took, in seconds."""
        self._file, self._days, self._gate = file, days, gate
        self._turn = threading.Lock()
        self._keeper: Connection | None = None
        self._stopped = False
        self._merged_ns: dict[int, int] = {}
        self._retired: list[tuple[int, Path]] = []
        days.remove(days.orphans())

    def run(self, now_ns: int, upto: int | None = None, expiries: Sequence[Expiry] = ()) -> int:
        """One pass: close, merge, let go, sweep; how many files were written. Raises StoreRefusedError.

        Only rows up to commit ``upto`` are touched; without it, up to the one that the engine is past.
        """
        with self._turn:
            if self._stopped:
                return 0
            done = self._close(now_ns, self.passed if upto is None else min(upto, self.passed))
            done += self._forget(now_ns, expiries)
            self._remove_retired()
            return done

    def stop(self) -> None:
        """End a pass that is under way, and allow none after it: what it had not finished, the next start does."""
        self._stopped = True
        keeper = self._keeper
        if keeper is not None:
            keeper.interrupt()
        with self._turn:
            return

    def _close(self, now_ns: int, upto: int) -> int:
        before = (now_ns - self.timing.close_ns) // MILLISECOND_NS // DAY_MS * DAY_MS
        with self._file.reading() as reader:
            found = reader.execute(_OPEN, [upto, before]).fetchall()
        done = 0
        for number, newest, oldest in found:
            day = self._days.by_day.get(number)
            if day is None:
                done += self._write(number, upto, oldest, None)
            elif newest > day.upto and self._is_due(day, now_ns):
                done += self._write(number, upto, min(oldest, day.first_commit), day)
            if (written := self._days.by_day.get(number)) is not None:
                self._sweep(written)
        return done

    def _is_due(self, day: Day, now_ns: int) -> bool:
        last = self._merged_ns.get(day.day)
        if (last is not None and 0 <= now_ns - last < self.timing.merge_ns) or not self._days.is_sound(day):
            return False
        self._merged_ns[day.day] = now_ns
        return True

    def _forget(self, now_ns: int, expiries: Sequence[Expiry]) -> int:
        """Rewrite the days that hold rows of series whose time is over."""
        done, today = 0, now_ns // MILLISECOND_NS // DAY_MS
        for number, day in sorted(self._days.by_day.items()):
            over = [one.series for one in expiries if number < today - one.days and len(one.series)]
            if not over or not day.rows:
                continue
            series = np.unique(np.concatenate(over))
            mark = crc32(series.tobytes()) + 1
            if mark != day.forgotten and self._days.is_sound(day):
                done += self._write(number, day.upto, day.first_commit, day, forget=(mark, series))
        return done

    def _write(
        self, number: int, upto: int, oldest: int, old: Day | None, *, forget: tuple[int, I64] | None = None
    ) -> int:
        """Write a day's files and let them count."""
        begun_s = time.monotonic()
        generation = 1 if old is None else old.generation + 1
        self._days.folder.mkdir(exist_ok=True)
        with self._gate.inside(), self._file.reading() as keeper:
            self._keeper = keeper
            try:
                day = self._made(keeper, number, generation, upto, oldest, old, forget)
            finally:
                self._keeper = None
        self._days.by_day = {**self._days.by_day, number: day}
        if old is not None:
            mark_now = self._gate.mark()
            self._retired += [(mark_now, path) for path in (self._days.rows_path(old), self._days.hours_path(old))]
        self.last_s = time.monotonic() - begun_s
        _LOG.info("day closed", day=day.name, rows=day.rows, seconds=round(self.last_s, 2), generation=generation)
        return 1

    def _made(
        self,
        keeper: Connection,
        number: int,
        generation: int,
        upto: int,
        oldest: int,
        old: Day | None,
        forget: tuple[int, I64] | None,
    ) -> Day:
        rows, hours = (self._days.path(number, generation, kind) for kind in ("rows", "hours"))
        self._write_rows(keeper, rows, number, upto, old, forget)
        self.on_step("hours")
        kept = [] if old is None else [self._days.hours_path(old)]
        self._put(keeper, hours, lambda part: sql.write_hours(part, rows, kept), {})
        sync(self._days.folder)
        mark = old.forgotten if old is not None and forget is None else (forget or (0,))[0]
        day = self._described(keeper, number, generation, upto, oldest, old, mark)
        self.on_step("swap")
        self._swap(keeper, day, hours)
        self.on_step("swapped")
        return day

    def _write_rows(
        self, keeper: Connection, target: Path, number: int, upto: int, old: Day | None, forget: tuple[int, I64] | None
    ) -> None:
        kept = "true"
        if forget is not None:
            keeper.register("forgotten", {"series": forget[1]})
            kept = "series NOT IN (SELECT series FROM forgotten)"
        elif old is not None and old.forgotten:  # late rows of a series whose rows are gone can't be told from them
            keeper.execute(sql.gone(self._days.hours_path(old), self._days.rows_path(old)))
            kept = "series NOT IN (SELECT series FROM gone)"
        span = f"commit_no <= {upto} AND time_ms >= {number * DAY_MS} AND time_ms < {(number + 1) * DAY_MS}"
        if forget is not None:
            span = "false"
        files = [] if old is None else [self._days.rows_path(old)]
        self.on_step("rows")
        self._put(keeper, target, lambda part: sql.write_rows(part, files, span, kept), {"upto": upto})

    def _put(
        self, keeper: Connection, target: Path, written: Callable[[Path], str], arguments: Mapping[str, int]
    ) -> None:
        """A file that is there in full, on the disk, or not at all."""
        part = target.with_name(target.name + ".part")
        keeper.execute(written(part), arguments)
        self.on_step("part")
        sync(part)
        part.rename(target)

    def _described(
        self, keeper: Connection, number: int, generation: int, upto: int, oldest: int, old: Day | None, mark: int
    ) -> Day:
        rows, hours = (self._days.path(number, generation, kind) for kind in ("rows", "hours"))
        count, missing = keeper.execute(
            f"SELECT count(*), count(*) FILTER (quality = 4) FROM read_parquet({sql.quoted(rows)})"  # noqa: S608
        ).fetchall()[0]
        first, last = keeper.execute(
            f"SELECT min(first_ms), max(last_ms) FROM read_parquet({sql.quoted(hours)})"  # noqa: S608
        ).fetchall()[0]
        return Day(
            day=number,
            generation=generation,
            upto=upto,
            rows=count,
            missing=missing,
            first_commit=oldest,
            first_ms=first if first is not None else (old.first_ms if old else number * DAY_MS),
            last_ms=last if last is not None else (old.last_ms if old else number * DAY_MS),
            rows_bytes=rows.stat().st_size,
            rows_crc=crc_of(rows),
            hours_bytes=hours.stat().st_size,
            hours_crc=crc_of(hours),
            forgotten=mark,
        )

    def _swap(self, keeper: Connection, day: Day, hours: Path) -> None:
        keeper.begin()
        keeper.execute("DELETE FROM days WHERE day = $day", {"day": day.day})
        keeper.execute("DELETE FROM daily WHERE day = $day", {"day": day.day})
        keeper.execute(_INSERT, {one.name: getattr(day, one.name) for one in fields(Day)})
        keeper.execute(sql.INSERT_DAILY.format(hours=sql.quoted(hours)), {"day": day.day})
        keeper.commit()

    def _sweep(self, day: Day) -> None:
        """Delete open rows that are in a day's file, some thousands at once: a large delete holds up commits."""
        mark = self._gate.mark()
        span = {"upto": day.upto, "start": day.day * DAY_MS, "stop": (day.day + 1) * DAY_MS}
        with self._file.reading() as keeper:
            count, first, last = keeper.execute(_SWEPT_SPAN, span).fetchall()[0]
            if not count or not self._quiet(mark):
                return
            steps = np.linspace(first, last + 1, -(-count // _SWEEP_ROWS) + 1).astype(np.int64)
            for begin, end in zip(steps[:-1].tolist(), steps[1:].tolist(), strict=True):
                if self._stopped:
                    return
                self.on_step("sweep")
                keeper.execute(
                    f"DELETE FROM {_SWEPT} AND commit_no >= $begin AND commit_no < $end",  # noqa: S608
                    span | {"begin": begin, "end": end},
                )

    def _quiet(self, mark: int) -> bool:
        """Wait a little for readers that chose what to read before a mark; else the next pass sweeps."""
        until_s = time.monotonic() + self.timing.patience_s
        while not self._gate.is_past(mark):
            if time.monotonic() > until_s:
                return False
            time.sleep(0.01)
        return True

    def _remove_retired(self) -> None:
        gone = [(mark, path) for mark, path in self._retired if self._gate.is_past(mark)]
        self._days.remove(path for _, path in gone)
        self._retired = [one for one in self._retired if one not in gone]
