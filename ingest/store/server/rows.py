"""Rows as they come from a server and from the journal, and what is read out of them: arrays in, arrays out."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from ingest.store.protocol import Buckets, Points
from telemetry.batch import F64, I64, MILLISECOND_NS, U8, U16, Batch, Mask
from telemetry.quality import Cause, Quality


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Rows:
    """Rows with times in milliseconds; columns of shape (n,). Of two at one time that of the higher ``rank`` counts."""

    series: I64
    time_ms: I64
    value: F64
    quality: U8
    cause: U16
    rank: I64

    def __len__(self) -> int:
        return len(self.series)

    def take(self, rows: Mask | I64 | slice) -> "Rows":
        """Only the chosen rows."""
        return Rows(**{name: getattr(self, name)[rows] for name in self.__slots__})

    def points(self) -> Points:
        """Without their rank."""
        return Points(
            series=self.series,
            time_ns=self.time_ms * MILLISECOND_NS,
            value=self.value,
            quality=self.quality,
            cause=self.cause,
        )


def nothing() -> Rows:
    """No rows."""
    return of_batches((), 0)


def of_batches(batches: Sequence[Batch], rank: int) -> Rows:
    """The rows of batches under one rank, in order."""
    empty = {"series": "i8", "time_ns": "i8", "value": "f8", "quality": "u1", "cause": "u2"}
    columns = {
        name: np.concatenate([np.zeros(0, dtype), *(getattr(batch, name) for batch in batches)])
        for name, dtype in empty.items()
    }
    time_ns = columns.pop("time_ns")
    return Rows(**columns, time_ms=time_ns // MILLISECOND_NS, rank=np.full(len(time_ns), rank, np.int64))


def together(parts: Sequence[Rows]) -> Rows:
    """One after another."""
    some = [*parts] or [nothing()]
    return Rows(**{name: np.concatenate([getattr(part, name) for part in some]) for name in Rows.__slots__})


def latest_ranks(rows: Rows) -> Rows:
    """Ordered by series and time, one row for each: that of the highest rank, and of equals the last."""
    order = np.lexsort((rows.rank, rows.time_ms, rows.series))
    rows = rows.take(order)
    last = (np.diff(rows.series, append=-1) != 0) | (np.diff(rows.time_ms, append=-1) != 0)
    return rows.take(last)


def within(rows: Rows, series: I64 | None, start_ms: int, stop_ms: int) -> Rows:
    """The rows of some series (sorted; None: of all) with ``start_ms <= time < stop_ms``."""
    wanted = (rows.time_ms >= start_ms) & (rows.time_ms < stop_ms)
    if series is not None:
        wanted &= np.isin(rows.series, series)
    return rows if wanted.all() else rows.take(wanted)


def without(rows: Rows, others: Rows) -> Rows:
    """The rows at whose (series, time) the others have none."""
    if not len(others) or not len(rows):
        return rows
    n = len(rows)
    series = np.unique(np.concatenate([rows.series, others.series]), return_inverse=True)[1]
    times = np.unique(np.concatenate([rows.time_ms, others.time_ms]), return_inverse=True)[1]
    keys = series.astype(np.int64) * (int(times.max()) + 1) + times
    return rows.take(~np.isin(keys[:n], keys[n:]))


def newest_trusted(rows: Rows) -> Rows:
    """The newest row of every series whose time was not doubted; rows as ``latest_ranks`` gives them."""
    doubted = (rows.quality >= Quality.SUSPECT) & (rows.cause & np.uint16(Cause.CLOCK) != 0)
    rows = rows.take(~doubted)
    return rows.take(np.diff(rows.series, append=-1) != 0)


def buckets(points: Points, every_ns: int) -> Buckets:
    """Samples of one series, in order of time, summed up per ``every_ns``."""
    start = points.time_ns // every_ns * every_ns
    cuts = np.flatnonzero(np.diff(start, prepend=-1) != 0)
    if not len(cuts):
        none = np.zeros(0)
        return Buckets(time_ns=start, minimum=none, mean=none, maximum=none, count=start, quality=np.zeros(0, np.uint8))
    usable = usable_per_group(points, cuts)
    return Buckets(
        time_ns=start[cuts],
        minimum=usable.minimum,
        mean=usable.mean,
        maximum=usable.maximum,
        count=usable.rows,
        quality=np.maximum.reduceat(points.quality, cuts),
    )


class Usable(NamedTuple):
    """Figures over the rows better than BAD of each group, NaN where there is none; columns of shape (k,)."""

    rows: I64
    minimum: F64
    mean: F64
    maximum: F64


def usable_per_group(points: Points, cuts: I64) -> Usable:
    """Sum up the groups of neighbouring rows that begin at ``cuts`` (k,), at least one."""
    usable = points.quality < Quality.BAD
    n = np.add.reduceat(usable.astype(np.int64), cuts)
    total = np.add.reduceat(np.where(usable, points.value, 0.0), cuts)
    least = np.minimum.reduceat(np.where(usable, points.value, np.inf), cuts)
    most = np.maximum.reduceat(np.where(usable, points.value, -np.inf), cuts)
    least, mean, most = (np.where(n > 0, figure, np.nan) for figure in (least, total / np.maximum(n, 1), most))
    return Usable(n, least, mean, most)


Field = tuple[I64, F64]
"""Times in milliseconds and values, both (k,)."""


def put_field(fields: dict[str, Field], name: str, time_ms: I64, value: F64) -> None:
    """Add to a field of one series and layer, in order of time: a server keeps what has other tags apart."""
    if name in fields:
        time_ms, value = np.append(fields[name][0], time_ms), np.append(fields[name][1], value)
    order = np.argsort(time_ms, kind="stable")
    fields[name] = time_ms[order], value[order]


def assembled(found: dict[tuple[int, int], dict[str, Field]]) -> Rows:
    """Rows out of fields that a server keeps apart: by (series, layer) and field, times (k,) in order and values (k,).

    A row is where there is a quality; no cause is none. What has a value alone, or ought to have one, is half of a row
    that is being written, and none yet.
    """
    return together([_one(series, layer, fields) for (series, layer), fields in found.items() if "quality" in fields])


def _one(series: int, layer: int, fields: dict[str, Field]) -> Rows:
    time_ms, quality = fields["quality"]
    n = len(time_ms)
    value, cause = np.full(n, np.nan), np.zeros(n)
    for name, column in (("value", value), ("cause", cause)):
        if name in fields:
            times, numbers = fields[name]
            at = np.searchsorted(time_ms, times)
            there = at < n
            there[there] = time_ms[at[there]] == times[there]
            column[at[there]] = numbers[there]
    rows = Rows(
        series=np.full(n, series, np.int64),
        time_ms=time_ms,
        value=value,
        quality=quality.astype(np.uint8),
        cause=cause.astype(np.uint16),
        rank=np.full(n, layer, np.int64),
    )
    return rows.take(np.isnan(value) == (rows.quality == Quality.MISSING))
