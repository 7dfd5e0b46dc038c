"""What a register can hold of what a profile says about it: missing codes, and the range of the sensor."""

from collections.abc import Iterator

from device_profiles import convert, model
from device_profiles.model import Point, Register


def is_known(point: Point) -> bool:
    """Whether register, mask and scale make sense, so that the rest can be asked; where not, they say so themselves."""
    try:
        spot = model.register(point.register)
    except ValueError:
        return False
    return point.scale != 0 and (point.mask is None or 0 < point.mask <= spot.type.high)


def missing_problems(point: Point) -> Iterator[tuple[int, str]]:
    """Codes that never come out of the register, each with its number among them."""
    spot = model.register(point.register)
    low, high = convert.limits(spot, point.mask)
    if point.mask is None and low < 0 and not spot.type.is_float:
        high = 2 ** (8 * spot.type.size) - 1  # written as the pattern of bits: 0xFFFF is -1
    for number, code in enumerate(point.missing):
        if not low <= code <= high:
            yield number, f"{code:g} in {_named(spot, point.mask)}, expected {low:g} to {high:g}"
        elif not spot.type.is_float and code % 1:
            yield number, f"{code:g} in {_named(spot, point.mask)}, expected a whole number"


def valid_problem(point: Point) -> str | None:
    """Why a sensor can't show its range in its register; a polynomial is not looked through."""
    if point.polynomial:
        return None
    spot = model.register(point.register)
    low, high = convert.limits(spot, point.mask)
    ends = sorted((end - point.offset) / point.scale for end in point.valid)
    if low - 0.5 <= ends[0] and ends[1] <= high + 0.5:
        return None
    first, last = sorted(raw * point.scale + point.offset for raw in (low, high))
    return f"{list(point.valid)} in {_named(spot, point.mask)}, expected within {first:g} to {last:g} {point.unit}"


def _named(spot: Register, mask: int | None) -> str:
    return spot.type.name if mask is None else f"{spot.type.name} under mask 0x{mask:X}"
