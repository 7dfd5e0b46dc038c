"""A ring of one-minute columns per series that hold running sums, so that any window costs two reads a series.

The newest column of a series is its own (``filled``): a silent series costs nothing, and nothing is cleared when time
passes. Sums are float64 because a rule's equality must survive storage: 500 tips of 0.1 mm are 50 mm only after
rounding, and float32 would lose 3.62 m itself. 18 bytes a minute, 52 kB a series over 48 hours, taken when touched:
what hardly ever happens (doubtful samples) is written only where it does.
"""

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from telemetry.batch import F64, I64, MILLISECOND_NS, U8, Mask
from telemetry.quality import Quality
from telemetry.span import MINUTE_NS

U32 = NDArray[np.uint32]
NEVER: Final = np.iinfo(np.int64).min // 4
"""A minute before all minutes, far enough from the end of the type to be subtracted from."""


@dataclass(frozen=True, slots=True)
class Span:
    """What windows hold, shape (n,): sum of values (of increments for a totaliser), samples, doubtful samples."""

    total: F64
    count: I64
    suspect: I64


@dataclass(frozen=True, slots=True)
class Rows:
    """Rows sorted by row (a slot, or of the grid) and time, usable or made by hand (BAD); arrays of shape (n,)."""

    row: I64
    time_ns: I64
    value: F64
    quality: U8

    def take(self, chosen: Mask | I64) -> "Rows":
        """Some of the rows."""
        if _everything(chosen):
            return self
        return Rows(self.row[chosen], self.time_ns[chosen], self.value[chosen], self.quality[chosen])


@dataclass(frozen=True, slots=True)
class Only:
    """Samples that are the only one of their minute (``found``), their values and doubtful ones; shape (n,)."""

    found: Mask
    value: F64
    suspect: I64


@dataclass(frozen=True, slots=True)
class Cells:
    """Additions to minutes: grid row, minute, sum, samples, doubtful samples; arrays of shape (k,), sorted by both."""

    row: I64
    minute: I64
    total: F64
    count: I64
    suspect: I64

    def take(self, chosen: Mask | I64) -> "Cells":
        """Some of the cells."""
        if _everything(chosen):
            return self
        return Cells(
            self.row[chosen], self.minute[chosen], self.total[chosen], self.count[chosen], self.suspect[chosen]
        )


