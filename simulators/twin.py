"""Simulated twins: what stands in a device's registers at a moment, from its profile and a world. No I/O.

A twin is honest about what it can't say: a reading that is lost is shown as its profile says (missing code, shut gate),
and where the profile knows no way, the device stays silent; a value that its registers can't hold is refused, not
wrapped.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Protocol

from device_profiles import convert, model, words
from device_profiles.convert import Patch
from device_profiles.model import Gate, Point, Profile, Table

OWN: Final = frozenset({"device_state"})
"""Quantities that a device knows about itself: a twin works, so they are 0 but for what its gates ask."""

Memory = dict[tuple[Table, int], int]
"""Words by table and address."""


class Observe(Protocol):
    """A world, as instruments see it."""

    def __call__(self, station: str, point: str, quantity: str, time_ns: int, /) -> float:
        """The value in the canonical unit at a moment; NaN where there is none to be had."""


class UnfitValueError(ValueError):
    """The world's value is not one that this register can hold."""


class SilentDeviceError(Exception):
    """The device has nothing to say, and no other way to say it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """What a gateway's settings make of a profile's point: its name and quantity there, and the zero of the site.

    ``offset`` is what the gateway adds, in the canonical unit; so the device itself shows the value less the offset.
    ``skip``: nobody reads it, so the world is not asked and the device shows 0.
    """

    name: str | None = None
    quantity: str | None = None
    offset: float = 0.0
    skip: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Unit:
    """One simulated device on a line: its address there, its profile (variant applied), and the station it measures."""

    device: str
    unit: int
    profile: Profile
    station: str
    points: Mapping[str, Choice]


class Twin:
    """The registers of one device."""

    def __init__(self, unit: Unit) -> None:
        self.unit = unit
        self._instruments = [_Instrument(point, unit.points.get(point.name, Choice())) for point in unit.profile.points]
        self._gates = {name: _Gate(gate) for name, gate in unit.profile.gates.items()}

    def memory(self, observe: Observe, time_ns: int) -> Memory:
        """All words at a moment; raises UnfitValueError and SilentDeviceError."""
        memory: Memory = {}
        lost: set[str] = set()
        for instrument in self._instruments:
            value = instrument.ask(observe, self.unit.station, time_ns)
            if math.isnan(value) and not instrument.point.missing and instrument.point.gates:
                lost.add(instrument.point.gates[0])
            _write(memory, instrument.patch(value))
        for name, gate in self._gates.items():
            if gate.is_open(memory) is (name in lost):
                _write(memory, convert.steer(gate.gate, opened=name not in lost))
        return memory

    def areas(self, most: int = 16) -> Iterator[tuple[Table, int, int]]:
        """Runs of addresses that answer: table, first, one past the last. Gaps up to ``most`` are bridged with zeros.

        Real devices do the same: a gap inside the map reads as something; what the profile calls a hole never does.
        """
        holes = [model.span(text) for text in self.unit.profile.holes]
        for table in Table:
            spans = sorted({(spot.address, spot.end) for spot in self._spots() if spot.table is table})
            forbidden = [(first, end) for where, first, end in holes if where is table]
            yield from ((table, first, end) for first, end in _bridged(spans, most, forbidden))

    def _spots(self) -> Iterator[model.Register]:
        for instrument in self._instruments:
            yield instrument.spot
        for gate in self._gates.values():
            yield gate.spot


class _Instrument:
    """One point of a twin, compiled."""

    def __init__(self, point: Point, choice: Choice) -> None:
        self.point = point
        self.spot = model.register(point.register)
        self.name, self.quantity = choice.name or point.name, choice.quantity or point.quantity
        self.offset = choice.offset
        self.idle = choice.skip or self.quantity in OWN
        self.linear = convert.linear(point)
        self.limits = _limits(self.spot, point.mask)
        self.is_plain = point.mask is None and self.spot.type.size > 1

    def ask(self, observe: Observe, station: str, time_ns: int) -> float:
        """The device's own value: without what the gateway will add."""
        if self.idle:
            return self.linear.value(0.0)
        return observe(station, self.name, self.quantity, time_ns) - self.offset

    def patch(self, value: float) -> Patch:
        """How the value is written; a lost one as its code, or as 0 behind a gate."""
        if math.isnan(value):
            return convert.encode(self.point, self._lost())
        raw = self.linear.raw(value)
        low, high = self.limits
        if not low <= (raw if self.spot.type.is_float else round(raw)) <= high:
            raise UnfitValueError(f"{self.name}: {value} is {raw} in {self.point.register!r}, expected {low} to {high}")
        return self._plain(raw) if self.is_plain else convert.encode(self.point, value)

    def _plain(self, raw: float) -> Patch:
        """What ``convert.encode`` gives, without finding out the scale again: this runs at every read."""
        data = words.pack(raw, self.spot.type, self.spot.order)
        found = tuple(int.from_bytes(data[at : at + 2], "big") for at in range(0, len(data), 2))
        return Patch(self.spot.table, self.spot.address, found)

    def _lost(self) -> float:
        if self.point.missing:
            return math.nan
        if self.point.gates:
            return self.linear.value(0.0)
        raise SilentDeviceError(f"{self.name}: no reading, and no code for that")


class _Gate:
    """A gate of a twin, compiled."""

    def __init__(self, gate: Gate) -> None:
        self.gate = gate
        self.spot = model.register(gate.register)

    def is_open(self, memory: Memory) -> bool:
        """Whether the words as they stand let readings count."""
        word = memory.get((self.spot.table, self.spot.address), 0)
        field = word if self.gate.mask is None else (word & self.gate.mask) >> convert.shift(self.gate.mask)
        return self.gate.min <= field <= self.gate.max


def _limits(spot: model.Register, mask: int | None) -> tuple[float, float]:
    """The raw numbers that a register, or the field of it, can hold."""
    if mask is None:
        return spot.type.low, spot.type.high
    return 0, mask >> convert.shift(mask)


def _write(memory: Memory, patch: Patch) -> None:
    for at, word in enumerate(patch.words, start=patch.address):
        memory[patch.table, at] = memory.get((patch.table, at), 0) & ~patch.mask | word


def _bridged(
    spans: Sequence[tuple[int, int]],
    most: int,
    holes: Sequence[tuple[int, int]],
) -> Iterator[tuple[int, int]]:
    """Spans joined where the gap is small and no hole lies in it."""
    if not spans:
        return
    first, end = spans[0]
    for start, stop in spans[1:]:
        torn = any(hole_first < start and end < hole_end for hole_first, hole_end in holes)
        if start - end > most or (start > end and torn):
            yield first, end
            first = start
        end = max(end, stop)
    yield first, end
