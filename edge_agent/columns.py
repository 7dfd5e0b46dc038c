"""One point of a profile at a site: the column that decodes it and the series that it is announced as."""

import math

import msgspec

from device_profiles import convert, model
from device_profiles.field_model import FieldPoint
from device_profiles.model import Danger, Gate, Measured, Point
from edge_agent.decode import Column, GateColumn
from edge_agent.fields import FieldColumn
from edge_agent.screening import Screening, screening
from telemetry.quality import Cause, Quality
from telemetry.quantity import QUANTITIES
from telemetry.series import Series
from telemetry.topics import is_name


class PointSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a site does with one point of a profile.

    ``name`` is the point's name at the station, ``quantity`` another quantity of the same dimension (a level gauge that
    measures the tide), ``offset`` is added in the canonical unit (the gauge's zero above the datum), ``valid`` (in the
    canonical unit) replaces the sensor's range; ``skip`` leaves the point out.
    """

    name: str | None = None
    quantity: str | None = None
    offset: float = 0.0
    valid: tuple[float, float] | None = None
    danger: Danger | None = None
    skip: bool = False
    max_rate: float | None = None
    """In canonical units a second: what changes faster is SUSPECT with RATE, and leaves at once."""
    stuck_after_s: float | None = None
    """What has had exactly one value for so long is SUSPECT with FLATLINE."""
    deadband: float | None = None
    """In the canonical unit: smaller changes are held back until ``heartbeat_s`` is over."""
    heartbeat_s: float | None = None
    """With a deadband, the longest time between two rows; 600 where it is left out."""


def series(point: Measured, here: PointSettings, station: str, device: str, period_s: float) -> Series:
    """What the centre must know of a point; raises ValueError for a name, quantity, unit or range that can't be."""
    quantity = _quantity(point, here)
    name = here.name or point.name
    if not is_name(name):
        raise ValueError(f"{point.name}: {name!r} is no name, expected lower-case letters, digits and hyphens")
    linear = convert.linear(point, quantity, here.offset)
    per_unit = linear.numerator / linear.denominator / point.scale
    return Series(
        station=station,
        point=name,
        quantity=quantity,
        unit=QUANTITIES[quantity].unit,
        valid=_valid(point, here),
        danger=here.danger or point.danger,
        period_s=period_s,
        device=device,
        modulus=None if point.modulus is None else point.modulus * per_unit,
    )


def column(point: Point, here: PointSettings, gates: dict[str, int]) -> Column:
    """How to take a point out of a poll; ``gates`` gives the position of each gate by name."""
    return Column(
        register=model.register(point.register),
        linear=convert.linear(point, here.quantity, here.offset),
        mask=point.mask,
        missing=point.missing,
        valid=_valid(point, here),
        danger=here.danger or point.danger,
        gates=tuple(gates[name] for name in point.gates),
    )


def field_column(point: FieldPoint, here: PointSettings) -> FieldColumn:
    """How to take a point out of what a device sent."""
    return FieldColumn(
        field=point.field,
        linear=convert.linear(point, here.quantity, here.offset),
        valid=_valid(point, here),
        danger=here.danger or point.danger,
        missing=point.missing,
    )


def screened(point: Measured, here: PointSettings) -> Screening:
    """What happens to a point's readings before they leave; raises ValueError."""
    quantity = _quantity(point, here)
    try:
        return screening(
            quantity,
            max_rate=here.max_rate,
            stuck_after_s=here.stuck_after_s,
            deadband=here.deadband,
            heartbeat_s=here.heartbeat_s,
        )
    except ValueError as exc:
        raise ValueError(f"{point.name}: {exc}") from exc


def gate_column(gate: Gate) -> GateColumn:
    """How to look at a gate."""
    verdict = Quality.MISSING if gate.verdict == "missing" else Quality.BAD
    looked = Column(register=model.register(gate.register), mask=gate.mask, valid=(-math.inf, math.inf))
    return GateColumn(column=looked, low=gate.min, high=gate.max, verdict=verdict, cause=Cause[gate.cause])


def _quantity(point: Measured, here: PointSettings) -> str:
    quantity = here.quantity or point.quantity
    if quantity not in QUANTITIES:
        known = ", ".join(sorted(QUANTITIES))
        raise ValueError(f"{point.name}: unknown quantity {quantity!r}, expected one of {known}")
    return quantity


def _valid(point: Measured, here: PointSettings) -> tuple[float, float]:
    """The sensor's range in the canonical unit."""
    if here.valid is not None:
        if not here.valid[0] < here.valid[1]:
            raise ValueError(f"{point.name}: valid {list(here.valid)}, expected [low, high] with low < high")
        return here.valid
    linear = convert.linear(msgspec.structs.replace(point, polynomial=()), here.quantity, here.offset)
    low, high = sorted(linear.value((end - point.offset) / point.scale) for end in point.valid)
    return low, high
