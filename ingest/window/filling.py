"""How rows and past hours come into the rings of one quantity."""

from dataclasses import dataclass

import numpy as np

from ingest.window.grid import NEVER, Cells, Grid, Rows
from ingest.window.hours import Hours
from ingest.window.totals import TotalGrid
from telemetry.batch import F64, I64, Mask
from telemetry.quality import Quality
from telemetry.span import HOUR_NS, MINUTE_NS


@dataclass(frozen=True, slots=True, kw_only=True)
class PastHours:
    """Hours of series (n,), sorted by slot and time: mean and maximum of the rows better than BAD (NaN: there is none).

    ``by_quality`` (n, 5) is how many rows there are of each quality.
    """

    slots: I64
    time_ns: I64
    mean: F64
    maximum: F64
    by_quality: I64

    def take(self, chosen: Mask | I64) -> "PastHours":
        """Some of the hours."""
        return PastHours(
            slots=self.slots[chosen],
            time_ns=self.time_ns[chosen],
            mean=self.mean[chosen],
            maximum=self.maximum[chosen],
            by_quality=self.by_quality[chosen],
        )


def put(grid: Grid, hours: Hours, rows: Rows, usable_ns: I64) -> None:
    """Put rows into the minutes, and let the hours follow; ``usable_ns`` (n,) as in ``TotalGrid.put``."""
    begins = np.flatnonzero(np.append(True, rows.row[1:] != rows.row[:-1]))
    touched, first = rows.row[begins], rows.time_ns[begins] // MINUTE_NS
    filled = grid.filled[touched]
    late = (first < filled) | (rows.time_ns[begins] < usable_ns[begins])
    if isinstance(grid, TotalGrid):
        grid.put(rows, usable_ns)
    else:
        _sum_up(grid, rows)
    since = np.where(filled == NEVER, first, np.where(late, filled - grid.minutes + 1, filled))
    known = grid.filled[touched] != NEVER
    hours.follow(grid, touched[known], since[known])


def _sum_up(grid: Grid, rows: Rows) -> None:
    cells = _gather(rows)
    late = cells.minute < grid.filled[cells.row]
    grid.append(cells.take(~late))
    grid.amend(cells.take(late))
    grid.note(rows.row, rows.time_ns)


def load(grid: Grid, hours: Hours, row: I64, past: PastHours) -> None:
    """Take over past hours of the grid's rows ``row`` (n,)."""
    hour = past.time_ns // HOUR_NS
    count = past.by_quality[:, : Quality.BAD].sum(axis=1)
    some = count > 0
    if isinstance(grid, TotalGrid):
        total = grid.gains(row[some], hour[some], past.maximum[some])
    else:
        total = past.mean[some] * count[some]
    usable = Cells(row[some], hour[some], total, count[some], past.by_quality[some, Quality.SUSPECT])
    none = np.zeros(len(row))
    wasted = past.by_quality[:, Quality.BAD :].sum(axis=1)
    spoiled = Cells(row, hour, none, wasted, past.by_quality[:, Quality.MISSING])
    hours.load(grid, usable, spoiled)


def _gather(rows: Rows) -> Cells:
    """Sum rows that are sorted by series and time into cells."""
    minute = rows.time_ns // MINUTE_NS
    first = np.append(True, (rows.row[1:] != rows.row[:-1]) | (minute[1:] != minute[:-1]))
    at = np.flatnonzero(first)
    return Cells(
        rows.row[at],
        minute[at],
        np.add.reduceat(rows.value, at),
        np.diff(np.append(at, len(minute))),
        np.add.reduceat((rows.quality == Quality.SUSPECT).astype(np.int64), at),
    )
