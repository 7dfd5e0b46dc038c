"""Readings of totalisers, those of one series and minute together."""

from dataclasses import dataclass

import numpy as np

from ingest.window.grid import Rows
from telemetry.batch import F64, I64, Mask
from telemetry.quality import Quality


@dataclass(frozen=True, slots=True)
class Pieces:
    """Rows of one series and minute together, arrays of shape (k,)."""

    row: I64
    minute: I64
    first: F64
    last: F64
    first_ns: I64
    last_ns: I64
    inner: F64
    """Gain between the first and the last."""
    count: I64
    suspect: I64
    by_hand: Mask
    """Whether the first was made by hand."""

    def take(self, chosen: Mask) -> "Pieces":
        """Some of the pieces."""
        return Pieces(*(getattr(self, name)[chosen] for name in self.__slots__))


def apart(rows: Rows, minute: I64) -> Pieces:
    """Rows no two of which are of one series and minute."""
    by_hand = rows.quality > Quality.SUSPECT
    suspect = (rows.quality == Quality.SUSPECT).astype(np.int64)
    value, time_ns = rows.value, rows.time_ns
    none, count = np.zeros(len(minute)), (~by_hand).astype(np.int64)
    return Pieces(rows.row, minute, value, value, time_ns, time_ns, none, count, suspect, by_hand)


def greatest(most: tuple[float, float], minutes: I64) -> F64:
    """The greatest gain that is believed: ``a * h ** b`` over gaps of ``h`` hours, given as minutes (n,)."""
    scale, power = most
    return np.asarray(scale * ((minutes + 1) / 60) ** power, np.float64)


def rank_of(row: I64) -> I64:
    """How many equal rows stand before each in a sorted array; shape (n,) -> (n,)."""
    first = np.append(True, row[1:] != row[:-1])
    begin = np.maximum.accumulate(np.where(first, np.arange(len(row)), 0))
    return np.arange(len(row)) - begin
