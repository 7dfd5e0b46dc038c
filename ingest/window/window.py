"""Window: the newest sample of every series, and sums of the quantities that need them: per minute over 48 hours, per
hour over 60 days.

Of two rows of one series and time the later one counts. The last few rows of a series are known, and every one that is
alone in its minute. What is older and denser counts twice, and a reading of a totaliser that is taken back from among
others of its minute stays in the sums (``blurred`` counts these), until the next start.
"""

from collections.abc import Iterable, Mapping
from typing import Final

import numpy as np

from ingest.window.filling import PastHours, load, put
from ingest.window.grid import NEVER, Grid, Rows, Span
from ingest.window.hours import Hourly, Hours, longest
from ingest.window.recent import Recent
from ingest.window.rewritten import Former, remembered, summed, taken_back
from ingest.window.totals import TotalGrid
from telemetry.batch import F64, I64, U8, U16, Mask
from telemetry.quality import Cause, Quality
from telemetry.quantity import QUANTITIES, Kind
from telemetry.series import Series
from telemetry.span import HOUR_NS, MINUTE_NS, SECOND_NS

MINUTES: Final = 2880
_BLOCK_ROWS: Final = 32_768
"""Columns of a block stay in the cache of a core."""


class Window:
    """Rows go in once, in any order; slots number the series in the order of their announcement.

    Arrays of shape (slots,): ``value``, ``time_ns``, ``quality``, ``cause`` of the newest row of each series, whatever
    its quality (time 0: none yet), and ``usable_ns``, the time of its newest row that is not BAD or MISSING.
    ``doubted_ns`` is when a row came last whose time could not be (0: never); such rows do not enter.
    ``shown`` and ``shown_quality`` are the row that arrived last: they differ from the newest between an ``insert`` of
    a row out of order and ``settle``, so that it is judged by its own value. Values are in canonical units.
    ``too_old`` counts rows before the window; they are ignored here (the store keeps them), and ``outdated`` names
    their series, so that their hours are read again (``load_hours``). ``replaced`` counts rows that took the place of
    another one.
    """

    def __init__(self, quantities: Iterable[str], minutes: int = MINUTES) -> None:
        self._grids: dict[str, Grid] = {
            name: TotalGrid(minutes, name) if QUANTITIES[name].kind is Kind.TOTAL else Grid(minutes)
            for name in sorted(quantities)
        }
        self._hours = {name: Hours() for name in self._grids}
        for ring in (*self._grids.values(), *self._hours.values()):
            ring.grow(1)  # a probe whose series is absent looks at the first row, even where there is none
        self._recent = Recent()
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
        self.too_old = self.replaced = self.blurred = 0
        self.outdated: set[int] = set()
        """Slots with rows that came too late for the minutes; who reads them again from the store clears it."""

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
        self._recent.grow(len(self))
        number = {name: index for index, name in enumerate(self._names)}
        self._grid_of[old:] = [number.get(known[identity].quantity, -1) for identity in added]
        for index, name in enumerate(self._names):
            seated = np.flatnonzero(self._grid_of == index)
            self._row_of[seated] = np.arange(len(seated))
            self._grids[name].grow(len(seated))
            self._hours[name].grow(len(seated))

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
        """Take in rows of known slots in any order, all (n,); of two of one series and time the later one counts."""
        if not len(slots):
            return
        order = np.lexsort((time_ns, slots))
        change = (np.diff(slots[order]) != 0) | (np.diff(time_ns[order]) != 0)
        order = order[np.append(change, True)]
        for at in range(0, len(order), _BLOCK_ROWS):
            part = order[at : at + _BLOCK_ROWS]
            self._take(Rows(slots[part], time_ns[part], value[part], quality[part]), cause[part])

    def _take(self, rows: Rows, cause: U16) -> None:
        """Take in rows that are sorted by slot and time, no two of one slot and time."""
        put = self._replace(rows)
        usable = rows.quality <= Quality.SUSPECT
        by_hand = (rows.quality == Quality.BAD) & (cause & Cause.MANUAL != 0) & self._is_total[self._grid_of[rows.row]]
        self._into_grids(rows.take(put), (usable | by_hand)[put])
        slots, time_ns = rows.row, rows.time_ns
        last = np.append(slots[1:] != slots[:-1], True)
        at = slots[last]
        self.shown[at], self.shown_quality[at] = rows.value[last], rows.quality[last]
        newer = last & (time_ns >= self.time_ns[slots])
        at = slots[newer]
        self.time_ns[at], self.value[at], self.quality[at] = time_ns[newer], rows.value[newer], rows.quality[newer]
        self.cause[at] = cause[newer]
        np.maximum.at(self.usable_ns, slots[usable], time_ns[usable])

    def _replace(self, rows: Rows) -> Mask:
        """Take out of the sums in whose place rows come; which of the rows (n,) are to be put in."""
        old = rows.time_ns <= self.time_ns[rows.row]
        if not old.any():
            self._recent.remember(rows.row, rows.time_ns, rows.value, rows.quality)
            return np.ones(len(rows.row), np.bool_)
        asked = rows.take(old)
        former = remembered(self._recent, asked)
        unknown = ~old
        unknown[old] = ~former.known
        fresh = rows.take(unknown)
        self._recent.remember(fresh.row, fresh.time_ns, fresh.value, fresh.quality)
        put = np.ones(len(rows.row), np.bool_)
        put[old] = self._taken_back(asked, former)
        return put

    def _taken_back(self, rows: Rows, former: Former) -> Mask:
        put = ~former.known
        grid_of = self._grid_of[rows.row]
        for index in np.unique(grid_of[grid_of >= 0]).tolist():
            mine = np.flatnonzero(grid_of == index)
            name, its = self._names[index], former.take(mine)
            part = Rows(self._row_of[rows.row[mine]], rows.time_ns[mine], rows.value[mine], rows.quality[mine])
            summed(self._grids[name], part, its)
            put[mine], blurred = taken_back(self._grids[name], self._hours[name], part, its)
            self.blurred += blurred
            former.known[mine], former.value[mine], former.quality[mine] = its.known, its.value, its.quality
        differs = former.differs(rows)
        self.replaced += int(differs.sum())
        newest = differs & former.usable() & (rows.quality >= Quality.BAD) & (rows.time_ns == self.usable_ns[rows.row])
        slots = rows.row[newest]
        known_ns = self._recent.newest_usable_ns(slots)
        self.usable_ns[slots] = np.where(known_ns > 0, known_ns, self.usable_ns[slots])
        return put

    def doubt(self, slots: I64, now_ns: int) -> None:
        """Note that rows of these series came at ``now_ns`` whose time can't be."""
        self.doubted_ns[slots] = now_ns

    def settle(self, slots: I64) -> None:
        """Show the newest row of these series again."""
        self.shown[slots], self.shown_quality[slots] = self.value[slots], self.quality[slots]

    def _into_grids(self, rows: Rows, wanted: Mask) -> None:
        if not len(rows.row):
            return
        grid_of = self._grid_of[rows.row]
        fits = self._in_time(rows, np.where(wanted, grid_of, -1))
        self.too_old += int((~fits).sum())
        self.outdated.update(rows.row[~fits].tolist())
        for index in np.unique(grid_of[fits & (grid_of >= 0)]).tolist():
            mine = fits & (grid_of == index)
            part = rows.take(mine)
            chosen = Rows(self._row_of[part.row], part.time_ns, part.value, part.quality)
            grid, hours = self._grids[self._names[index]], self._hours[self._names[index]]
            hours.spoil(chosen)
            useful = wanted[mine]
            if useful.any():
                put(grid, hours, chosen.take(useful), self.usable_ns[part.row][useful])

    def _in_time(self, rows: Rows, grid_of: I64) -> Mask:
        """Whether each row is not older than the window of its series, these rows being in it."""
        newest = self.usable_ns[rows.row]
        last = np.flatnonzero(np.append(rows.row[1:] != rows.row[:-1], True))
        newest = np.maximum(newest, np.repeat(rows.time_ns[last], np.diff(np.append(-1, last))))
        return (grid_of < 0) | (newest - rows.time_ns < (self._minutes - 1) * MINUTE_NS)

    def load_hours(self, past: PastHours) -> None:
        """Take over the hours of 60 days from the store; what was here of these series' hours is forgotten."""
        self.outdated -= set(np.unique(past.slots).tolist())
        grid_of = self._grid_of[past.slots]
        for index in np.unique(grid_of[grid_of >= 0]).tolist():
            name = self._names[index]
            mine = past.take(grid_of == index)
            load(self._grids[name], self._hours[name], self._row_of[mine.slots], mine)

    def span(self, quantity: str, slots: I64, at_ns: I64, minutes: int | I64) -> Span:
        """Sums over the minutes that end with the one that holds ``at_ns``; shape (n,) each, slots of one quantity.

        From an hour more than the window has, they are whole hours, the present one begun.
        """
        row, at = self._row_of[slots], at_ns // MINUTE_NS
        spans, long = self._grids[quantity].span(row, at, minutes), np.greater_equal(minutes, self._minutes + 60)
        if not long.any():
            return spans
        return longest(spans, self._hours[quantity].span(row, at // 60, -(-np.asarray(minutes) // 60)), long)

    def each_hour(self, quantity: str, slots: I64, at_ns: I64, hours: int) -> Hourly:
        """Every hour up to that of ``at_ns``, 60 days at most; (n,) -> (n, hours)."""
        return self._hours[quantity].each(self._row_of[slots], at_ns // HOUR_NS, hours)

    def summed(self) -> I64:
        """Identities of the series that have sums."""
        return self._ids[self._grid_of >= 0]

    @property
    def nbytes(self) -> int:
        """Bytes of all sums; pages that nobody has written to are none yet."""
        return sum(ring.nbytes for ring in (*self._grids.values(), *self._hours.values()))

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
