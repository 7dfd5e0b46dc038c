"""Batch: the one type that travels from the driver to the risk engine. Flag, never fix: no step alters ``value``."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from telemetry.faults import BadMessageError, Fault
from telemetry.quality import Cause, Quality

I64 = NDArray[np.int64]
F64 = NDArray[np.float64]
U8 = NDArray[np.uint8]
U16 = NDArray[np.uint16]
Mask = NDArray[np.bool_]

MAX_ROWS: Final = 9_000
"""Rows in one batch at most: 27 bytes a row keeps the message below 256 KiB."""
MILLISECOND_NS: Final = 1_000_000
_DTYPES: Final = {"series": np.int64, "time_ns": np.int64, "value": np.float64, "quality": np.uint8, "cause": np.uint16}


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Batch:
    """Rows of readings as a struct of arrays, all of shape (n,); see docs/adr/0002-batch.md.

    ``source`` is ``site/node``. ``(epoch, seq)`` names the batch for ever; ``seq`` 0 means "not numbered yet": numbers
    are given by the spool. ``answered_ns`` is the gateway's real UTC clock when the newest answer in the batch arrived
    (0: unknown); it differs from ``time_ns`` in drills and serves latency figures only.
    """

    source: str
    epoch: int
    seq: int
    series: I64
    time_ns: I64
    value: F64
    quality: U8
    cause: U16
    answered_ns: int = 0

    def __len__(self) -> int:
        return len(self.series)

    def take(self, rows: "Mask | I64 | slice") -> "Batch":
        """The batch with only the chosen rows (a mask of shape (n,) or row numbers), under the same identity."""
        return replace(self, **{name: getattr(self, name)[rows] for name in _DTYPES})

    def numbered(self, epoch: int, seq: int) -> "Batch":
        """The same rows under an identity."""
        return replace(self, epoch=epoch, seq=seq)

    def flagged(self, quality: U8, cause: U16) -> "Batch":
        """The same rows with the verdict of a check; the worst quality wins and causes add up."""
        return replace(self, quality=np.maximum(self.quality, quality), cause=self.cause | cause)


def rows(
    source: str,
    series: I64,
    time_ns: I64,
    value: F64,
    *,
    quality: U8 | None = None,
    cause: U16 | None = None,
    answered_ns: int = 0,
) -> Batch:
    """An unnumbered batch from columns; times are cut to whole milliseconds, NaN becomes MISSING."""
    flags = np.zeros(len(series), np.uint8) if quality is None else quality.copy()
    flags[np.isnan(value)] = Quality.MISSING
    return Batch(
        source=source,
        epoch=0,
        seq=0,
        series=series,
        time_ns=time_ns // MILLISECOND_NS * MILLISECOND_NS,
        value=value,
        quality=flags,
        cause=np.zeros(len(series), np.uint16) if cause is None else cause,
        answered_ns=answered_ns,
    )


def missing(source: str, series: I64, time_ns: int, cause: Cause, *, answered_ns: int = 0) -> Batch:
    """Rows that say a poll failed: silence is data."""
    n = len(series)
    return rows(
        source,
        series,
        np.full(n, time_ns, np.int64),
        np.full(n, np.nan),
        cause=np.full(n, cause, np.uint16),
        answered_ns=answered_ns,
    )


def concat(batches: Sequence[Batch]) -> Batch:
    """One unnumbered batch of the rows of several of one source, in order; raises ValueError if there are none."""
    if not batches or any(batch.source != batches[0].source for batch in batches):
        sources = sorted({batch.source for batch in batches})
        raise ValueError(f"{len(batches)} batches of {sources}, expected some of one source")
    columns = {name: np.concatenate([getattr(batch, name) for batch in batches]) for name in _DTYPES}
    newest = max(batch.answered_ns for batch in batches)
    return Batch(source=batches[0].source, epoch=0, seq=0, answered_ns=newest, **columns)


def parts(batch: Batch) -> tuple[Batch, ...]:
    """The batch in parts of MAX_ROWS, whose message is below 256 KiB whatever it holds."""
    if len(batch) <= MAX_ROWS:
        return (batch,)
    return tuple(batch.take(slice(at, at + MAX_ROWS)) for at in range(0, len(batch), MAX_ROWS))


def check(batch: Batch) -> None:
    """Refuse a batch that breaks a promise of the type; raises ValueError saying which column and which promise."""
    n = len(batch.series)
    if not 0 < n <= MAX_ROWS:
        raise ValueError(f"batch of {n} rows, expected 1 to {MAX_ROWS}")
    for name, dtype in _DTYPES.items():
        column = getattr(batch, name)
        if column.dtype != dtype or column.shape != (n,):
            raise ValueError(f"column {name}: {column.dtype} {column.shape}, expected {np.dtype(dtype)} ({n},)")
    check_values(series=batch.series, time_ns=batch.time_ns, value=batch.value, quality=batch.quality)


def check_values(*, series: I64, time_ns: I64, value: F64, quality: U8) -> None:
    """As ``check``, of columns whose shapes and types are right."""
    if int(quality.max()) > Quality.MISSING:
        raise BadMessageError(Fault.QUALITY, f"column quality: {quality.max()}, expected 0 to {int(Quality.MISSING)}")
    if not np.array_equal(np.isnan(value), quality == Quality.MISSING):
        raise BadMessageError(Fault.NAN, "column value: NaN and MISSING disagree, expected NaN if and only if MISSING")
    if np.isinf(value).any():
        raise BadMessageError(Fault.INFINITE, "column value: infinite, expected a number or NaN")
    if int(series.min()) < 0:
        raise BadMessageError(Fault.SERIES, "column series: negative, expected 63-bit identities")
    if (time_ns % MILLISECOND_NS).any():
        raise BadMessageError(Fault.TIME, "column time_ns: finer than a millisecond, expected whole milliseconds")
