"""What can be wrong with a profile beyond its types: each mistake is one line with file, line, found and expected."""

import math
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from typing import Any, Final, TypeVar

import msgspec

from device_profiles import held, model
from device_profiles.attribute_check import Spot, check_attributes
from device_profiles.model import (
    MAX_REGISTERS,
    AnyProfile,
    Gate,
    Golden,
    Measured,
    Point,
    PointChange,
    Profile,
    Register,
)
from device_profiles.output_check import check_outputs
from telemetry.quantity import QUANTITIES, Kind
from telemetry.settings import Document, SettingsError, Step
from telemetry.topics import is_name
from telemetry.units import conversion

R = TypeVar("R")
Where = tuple[Step, ...]
Looking = Callable[[], object]
"""One look at a profile; raises SettingsError."""
Check = Callable[[Document[Any], Where, Any], None]
"""Looks at one point of a profile, at its place; raises SettingsError."""
_MOST_STATE: Final = 0xFFFFFFFF
_MOST_BIT: Final = 63
_HEX: Final = re.compile(r"(?:[0-9A-Fa-f]{2}\s*)+")


def check(document: Document[Profile]) -> Profile:
    """The profile, once it makes sense; raises SettingsError at the first mistake.

    One without a golden frame can be used: where should the first one be recorded, if not on the device?
    """
    for step in _steps(document):
        step()
    return document.settings


def mistakes(document: Document[Profile]) -> list[SettingsError]:
    """All mistakes of a profile, in the order in which they are looked for."""
    return raised((*_steps(document), partial(_check_any_golden, document)))


def raised(steps: Iterable[Looking]) -> list[SettingsError]:
    """What each of some steps raises."""
    found = []
    for step in steps:
        try:
            step()
        except SettingsError as exc:
            found.append(exc)
    return found


def _steps(document: Document[Profile]) -> Iterator[Looking]:
    """Everything that is looked at, each by itself: one mistake hides no other."""
    profile = document.settings
    yield partial(check_any, document)
    yield partial(_check_transports, document)
    yield partial(within, document, ("max_registers",), profile.max_registers, 1, MAX_REGISTERS)
    yield partial(within, document, ("unit",), profile.unit, 0, 255)
    for at, hole in enumerate(profile.holes):
        yield partial(said, document, ("holes", at), model.span, hole)
    for name, gate in profile.gates.items():
        yield partial(_check_gate, document, ("gates", name), gate)
    yield from point_steps(document, _CHECKS)
    for name, variant in profile.variants.items():
        for point, change in variant.points.items():
            yield partial(_check_change, document, ("variants", name, "points", point), point, change)
    yield partial(check_outputs, document, profile.outputs)
    yield partial(check_attributes, document, partial(_check_readable, document))
    for at, golden in enumerate(profile.golden):
        yield partial(_check_golden, document, ("golden", at), golden)


def varied(profile: Profile, variant: str | None) -> Profile:
    """The profile as a variant has it; raises ValueError for a variant that it does not have."""
    if variant is None:
        return profile
    if variant not in profile.variants:
        known = ", ".join(profile.variants) or "none at all"
        raise ValueError(f"{profile.name} has no variant {variant!r}, expected one of: {known}")
    changes = profile.variants[variant].points
    points = tuple(changed(point, changes[point.name]) if point.name in changes else point for point in profile.points)
    return msgspec.structs.replace(profile, points=points)


def changed(point: Point, change: PointChange) -> Point:
    """A point with what a variant says of it."""
    given = {name: value for name, value in msgspec.structs.asdict(change).items() if value is not None}
    return msgspec.structs.replace(point, **given)


def said(document: Document[Any], where: Where, ask: Callable[..., R], *arguments: Any) -> R:
    """What ``ask`` answers, or its ValueError at a place of the file."""
    try:
        return ask(*arguments)
    except ValueError as exc:
        raise document.error(where, str(exc)) from exc


def within(document: Document[Any], where: Where, number: float, low: float, high: float) -> None:
    """Refuse a number at a place of the file outside of ``low`` to ``high``."""
    if not low <= number <= high:
        raise document.error(where, f"{number}, expected {low} to {high}")


