"""The astronomical tide from harmonic constants.

``h(t) = Z0 + sum of f A cos(2 pi (V + u) - g)`` with nodal factor ``f``, nodal correction ``u`` and argument ``V`` at
Greenwich, for each moment anew (nothing is held constant over a year). The constants are those of ``petrel tide fit``.
"""

from typing import Annotated

import msgspec
import numpy as np

from ingest.derived import constituents
from telemetry.batch import F64, I64

_BLOCK = 4_096


class Constituent(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One harmonic: amplitude in m, and Greenwich phase lag in degrees."""

    name: str
    """As UTide names it: ``M2``, ``MSF``."""
    amplitude: Annotated[float, msgspec.Meta(ge=0)]
    phase: float
    snr: float | None = None
    """Ratio of its energy to that of the noise around it, where a fit has said so."""


class Constants(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The harmonic constants of one gauge, as they stand in their file."""

    station: str
    point: str
    latitude: Annotated[float, msgspec.Meta(ge=-90, le=90)]
    datum: str
    """What ``mean`` counts from: the datum of the gauge's values when they were fitted."""
    mean: float
    """Z0: mean level over the datum in m."""
    source: str
    """Who fitted it from what: the data's origin, first and last day."""
    rms: float | None = None
    """Root of the mean square of what the fit left over, in m."""
    illustrative: bool = False
    constituents: tuple[Constituent, ...]


def predict(constants: Constants, time_ns: I64) -> F64:
    """Height of the tide over the constants' datum in m at moments (n,); raises KeyError for an unknown name."""
    names = tuple(one.name for one in constants.constituents)
    amplitude = np.array([one.amplitude for one in constants.constituents])
    lag = np.array([one.phase for one in constants.constituents]) / 360.0
    moments, place = np.unique(time_ns, return_inverse=True)
    height = np.full(len(moments), constants.mean)
    for at in range(0, len(moments) if names else 0, _BLOCK):
        block = slice(at, at + _BLOCK)
        factor, correction, argument = constituents.arguments(moments[block], constants.latitude, names)
        height[block] += (factor * np.cos(2 * np.pi * (argument + correction - lag))) @ amplitude
    return height[place]


def unknown(constants: Constants) -> str | None:
    """The first constituent that nobody knows, or stands here twice; None where all can be computed."""
    seen: set[str] = set()
    for one in constants.constituents:
        if one.name not in constituents.names() or one.name in seen:
            return one.name
        seen.add(one.name)
    return None
