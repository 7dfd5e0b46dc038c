"""Simulated twins: what stands in a device's registers at a moment, from its profile and a world. No I/O.

A twin is honest about what it can't say: a reading that is lost is shown as its profile says (missing code, shut gate),
and where the profile knows no way, the device stays silent; a value that its registers can't hold is refused, not
wrapped.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, Protocol

from device_profiles import convert, model
from device_profiles.attribute_text import TextSpot
from device_profiles.convert import Patch
from device_profiles.model import Gate, Point, Profile, Register, Table
from device_profiles.output import Output
from simulators.nameplate import Nameplate

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
    attributes: Mapping[str, str] = field(default_factory=dict)
    """What it says of itself, where that is not to be invented."""


class Twin:
    """The registers of one device."""

    def __init__(self, unit: Unit) -> None:
        self.unit = unit
        instruments = [_Instrument(point, unit.points.get(point.name, Choice())) for point in unit.profile.points]
        self._gates = {name: _Gate(gate) for name, gate in unit.profile.gates.items()}
        self._spots: list[Register | TextSpot] = [one.spot for one in instruments]
        self._spots += [gate.spot for gate in self._gates.values()]
        self._outputs = [_Output(output) for output in unit.profile.outputs]
        self._spots += [spot for output in self._outputs for spot in output.spots]
        self._set: Memory = {}
        """What was written to outputs: they stay as they were set."""
        self._instruments = [one for one in instruments if not one.idle]
        self._told = {(one.spot.table, one.spot.address) for one in self._instruments}
        """Where the world has its say: a gate there is as open as the world says."""
        self.nameplate = Nameplate(unit.device, unit.profile, unit.attributes)
        self._spots += self.nameplate.spots
        self._idle: Memory = {}
        for patch in self.nameplate.patches:
            _write(self._idle, patch)
        for instrument in instruments:
            if instrument.idle:
                _write(self._idle, instrument.at_rest())

    def memory(self, observe: Observe, time_ns: int) -> Memory:
        """All words at a moment; raises UnfitValueError and SilentDeviceError."""
        memory = dict(self._idle)
        lost: set[str] = set()
        for instrument in self._instruments:
            value = instrument.ask(observe, self.unit.station, time_ns)
            if math.isnan(value) and not instrument.point.missing and instrument.point.gates:
                lost.add(instrument.point.gates[0])
            _write(memory, instrument.patch(value))
        for name, gate in self._gates.items():
            if name in lost and gate.is_open(memory):
                _write(memory, convert.steer(gate.gate, opened=False))
            elif name not in lost and not gate.is_open(memory) and gate.place not in self._told:
                _write(memory, convert.steer(gate.gate, opened=True))
        return memory | self._set

    def put(self, table: Table, address: int, words: Sequence[int]) -> None:
        """Somebody writes: outputs take it and show it, whatever else is written is forgotten."""
        for at, word in enumerate(words, start=address):
            for output in self._outputs:
                self._set |= output.shown(table, at, int(word))

    def areas(self, most: int = 16) -> Iterator[tuple[Table, int, int]]:
        """Runs of addresses that answer: table, first, one past the last. Gaps up to ``most`` are bridged with zeros.

        Real devices do the same: a gap inside the map reads as something; what the profile calls a hole never does.
        """
        holes = [model.span(text) for text in self.unit.profile.holes]
        for table in Table:
            spans = sorted({(spot.address, spot.end) for spot in self._spots if spot.table is table})
            forbidden = [(first, end) for where, first, end in holes if where is table]
            yield from ((table, first, end) for first, end in _bridged(spans, most, forbidden))


class _Instrument:
    """One point of a twin, compiled."""

    def __init__(self, point: Point, choice: Choice) -> None:
        self.point = point
        self.spot = model.register(point.register)
        self.name, self.quantity = choice.name or point.name, choice.quantity or point.quantity
        self.offset = choice.offset
        self.idle = choice.skip or self.quantity in OWN
        self.linear = convert.linear(point)

    def ask(self, observe: Observe, station: str, time_ns: int) -> float:
        """The device's own value: without what the gateway will add."""
        return observe(station, self.name, self.quantity, time_ns) - self.offset

    def at_rest(self) -> Patch:
        """What stands there when nobody is asked."""
        return convert.hold(self.spot, self.point.mask, 0.0)

    def patch(self, value: float) -> Patch:
        """How the value is written; a lost one as its code, or as 0 behind a gate."""
        if math.isnan(value):
            return convert.encode(self.point, self._lost())
        try:
            return convert.hold(self.spot, self.point.mask, self.linear.raw(value))
        except ValueError as exc:
            raise UnfitValueError(f"{self.name}: {value} is {exc}") from exc

    def _lost(self) -> float:
        if self.point.missing:
            return math.nan
        if self.point.gates:
            return self.linear.value(0.0)
        raise SilentDeviceError(f"{self.name}: no reading, and no code for that")


class _Output:
    """An output of a twin: where it is set, and where it shows it."""

    def __init__(self, output: Output) -> None:
        self.spots = [model.register(text) for text in (output.register, output.read_back) if text is not None]

    def shown(self, table: Table, address: int, word: int) -> Memory:
        """Where a word that is written can be read afterwards; nowhere, when it is not this output's."""
        spot = self.spots[0]
        if spot.table is not table or not spot.address <= address < spot.end:
            return {}
        return {(one.table, one.address + address - spot.address): word for one in self.spots}


class _Gate:
    """A gate of a twin, compiled."""

    def __init__(self, gate: Gate) -> None:
        self.gate = gate
        self.spot = model.register(gate.register)
        self.place = (self.spot.table, self.spot.address)

    def is_open(self, memory: Memory) -> bool:
        """Whether the words as they stand let readings count."""
        word = memory.get(self.place, 0)
        field = word if self.gate.mask is None else (word & self.gate.mask) >> convert.shift(self.gate.mask)
        return self.gate.min <= field <= self.gate.max


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