def check_any(document: Document[Any]) -> None:
    """What can be wrong with every profile: its name, its line, its rest."""
    profile: AnyProfile = document.settings
    if not is_name(profile.name):
        raise document.error(("name",), f"{profile.name!r}, expected lower-case letters, digits and hyphens")
    if profile.serial is not None:
        within(document, ("serial", "baud"), profile.serial.baud, 300, 1_000_000)
    within(document, ("pause_after_ms",), profile.pause_after_ms, 0, 60_000)


def _check_transports(document: Document[Profile]) -> None:
    profile = document.settings
    if not profile.transports or len(set(profile.transports)) != len(profile.transports):
        raise document.error(("transports",), f"{list(profile.transports)}, expected tcp or rtu or both, each once")
    if "rtu" in profile.transports and profile.serial is None:
        raise document.error(("transports",), "rtu without serial, expected serial with the baud rate of the device")


def _check_gate(document: Document[Profile], where: Where, gate: Gate) -> None:
    spot = _check_register(document, (*where, "register"), gate.register)
    _check_mask(document, (*where, "mask"), gate.mask, spot)
    if not gate.min <= gate.max:
        raise document.error(where, f"min {gate.min} above max {gate.max}, expected min <= max")


def point_steps(document: Document[Any], checks: Sequence[Check]) -> Iterator[Looking]:
    """Steps that refuse what is wrong with the points' names, and with each point as each of ``checks`` sees it."""
    yield partial(_check_any_point, document)
    names: set[str] = set()
    for at, point in enumerate(document.settings.points):
        where: Where = ("points", at)
        yield partial(_check_name, document, (*where, "name"), point.name, is_new=point.name not in names)
        names.add(point.name)
        for check_one in checks:
            yield partial(check_one, document, where, point)


def _check_any_point(document: Document[Any]) -> None:
    if not document.settings.points:
        raise document.error(("points",), "no point, expected at least one")


def _check_name(document: Document[Any], where: Where, name: str, *, is_new: bool) -> None:
    if not is_name(name) or not is_new:
        problem = "is no name" if is_new else "stands here twice"
        raise document.error(where, f"{name!r} {problem}, expected one of its own (a-z, 0-9, -)")


def check_quantity(document: Document[Any], where: Where, point: Measured) -> None:
    """What is measured, and whether its unit converts."""
    if point.quantity not in QUANTITIES:
        known = ", ".join(sorted(QUANTITIES))
        raise document.error((*where, "quantity"), f"unknown quantity {point.quantity!r}, expected one of {known}")
    said(document, (*where, "unit"), conversion, point.unit, QUANTITIES[point.quantity].unit)


def check_numbers(document: Document[Any], where: Where, point: Measured) -> None:
    """Scale, range and modulus."""
    if point.scale == 0:
        raise document.error((*where, "scale"), "0, expected a number that keeps the reading")
    if not point.valid[0] < point.valid[1]:
        raise document.error((*where, "valid"), f"{list(point.valid)}, expected [low, high] with low < high")
    if point.modulus is not None and point.modulus <= 0:
        raise document.error((*where, "modulus"), f"{point.modulus}, expected more than 0")
    _check_polynomial(document, where, point)
    _check_meanings(document, where, point)


def _check_polynomial(document: Document[Any], where: Where, point: Measured) -> None:
    found = point.polynomial
    if not found:
        return
    if len(found) < 2 or found[-1] == 0 or not all(map(math.isfinite, found)):
        raise document.error((*where, "polynomial"), f"{list(found)}, expected two numbers or more, the last one not 0")
    if point.modulus is not None:
        raise document.error((*where, "polynomial"), "polynomial of a totaliser, expected scale and offset alone")


def _check_meanings(document: Document[Any], where: Where, point: Measured) -> None:
    """Names belong to codes: a number that means an amount has none."""
    for key, named, most in (("states", point.states, _MOST_STATE), ("bits", point.bits, _MOST_BIT)):
        if named and QUANTITIES[point.quantity].kind is not Kind.CODE:
            raise document.error((*where, key), f"{key} of {point.quantity}, expected a quantity that is a code")
        for number in named:
            if not 0 <= number <= most:
                raise document.error((*where, key, number), f"{number}, expected 0 to {most}")
    if point.states and point.bits:
        raise document.error((*where, "bits"), "states and bits, expected one of them")


