"""Whether a device is the one that its profile describes, by what it says of its own values. No I/O."""

import math
from collections.abc import Iterator
from typing import Final

from edge_agent.compiled import FieldDevicePlan
from edge_agent.drivers.contract import Nameplate
from edge_agent.fields import FieldColumn
from telemetry.units import UNITS, conversion

_NEARLY: Final = 1e-6


def differences(plan: FieldDevicePlan, plate: Nameplate) -> list[str]:
    """What the device says that its profile does not fit, a few words each; nothing where it says nothing.

    A profile that scales as no unit does (metres of water from kPa) is not judged by its unit.
    """
    found = []
    for series, column in zip(plan.series, plan.columns, strict=True):
        said = plate.units.get(column.field, "")
        if column.field in plate.lacking:
            found.append(f"{series.point}: it has no {column.field}")
        elif said in UNITS and (read := _taken_for(column, series.unit, said)):
            found.append(f"{series.point}: {column.field} is in {said}, the profile takes it for {read}")
    return found


def _taken_for(column: FieldColumn, canonical: str, said: str) -> str:
    """The other unit in which a profile reads; empty where it is the right one, or can't be told."""
    if column.linear.polynomial:
        return ""
    gain = column.linear.numerator / column.linear.denominator
    names = list(_of_gain(gain, canonical))
    if UNITS[said].dimension == UNITS[canonical].dimension:
        right = math.isclose(conversion(said, canonical)[0], gain, rel_tol=_NEARLY)
        return "" if right else next(iter(names), f"{gain:g} {canonical}")
    return next(iter(names), "")


def _of_gain(gain: float, canonical: str) -> Iterator[str]:
    """Units of which one is so many canonical ones; the canonical one first."""
    for name in (canonical, *UNITS):
        is_alike = UNITS[name].dimension == UNITS[canonical].dimension
        if is_alike and math.isclose(conversion(name, canonical)[0], gain, rel_tol=_NEARLY):
            yield name
