"""Neighbours: the series of one quantity in reach of each other, and whether a reading stands alone among them."""

from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from ingest.qc.limits import Limits
from telemetry.batch import F64, I64, Mask

_EARTH_KM: Final = 6371.0
_MOST: Final = 8
"""Neighbours that are asked; a median of more says no more."""
_FEWEST: Final = 3
_SPREADS: Final = 3 * 1.4826
"""Three standard deviations, were the readings around normal: 1.4826 times the median deviation is one."""
_NOBODY: Final = -1


class Neighbourhood:
    """The nearest series of the same quantity by place, found anew when one was announced or moved."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._seats: dict[int, tuple[str, float, float]] = {}
        self._near: NDArray[np.int32] = np.full((0, _MOST), _NOBODY, np.int32)
        self._stale = False

    def put(self, place: int, quantity: str, lat: float, lon: float) -> None:
        """Note where a series is measured, in degrees."""
        seat = quantity, lat, lon
        if self._seats.get(place) != seat:
            self._seats[place] = seat
            self._stale = True

    def alone(self, places: NDArray[np.int32], time_ns: I64, value: F64, last_ns: I64, last: F64) -> Mask:
        """Which readings differ from the median of what is around them, shape (n,): by more than the limit of their
        series, and by more than three times the spread around.

        ``last_ns`` and ``last`` hold the newest sample by place, as far as places were heard of. Where fewer than three
        around are new enough, nothing is said.
        """
        self._settle()
        limits = self._limits
        near = self._near[places]
        heard = (near != _NOBODY) & (near < len(last_ns))
        near = np.where(heard, near, 0)
        age_ns = np.abs(time_ns[:, None] - last_ns[near])
        known = heard & (age_ns <= limits.newest_ns[places][:, None])
        around = np.where(known, last[near], np.nan)
        count = known.sum(axis=1)
        middle = _median(around, count)
        spread = _SPREADS * _median(np.abs(around - middle[:, None]), count)
        found: Mask = (count >= _FEWEST) & (np.abs(value - middle) > np.maximum(limits.differs[places], spread))
        return found

    def _settle(self) -> None:
        if not self._stale:
            return
        self._stale = False
        self._near = np.full((max(self._seats) + 1, _MOST), _NOBODY, np.int32)
        places = np.array(sorted(self._seats))
        places = places[~np.isnan(self._limits.differs[places])]
        quantities = np.array([self._seats[place][0] for place in places.tolist()])
        for quantity in np.unique(quantities):
            self._link(places[quantities == quantity])

    def _link(self, places: I64) -> None:
        """Find the nearest of each of the places (k,), all of one quantity."""
        degrees = np.array([self._seats[place][1:] for place in places.tolist()])
        stands = np.isfinite(degrees).all(axis=1)
        places, degrees = places[stands], degrees[stands]
        if len(places) < 2:
            return
        lat, lon = np.radians(degrees).T
        points = np.stack((np.cos(lat) * np.cos(lon), np.cos(lat) * np.sin(lon), np.sin(lat)), axis=1)
        chord, found = cKDTree(points).query(points, k=min(_MOST + 1, len(places)))
        km = 2 * _EARTH_KM * np.arcsin(np.clip(chord / 2, 0, 1))
        other = (found != np.arange(len(places))[:, None]) & (km <= self._limits.reach_km[places][:, None])
        rank = np.cumsum(other, axis=1) - 1
        row, column = np.nonzero(other & (rank < _MOST))
        self._near[places[row], rank[row, column]] = places[found[row, column]]


def _median(rows: F64, count: I64) -> F64:
    """The median of the numbers in each row, ``count`` of them; NaN stands last when sorted. (n, k) -> (n,)."""
    ordered = np.sort(rows, axis=1)
    at = np.arange(len(rows))
    low, high = np.maximum(count - 1, 0) // 2, np.minimum(count // 2, rows.shape[1] - 1)
    halves: F64 = (ordered[at, low] + ordered[at, high]) / 2
    return halves