def _check_place(document: Document[Profile], where: Where, point: Point) -> None:
    spot = _check_register(document, (*where, "register"), point.register)
    _check_mask(document, (*where, "mask"), point.mask, spot)


def _check_gated(document: Document[Profile], where: Where, point: Point) -> None:
    for number, gate in enumerate(point.gates):
        if gate not in document.settings.gates:
            known = ", ".join(document.settings.gates) or "none at all"
            raise document.error((*where, "gates", number), f"unknown gate {gate!r}, expected one of: {known}")


def _check_missing(document: Document[Profile], where: Where, point: Point) -> None:
    for number, problem in held.missing_problems(point) if held.is_known(point) else ():
        raise document.error((*where, "missing", number), problem)


def _check_valid(document: Document[Profile], where: Where, point: Point) -> None:
    problem = held.valid_problem(point) if held.is_known(point) else None
    if problem is not None:
        raise document.error((*where, "valid"), problem)


_CHECKS: Final[tuple[Check, ...]] = (
    _check_place,
    check_quantity,
    check_numbers,
    _check_missing,
    _check_valid,
    _check_gated,
)


def _check_register(document: Document[Profile], where: Where, text: str) -> Register:
    spot = said(document, where, model.register, text)
    _check_readable(document, where, text, spot)
    return spot


def _check_readable(document: Document[Profile], where: Where, text: str, spot: Spot) -> None:
    """Refuse what no request may read: more than fits, or a hole."""
    profile = document.settings
    if not spot.table.is_bits and spot.count > profile.max_registers:
        raise document.error(where, f"{spot.count} registers, expected at most max_registers {profile.max_registers}")
    for hole in profile.holes:
        try:
            table, first, end = model.span(hole)
        except ValueError:  # said where it stands
            continue
        if table is spot.table and spot.address < end and first < spot.end:
            raise document.error(where, f"{text!r} stands in the hole {hole!r}, expected registers that may be read")


def _check_mask(document: Document[Profile], where: Where, mask: int | None, spot: Register) -> None:
    if mask is None:
        return
    if spot.type.low < 0 or spot.type.is_bcd or spot.type.size > 4:
        raise document.error(where, f"mask on {spot.type.name}, expected an unsigned number of at most 32 bits")
    if not 0 < mask <= spot.type.high:
        raise document.error(where, f"0x{mask:X}, expected 0x1 to 0x{int(spot.type.high):X}")


def _check_change(document: Document[Profile], where: Where, name: str, change: PointChange) -> None:
    points = {point.name: point for point in document.settings.points}
    if name not in points:
        raise document.error(where, f"unknown point {name!r}, expected one of {', '.join(points)}")
    for check_one in _CHECKS:
        check_one(document, where, changed(points[name], change))


def _check_any_golden(document: Document[Profile]) -> None:
    if not document.settings.golden:
        raise document.error(
            ("golden",), "no frame, expected at least one request with its answer (`petrel bus trace` shows them)"
        )


def _check_golden(document: Document[Profile], where: Where, golden: Golden) -> None:
    profile = document.settings
    names = [point.name for point in profile.points]
    _check_frames(document, where, golden)
    for unknown in sorted(set(golden.values) - set(names)):
        raise document.error((*where, "values", unknown), f"unknown point, expected one of {', '.join(names)}")
    if golden.variant is not None and golden.variant not in profile.variants:
        raise document.error((*where, "variant"), f"unknown variant, expected one of {', '.join(profile.variants)}")


def _check_frames(document: Document[Profile], where: Where, golden: Golden) -> None:
    if not golden.exchange:
        raise document.error((*where, "exchange"), "no frame, expected at least one request with its answer")
    for number, exchange in enumerate(golden.exchange):
        for field, text in msgspec.structs.asdict(exchange).items():
            if not _HEX.fullmatch(text):
                raise document.error((*where, "exchange", number, field), f"{text!r}, expected hexadecimal bytes")
