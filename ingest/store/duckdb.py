"""DuckDB as the store: one file, one owner process, rows and committed batch numbers in one transaction."""

import os
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final

import duckdb
import numpy as np

from ingest.commit import Commit
from ingest.store import _duckdb_queries as sql
from ingest.store import schema
from ingest.store._duckdb_file import Columns, Connection, DuckDBFile
from ingest.store.ledger import Ledger, range_columns, ranges_of
from ingest.store.protocol import Buckets, CommitResult, Points, Spans, StoreInfo, StoreRefusedError, Tally
from telemetry.batch import I64, MILLISECOND_NS, Batch
from telemetry.quality import Cause, Quality

_PAGE_ROWS: Final = 200_000
_COMPACT_RANGES: Final = 20_000
_KEPT_ANNOUNCEMENTS: Final = 16
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
        self._file = DuckDBFile(path, memory_limit, self._load)

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

    def passed(self, _number: int) -> None:
        """Every row keeps the number of its commit here, so nothing is kept for this alone."""

    def recent(self, since_ns: int, upto: int | None = None) -> Iterator[Commit]:
        """Rows sampled since a moment, commit by commit, up to and with commit ``upto``."""
        number = 0
        while page := self._page(number, _ceil_ms(since_ns), upto):
            yield from page
            number = page[-1].number

    def points(self, series: int, from_ns: int, to_ns: int, most: int | None = None) -> Points:
        """Samples of one series in time order, all of them or the first ``most``."""
        limit = _ALL if most is None else most
        return Points(
            **self._columns(sql.POINTS, series=series, start=_ceil_ms(from_ns), stop=_ceil_ms(to_ns), most=limit)
        )

    def samples(self, series: I64, from_ns: int, to_ns: int) -> Points:
        """Samples of many series, ordered by series and time; of two at one time, the one committed last."""
        span = {"start": _ceil_ms(from_ns), "stop": _ceil_ms(to_ns)}
        with self._file.reading() as reader:
            reader.register("asked", {"series": np.unique(series)})
            found = _plain(reader.execute(sql.SAMPLES, span))
        number = found.pop("commit_no")
        order = np.lexsort((number, found["time_ns"], found["series"]))
        rows = {name: column[order] for name, column in found.items()}
        last = (np.diff(rows["series"], append=-1) != 0) | (np.diff(rows["time_ns"], append=-1) != 0)
        return Points(**{name: column[last] for name, column in rows.items()})

    def buckets(self, series: int, from_ns: int, to_ns: int, every_ns: int) -> Buckets:
        """Samples of one series per bucket; raises ValueError for buckets finer than a millisecond."""
        if every_ns < MILLISECOND_NS:
            raise ValueError(f"buckets of {every_ns} ns, expected at least {MILLISECOND_NS}")
        return Buckets(
            **self._columns(
                sql.BUCKETS,
                series=series,
                start=_ceil_ms(from_ns),
                stop=_ceil_ms(to_ns),
                every=every_ns // MILLISECOND_NS,
                bad=int(Quality.BAD),
            )
        )

    def latest(self, since_ns: int, until_ns: int | None = None) -> Points:
        """The newest sample of every series since a moment; of two at one time, the one committed last."""
        stop = _ALL if until_ns is None else _ceil_ms(until_ns)
        doubted = {"clock": int(Cause.CLOCK), "suspect": int(Quality.SUSPECT)}
        return Points(**self._columns(sql.LATEST, start=_ceil_ms(since_ns), stop=stop, **doubted))

    def spans(self) -> Spans:
        """From when to when rows of each series are held."""
        return Spans(**self._columns(sql.SPANS))

    def count(self) -> int:
        """Rows in the store."""
        return self._number(sql.COUNT)

    def distinct_count(self) -> int:
        """Different (series, time) pairs."""
        return self._number(sql.DISTINCT_COUNT)

    def missing_count(self) -> int:
        """Rows without a reading."""
        return self._number(sql.QUALITY_COUNT, quality=int(Quality.MISSING))

    def tally(self, source: str, after: int) -> Tally:
        """What a gateway's commits after a number brought; nothing of one that has none."""
        asked = {"source": self._ledger.sources.get(source, 0), "after": after, "missing": int(Quality.MISSING)}
        with self._file.reading() as reader:
            rows, distinct, missing = reader.execute(sql.TALLY, asked).fetchall()[0]
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

    def close(self) -> None:
        """Write what is open and give the file free."""
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

    def _write(self, ledger: Ledger, number: int, batches: Sequence[Batch]) -> None:
        found, strangers = ranges_of(batches), ledger.strangers(batches)
        sources = ledger.sources | strangers
        with self._file.transaction() as writer:
            for name, source in strangers.items():
                writer.execute("INSERT INTO sources VALUES (?, ?)", [source, name])
            self._file.append(writer, "samples", _sample_columns(number, batches, sources))
            self._file.append(writer, "committed", dict(range_columns(number, found, sources)))
        ledger.record(number, found, strangers)

    def _compact(self, ledger: Ledger) -> None:
        """Write all ranges anew, merged, under the number of the last commit."""
        with self._file.transaction() as writer:
            writer.execute("DELETE FROM committed")
            columns = range_columns(ledger.last, ledger.everything(), ledger.sources)
            self._file.append(writer, "committed", dict(columns))
        ledger.written = ledger.merged_count

    def _columns(self, query: str, **arguments: int) -> Columns:
        with self._file.reading() as reader:
            return _plain(reader.execute(query, arguments))

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
            rows = _plain(reader.execute(sql.PAGE, span | {"upto": end}))
        return _commits(rows, {number: name for name, number in self._ledger.sources.items()})


def _ceil_ms(time_ns: int) -> int:
    """The first whole millisecond at or after a moment: both ends of a half-open span become one of these."""
    return -(-time_ns // MILLISECOND_NS)


def _plain(result: Connection) -> Columns:
    return {name: np.ma.getdata(column) for name, column in result.fetchnumpy().items()}


def _sample_columns(number: int, batches: Sequence[Batch], sources: dict[str, int]) -> Columns:
    """The rows of a group as columns of the table ``samples``."""
    sizes = [len(batch) for batch in batches]
    columns: Columns = {
        "commit_no": np.full(sum(sizes), number, np.int64),
        "source": np.repeat(np.array([sources[batch.source] for batch in batches], np.int32), sizes),
        "series": np.concatenate([batch.series for batch in batches]),
        "time_ms": np.concatenate([batch.time_ns for batch in batches]) // MILLISECOND_NS,
        "value": np.concatenate([batch.value for batch in batches]),
        "quality": np.concatenate([batch.quality for batch in batches]),
        "cause": np.concatenate([batch.cause for batch in batches]),
    }
    return columns


def _commits(rows: Columns, names: dict[int, str]) -> list[Commit]:
    """Rows in order of commit as commits; neighbouring batches of one gateway come back as one, without its number."""
    number, source = rows["commit_no"], rows["source"]
    cuts = np.flatnonzero((np.diff(number) != 0) | (np.diff(source) != 0)) + 1
    found: dict[int, list[Batch]] = {}
    for start, stop in zip([0, *cuts.tolist()], [*cuts.tolist(), len(number)], strict=True):
        columns: Any = {name: rows[name][start:stop] for name in ("series", "time_ns", "value", "quality", "cause")}
        batch = Batch(source=names[int(source[start])], epoch=0, seq=0, **columns)
        found.setdefault(int(number[start]), []).append(batch)
    return [Commit(number=at, batches=tuple(batches), stored=True) for at, batches in found.items()]
