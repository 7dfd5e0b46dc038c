"""Rows that are written again: the one of the later commit takes the place of the one before, in every sum."""

from dataclasses import dataclass

import numpy as np

from ingest.window.grid import Grid, Rows
from ingest.window.hours import Hours
from ingest.window.recent import Recent
from ingest.window.totals import TotalGrid
from telemetry.batch import F64, I64, U8, Mask
from telemetry.quality import Quality


@dataclass(frozen=True, slots=True)
class Former:
    """For each row (n,) what stood in its place: whether anything is ``known``, its value and quality."""

    known: Mask
    value: F64
    quality: U8

    def take(self, chosen: I64) -> "Former":
        """Some of the rows."""
        return Former(self.known[chosen], self.value[chosen], self.quality[chosen])

    def differs(self, rows: Rows) -> Mask:
        """Where the new row says something else."""
        same = (self.value == rows.value) | (np.isnan(self.value) & np.isnan(rows.value))
        return self.known & ~(same & (self.quality == rows.quality))

    def usable(self) -> Mask:
        """Where what stood there was in a sum."""
        return self.known & (self.quality < Quality.BAD)


def remembered(recent: Recent, rows: Rows) -> Former:
    """What the last rows of the series say; they are rewritten by it. ``rows`` are by slot."""
    known, places = recent.find(rows.row, rows.time_ns)
    former = Former(known, recent.value(places), recent.quality(places))
    recent.rewrite(places[known], rows.value[known], rows.quality[known])
    return former


def summed(grid: Grid, rows: Rows, former: Former) -> None:
    """Add to ``former`` what the minutes still know, each the only sample of its minute. ``rows`` are of the grid."""
    asked = np.flatnonzero(~former.known)
    only = grid.only(rows.row[asked], rows.time_ns[asked])
    found = asked[only.found]
    former.known[found] = True
    former.value[found] = only.value[only.found]
    former.quality[found] = np.where(only.suspect[only.found] > 0, Quality.SUSPECT, Quality.GOOD)


def taken_back(grid: Grid, hours: Hours, rows: Rows, former: Former) -> tuple[Mask, int]:
    """Take former rows out of the sums; which of ``rows`` are to be put in, and how many the sums can't follow."""
    differs = former.differs(rows)
    back = differs & former.usable()
    put = differs | ~former.known
    blurred = 0
    if isinstance(grid, TotalGrid):
        doubt = back & (former.value == rows.value) & (rows.quality < Quality.BAD)
        grid.doubt(rows.take(doubt), former.quality[doubt])
        alone = back & ~doubt & grid.alone(rows.row, rows.time_ns)
        put &= ~doubt & ~(back & ~alone)
        blurred = int((back & ~doubt & ~alone).sum())
        back = alone
    grid.withdraw(Rows(rows.row[back], rows.time_ns[back], former.value[back], former.quality[back]))
    changed = np.unique(rows.row[differs & former.usable()])
    hours.follow(grid, changed, grid.filled[changed] - grid.minutes + 1)
    spoiled = differs & (former.quality >= Quality.BAD)
    hours.spoil(Rows(rows.row[spoiled], rows.time_ns[spoiled], former.value[spoiled], former.quality[spoiled]), -1)
    return put, blurred
