"""Tidal constituents: astronomical arguments and nodal corrections for any moment.

After M. G. G. Foreman: Manual for tidal heights analysis and prediction. Pacific Marine Science Report 77-10, 1977 (his
tables of Doodson numbers, satellites and shallow-water compounds stand in ``tables/``, in the form in which the package
UTide, MIT licence, carries them), with the longitudes of the Explanatory Supplement to the
Astronomical Ephemeris, 1961.
"""

import csv
import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Final, NamedTuple

import numpy as np

from telemetry.batch import F64, I64

_TABLES: Final = Path(__file__).with_name("tables")
_PART: Final = re.compile(r"([+-][\d.]+)\*(\S+)")
_DAY_NS: Final = 86_400_000_000_000
_EPOCH_D: Final = 25_567.5
"""Days from 1899-12-31T12:00, which the polynomials count from, to 1970-01-01T00:00."""
_LONGITUDES: Final = np.array(
    [
        [270.434164, 13.1763965268, -0.0000850, 0.000000039],  # s: moon
        [279.696678, 0.9856473354, 0.00002267, 0.0],  # h: sun
        [334.329556, 0.1114040803, -0.0007739, -0.00000026],  # p: perigee of the moon
        [-259.183275, 0.0529539222, -0.0001557, -0.00000005],  # N': less the node of the moon
        [281.220844, 0.0000470684, 0.0000339, 0.00000007],  # p': perigee of the sun
    ]
)
"""Degrees: constant, by days, by (days / 10,000) squared and cubed."""
_LEAST_LATITUDE: Final = 5.0
"""Nearer to the equator the theory of the latitude factors breaks down (Foreman, 1977)."""


@dataclass(frozen=True, slots=True, eq=False)
class _Tables:
    names: tuple[str, ...]
    doodson: F64
    """(c, 6): multiples of tau, s, h, p, N', p'; zero for compounds."""
    semi: F64
    made_of: F64
    """(c, c): each constituent as a sum of those that have numbers of their own."""
    parent: I64
    shift: F64
    """(s, 3): multiples of p, N', p' by which a satellite differs from its constituent."""
    phase: F64
    ratio: F64
    latitude: I64


class Argument(NamedTuple):
    """Shape (t, c): factor of the amplitude, correction of the phase and astronomical argument in cycles."""

    factor: F64
    correction: F64
    argument: F64


@cache
def names() -> tuple[str, ...]:
    """Every constituent that is known."""
    return _tables().names


def arguments(time_ns: I64, latitude: float, wanted: tuple[str, ...]) -> Argument:
    """For moments (t,) and constituents (c,) at a latitude in degrees; raises KeyError for one that is not known."""
    tables = _tables()
    number = {name: at for at, name in enumerate(tables.names)}
    rows = tables.made_of[[number[name] for name in wanted]]
    used = np.flatnonzero(rows.any(axis=0))
    angles = _angles(time_ns)
    argument = tables.doodson[used] @ angles + tables.semi[used, None]
    nodal = _nodal(tables, angles[3:], latitude)[used]
    factor = np.exp(np.abs(rows[:, used]) @ np.log(np.abs(nodal)))
    correction = rows[:, used] @ (np.angle(nodal) / (2 * np.pi))
    return Argument(factor.T, correction.T, (rows[:, used] @ argument).T)


def _angles(time_ns: I64) -> F64:
    """Tau, s, h, p, N', p' in cycles, (6, t)."""
    days = time_ns // _DAY_NS + time_ns % _DAY_NS / _DAY_NS + _EPOCH_D
    squared = (days / 10_000) ** 2
    powers = np.stack([np.ones(len(days)), days, squared, (days / 10_000) ** 3])
    longitudes = np.fmod(_LONGITUDES @ powers / 360.0, 1.0)
    tau = time_ns % _DAY_NS / _DAY_NS + longitudes[1] - longitudes[0]
    return np.vstack([tau, longitudes])


def _nodal(tables: _Tables, angles: F64, latitude: float) -> F64:
    """Complex factor of each constituent with numbers of its own, (c, t): what its satellites make of it."""
    sine = np.sin(np.deg2rad(max(abs(latitude), _LEAST_LATITUDE)) * (1.0 if latitude >= 0 else -1.0))
    by_latitude = np.array([1.0, 0.36309 * (1.0 - 5.0 * sine**2) / sine, 2.59808 * sine])
    ratio = tables.ratio * by_latitude[tables.latitude]
    turned = ratio[:, None] * np.exp(2j * np.pi * (tables.shift @ angles + tables.phase[:, None]))
    factor = np.ones((len(tables.names), angles.shape[1]), np.complex128)
    np.add.at(factor, tables.parent, turned)
    return factor  # type: ignore[return-value]  # complex where the alias says float; numpy has no alias for both


@cache
def _tables() -> _Tables:
    own, satellites = (_read(_TABLES / f"{name}.csv") for name in ("constituents", "satellites"))
    names = tuple(row["name"] for row in own)
    number = {name: at for at, name in enumerate(names)}
    made_of = np.zeros((len(names), len(names)))
    for at, row in enumerate(own):
        for factor, name in _PART.findall(row["made_of"]) or [("+1", row["name"])]:
            made_of[at, number[name]] += float(factor)
    return _Tables(
        names=names,
        doodson=np.array([[float(row[key] or 0) for key in ("tau", "s", "h", "p", "n", "pp")] for row in own]),
        semi=np.array([float(row["semi"] or 0) for row in own]),
        made_of=made_of,
        parent=np.array([number[row["name"]] for row in satellites]),
        shift=np.array([[float(row[key]) for key in ("p", "n", "pp")] for row in satellites]),
        phase=np.array([float(row["phase"]) for row in satellites]),
        ratio=np.array([float(row["ratio"]) for row in satellites]),
        latitude=np.array([int(row["latitude"]) for row in satellites]),
    )


def _read(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as lines:
        return list(csv.DictReader(lines))
