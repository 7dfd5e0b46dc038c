"""Hourly sums for 60 days, for the rules whose memory is longer than the ring of minutes.

The running sums of an hour are those of its last minute, so while the minutes last they are only copied. Older ones
come from the store (``load``). What was read and could not be used is counted apart: an hour with one missed poll is
still an hour, and a rule says how many it asks for.
"""

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from ingest.window.grid import NEVER, Cells, Grid, Ring, Rows, Span, write
from telemetry.batch import F64, I64, Mask
from telemetry.quality import Quality
from telemetry.span import HOUR_NS

HOURS: Final = 60 * 24
_MINUTES: Final = 60


@dataclass(frozen=True, slots=True)
class Hourly:
    """Windows by the hour, shape (n, hours), the newest last: sums (of gains for a totaliser), and rows by quality.

    ``count`` holds the usable ones, the ``suspect`` among them; ``bad`` and ``missing`` are beside them.
    """

    total: F64
    count: I64
    suspect: I64
    bad: I64
    missing: I64


class Hours(Ring):
    """Running sums per hour of the series of one grid, in its rows."""

    def __init__(self, hours: int = HOURS) -> None:
        super().__init__(hours)
        self._spoiled = Ring(hours)
        """Its samples are the rows that can't be used, the doubtful among them those that are MISSING."""
        self._ahead: list[F64] = [np.zeros(0), np.zeros(0), np.zeros(0)]
        """By row: what the hours have counted that the minutes never saw; total, count, suspect."""

    def grow(self, rows: int) -> None:
        """As in Ring."""
        extra = rows - len(self.start)
        super().grow(rows)
        self._spoiled.grow(rows)
        if extra > 0:
            self._ahead = [np.concatenate([one, np.zeros(extra)]) for one in self._ahead]

    @property
    def nbytes(self) -> int:
        """As in Ring."""
        return super().nbytes + self._spoiled.nbytes

    def follow(self, grid: Grid, row: I64, since: I64) -> None:
        """Take over what minutes of different rows (k,) hold from ``since`` on, which have changed."""
        if not len(row):
            return
        newest = grid.filled[row]
        hour, begun = newest // _MINUTES, grid.start[row] // _MINUTES
        back = np.minimum(hour - np.maximum(since, newest - grid.minutes + 1) // _MINUTES, self.minutes - 1)
        gap = np.minimum(hour - since // _MINUTES, self.minutes - 1)
        for step in range(int(max(back.max(), gap.max())) + 1):
            some = step <= np.maximum(back, gap)
            at, its = row[some], hour[some] - step
            last = np.maximum(np.minimum(its * _MINUTES + _MINUTES - 1, newest[some]), newest[some] - grid.minutes + 1)
            self._copy(grid, at, its % self.minutes, last % grid.minutes)
        self.filled[row] = hour
        self.start[row] = np.where(self.start[row] == NEVER, begun, np.minimum(self.start[row], begun))

    def _copy(self, grid: Grid, row: I64, hour: I64, minute: I64) -> None:
        pairs: tuple[tuple[NDArray[Any], NDArray[Any]], ...] = (
            (self.total, grid.total),
            (self.count, grid.count),
            (self.suspect, grid.suspect),
        )
        for (mine, theirs), ahead in zip(pairs, self._ahead, strict=True):
            write(mine, (row, hour), (theirs[row, minute] + ahead[row]).astype(mine.dtype))

    def spoil(self, rows: Rows, each: int = 1) -> None:
        """Count those of the rows that can't be used; ``each`` -1 takes them back."""
        rows = rows.take(rows.quality >= Quality.BAD)
        if not len(rows.row):
            return
        hour = rows.time_ns // HOUR_NS
        at = np.flatnonzero(np.append(True, (np.diff(rows.row) != 0) | (np.diff(hour) != 0)))
        spoiled = np.diff(np.append(at, len(hour))) * each
        missing = np.add.reduceat((rows.quality == Quality.MISSING).astype(np.int64), at) * each
        cells = Cells(rows.row[at], hour[at], np.zeros(len(at)), spoiled, missing)
        late = cells.minute < self._spoiled.filled[cells.row]
        near = cells.minute > self._spoiled.filled[cells.row] - self.minutes
        self._spoiled.append(cells.take(~late))
        self._spoiled.amend(cells.take(late & near))

    def each(self, row: I64, hour: I64, hours: int) -> Hourly:
        """The last ``hours`` hours up to and with ``hour``, per series; both of shape (n,)."""
        n = len(row)
        rows, back = np.repeat(row, hours), np.tile(np.arange(hours - 1, -1, -1), n)
        at = np.repeat(hour, hours) - back
        usable, spoiled = self.span(rows, at, 1), self._spoiled.span(rows, at, 1)
        shape = n, hours
        return Hourly(
            usable.total.reshape(shape),
            usable.count.reshape(shape),
            usable.suspect.reshape(shape),
            (spoiled.count - spoiled.suspect).reshape(shape),
            spoiled.suspect.reshape(shape),
        )

    def load(self, grid: Grid, cells: Cells, spoiled: Cells) -> None:
        """Take over the sums of past hours (both sorted by row and hour); what the minutes hold goes on after them.

        What was here of these series is forgotten. Hours that the minutes hold are left to the minutes.
        """
        rows = np.unique(np.concatenate([cells.row, spoiled.row]))
        first = np.maximum(grid.start[rows], grid.filled[rows] - grid.minutes + 1) // _MINUTES + 1
        first[grid.filled[rows] == NEVER] = -NEVER
        for ring in (self, self._spoiled):
            ring.start[rows] = ring.filled[rows] = NEVER
        self.append(cells.take(cells.minute < first[np.searchsorted(rows, cells.row)]))
        self._spoiled.append(spoiled)
        some = grid.filled[rows] != NEVER
        self._join(grid, rows[some], first[some])

    def _join(self, grid: Grid, row: I64, first: I64) -> None:
        """Let the minutes go on from hour ``first`` where the loaded hours end."""
        short = (self.filled[row] != NEVER) & (self.filled[row] < first - 1)
        none = np.zeros(int(short.sum()), np.int64)
        self.append(Cells(row[short], first[short] - 1, none.astype(float), none, none))
        sums, base = self.sums(row, first - 1), grid.sums(row, grid.joint(row, first * _MINUTES - 1))
        for mine, here, there in zip(self._ahead, sums, base, strict=True):
            mine[row] = here - there
        self.follow(grid, row, np.minimum(first * _MINUTES, grid.filled[row]))


def longest(spans: Span, longer: Span, chosen: Mask) -> Span:
    """Windows of the hours where they are ``chosen``, else those of the minutes."""
    return Span(
        np.where(chosen, longer.total, spans.total),
        np.where(chosen, longer.count, spans.count),
        np.where(chosen, longer.suspect, spans.suspect),
    )
