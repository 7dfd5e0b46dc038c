"""Rates: what of a group of series, stations or needs reports now, and how well, as pure functions over arrays."""

from typing import Final, NamedTuple

import numpy as np

from telemetry.batch import I64, U8, Mask
from telemetry.quality import Quality

ABSENT: Final = 0
"""There is no such series."""
SILENT: Final = 1
"""Its newest sample is too old, or says that there was no reading."""
DOUBTFUL: Final = 2
"""It reports, and what it says is not GOOD."""
WELL: Final = 3


class Groups(NamedTuple):
    """Per group: members, those that report, those whose reports are good. Shapes (groups,)."""

    members: I64
    reporting: I64
    good: I64


def states(stale: Mask, quality: U8) -> U8:
    """The state of each series from its newest sample. Shapes (n,) -> (n,)."""
    silent = stale | (quality >= Quality.MISSING)
    return np.where(silent, SILENT, np.where(quality == Quality.GOOD, WELL, DOUBTFUL)).astype(np.uint8)


def grouped(group: I64, state: U8, n: int) -> Groups:
    """Members of ``n`` groups by state; ``group`` (m,) is each member's."""
    return Groups(
        np.bincount(group, minlength=n),
        np.bincount(group, state >= DOUBTFUL, minlength=n).astype(np.int64),
        np.bincount(group, state >= WELL, minlength=n).astype(np.int64),
    )


def of_stations(station: I64, state: U8, n: int) -> U8:
    """The state of ``n`` stations: it reports when any of its series does, and is well when all are. -> (n,)."""
    found = grouped(station, state, n)
    well = (found.good == found.members) & (found.members > 0)
    answer = np.where(well, WELL, np.where(found.reporting > 0, DOUBTFUL, np.where(found.members > 0, SILENT, ABSENT)))
    return answer.astype(np.uint8)


def of_needs(need: I64, state: U8, n: int) -> U8:
    """The state of ``n`` needs, each that of the best series that meets it; ABSENT where none does. -> (n,)."""
    best = np.zeros(n, np.uint8)
    np.maximum.at(best, need, state)
    return best


def of_sources(source: I64, need: U8, n: int) -> tuple[U8, Mask]:
    """The state of ``n`` risk sources, each that of its worst need; and which are watched in part only. Shapes (n,)."""
    worst, best = np.full(n, WELL, np.uint8), np.zeros(n, np.uint8)
    np.minimum.at(worst, source, need)
    np.maximum.at(best, source, need)
    return worst, (worst == ABSENT) & (best > ABSENT)
