"""What can be wrong with a profile beyond its types: each mistake is one line with file, line, found and expected."""

import re
from collections.abc import Callable
from functools import partial
from typing import Any, Final, TypeVar

import msgspec

from device_profiles import model
from device_profiles.model import MAX_REGISTERS, AnyProfile, Golden, Measured, Point, PointChange, Profile, Register
from device_profiles.output_check import check_outputs
from telemetry.quantity import QUANTITIES
from telemetry.settings import Document, Step
from telemetry.topics import is_name
from telemetry.units import conversion

R = TypeVar("R")
Where = tuple[Step, ...]
_HEX: Final = re.compile(r"(?:[0-9A-Fa-f]{2}\s*)+")


def check(document: Document[Profile]) -> Profile:
    """The profile, once it makes sense; raises SettingsError at the first mistake."""
    for step in (_check_device, _check_gates, _check_points, _check_variants, _check_golden):
        step(document)
    check_outputs(document, document.settings.outputs)
    return document.settings


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


def _check_device(document: Document[Profile]) -> None:
    profile = document.settings
    check_any(document)
    if not profile.transports or len(set(profile.transports)) != len(profile.transports):
        raise document.error(("transports",), f"{list(profile.transports)}, expected tcp or rtu or both, each once")
    if "rtu" in profile.transports and profile.serial is None:
        raise document.error(("transports",), "rtu without serial, expected serial with the baud rate of the device")
    within(document, ("max_registers",), profile.max_registers, 1, MAX_REGISTERS)
    within(document, ("unit",), profile.unit, 0, 247)
    for at, hole in enumerate(profile.holes):
        said(document, ("holes", at), model.span, hole)


def _check_gates(document: Document[Profile]) -> None:
    for name, gate in document.settings.gates.items():
        where: Where = ("gates", name)
        spot = _check_register(document, (*where, "register"), gate.register)
        _check_mask(document, (*where, "mask"), gate.mask, spot)
        if not gate.min <= gate.max:
            raise document.error(where, f"min {gate.min} above max {gate.max}, expected min <= max")


def check_points(document: Document[Any], check_one: Callable[[Where, Any], None]) -> None:
    """Refuse what is wrong with the points' names, and with each point as ``check_one`` sees it."""
    points = document.settings.points
    if not points:
        raise document.error(("points",), "no point, expected at least one")
    seen: set[str] = set()
    for at, point in enumerate(points):
        where: Where = ("points", at)
        if not is_name(point.name) or point.name in seen:
            problem = "stands here twice" if point.name in seen else "is no name"
            raise document.error((*where, "name"), f"{point.name!r} {problem}, expected one of its own (a-z, 0-9, -)")
        seen.add(point.name)
        check_one(where, point)


def _check_points(document: Document[Profile]) -> None:
    check_points(document, partial(_check_point, document))


def check_measured(document: Document[Any], where: Where, point: Measured) -> None:
    """What can be wrong with a point of any protocol."""
    if point.quantity not in QUANTITIES:
        known = ", ".join(sorted(QUANTITIES))
        raise document.error((*where, "quantity"), f"unknown quantity {point.quantity!r}, expected one of {known}")
    said(document, (*where, "unit"), conversion, point.unit, QUANTITIES[point.quantity].unit)
    if point.scale == 0:
        raise document.error((*where, "scale"), "0, expected a number that keeps the reading")
    if not point.valid[0] < point.valid[1]:
        raise document.error((*where, "valid"), f"{list(point.valid)}, expected [low, high] with low < high")
    if point.modulus is not None and point.modulus <= 0:
        raise document.error((*where, "modulus"), f"{point.modulus}, expected more than 0")


def _check_point(document: Document[Profile], where: Where, point: Point) -> None:
    spot = _check_register(document, (*where, "register"), point.register)
    _check_mask(document, (*where, "mask"), point.mask, spot)
    check_measured(document, where, point)
    for number, gate in enumerate(point.gates):
        if gate not in document.settings.gates:
            known = ", ".join(document.settings.gates) or "none at all"
            raise document.error((*where, "gates", number), f"unknown gate {gate!r}, expected one of: {known}")


def _check_register(document: Document[Profile], where: Where, text: str) -> Register:
    spot = said(document, where, model.register, text)
    profile = document.settings
    if not spot.table.is_bits and spot.count > profile.max_registers:
        raise document.error(where, f"{spot.count} registers, expected at most max_registers {profile.max_registers}")
    for hole in profile.holes:
        table, first, end = model.span(hole)
        if table is spot.table and spot.address < end and first < spot.end:
            raise document.error(where, f"{text!r} stands in the hole {hole!r}, expected registers that may be read")
    return spot


def _check_mask(document: Document[Profile], where: Where, mask: int | None, spot: Register) -> None:
    if mask is None:
        return
    if spot.type.low < 0 or spot.type.is_bcd or spot.type.size > 4:
        raise document.error(where, f"mask on {spot.type.name}, expected an unsigned number of at most 32 bits")
    if not 0 < mask <= spot.type.high:
        raise document.error(where, f"0x{mask:X}, expected 0x1 to 0x{int(spot.type.high):X}")


def _check_variants(document: Document[Profile]) -> None:
    profile = document.settings
    names = {point.name: point for point in profile.points}
    for name, variant in profile.variants.items():
        for point, change in variant.points.items():
            where: Where = ("variants", name, "points", point)
            if point not in names:
                raise document.error(where, f"unknown point {point!r}, expected one of {', '.join(names)}")
            _check_point(document, where, changed(names[point], change))


def _check_golden(document: Document[Profile]) -> None:
    profile = document.settings
    if not profile.golden:
        raise document.error(("golden",), "no frame, expected at least one request with its answer")
    names = [point.name for point in profile.points]
    for at, golden in enumerate(profile.golden):
        where: Where = ("golden", at)
        _check_frames(document, where, golden)
        for unknown in set(golden.values) - set(names):
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
