"""DuckDB as the store: one file, one owner process, rows and committed batch numbers in one transaction."""

import os
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import duckdb
import numpy as np

from ingest.commit import Commit
from ingest.store import _duckdb_queries as sql
from ingest.store import check, schema
from ingest.store._day_choice import choose
from ingest.store._day_queries import closed
from ingest.store._day_queries import rows as rows_of
from ingest.store._duckdb_columns import Columns, ceil_ms, commits, day_commits, later_of_each, plain, sample_columns
from ingest.store._duckdb_file import Connection, DuckDBFile
from ingest.store._gate import Gate
from ingest.store.days import HOUR_MS, Day, Days, days_in
from ingest.store.hourly import Hours
from ingest.store.ledger import Ledger, range_columns, ranges_of
from ingest.store.protocol import Buckets, CommitResult, Points, Spans, StoreInfo, StoreRefusedError, Tally
from ingest.store.upkeep import Upkeep
from telemetry.batch import I64, MILLISECOND_NS, Batch
from telemetry.quality import Cause, Quality

_PAGE_ROWS: Final = 200_000
_COMPACT_RANGES: Final = 20_000
_KEPT_ANNOUNCEMENTS: Final = 16
_DAY_ROWS: Final = 5_000_000
_ALL: Final = 2**62
_ALWAYS_MS: Final = -(2**62)


