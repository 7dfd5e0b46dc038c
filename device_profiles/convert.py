"""Raw numbers and canonical units: what a point's scale and unit make of a register, and back for simulated devices."""

import math
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache
from typing import Final, TypeVar

from device_profiles import model, words
from device_profiles.model import Gate, Measured, Point, Register, Table
from telemetry.batch import F64
from telemetry.quantity import QUANTITIES
from telemetry.units import conversion

_LARGEST_DENOMINATOR: Final = 10**9
_N = TypeVar("_N", float, F64)


@dataclass(frozen=True, slots=True)
class Linear:
    """``canonical = raw * numerator / denominator + offset``.

    A decimal gain is kept as a quotient, so that 1803 mm become 1.803 m and not 1.8030000000000002.
    """

    numerator: float
    denominator: float
    offset: float

    def value(self, raw: _N) -> _N:
        """The reading in the canonical unit."""
        return raw * self.numerator / self.denominator + self.offset

    def raw(self, value: _N) -> _N:
        """The raw number that would read so."""
        return (value - self.offset) * self.denominator / self.numerator


@lru_cache(maxsize=4096)
def linear(point: Measured, quantity: str | None = None, offset: float = 0.0) -> Linear:
    """Fold scale, unit and an extra canonical ``offset``; raises ValueError for a unit that does not convert."""
    gain, shift = conversion(point.unit, QUANTITIES[quantity or point.quantity].unit)
    exact = Fraction(repr(point.scale)) * Fraction(repr(gain))
    folded = Fraction(repr(point.offset)) * Fraction(repr(gain)) + Fraction(repr(shift)) + Fraction(repr(offset))
    if exact.denominator > _LARGEST_DENOMINATOR:
        return Linear(float(exact), 1.0, float(folded))
    return Linear(float(exact.numerator), float(exact.denominator), float(folded))


@dataclass(frozen=True, slots=True)
class Patch:
    """What to write into a device's registers (or bits): ``register = register & ~mask | word`` for each word."""

    table: Table
    address: int
    words: tuple[int, ...]
    mask: int = 0xFFFF


def encode(point: Point, value: float) -> Patch:
    """A canonical value as a device would hold it, rounded to its resolution; NaN becomes the point's missing code.

    For simulated devices. Raises ValueError when the value does not fit, or the point has no way to say "missing".
    """
    spot = model.register(point.register)
    if math.isnan(value):
        return _patch(spot, point.mask, _missing(point, spot))
    return hold(spot, point.mask, linear(point).raw(value))


def hold(spot: Register, mask: int | None, raw: float) -> Patch:
    """A raw number as a register, or the field of it, holds it: rounded unless the type takes fractions.

    Raises ValueError for one that it can't hold: nothing is wrapped or cut off.
    """
    number = round(raw) if math.isfinite(raw) and not spot.type.is_float else raw
    low, high = limits(spot, mask)
    if not low <= number <= high:
        place = f"{spot.table} 0x{spot.address:04X} {spot.type.name}"
        raise ValueError(f"{raw:g} in {place}, expected {low:g} to {high:g}")
    return _patch(spot, mask, number)


def limits(spot: Register, mask: int | None) -> tuple[float, float]:
    """The lowest and highest raw number that a register, or the field ``mask`` of it, can hold."""
    if mask is None:
        return spot.type.low, spot.type.high
    return 0, mask >> shift(mask)


def steer(gate: Gate, *, opened: bool) -> Patch:
    """What a device shows when readings count, or when they don't; raises ValueError for a gate that can't be shut."""
    spot = model.register(gate.register)
    low, high = limits(spot, gate.mask)
    bounds = [gate.min, gate.max] if opened else [gate.min - 1, gate.max + 1]
    usable = [bound for bound in bounds if low <= bound <= high]
    if not usable:
        raise ValueError(f"gate on {gate.register!r}: always {'shut' if opened else 'open'}, expected min or max")
    return _patch(spot, gate.mask, usable[0])


def _missing(point: Point, spot: Register) -> float:
    if point.missing:
        return point.missing[0]
    if spot.type.is_float:
        return math.nan
    raise ValueError(f"{point.name}: no code for a missing reading, expected one in its profile")


def _patch(spot: Register, mask: int | None, raw: float) -> Patch:
    if spot.table.is_bits:
        return Patch(spot.table, spot.address, (int(bool(raw)),))
    if spot.type.name == "bit":
        return Patch(spot.table, spot.address, (int(bool(raw)) << spot.bit,), 1 << spot.bit)
    if mask is not None:
        raw = int(raw) << shift(mask)
    pattern = raw if spot.type.is_float or raw <= spot.type.high else raw - 2 ** (8 * spot.type.size)
    data = words.pack(pattern, spot.type, spot.order)
    if spot.type.size == 1:
        high = 8 if spot.high else 0
        return Patch(spot.table, spot.address, (data[0] << high,), (mask or 0xFF) << high)
    found = tuple(int.from_bytes(data[at : at + 2], "big") for at in range(0, len(data), 2))
    return Patch(spot.table, spot.address, found, 0xFFFF if mask is None or spot.type.size > 2 else mask)


def shift(mask: int) -> int:
    """How far a masked field stands above bit 0."""
    return (mask & -mask).bit_length() - 1
