"""Mean and spread over windows of many series at once, without the cancellation that running sums have.

Counts, means and sums of squared deviations of blocks of 1, 2, 4, ... samples are merged in pairs (Chan, Golub and
LeVeque, Updating formulae and a pairwise algorithm for computing sample variances, 1979).
"""

from typing import NamedTuple

import numpy as np

from ingest.qc.record import Record
from telemetry.batch import F64, I64


class Moments(NamedTuple):
    """Samples that count, their mean, and the sum of their squared deviations from it; shape (n,) each."""

    number: F64
    mean: F64
    squares: F64

    def take(self, rows: I64) -> "Moments":
        """Those of some rows."""
        return Moments(*(column[rows] for column in self))


def deviation(record: Record, length: I64) -> tuple[F64, F64]:
    """Standard deviation (of the population) over the last ``length`` samples up to each row, and how many count, (n,)
    each; NaN where none does. ``length`` must not reach before the series of its row.
    """
    there = (~record.missing).astype(np.float64)
    blocks = Moments(there, np.where(record.missing, 0.0, record.value), np.zeros(len(there)))
    found = Moments(*(np.zeros(len(there)) for _ in range(3)))
    end, size = np.arange(len(there)), 1
    while size <= int(length.max(initial=0)):
        rows = np.flatnonzero(length & size)
        part = _merged(found.take(rows), blocks.take(end[rows]))
        for column, more in zip(found, part, strict=True):
            column[rows] = more
        end[rows] -= size
        blocks = _doubled(blocks, size)
        size *= 2
    mean = np.divide(found.squares, found.number, out=np.full(len(there), np.nan), where=found.number > 0)
    return np.sqrt(mean), found.number


def _doubled(blocks: Moments, size: int) -> Moments:
    """Blocks up to each row, each with the one before it; the first rows have none before."""
    if size >= len(blocks.number):
        return blocks
    joined = _merged(Moments(*(column[size:] for column in blocks)), Moments(*(column[:-size] for column in blocks)))
    return Moments(*(np.concatenate((old[:size], new)) for old, new in zip(blocks, joined, strict=True)))


def _merged(one: Moments, other: Moments) -> Moments:
    number = one.number + other.number
    delta = np.where((one.number > 0) & (other.number > 0), other.mean - one.mean, 0.0)
    share = np.divide(other.number, number, out=np.zeros(len(number)), where=number > 0)
    mean = np.where(one.number > 0, one.mean + delta * share, other.mean)
    with np.errstate(over="ignore"):  # what is absurd has an endless spread
        return Moments(number, mean, one.squares + other.squares + delta * delta * one.number * share)
