"""Totalisers in the window: increments across rollover and reset, and rows that come late.

A gain is ``(x - x') mod M``; one that the quantity cannot make in that time is a reset of the counter, not rain
(HAZARDS 2). Late rows are put between their neighbours: the gain across the gap that they split is taken back and
the two parts are added, so that the sums are those of the right order. Within one minute only the first and the last
reading are kept, so a reset that a late row of the same minute would reveal stays hidden.

What somebody pours into a gauge to test it is no rain: rows that say so (BAD, MANUAL) are no samples, and nothing is
gained up to each of them, so that the next usable row is measured from the last of them. Late ones are left away.
"""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from ingest.window.grid import NEVER, Cells, Grid, Rows, Span, grown, write
from ingest.window.pieces import Pieces, apart, greatest, rank_of
from telemetry.batch import F64, I64, U8, Mask
from telemetry.quality import Quality
from telemetry.span import MILLISECOND_NS, MINUTE_NS

MOST: Final = {"rain_total": (422.0, 0.475)}
"""Greatest gain over ``h`` hours as ``a * h ** b`` in canonical units: for rain the envelope of the world's records
(Jennings 1950: 422 mm in an hour, 60 mm in a minute). Absent: any gain is believed."""
_MOST_ROLLED: Final = 0.5
"""A fall of the counter is a rollover only when it gained less than this part of its range, else a reset."""