class Ring:
    """Running sums per series and minute (``ingest.window.hours``: and hour), arrays of shape (series, minutes).

    The minutes of a gap hold the sum before it, and of totalisers the sum after it: what a rain counter gained in a gap
    then counts only for windows that hold the whole gap, and a sum is never more than what surely fell in the window.
    """

    def __init__(self, minutes: int) -> None:
        self.minutes = minutes
        self.total: F64 = np.zeros((0, minutes))
        self.count: U32 = np.zeros((0, minutes), np.uint32)
        self.suspect: U32 = np.zeros((0, minutes), np.uint32)
        self.start: I64 = np.zeros(0, np.int64)
        self.filled: I64 = np.zeros(0, np.int64)

    def grow(self, rows: int) -> None:
        """Make room for more series; zero pages are taken from the machine only when they are written."""
        extra = rows - len(self.start)
        if extra <= 0:
            return
        self.total, self.count = grown(self.total, rows), grown(self.count, rows)
        self.suspect = grown(self.suspect, rows)
        self.start = np.concatenate([self.start, np.full(extra, NEVER)])
        self.filled = np.concatenate([self.filled, np.full(extra, NEVER)])

    @property
    def nbytes(self) -> int:
        """Bytes of all columns."""
        return sum(column.nbytes for column in vars(self).values() if isinstance(column, np.ndarray))

    def append(self, cells: Cells, lead: F64 | None = None) -> None:
        """Add cells at or after the newest minute of their series; ``lead`` (k,) is what the gap before each holds."""
        if not len(cells.row):
            return
        if self._append_simply(cells):
            return
        none = np.zeros(len(cells.row))
        first = np.append(True, cells.row[1:] != cells.row[:-1])
        before = np.where(first, self.filled[cells.row], np.append(0, cells.minute[:-1]))
        fresh = before == NEVER
        width = np.where(fresh, 1, np.minimum(cells.minute - before, self.minutes))
        self.start[cells.row[fresh]] = cells.minute[fresh]
        for column, amount, early in (
            (self.total, cells.total, none if lead is None else lead),
            (self.count, cells.count, none),
            (self.suspect, cells.suspect, none),
        ):
            base = np.where(fresh, 0, column[cells.row, self.filled[cells.row] % self.minutes])
            after = base + _running(amount, first)
            _fill(column, cells, width, (after - amount + early).astype(column.dtype), after.astype(column.dtype))
        last = np.append(first[1:], True)
        self.filled[cells.row[last]] = cells.minute[last]

    def amend(self, cells: Cells) -> None:
        """Add cells to minutes that have passed, at most ``minutes`` back; later sums grow with them."""
        if not len(cells.row):
            return
        rows, which = np.unique(cells.row, return_inverse=True)
        age = np.minimum(self.filled[cells.row] - cells.minute, self.minutes - 1)
        columns = (self.filled[rows][:, None] - np.arange(self.minutes)) % self.minutes
        for column, amount in (
            (self.total, cells.total),
            (self.count, cells.count),
            (self.suspect, cells.suspect),
        ):
            if amount.any():
                added = np.zeros((len(rows), self.minutes), amount.dtype)
                np.add.at(added, (which, age), amount)
                grown = np.cumsum(added[:, ::-1], axis=1)[:, ::-1]
                column[rows[:, None], columns] += grown.astype(column.dtype)
        counted = cells.count > 0
        np.minimum.at(self.start, cells.row[counted], cells.minute[counted])

    def sums(self, row: I64, minute: I64) -> tuple[F64, F64, F64]:
        """Running sums at minutes (n,): total, samples, doubtful samples; 0 before the series."""
        place, begun = self._place(row, minute)
        total, count, suspect = (
            np.where(begun, column.ravel().take(place), 0).astype(np.float64)
            for column in (self.total, self.count, self.suspect)
        )
        return total, count, suspect

    def span(self, row: I64, minute: I64, width: int | I64) -> Span:
        """What the ``width`` minutes that end with ``minute`` hold, per series; of shape (n,)."""
        minutes = np.concatenate([minute, minute - width])
        place, begun = self._place(np.concatenate([row, row]), minutes)
        total, count, suspect = (
            np.where(begun, column.ravel().take(place), 0) for column in (self.total, self.count, self.suspect)
        )
        n = len(row)
        return Span(
            total[:n] - total[n:], count[:n].astype(np.int64) - count[n:], suspect[:n].astype(np.int64) - suspect[n:]
        )

    def _place(self, row: I64, minute: I64) -> tuple[I64, Mask]:
        """Flat place of a minute, and whether the series had begun by then; minutes outside the ring take its ends."""
        filled, start = self.filled[row], self.start[row]
        oldest = filled - self.minutes + 1
        inside = np.minimum(np.maximum(minute, np.maximum(start, oldest)), filled)
        return row * self.minutes + inside % self.minutes, (filled != NEVER) & ((minute >= start) | (start < oldest))

    def _append_simply(self, cells: Cells) -> bool:
        """The usual case, one cell a series without a gap before it; False where it is not that."""
        row = cells.row
        before = self.filled[row]
        step = cells.minute - before
        if step.max() > 1 or (row[1:] == row[:-1]).any():
            return False
        old, new = row * self.minutes + before % self.minutes, row * self.minutes + cells.minute % self.minutes
        for column, amount in ((self.total, cells.total), (self.count, cells.count), (self.suspect, cells.suspect)):
            flat = column.reshape(-1)
            write(flat, new, flat[old] + amount.astype(column.dtype))
        self.filled[row] = cells.minute
        return True


