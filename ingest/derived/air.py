"""Air quality index: both editions of HJ 633 (2012 and 2026), each for the samples of its time.

Concentrations are rounded before (GB/T 8170: half to even; whole ug/m3, CO to 0.1 mg/m3), the sub-index (IAQI) is
linear between the break points and rounded up, and the index (AQI) is the greatest of the six. Primary pollutants are
those whose sub-index is the index, all of them in a tie, and none up to 50. The table is ``tables/hj633.csv``.
"""

import csv
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Final, NamedTuple

import numpy as np

from telemetry.batch import F64, I64
from telemetry.span import moment_ns

POLLUTANTS: Final = ("pm25", "pm10", "so2", "no2", "co", "o3")
"""In the order of the bits of a primary pollutant, and of the columns here."""
EDITIONS: Final = (("2012", -(2**62)), ("2026", moment_ns("2026-03-01T00:00+08:00")))
"""With the moment since which each is in force; what lies before the first is judged by it."""
INDICES: Final = np.array([0.0, 50.0, 100.0, 150.0, 200.0, 300.0, 400.0, 500.0])
_TOP: Final = 500.0
_NO_PRIMARY: Final = 50.0
_CERTAIN: Final = 100.0
_TABLE: Final = Path(__file__).with_name("tables") / "hj633.csv"
_NOISE: Final = 9
"""Decimals beyond which a mean is binary noise, not a measurement."""
_DECIMALS: Final = {"CO": 1}


class Index(NamedTuple):
    """Shape (n,): the index (NaN: not to be published), primary pollutants as bits; (n, 6): sub-indices."""

    greatest: F64
    primary: F64
    sub: F64


@dataclass(frozen=True, slots=True, eq=False)
class _Item:
    """One row of the table: concentrations at INDICES up to its last, and the sub-index of what is above that."""

    concentration: F64
    above: float


def edition(time_ns: I64) -> I64:
    """The place in EDITIONS of the one in force at each moment; a mean belongs to the moment before it ends. (n,)."""
    begins = np.array([since for _, since in EDITIONS])
    return np.searchsorted(begins, time_ns - 1, side="right") - 1


def rounded(concentration: F64, item: str) -> F64:
    """As the standard rounds before it looks into its table."""
    exact: F64 = np.round(concentration, _NOISE)
    result: F64 = np.round(exact, _DECIMALS.get(item.partition("_")[0], 0))
    return result


def sub_index(concentration: F64, item: str, year: str) -> F64:
    """IAQI of concentrations (n,) of an item such as ``O3_8h`` in ug/m3 (CO: mg/m3); NaN where it is not defined.

    Above the last break point it is 500 where the table goes to 500. Where it ends earlier (SO2 of an hour, O3 of 8
    hours), the edition of 2026 says 200 and 300, and that of 2012 leaves it to the other mean of the pollutant.
    """
    row = _table()[year, item]
    known = ~np.isnan(concentration) & (concentration >= 0)
    value = rounded(np.where(known, concentration, 0.0), item)
    indices = INDICES[: len(row.concentration)]
    index = np.ceil(np.round(np.interp(value, row.concentration, indices), _NOISE))
    index = np.where(value > row.concentration[-1], row.above, index)
    return np.where(known, index, np.nan)


def index(sub: F64) -> Index:
    """AQI from sub-indices (n, 6), NaN where a pollutant was not measured.

    With a pollutant missing, the index is published only when the others already give more than 100: what is missing
    could only raise it. Otherwise it is NaN and there is no primary pollutant.
    """
    whole = ~np.isnan(sub).any(axis=1)
    greatest = np.where(np.isnan(sub), -1.0, sub).max(axis=1)
    said = whole | (greatest > _CERTAIN)
    top = (sub == greatest[:, None]) & (greatest > _NO_PRIMARY)[:, None]
    bits = (top * 2.0 ** np.arange(sub.shape[1])).sum(axis=1)
    return Index(np.where(said, greatest, np.nan), np.where(said, bits, np.nan), sub)


@cache
def _table() -> dict[tuple[str, str], _Item]:
    found = {}
    with _TABLE.open(encoding="utf-8", newline="") as lines:
        for row in csv.DictReader(lines):
            points = [float(row[f"iaqi_{step:g}"]) for step in INDICES if row[f"iaqi_{step:g}"]]
            whole = len(points) == len(INDICES)
            above = _TOP if whole else float(row["above"] or "nan")
            found[row["edition"], row["item"]] = _Item(np.array(points), above)
    return found
