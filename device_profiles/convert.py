"""Raw numbers and canonical units: what a point's scale and unit make of a register, and back for simulated devices."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import lru_cache
from typing import Final, NamedTuple, TypeVar

import numpy as np

from device_profiles import model, words
from device_profiles.model import Gate, Measured, Point, Register, Table
from telemetry.batch import F64
from telemetry.codes import Codes
from telemetry.quantity import QUANTITIES
from telemetry.series import Text
from telemetry.units import conversion

_LARGEST_DENOMINATOR: Final = 10**9
_NEARLY: Final = 1e-9
"""The part of a root that may be imaginary by rounding alone."""
_N = TypeVar("_N", float, F64)


@dataclass(frozen=True, slots=True)
class Linear:
    """``canonical = raw * numerator / denominator + offset``, or the polynomial of that.

    A decimal gain is kept as a quotient, so that 1803 mm become 1.803 m and not 1.8030000000000002.
    """

    numerator: float
    denominator: float
    offset: float
    polynomial: tuple[float, ...] = ()

    def value(self, raw: _N) -> _N:
        """The reading in the canonical unit."""
        straight = raw * self.numerator / self.denominator + self.offset
        return horner(self.polynomial, straight) if self.polynomial else straight

    def raw(self, value: _N) -> _N:
        """The raw number that would read so; NaN where a polynomial never does."""
        straight = _inverse(self.polynomial, value) if self.polynomial else value
        return (straight - self.offset) * self.denominator / self.numerator


def horner(coefficients: Sequence[float], x: _N) -> _N:
    """``a0 + a1 x + a2 x^2 + ...``."""
    total = x * 0.0 + coefficients[-1]
    for coefficient in reversed(coefficients[:-1]):
        total = total * x + coefficient
    return total


def _inverse(coefficients: Sequence[float], value: _N) -> _N:
    """Where a polynomial has a value: the smallest such place that is not negative, else the one nearest to 0."""
    if isinstance(value, np.ndarray):
        return np.array([_inverse(coefficients, float(one)) for one in value])
    if not math.isfinite(value):
        return math.nan
    roots = np.polynomial.polynomial.polyroots([coefficients[0] - value, *coefficients[1:]])
    real = roots.real[np.abs(roots.imag) <= _NEARLY * np.maximum(1.0, np.abs(roots))]
    found = sorted(real, key=lambda root: (root < 0, abs(root)))
    return float(found[0]) if found else math.nan


class _Scale(NamedTuple):
    """What makes a raw number a reading."""

    unit: str
    quantity: str
    scale: float
    offset: float
    polynomial: tuple[float, ...]


def linear(point: Measured, quantity: str | None = None, offset: float = 0.0) -> Linear:
    """Fold scale, unit and an extra canonical ``offset``; raises ValueError for a unit that does not convert."""
    return _folded(
        _Scale(point.unit, quantity or point.quantity, point.scale, point.offset, point.polynomial), offset
    )  # fmt: skip


@lru_cache(maxsize=4096)
def _folded(scale: _Scale, offset: float) -> Linear:
    gain, shift = conversion(scale.unit, QUANTITIES[scale.quantity].unit)
    if scale.polynomial:
        constant, *rest = (coefficient * gain for coefficient in scale.polynomial)
        return replace(_straight(scale, 1.0, 0.0, 0.0), polynomial=(constant + shift + offset, *rest))
    return _straight(scale, gain, shift, offset)


def _straight(scale: _Scale, gain: float, shift: float, offset: float) -> Linear:
    exact = Fraction(repr(scale.scale)) * Fraction(repr(gain))
    folded = Fraction(repr(scale.offset)) * Fraction(repr(gain)) + Fraction(repr(shift)) + Fraction(repr(offset))
    if exact.denominator > _LARGEST_DENOMINATOR:
        return Linear(float(exact), 1.0, float(folded))
    return Linear(float(exact.numerator), float(exact.denominator), float(folded))


def shown(point: Measured, raw: float) -> float:
    """What the device calls a raw number, in its own unit."""
    straight = raw * point.scale + point.offset
    return horner(point.polynomial, straight) if point.polynomial else straight


def meaning(point: Measured, value: float) -> Text | None:
    """What a code means, in words; None for no number, and where the profile has no words. Several bits are joined."""
    if math.isnan(value) or not (point.states or point.bits):
        return None
    return Codes(states=point.states, bits=point.bits).meaning(value)


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
