"""Window: the newest sample of every series, and sums per minute over 48 hours of the quantities that need them."""

from collections.abc import Iterable, Mapping
from typing import Final

import numpy as np

from ingest.window.grid import NEVER, Cells, Grid, Span
from ingest.window.totals import Rows, TotalGrid
from telemetry.batch import F64, I64, U8, U16, Mask
from telemetry.quality import Cause, Quality
from telemetry.quantity import QUANTITIES, Kind
from telemetry.series import Series
from telemetry.span import MINUTE_NS, SECOND_NS

MINUTES: Final = 2880


class Window:
    """Rows go in once, in any order; slots number the series in the order of their announcement.

    Arrays of shape (slots,): ``value``, ``time_ns``, ``quality``, ``cause`` of the newest row of each series, whatever
    its quality (time 0: none yet), and ``usable_ns``, the time of its newest row that is not BAD or MISSING.
    ``doubted_ns`` is when a row came last whose time could not be (0: never); such rows do not enter.
    ``shown`` and ``shown_quality`` are the row that arrived last: they differ from the newest between an ``insert`` of
    a row out of order and ``settle``, so that it is judged by its own value. Values are in canonical units.
    ``too_old`` counts rows before the window; they are ignored here (the store keeps them).
    """

    def __init__(self, quantities: Iterable[str], minutes: int = MINUTES) -> None:
        self._grids: dict[str, Grid] = {
            name: TotalGrid(minutes, name) if QUANTITIES[name].kind is Kind.TOTAL else Grid(minutes)
            for name in sorted(quantities)
        }
        for grid in self._grids.values():
            grid.grow(1)  # a probe whose series is absent looks at the first row, even where there is none
        self._is_total = np.array([*(isinstance(grid, TotalGrid) for grid in self._grids.values()), False])
        """By number of the grid; the last, -1, stands for none."""
        self._minutes = minutes
        self._names = tuple(self._grids)
        self._ids: I64 = np.zeros(0, np.int64)
        self._order: I64 = np.zeros(0, np.int64)
        self._grid_of: I64 = np.zeros(0, np.int64)
        self._row_of: I64 = np.zeros(0, np.int64)
        self.period_ns: I64 = np.zeros(0, np.int64)
        self.value: F64 = np.zeros(0)
        self.time_ns: I64 = np.zeros(0, np.int64)
        self.quality: U8 = np.zeros(0, np.uint8)
        self.cause: U16 = np.zeros(0, np.uint16)
        self.usable_ns: I64 = np.zeros(0, np.int64)
        self.doubted_ns: I64 = np.zeros(0, np.int64)
        self.shown: F64 = np.zeros(0)
        self.shown_quality: U8 = np.zeros(0, np.uint8)
        self.too_old = 0

    def __len__(self) -> int:
        return len(self.time_ns)

    @property
    def ids(self) -> I64:
        """The series of each slot."""
        return self._ids

    def announce(self, known: Mapping[int, Series]) -> None:
        """Make slots for series that have none; a series that is known already takes its new period and modulus."""
        ids = np.fromiter(known, np.int64, len(known))
        self._extend(ids[self.slots(ids) < 0].tolist(), known)
        slots = self.slots(ids)
        for slot, series in zip(slots.tolist(), known.values(), strict=True):
            self.period_ns[slot] = round(series.period_s * SECOND_NS)
            grid = self._grids.get(series.quantity)
            if isinstance(grid, TotalGrid):
                grid.set_modulus(int(self._row_of[slot]), series.modulus)

    def _extend(self, added: list[int], known: Mapping[int, Series]) -> None:
        n, old = len(added), len(self)
        self._ids = np.concatenate([self._ids, np.array(added, np.int64)])
        self._order = np.argsort(self._ids, kind="stable")
        for name, fill in (
            ("period_ns", 0),
            ("value", np.nan),
            ("time_ns", 0),
            ("quality", Quality.MISSING),
            ("cause", 0),
            ("usable_ns", 0),
            ("doubted_ns", 0),
            ("shown", np.nan),
            ("shown_quality", Quality.MISSING),
            ("_grid_of", -1),
            ("_row_of", -1),
        ):
            array = getattr(self, name)
            setattr(self, name, np.concatenate([array, np.full(n, fill, array.dtype)]))
        number = {name: index for index, name in enumerate(self._names)}
        self._grid_of[old:] = [number.get(known[identity].quantity, -1) for identity in added]
        for index, name in enumerate(self._names):
            seated = np.flatnonzero(self._grid_of == index)
            self._row_of[seated] = np.arange(len(seated))
            self._grids[name].grow(len(seated))

    def slots(self, series: I64) -> I64:
        """Slots of series by identity, -1 where one was never announced; shape (n,) -> (n,)."""
        if not len(self._ids):
            return np.full(len(series), -1, np.int64)
        place = np.minimum(np.searchsorted(self._ids, series, sorter=self._order), len(self._ids) - 1)
        slot = self._order[place]
        return np.where(self._ids[slot] == series, slot, -1)

    def series(self, slots: I64) -> I64:
        """Identities of slots; shape (n,) -> (n,)."""
        return self._ids[slots]

    def insert(self, slots: I64, time_ns: I64, value: F64, quality: U8, cause: U16) -> None:
        """Take in rows of known slots in any order, all of shape (n,)."""
        if not len(slots):
            return
        order = np.lexsort((time_ns, slots))
        slots, time_ns, value, quality = slots[order], time_ns[order], value[order], quality[order]
        usable = quality <= Quality.SUSPECT
        by_hand = (quality == Quality.BAD) & (cause[order] & Cause.MANUAL != 0) & self._is_total[self._grid_of[slots]]
        self._into_grids(Rows(slots, time_ns, value, quality), usable | by_hand)
        last = np.append(slots[1:] != slots[:-1], True)
        at = slots[last]
        self.shown[at], self.shown_quality[at] = value[last], quality[last]
        newer = last & (time_ns >= self.time_ns[slots])
        at = slots[newer]
        self.time_ns[at], self.value[at], self.quality[at] = time_ns[newer], value[newer], quality[newer]
        self.cause[at] = cause[order][newer]
        np.maximum.at(self.usable_ns, slots[usable], time_ns[usable])

    def doubt(self, slots: I64, now_ns: int) -> None:
        """Note that rows of these series came at ``now_ns`` whose time can't be."""
        self.doubted_ns[slots] = now_ns

    def settle(self, slots: I64) -> None:
        """Show the newest row of these series again."""
        self.shown[slots], self.shown_quality[slots] = self.value[slots], self.quality[slots]

    def _into_grids(self, rows: Rows, wanted: Mask) -> None:
        grid_of = np.where(wanted, self._grid_of[rows.row], -1)
        fits = self._in_time(rows, grid_of)
        self.too_old += int((~fits).sum())
        for index in np.unique(grid_of[fits]).tolist():
            if index >= 0:
                mine = fits & (grid_of == index)
                chosen = Rows(self._row_of[rows.row[mine]], rows.time_ns[mine], rows.value[mine], rows.quality[mine])
                self._put(self._grids[self._names[index]], chosen, self.usable_ns[rows.row[mine]])

    def _in_time(self, rows: Rows, grid_of: I64) -> Mask:
        """Whether each row is not older than the window of its series, these rows being in it."""
        newest = self.usable_ns[rows.row]
        last = np.flatnonzero(np.append(rows.row[1:] != rows.row[:-1], True))
        newest = np.maximum(newest, np.repeat(rows.time_ns[last], np.diff(np.append(-1, last))))
        return (grid_of < 0) | (newest - rows.time_ns < (self._minutes - 1) * MINUTE_NS)

    @staticmethod
    def _put(grid: Grid, rows: Rows, usable_ns: I64) -> None:
        if isinstance(grid, TotalGrid):
            grid.put(rows, usable_ns)
            return
        cells = _gather(rows)
        late = cells.minute < grid.filled[cells.row]
        grid.append(cells.take(~late))
        grid.amend(cells.take(late))

    def span(self, quantity: str, slots: I64, at_ns: I64, minutes: int | I64) -> Span:
        """Sums over the minutes that end with the one that holds ``at_ns``; shape (n,) each, slots of one quantity."""
        return self._grids[quantity].span(self._row_of[slots], at_ns // MINUTE_NS, minutes)

    def each_minute(self, quantity: str, slots: I64, at_ns: I64, minutes: int) -> F64:
        """Mean of every minute up to that of ``at_ns``, NaN where it has no usable sample; (n,) -> (n, minutes)."""
        n = len(slots)
        back = np.tile(np.arange(minutes - 1, -1, -1), n) * MINUTE_NS
        cells = self.span(quantity, np.repeat(slots, minutes), np.repeat(at_ns, minutes) - back, 1)
        return np.divide(cells.total, cells.count, out=np.full(n * minutes, np.nan), where=cells.count > 0).reshape(
            n, minutes
        )

    def began_ns(self, quantity: str, slots: I64) -> I64:
        """The minute of the oldest usable row that a window can see, per series (n,); 0 where there is none."""
        start = self._grids[quantity].start[self._row_of[slots]]
        return np.where(start == NEVER, 0, start * MINUTE_NS)


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
