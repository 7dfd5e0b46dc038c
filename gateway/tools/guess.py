"""How a number is written in registers, when the manual and the device disagree: every way is tried on what was read.

A candidate is a place near the declared one (manuals count from 0 or from 1), a type, an order of bytes and a power of
ten. It is ranked by the value that somebody sees on the display, and without one by the declared range; among equals
the declared way goes first, then what differs from it in fewer things.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Final

from device_profiles import convert, model
from device_profiles.model import Point, Profile, Register, Table
from device_profiles.words import TYPES, Order, Type, unpack
from edge_agent.compiled import BusPlan
from edge_agent.drivers.contract import FrameError
from edge_agent.drivers.modbus.driver import Call, Line
from edge_agent.lines.line import LineError
from edge_agent.opened import modbus_line
from edge_agent.plan import Limits, Span
from gateway.tools.ports import connect
from telemetry.quantity import QUANTITIES
from telemetry.units import UNITS, conversion

SHIFTS: Final = (0, -1, 1)
_TYPES: Final = ("u16", "s16", "f32", "u32", "s32", "bcd16", "bcd32", "f64", "u64", "s64")
_POWERS: Final = range(-4, 4)
_OTHER: Final = {Table.HOLDING: Table.INPUT, Table.INPUT: Table.HOLDING}
_LEAST: Final = 1e-6
"""Of a fraction without a display to compare with: what is smaller is most likely no such number."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """A number as somebody read it off a display: right to half of its last digit."""

    text: str

    @property
    def value(self) -> float:
        """The number; raises ValueError."""
        return float(self.text)

    @property
    def half_digit(self) -> float:
        """How far the number behind it may be off."""
        decimals = len(self.text.partition(".")[2])
        return float(0.5 * 10.0**-decimals)


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """One way to read a number, with what it makes of the registers; ``value`` in the device's own unit."""

    register: str
    """As a profile writes it."""
    scale: float
    value: float
    unit: str
    canonical: float
    canonical_unit: str
    fits: str
    """``display``: what somebody sees; ``range``: within the declared range; ``no``: neither."""
    declared: bool
    differences: int
    """In how many things it is not what the profile says."""
    off: float
    """Distance from the display in its half digits; 0 where nothing was seen."""
    shows_unit: str = ""
    """The unit of the display, where only another one than the profile's makes it fit."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Guess:
    """All candidates of one point, best first, and what could not be read."""

    point: str
    candidates: tuple[Candidate, ...]
    refused: tuple[str, ...] = ()


async def guess(plan: BusPlan, profile: Profile, points: Sequence[Point], shown: Shown | None) -> list[Guess]:
    """Candidates for each point of one device, which is read and never written to.

    Raises LineDownError where there is no line, and NoAnswerError or GarbledError where nothing answers.
    """
    line = modbus_line(plan.line, plan.timeout_s)
    await connect(line, plan.line)
    try:
        return [await _guess(line, plan.devices[0].unit, profile, point, shown) for point in points]
    finally:
        line.close()


def rank(words: dict[Span, bytes], point: Point, shown: Shown | None) -> tuple[Candidate, ...]:
    """Candidates from what stands in the registers around a point, best first; pure."""
    found = [one for span, data in words.items() for one in _candidates(span, data, point, shown)]
    best: dict[object, Candidate] = {}
    for one in sorted(found, key=_order):
        best.setdefault(_sameness(one), one)
    return tuple(best.values())


def _sameness(one: Candidate) -> object:
    """What two candidates share that no number here can tell apart: with and without sign, say."""
    table, address, kind, *order = one.register.split()
    return table, address, TYPES[kind].size, *order, one.scale, one.value


def _order(one: Candidate) -> tuple[object, ...]:
    order = {"display": 0, "range": 1, "no": 2}
    near = 0.0 if one.fits == "display" else math.log10(1 + one.off)
    is_nothing = one.fits == "range" and one.value == 0  # fits everything, says nothing
    return order[one.fits], not one.declared, is_nothing, round(near, 3), one.differences, one.register, one.scale


async def _guess(line: Line, unit: int, profile: Profile, point: Point, shown: Shown | None) -> Guess:
    limits = Limits(
        profile.max_registers,
        tuple(Span(table, first, end - first) for table, first, end in map(model.span, profile.holes)),
    )
    words: dict[Span, bytes] = {}
    refused: list[str] = []
    for span in _windows(model.register(point.register)):
        if not limits.allow(span) or any(known.covers(span) for known in words):
            continue
        try:
            words[span] = await line.transact(Call.of(span.request(unit), profile.pause_after_ms / 1000))
        except LineError:
            raise
        except FrameError as exc:
            refused.append(f"{span}: {exc}")
    return Guess(point=point.name, candidates=rank(words, point, shown), refused=tuple(refused))


def _windows(spot: Register) -> Iterator[Span]:
    """Reads that could hold the number: the widest first, since each smaller one only serves when that is refused."""
    tables = [spot.table, *filter(None, [_OTHER.get(spot.table)])]
    for table in tables:
        for first, count in ((-1, 6), (0, 4), (0, 2), (0, 1), (-1, 1), (1, 1)):
            address = spot.address + first
            if address >= 0 and address + count <= model.ADDRESSES:
                yield Span(table, address, count)


def _candidates(span: Span, data: bytes, point: Point, shown: Shown | None) -> Iterator[Candidate]:
    spot = model.register(point.register)
    for shift in SHIFTS:
        at = spot.address + shift - span.address
        for kind in (TYPES[name] for name in _TYPES):
            end = at + kind.registers
            if at < 0 or end > span.count:
                continue
            for order in _orders(kind):
                raw = unpack(data[2 * at : 2 * end], kind, order)
                here = Register(span.table, spot.address + shift, kind, order)
                if math.isfinite(raw):
                    yield from _scaled(here, raw, point, shown)


def _orders(kind: Type) -> tuple[Order, ...]:
    return (Order.ABCD, Order.BADC) if kind.size == 2 else tuple(Order)


def _scaled(here: Register, raw: float, point: Point, shown: Shown | None) -> Iterator[Candidate]:
    """Each power of ten that gives what is seen; without a display, only the declared scale and 1."""
    scales = {point.scale, 1.0} | ({10.0**power for power in _POWERS} if shown else set())
    for scale in sorted(scales):
        value = raw * scale + point.offset
        fits, off = _fit(value, here.type, point, shown)
        is_declared = _is_declared(here, point) and scale == point.scale
        unit = _other_unit(value, point, shown) if is_declared and shown is not None and fits == "no" else ""
        if unit:
            fits, off = "display", 0.0
        if fits != "no" or is_declared:
            yield replace(_candidate(here, scale, value, point, fits, off), shows_unit=unit)


def _other_unit(value: float, point: Point, shown: Shown) -> str:
    """The unit in which a number that is read as declared is what the display shows; empty where there is none.

    Else a display in metres would look like a wrong scale of a profile in millimetres.
    """
    for unit in UNITS:
        if UNITS[unit].dimension == UNITS[point.unit].dimension:
            gain, shift = conversion(point.unit, unit)
            if abs(value * gain + shift - shown.value) <= shown.half_digit * 1.000001:
                return unit
    return ""


def _fit(value: float, kind: Type, point: Point, shown: Shown | None) -> tuple[str, float]:
    if shown is not None:
        off = abs(value - shown.value) / shown.half_digit
        return ("display", off) if off <= 1.000001 else ("no", off)
    low, high = point.valid
    sensible = not kind.is_float or value == 0 or abs(value) >= _LEAST
    return ("range" if low <= value <= high and sensible else "no"), 0.0


def _candidate(here: Register, scale: float, value: float, point: Point, fits: str, off: float) -> Candidate:
    spot = model.register(point.register)
    linear = convert.linear(point)
    raw = (value - point.offset) / point.scale
    parts = ((here.table, spot.table), (here.address, spot.address), (here.type.name, spot.type.name),
             (here.order, spot.order), (scale, point.scale))  # fmt: skip
    order = f" {here.order}" if here.order is not Order.ABCD else ""
    return Candidate(
        register=f"{here.table} 0x{here.address:04X} {here.type.name}{order}",
        scale=scale,
        value=float(f"{value:.9g}"),
        unit=point.unit,
        canonical=float(f"{linear.value(raw):.9g}"),
        canonical_unit=QUANTITIES[point.quantity].unit,
        fits=fits,
        declared=all(one == other for one, other in parts),
        differences=sum(one != other for one, other in parts),
        off=round(off, 3),
    )


def _is_declared(here: Register, point: Point) -> bool:
    return here == model.register(point.register)