class DuckDBStore:
    """The store in one DuckDB file; ``ingest.store.protocol.Store`` says what the methods promise."""

    def __init__(
        self, path: Path, *, memory_limit: str = "2GB", compact_ranges: int = _COMPACT_RANGES, keep_free: int = 0
    ) -> None:
        """Open or make the file; raises StoreOpenError. ``compact_ranges``: merge them in the file beyond so many.

        ``keep_free`` bytes of its disk are left to others: rows fill a disk, and must not take the room of the alarms.
        """
        self._compact_ranges = compact_ranges
        self._keep_free = keep_free
        self._committing = threading.Lock()
        self._ledger = Ledger({})
        self._gate = Gate()
        self.days = Days(path.with_name(path.name + ".days"))
        self._file = DuckDBFile(path, memory_limit, self._load)
        self.days.look()
        self.upkeep = Upkeep(self._file, self.days, self._gate)

    def commit(self, batches: Sequence[Batch]) -> CommitResult:
        """Write what is new of a group; after StoreRefusedError, committing the same group again is always right."""
        with self._committing:
            self._leave_room()
            self._file.ready()
            ledger = self._ledger
            if ledger.written > self._compact_ranges + 2 * ledger.merged_count:
                self._compact(ledger)
            fresh = ledger.fresh(batches)
            taken = [batch for batch, new in zip(batches, fresh, strict=True) if new]
            number = ledger.last + 1 if taken else 0
            if taken:
                self._write(ledger, number, taken)
            return CommitResult(number=number, fresh=fresh, rows=sum(map(len, taken)))

    def is_committed(self, source: str, epoch: int, seq: int) -> bool:
        """Whether a batch is part of the record."""
        return (source, epoch, seq) in self._ledger

    def last_commit(self) -> int:
        """The number of the newest commit, 0 in an empty store."""
        return self._ledger.last

    def rows_after(self, number: int, limit: int | None = None) -> Iterator[Commit]:
        """The commits after a number, in order; read in pages of about 200,000 rows."""
        left = limit
        while left is None or left > 0:
            page = self._page(number, _ALWAYS_MS, None)
            yield from page[:left]
            if not page:
                return
            number = page[-1].number
            left = None if left is None else left - len(page)

    def passed(self, number: int) -> None:
        """Open rows keep the number of their commit, those in the file of a day do not: none is closed before this."""
        self.upkeep.passed = max(self.upkeep.passed, number)

    def recent(self, since_ns: int, upto: int | None = None) -> Iterator[Commit]:
        """Rows sampled since a moment: those of closed days by gateway and series, then open ones commit by commit."""
        number, start = 0, ceil_ms(since_ns)
        names = {number: name for name, number in self._ledger.sources.items()}
        for day in self.days.within(start, _ALL):
            for at in range(0, day.rows, _DAY_ROWS):
                yield from day_commits(self._day_page(day, at, start), names)
        while page := self._page(number, start, upto):
            yield from page
            number = page[-1].number

    def points(self, series: int, from_ns: int, to_ns: int, most: int | None = None) -> Points:
        """Samples of one series in time order, all of them or the first ``most``."""
        limit = _ALL if most is None else most
        asked = {"series": series, "start": ceil_ms(from_ns), "stop": ceil_ms(to_ns), "most": limit}
        return Points(**self._columns(sql.POINTS, asked))

    def samples(self, series: I64, from_ns: int, to_ns: int) -> Points:
        """Samples of many series, ordered by series and time; of two at one time, the one committed last."""
        span = {"start": ceil_ms(from_ns), "stop": ceil_ms(to_ns)}
        with self._rows(**span) as (reader, rows):
            reader.register("asked", {"series": np.unique(series)})
            found = plain(reader.execute(sql.SAMPLES.format(rows=rows), span))
        return Points(**later_of_each(found))

    def hours(self, series: I64, from_ns: int, to_ns: int) -> Hours:
        """Hours of many series, ordered by series and time."""
        start, stop = (-(-ceil_ms(at) // HOUR_MS) * HOUR_MS for at in (from_ns, to_ns))
        with self.reading() as reader:
            reader.register("asked", {"series": np.unique(series)})
            open_days = _numbers(reader.execute(sql.OPEN_DAYS_OF_ASKED, {"start": start, "stop": stop}))
            chosen = choose(self.days, open_days, start, stop, HOUR_MS)
            found = plain(reader.execute(chosen.hours_sql(), {"start": start, "stop": stop}))
        by_quality = np.stack([found.pop(quality.name.lower()) for quality in Quality], axis=1)
        return Hours(by_quality=by_quality, **found)

    def buckets(self, series: int, from_ns: int, to_ns: int, every_ns: int) -> Buckets:
        """Samples of one series per bucket, from hours and days where those are enough; ValueError below 1 ms."""
        if every_ns < MILLISECOND_NS:
            raise ValueError(f"buckets of {every_ns} ns, expected at least {MILLISECOND_NS}")
        span = {"series": series, "start": ceil_ms(from_ns), "stop": ceil_ms(to_ns)}
        every = every_ns // MILLISECOND_NS
        with self.reading() as reader:
            open_days = _numbers(reader.execute(sql.OPEN_DAYS, span))
            unit = every if every * MILLISECOND_NS == every_ns else 1
            chosen = choose(self.days, open_days, span["start"], span["stop"], unit)
            return Buckets(**plain(reader.execute(chosen.buckets_sql(), span | {"every": every})))

    def latest(self, since_ns: int, until_ns: int | None = None) -> Points:
        """The newest sample of every series since a moment; of two at one time, the one committed last."""
        stop = _ALL if until_ns is None else ceil_ms(until_ns)
        doubted = {"clock": int(Cause.CLOCK), "suspect": int(Quality.SUSPECT)}
        return Points(**self._columns(sql.LATEST, {"start": ceil_ms(since_ns), "stop": stop} | doubted))

    def spans(self) -> Spans:
        """From when to when rows of each series are held."""
        with self._file.reading() as reader:
            return Spans(**plain(reader.execute(sql.SPANS)))

    def count(self) -> int:
        """Rows in the store."""
        return self._number(sql.COUNT)

    def distinct_count(self) -> int:
        """Different (series, time) pairs."""
        with self._rows(0, _ALL) as (reader, rows):
            return int(reader.execute(sql.DISTINCT_COUNT.format(rows=rows)).fetchall()[0][0])

    def missing_count(self) -> int:
        """Rows without a reading."""
        return self._number(sql.MISSING_COUNT, missing=int(Quality.MISSING))

    def tally(self, source: str, after: int) -> Tally:
        """What a gateway's commits after a number brought; nothing of one that has none."""
        asked = {"source": self._ledger.sources.get(source, 0), "after": after, "missing": int(Quality.MISSING)}
        with self.reading() as reader:
            files = [self.days.rows_path(day) for day in self.days.within(0, _ALL) if day.first_commit > after]
            query = sql.TALLY.format(rows=f"{sql.UNFILED} UNION ALL {closed(files)}" if files else sql.UNFILED)
            rows, distinct, missing = reader.execute(query, asked).fetchall()[0]
        return Tally(rows=rows, distinct=distinct, missing=missing)

    def save_announcement(self, source: str, revision: str, payload: bytes) -> None:
        """Keep an announcement as the newest of its gateway, and the few before it."""
        with self._committing, self._file.transaction() as writer:
            writer.execute("DELETE FROM announcements WHERE source = ? AND revision = ?", [source, revision])
            writer.execute(sql.SAVE_ANNOUNCEMENT, {"source": source, "revision": revision, "payload": payload})
            writer.execute(sql.FORGET_ANNOUNCEMENTS, {"source": source, "kept": _KEPT_ANNOUNCEMENTS})

    def announcements(self) -> list[tuple[str, bytes]]:
        """The announcements that are kept, in the order in which they were heard."""
        with self._file.reading() as reader:
            rows = reader.execute(sql.ANNOUNCEMENTS).fetchall()
        return [(source, bytes(payload)) for source, payload in rows]

    def info(self) -> StoreInfo:
        """Sizes and versions."""
        path = self._file.path
        log = path.with_name(path.name + ".wal")
        return StoreInfo(
            path=str(path),
            engine=f"DuckDB {duckdb.__version__}",
            schema=schema.VERSION,
            rows=self.count(),
            commits=self.last_commit(),
            sources=len(self._ledger.sources),
            file_bytes=path.stat().st_size,
            log_bytes=log.stat().st_size if log.exists() else 0,
        )

    @property
    def path(self) -> Path:
        """The file."""
        return self._file.path

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """A connection to read with; files of days stay as long as it is open. Raises StoreRefusedError."""
        with self._gate.inside(), self._file.reading() as reader:
            yield reader

    def troubles(self) -> list[str]:
        """What is wrong with closed days, a line each: their rows are missing from every read."""
        return [self.days.damaged[number] for number in sorted(self.days.damaged)]

    def check(self) -> Iterator[str]:
        """Look at everything; a line for each thing that is wrong."""
        yield from self.days.check()
        yield from check.findings(self._file, self.days)

    def close(self) -> None:
        """Write what is open and give the file free."""
        self.upkeep.stop()
        with self._committing:
            self._file.close()

    def _leave_room(self) -> None:
        if not self._keep_free:
            return
        disk = os.statvfs(self._file.path.parent)
        free = disk.f_bavail * disk.f_frsize
        if free < self._keep_free:
            raise StoreRefusedError(
                f"{self._file.path}: {free / 1e6:.1f} MB free on its disk,"
                f" expected at least {self._keep_free / 1e6:.0f} MB: the rest is kept for alarms"
            )

    def _load(self, database: Connection) -> None:
        sources = dict(database.execute("SELECT name, id FROM sources").fetchall())
        rows = database.execute(sql.LEDGER).fetchall()
        self._ledger = Ledger(sources, rows)
        self.days.by_day = {day.day: day for day in days_in(database)}

    def _write(self, ledger: Ledger, number: int, batches: Sequence[Batch]) -> None:
        found, strangers = ranges_of(batches), ledger.strangers(batches)
        sources = ledger.sources | strangers
        with self._file.transaction() as writer:
            for name, source in strangers.items():
                writer.execute("INSERT INTO sources VALUES (?, ?)", [source, name])
            self._file.append(writer, "samples", sample_columns(number, batches, sources))
            self._file.append(writer, "committed", dict(range_columns(number, found, sources)))
        ledger.record(number, found, strangers)

    def _compact(self, ledger: Ledger) -> None:
        """Write all ranges anew, merged, under the number of the last commit."""
        with self._file.transaction() as writer:
            writer.execute("DELETE FROM committed")
            columns = range_columns(ledger.last, ledger.everything(), ledger.sources)
            self._file.append(writer, "committed", dict(columns))
        ledger.written = ledger.merged_count

    @contextmanager
    def _rows(self, start: int, stop: int) -> Iterator[tuple[Connection, str]]:
        """A reader, and what to read rows of a span from (milliseconds): the open ones and those of closed days."""
        with self.reading() as reader:
            yield reader, rows_of([self.days.rows_path(day) for day in self.days.within(start, stop)])

    def _columns(self, query: str, arguments: dict[str, int]) -> Columns:
        with self._rows(arguments["start"], arguments["stop"]) as (reader, rows):
            return plain(reader.execute(query.format(rows=rows), arguments))

    def _day_page(self, day: Day, at: int, start: int) -> Columns:
        """Rows of a closed day since a moment, of ``_DAY_ROWS`` in its file."""
        span = {"start": start, "first": at, "stop": at + _DAY_ROWS}
        with self.reading() as reader:
            newest = self.days.by_day[day.day]  # it may have been replaced since the last page
            query = sql.DAY_PAGE.format(rows=closed([self.days.rows_path(newest)], numbered=True))
            return plain(reader.execute(query, span))

    def _number(self, query: str, **arguments: int) -> int:
        with self._file.reading() as reader:
            return int(reader.execute(query, arguments).fetchall()[0][0])

    def _page(self, after: int, start: int, upto: int | None) -> list[Commit]:
        """The next commits with rows since a moment: whole ones, as many as begin within a page of rows."""
        span = {"after": after, "upto": self._ledger.last if upto is None else upto, "start": start}
        with self._file.reading() as reader:
            end = reader.execute(sql.PAGE_END, span | {"most": _PAGE_ROWS}).fetchall()[0][0]
            if end is None:
                return []
            rows = plain(reader.execute(sql.PAGE, span | {"upto": end}))
        return commits(rows, {number: name for name, number in self._ledger.sources.items()})


def _numbers(result: Connection) -> set[int]:
    return {row[0] for row in result.fetchall()}
