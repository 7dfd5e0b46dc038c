"""One day: for each series the slots in which a reading is due, and whether one came, was good, came in time."""

import zlib
from dataclasses import dataclass
from datetime import date
from typing import Any, Final, NamedTuple

import msgspec
import numpy as np
from numpy.typing import NDArray

from ingest.coverage import slots
from telemetry.batch import I64, U8, Mask

_FORMAT: Final = 1
_QUICK: Final = 1
_COLUMNS: Final = ("series", "width_ms", "phase_ms", "first", "due")


class Counts(NamedTuple):
    """Slots per series that were due, and those of them with a reading, a good one, one in time. Shapes (n,)."""

    expected: I64
    received: I64
    good: I64
    timely: I64


@dataclass(frozen=True, slots=True, eq=False)
class Layout:
    """What a day expects of its series, as columns of shape (n,), by ascending identity.

    ``first`` is the number of the first slot, ``due`` how many there are, counted from where counting began.
    """

    series: I64
    width_ms: I64
    phase_ms: I64
    first: I64
    due: I64

    def equals(self, other: "Layout") -> bool:
        """Whether both expect the same."""
        return all(np.array_equal(getattr(self, name), getattr(other, name)) for name in _COLUMNS)


class Day:
    """The slots of one day; a byte each. Folding the same rows again changes nothing, whatever came in between."""

    def __init__(self, day: date, layout: Layout, flags: U8 | None = None) -> None:
        self.day = day
        self.layout = layout
        self._at = np.concatenate([[0], np.cumsum(layout.due)])
        self._flags: U8 = np.zeros(int(self._at[-1]), np.uint8) if flags is None else flags
        self.dirty = False

    @property
    def size(self) -> int:
        """Bytes in memory."""
        return len(self._flags) + 8 * len(_COLUMNS) * len(self.layout.series)

    def places(self, series: I64) -> I64:
        """Where series stand in the layout, -1 for those that the day does not know. Shape (n,)."""
        known = self.layout.series
        if not len(known):
            return np.full(len(series), -1, np.int64)
        at = np.minimum(np.searchsorted(known, series), len(known) - 1)
        return np.where(known[at] == series, at, -1)

    def fold(self, place: I64, number: I64, good: Mask, timely: Mask) -> None:
        """Take readings (with a value) in the order of their commits; columns (n,), ``number`` that of the slot.

        Of several readings in one slot the last says whether it is good: a row written again replaces the one before.
        """
        slot = number - self.layout.first[place]
        inside = (place >= 0) & (slot >= 0) & (slot < self.layout.due[place])
        at = self._at[place[inside]] + slot[inside]
        if not len(at):
            return
        self._flags[at] |= slots.RECEIVED
        self._flags[at[timely[inside]]] |= slots.TIMELY
        self._flags[at] = self._flags[at] & ~np.uint8(slots.GOOD) | np.where(good[inside], slots.GOOD, 0).astype(
            np.uint8
        )
        self.dirty = True

    def counts(self, until_ms: int) -> Counts:
        """What is due by a moment (a slot's nominal time is not after it), and what of that came."""
        layout = self.layout
        past = slots.firsts(until_ms + 1, layout.phase_ms, layout.width_ms) - layout.first
        expected = np.clip(past, 0, layout.due)
        bits = (slots.RECEIVED, slots.GOOD, slots.TIMELY)
        return Counts(expected, *(self._summed(self._flags & bit, expected) // bit for bit in bits))

    def _summed(self, flags: NDArray[Any], expected: I64) -> I64:
        """The sum over the first ``expected`` (n,) slots of each series."""
        if not len(expected):
            return expected
        ends = np.stack([self._at[:-1], self._at[:-1] + expected], axis=1).ravel()
        summed = np.add.reduceat(np.append(flags, np.uint8(0)), ends, dtype=np.int64)[::2]
        return np.where(expected > 0, summed, 0)  # of an empty span reduceat gives the first element

    def relaid(self, layout: Layout) -> "Day":
        """The same day under another layout; slots that both know (by width, phase and number) keep what they hold."""
        if self.layout.equals(layout):
            return self
        laid = Day(self.day, layout)
        into = laid.places(self.layout.series)
        same = (
            (into >= 0)
            & (layout.width_ms[into] == self.layout.width_ms)
            & (layout.phase_ms[into] == self.layout.phase_ms)
        )
        within = np.arange(len(self._flags)) - np.repeat(self._at[:-1], self.layout.due)
        row = np.repeat(into, self.layout.due)
        slot = np.repeat(self.layout.first, self.layout.due) + within - layout.first[row]
        kept = np.repeat(same, self.layout.due) & (slot >= 0) & (slot < layout.due[row])
        laid._flags[laid._at[row[kept]] + slot[kept]] = self._flags[kept]
        laid.dirty = True
        return laid

    def copy(self) -> "Day":
        """A day that stays as it is now."""
        return Day(self.day, self.layout, self._flags.copy())

    def packed(self) -> bytes:
        """The day as bytes."""
        columns = {name: getattr(self.layout, name).tobytes() for name in _COLUMNS}
        return zlib.compress(msgspec.msgpack.encode(columns | {"v": _FORMAT, "flags": self._flags.tobytes()}), _QUICK)


def unpacked(day: date, body: bytes) -> Day:
    """A day from its bytes; raises ValueError where they are none."""
    try:
        found: dict[str, Any] = msgspec.msgpack.decode(zlib.decompress(body))
        columns = {name: np.frombuffer(found[name], np.int64).copy() for name in _COLUMNS}
        flags = np.frombuffer(found["flags"], np.uint8).copy()
    except (zlib.error, msgspec.DecodeError, KeyError, TypeError) as exc:
        raise ValueError(f"{day}: {exc!r}, expected a day of the book") from exc
    if found["v"] != _FORMAT or len(flags) != int(columns["due"].sum()):
        raise ValueError(f"{day}: {len(flags)} slots of format {found['v']}, expected what its layout says")
    return Day(day, Layout(**columns), flags)