class Grid(Ring):
    """The ring of minutes of a quantity that is summed as it is read."""

    def __init__(self, minutes: int) -> None:
        super().__init__(minutes)
        self._last_ms: NDArray[np.uint16] = np.zeros((0, minutes), np.uint16)
        """Of a minute: when its newest sample was taken, in milliseconds of the minute."""

    def grow(self, rows: int) -> None:
        """As in Ring."""
        if rows > len(self._last_ms):
            self._last_ms = grown(self._last_ms, rows)
        super().grow(rows)

    def note(self, row: I64, time_ns: I64) -> None:
        """Remember when samples were taken, which stand in order of time."""
        self._last_ms[row, time_ns // MINUTE_NS % self.minutes] = time_ns % MINUTE_NS // MILLISECOND_NS

    def only(self, row: I64, time_ns: I64) -> "Only":
        """Which samples (n,) are the only one of their minute, so that the sums know them, and what they were."""
        minute = time_ns // MINUTE_NS
        alone = self.span(row, minute, 1)
        same = self._last_ms[row, minute % self.minutes] == time_ns % MINUTE_NS // MILLISECOND_NS
        held = (minute <= self.filled[row]) & (minute > self.filled[row] - self.minutes) & (alone.count == 1)
        return Only(held & same, self._read(row, minute, alone), alone.suspect)

    def joint(self, row: I64, minute: I64) -> I64:
        """The minute after which sums can go on that others have until and with ``minute``. (n,) -> (n,)."""
        return minute

    def withdraw(self, rows: Rows) -> None:
        """Take back usable rows, in their former value and quality; what is older than the ring is in no sum."""
        minute = rows.time_ns // MINUTE_NS
        near = minute > self.filled[rows.row] - self.minutes
        suspect = (rows.quality == Quality.SUSPECT).astype(np.int64)
        self.amend(Cells(rows.row, minute, -rows.value, np.full(len(minute), -1), -suspect).take(near))

    def _read(self, row: I64, minute: I64, alone: Span) -> F64:
        """The value of a sample that is alone in its minute."""
        return alone.total


def _everything(chosen: Mask | I64) -> bool:
    """Whether a choice leaves nothing out: copies of the usual case are half of the cost of a start."""
    return chosen.dtype == np.bool_ and bool(chosen.all())


def grown(table: NDArray[Any], rows: int) -> NDArray[Any]:
    """A table with more rows, all zero; only what was there is copied, so that the rest is not taken yet."""
    larger = np.zeros((rows, table.shape[1]), table.dtype)
    larger[: len(table)] = table
    return larger


def _running(amount: NDArray[np.generic], first: Mask) -> NDArray[np.generic]:
    """Cumulative sums that start again at every row."""
    sums = np.cumsum(amount)
    begins = np.flatnonzero(first)
    base = (sums - amount)[begins]
    return sums - np.repeat(base, np.diff(np.append(begins, len(amount))))


def _fill(
    column: NDArray[np.generic], cells: Cells, width: I64, gap: NDArray[np.generic], after: NDArray[np.generic]
) -> None:
    """Write the minutes of each gap, then the minute of each cell; ``width`` 0 is a minute that is there already."""
    width = width - 1
    holes = np.maximum(width, 0)
    if holes.any():
        cell = np.repeat(np.arange(len(holes)), holes)
        back = np.arange(len(cell)) - np.repeat(np.cumsum(holes) - holes, holes) + 1
        write(column, (cells.row[cell], (cells.minute[cell] - back) % column.shape[1]), gap[cell])
    write(column, (cells.row, cells.minute % column.shape[1]), after)


def write(column: NDArray[Any], place: Any, value: NDArray[Any]) -> None:
    """Write; zeros only where something else stands: a page that nobody has written to costs no memory."""
    if not value.all():
        changed = np.flatnonzero(column[place] != value)
        place = tuple(axis[changed] for axis in place) if isinstance(place, tuple) else place[changed]
        value = value[changed]
    column[place] = value
