"""Water class of GB 3838-2002, table 1: the worst of the parameters decides (article 5.1, single-factor assessment).

Classes 1 to 5 are Ⅰ to Ⅴ, 6 is 劣Ⅴ (worse than Ⅴ). The limits are ``tables/gb3838.csv``; equality still meets a limit.
"""

import csv
from functools import cache
from pathlib import Path
from typing import Final, NamedTuple

import numpy as np

from telemetry.batch import F64

PARAMETERS: Final = {
    "acidity": ("pH", "pH"),
    "dissolved_oxygen": ("DO", "DO"),
    "permanganate_index": ("CODMn", "CODMn"),
    "chemical_oxygen_demand": ("COD", "COD"),
    "ammonia_nitrogen": ("NH3N", "NH3N"),
    "total_phosphorus": ("TP_river", "TP_lake"),
}
"""Quantities with their rows in the table: in rivers, in lakes. In the order of the bits of the deciding parameters."""
CORE: Final = ("dissolved_oxygen", "permanganate_index", "ammonia_nitrogen")
"""Without one of these a class is published only where it is the worst there is: the rest could not better it."""
WORST: Final = 6.0
_NOISE: Final = 9
_TABLE: Final = Path(__file__).with_name("tables") / "gb3838.csv"


class Class(NamedTuple):
    """Shape (n,): class 1 to 6 (NaN: not to be published), and the parameters that have it, as bits (0 in class 1)."""

    worst: F64
    cause: F64


def classes(value: F64, quantity: str, *, lake: bool) -> F64:
    """Class of values (n,) of one quantity in its canonical unit; NaN where there is none."""
    op, limits = _table()[PARAMETERS[quantity][lake]]
    exact = np.round(value, _NOISE)[:, None]
    if op == "in":
        met = (exact >= limits[:, 0]) & (exact <= limits[:, 1])
    else:
        met = exact >= limits[:, 0] if op == ">=" else exact <= limits[:, 0]
    best = np.where(met.any(axis=1), met.argmax(axis=1) + 1.0, WORST)
    return np.where(np.isnan(value), np.nan, best)


def worst(found: F64) -> Class:
    """The class of water whose parameters have classes (n, parameters), NaN where one was not measured."""
    greatest = np.where(np.isnan(found), 0.0, found).max(axis=1)
    core = [list(PARAMETERS).index(name) for name in CORE]
    said = ~np.isnan(found[:, core]).any(axis=1) | (greatest == WORST)
    deciding = (found == greatest[:, None]) & (greatest > 1)[:, None]
    bits = (deciding * 2.0 ** np.arange(found.shape[1])).sum(axis=1)
    return Class(np.where(said, greatest, np.nan), np.where(said, bits, np.nan))


@cache
def _table() -> dict[str, tuple[str, F64]]:
    """By item: how it is compared, and its limits for classes Ⅰ to Ⅴ, (5, 1), or both ends of a range, (5, 2)."""
    with _TABLE.open(encoding="utf-8", newline="") as lines:
        return {row["item"]: (row["op"], _limits(row)) for row in csv.DictReader(lines)}


def _limits(row: dict[str, str]) -> F64:
    return np.array([[float(part) for part in row[name].split("-")] for name in ("I", "II", "III", "IV", "V")])