class TotalGrid(Grid):
    """Running sums of the gains of totalisers; the first and last reading of every minute serve late rows."""

    def __init__(self, minutes: int, quantity: str) -> None:
        super().__init__(minutes)
        self._most = MOST.get(quantity, (np.inf, 0.0))
        self._most_by_minute = greatest(self._most, np.arange(minutes + 1))
        self._modulus: F64 = np.zeros(0)
        self._last: F64 = np.zeros((0, minutes))
        self._to_first: NDArray[np.uint64] = np.zeros((0, minutes), np.uint64)
        """Exclusive or of the bits of the first reading and those of the last: 0, and no memory, where there is one."""
        self._to_first_ms: NDArray[np.uint16] = np.zeros((0, minutes), np.uint16)
        self._by_hand: NDArray[np.int32] = np.zeros((0, minutes), np.int32)
        """A minute in its own place: its first reading was made by hand, so nothing was gained up to it."""

    def grow(self, rows: int) -> None:
        """As in Grid."""
        extra = rows - len(self.start)
        if extra <= 0:
            return
        super().grow(rows)
        self._modulus = np.concatenate([self._modulus, np.full(extra, np.nan)])
        for name in ("_last", "_to_first", "_to_first_ms", "_by_hand"):
            setattr(self, name, grown(getattr(self, name), rows))

    def set_modulus(self, row: int, modulus: float | None) -> None:
        """The value at which a counter starts again from zero; None: it never does."""
        self._modulus[row] = np.nan if modulus is None else modulus

    def put(self, rows: Rows, usable_ns: I64) -> None:
        """Take in rows; ``usable_ns`` (n,) is the newest usable time of each row's series so far."""
        late = (rows.time_ns < usable_ns) | (rows.time_ns // MINUTE_NS < self.filled[rows.row])
        if not late.all():
            self._append(rows.take(~late))
        late &= rows.quality <= Quality.SUSPECT
        if not late.any():
            return
        pieces = self._pieces(rows.take(late))
        rank = rank_of(pieces.row)
        for turn in range(int(rank.max()) + 1):
            self._amend(pieces.take(rank == turn))
        row, newest = pieces.row, np.append(rank[1:] == 0, True)
        hollow = newest & np.isnan(self._last[row, self.filled[row] % self.minutes])  # the only one was taken back
        self.filled[row[hollow]] = pieces.minute[hollow]

    def _gain(self, row: I64, before: F64, after: F64, minutes: I64) -> F64:
        """Gain between two readings of a counter; 0 across a reset; NaN in is 0 out."""
        gain: F64 = after - before
        most = self._most_in(minutes)
        fell = np.flatnonzero(gain < 0)
        if len(fell):
            modulus = self._modulus[row[fell]]
            gain[fell] = np.where(np.isnan(modulus), gain[fell], np.mod(gain[fell], modulus))
            most[fell] = np.minimum(most[fell], modulus * _MOST_ROLLED)
        return np.where((gain >= 0) & (gain <= most), gain, 0.0)

    def _most_in(self, minutes: I64) -> F64:
        """The greatest gain that is believed over gaps of minutes; looked up, since a power costs 40 ns."""
        most = self._most_by_minute[np.clip(minutes, 0, self.minutes)]
        long = np.flatnonzero(minutes > self.minutes)
        if len(long):
            most[long] = greatest(self._most, minutes[long])
        return most

    def joint(self, row: I64, minute: I64) -> I64:
        """As in Grid: the gain of a gap that reaches beyond the minute belongs to what comes after it."""
        _, before, _ = self._neighbours(row, minute + 1)
        return np.where(before == NEVER, minute, before)

    def gains(self, row: I64, hour: I64, value: F64) -> F64:
        """Gains from each of the highest readings of hours (sorted by row and hour) to the next one. (n,)."""
        same = np.append(False, row[1:] == row[:-1])
        before = np.where(same, np.append(np.nan, value[:-1]), np.nan)
        return self._gain(row, before, value, np.append(0, np.diff(hour)) * 60)

    def _pieces(self, rows: Rows) -> Pieces:
        minute = rows.time_ns // MINUTE_NS
        same = np.append(False, (rows.row[1:] == rows.row[:-1]) & (minute[1:] == minute[:-1]))
        if not same.any():
            return apart(rows, minute)
        at = np.flatnonzero(~same)
        end = np.append(at[1:], len(minute)) - 1
        before = np.append(np.nan, rows.value[:-1])
        by_hand = rows.quality > Quality.SUSPECT
        within = np.where(same & ~by_hand, before, np.nan)
        inner = self._gain(rows.row, within, rows.value, np.zeros(len(minute), np.int64))
        suspect = (rows.quality == Quality.SUSPECT).astype(np.int64)
        return Pieces(
            rows.row[at],
            minute[at],
            rows.value[at],
            rows.value[end],
            rows.time_ns[at],
            rows.time_ns[end],
            np.add.reduceat(inner, at),
            np.add.reduceat((~by_hand).astype(np.int64), at),
            np.add.reduceat(suspect, at),
            by_hand[at],
        )

    def _append(self, rows: Rows) -> None:
        pieces = self._pieces(rows)
        fresh = np.append(True, pieces.row[1:] != pieces.row[:-1])
        filled = self.filled[pieces.row]
        held = self._last[pieces.row, filled % self.minutes]
        before = np.where(fresh, held, np.append(0.0, pieces.last[:-1]))
        since = np.where(fresh, filled, np.append(0, pieces.minute[:-1]))
        before = np.where((since == NEVER) | pieces.by_hand, np.nan, before)
        entry = self._gain(pieces.row, before, pieces.first, pieces.minute - since)
        self.append(Cells(pieces.row, pieces.minute, entry + pieces.inner, pieces.count, pieces.suspect), entry)
        first = (since != pieces.minute) | (fresh & np.isnan(held))
        self._keep(pieces, first, np.ones(len(pieces.row), np.bool_))

    def _first(self, row: I64, column: I64) -> tuple[F64, NDArray[np.uint16]]:
        """The first reading of minutes, and its milliseconds."""
        bits = self._last[row, column].view(np.uint64) ^ self._to_first[row, column]
        return bits.view(np.float64), self._last_ms[row, column] ^ self._to_first_ms[row, column]

    def _keep(self, pieces: Pieces, first: Mask, last: Mask) -> None:
        """Remember the first and the last reading of minutes where they are new ones."""
        if pieces.first is pieces.last and first.all() and last.all():
            self._keep_single(pieces)
            return
        row, column, begin_ns = pieces.row, pieces.minute % self.minutes, pieces.minute * MINUTE_NS
        first_value, first_ms = self._first(row, column)
        first_value = np.where(first, pieces.first, first_value)
        first_ms = np.where(first, (pieces.first_ns - begin_ns) // MILLISECOND_NS, first_ms).astype(np.uint16)
        marked = first & pieces.by_hand
        self._by_hand[row[marked], column[marked]] = pieces.minute[marked]
        at = row[last], column[last]
        self._last[at] = pieces.last[last]
        self._last_ms[at] = (pieces.last_ns[last] - begin_ns[last]) // MILLISECOND_NS
        write(self._to_first, (row, column), first_value.view(np.uint64) ^ self._last[row, column].view(np.uint64))
        write(self._to_first_ms, (row, column), first_ms ^ self._last_ms[row, column])

    def _keep_single(self, pieces: Pieces) -> None:
        """The usual case: each reading is the first and the last of its minute."""
        at = pieces.row, pieces.minute % self.minutes
        marked = pieces.by_hand
        if marked.any():
            self._by_hand[at[0][marked], at[1][marked]] = pieces.minute[marked]
        self._last[at] = pieces.last
        self._last_ms[at] = (pieces.last_ns - pieces.minute * MINUTE_NS) // MILLISECOND_NS
        write(self._to_first, at, np.zeros(len(marked), np.uint64))
        write(self._to_first_ms, at, np.zeros(len(marked), np.uint16))

    def _read(self, row: I64, minute: I64, alone: Span) -> F64:
        return self._last[row, minute % self.minutes]

    def alone(self, row: I64, time_ns: I64) -> Mask:
        """Which samples are the only one of a minute that is in the ring. (n,) -> (n,)."""
        minute = time_ns // MINUTE_NS
        return (self.span(row, minute, 1).count == 1) & (minute > self.filled[row] - self.minutes)

    def doubt(self, rows: Rows, former: U8) -> None:
        """Readings are doubtful now that were not, or no longer; ``former`` (n,) is what their quality was."""
        change = (rows.quality == Quality.SUSPECT).astype(np.int64) - (former == Quality.SUSPECT)
        minute, none = rows.time_ns // MINUTE_NS, np.zeros(len(change), np.int64)
        near = minute > self.filled[rows.row] - self.minutes
        self.amend(Cells(rows.row, minute, none.astype(np.float64), none, change).take(near))

    def withdraw(self, rows: Rows) -> None:
        """Take back usable readings (in their former quality) that were the only ones of their minutes."""
        for turn in range(int(rank_of(rows.row).max(initial=-1)) + 1):
            chosen = rows.take(rank_of(rows.row) == turn)
            self._withdraw(chosen.row, chosen.time_ns // MINUTE_NS, chosen.quality == Quality.SUSPECT)

    def _withdraw(self, row: I64, minute: I64, suspect: Mask) -> None:
        _, before, after = self._neighbours(row, minute)
        value, none = self._last[row, minute % self.minutes], np.zeros(len(row), np.int64)
        left = np.where(before == NEVER, np.nan, self._last[row, before % self.minutes])
        right = self._right(row, after)
        self._lead(row, before, -self._gain(row, left, value, minute - before), before != NEVER)
        self._lead(row, minute, -self._gain(row, value, right, after - minute), after != NEVER)
        whole = (before != NEVER) & (after != NEVER)
        self._lead(row, before, self._gain(row, left, right, after - before), whole)
        self.amend(Cells(row, minute, none.astype(np.float64), none - 1, -suspect.astype(np.int64)))
        self._last[row, minute % self.minutes] = np.nan
        self._to_first[row, minute % self.minutes] = 0
        newest = (minute == self.filled[row]) & (before != NEVER)
        self.filled[row[newest]] = before[newest]

    def _right(self, row: I64, after: I64) -> F64:
        """The first reading of the minute after a gap; NaN where there is none, or nothing is measured up to it."""
        open_ended = (after == NEVER) | (self._by_hand[row, after % self.minutes] == after)
        return np.where(open_ended, np.nan, self._first(row, after % self.minutes)[0])

    def _lead(self, row: I64, minute: I64, amount: F64, given: Mask) -> None:
        """Add to what the gap after a minute holds, where that is ``given``."""
        some = given & (amount != 0)
        none = np.zeros(int(some.sum()), np.int64)
        self.amend(Cells(row[some], minute[some] + 1, amount[some], none, none))

    def _amend(self, pieces: Pieces) -> None:
        """Put one piece per series between its neighbours."""
        row, minute, column = pieces.row, pieces.minute, pieces.minute % self.minutes
        here, before, after = self._neighbours(row, minute)
        first_here, first_here_ms = self._first(row, column)
        old_first = np.where(here & (self._by_hand[row, column] != minute), first_here, np.nan)
        old_last = np.where(here, self._last[row, column], np.nan)
        first_ms, last_ms = (
            (moment - minute * MINUTE_NS) // MILLISECOND_NS for moment in (pieces.first_ns, pieces.last_ns)
        )
        earlier = ~here | (first_ms < first_here_ms)
        later = ~here | (last_ms > self._last_ms[row, column])
        new_first = np.where(earlier, pieces.first, old_first)
        new_last = np.where(later, pieces.last, old_last)
        none = np.zeros(len(row), np.int64)
        inner = np.where(
            here,
            self._gain(row, new_first, old_first, none) + self._gain(row, old_last, new_last, none),
            pieces.inner,
        )
        self._bridge(row, minute, before, after, (old_first, old_last), (new_first, new_last), here)
        self.amend(Cells(row, minute, inner, pieces.count, pieces.suspect))
        self._keep(pieces, earlier, later)

    def _bridge(
        self, row: I64, minute: I64, before: I64, after: I64, old: tuple[F64, F64], new: tuple[F64, F64], here: Mask
    ) -> None:
        """Move the gains across the gaps before and after a minute; a gain counts from the first minute of its gap."""
        left = np.where(before == NEVER, np.nan, self._last[row, before % self.minutes])
        right = self._right(row, after)
        entry = self._gain(row, left, new[0], minute - before) - self._gain(row, left, old[0], minute - before)
        since, base = np.where(here, minute, before), np.where(here, old[1], left)
        taken = self._gain(row, base, right, after - since)
        leave = self._gain(row, new[1], right, after - minute)
        self._lead(row, before, entry, before != NEVER)
        self._lead(row, since, -taken, (since != NEVER) & (after != NEVER))
        self._lead(row, minute, leave, after != NEVER)

    def _neighbours(self, row: I64, minute: I64) -> tuple[Mask, I64, I64]:
        """Whether a minute holds samples, and the nearest minutes before and after it that do (NEVER: none)."""
        minutes = self.filled[row][:, None] - np.arange(self.minutes)
        counts = self.count[row[:, None], minutes % self.minutes].astype(np.int64)
        held = counts.copy()
        held[:, :-1] -= counts[:, 1:]
        filled = (held > 0) | (self._by_hand[row[:, None], minutes % self.minutes] == minutes)
        filled &= minutes >= self.start[row][:, None]
        offset = minute[:, None]
        here = (filled & (minutes == offset)).any(axis=1)
        before = np.where(filled & (minutes < offset), minutes, NEVER).max(axis=1)
        after = np.where(filled & (minutes > offset), minutes, -NEVER).min(axis=1)
        return here, before, np.where(after == -NEVER, NEVER, after)
