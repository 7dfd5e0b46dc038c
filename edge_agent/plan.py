"""Which registers are read together: the cheapest set of requests for a line, computed once per device."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from device_profiles.model import ADDRESSES, Table
from edge_agent.drivers.modbus import frames

_FUNCTION: Final = {
    Table.COIL: frames.READ_COILS,
    Table.DISCRETE: frames.READ_DISCRETE,
    Table.INPUT: frames.READ_INPUT,
    Table.HOLDING: frames.READ_HOLDING,
}
_MAX_BITS: Final = 2000
_REQUEST_BYTES: Final = 8
_ANSWER_OVERHEAD: Final = 5
_SILENT_CHARACTERS: Final = 3.5
_FAST_BAUD: Final = 19_200
_FAST_SILENCE_S: Final = 1.75e-3
"""Above 19200 baud the silence is fixed (MODBUS over Serial Line V1.02, 2.5.1.1)."""


@dataclass(frozen=True, slots=True)
class LineCost:
    """What a request costs on a line, in seconds: once, and for each byte of data."""

    request_s: float
    byte_s: float

    def of(self, span: "Span") -> float:
        """Seconds for one read of a span."""
        return self.request_s + self.byte_s * (span.count / 8 if span.table.is_bits else 2 * span.count)


def silence_s(baud: int, bits: int) -> float:
    """The silent interval between frames; ``bits`` of one character with start, parity and stop."""
    return _FAST_SILENCE_S if baud > _FAST_BAUD else _SILENT_CHARACTERS * bits / baud


def serial_cost(baud: int, bits: int = 10, turnaround_s: float = 5e-3) -> LineCost:
    """The cost of a serial line: frame overheads both ways, the device's turnaround, two silent intervals."""
    character_s = bits / baud
    overhead_s = (_REQUEST_BYTES + _ANSWER_OVERHEAD) * character_s
    return LineCost(overhead_s + turnaround_s + 2 * silence_s(baud, bits), character_s)


TCP_COST: Final = LineCost(1e-3, 1e-7)
"""A millisecond there and back, 100 Mbit/s: holes are free, requests are not."""


@dataclass(frozen=True, slots=True, order=True)
class Span:
    """Neighbouring addresses of one table: what one request reads."""

    table: Table
    address: int
    count: int

    def __str__(self) -> str:
        last = f"-{self.end - 1:#06x}" if self.count > 1 else ""
        return f"{self.table} {self.address:#06x}{last}"

    @property
    def end(self) -> int:
        """The first address after it."""
        return self.address + self.count

    def covers(self, other: "Span") -> bool:
        """Whether reading this reads all of the other."""
        return self.table is other.table and self.address <= other.address and other.end <= self.end

    def request(self, unit: int) -> frames.Read:
        """The read request for it."""
        return frames.Read(unit, _FUNCTION[self.table], self.address, self.count)


@dataclass(frozen=True, slots=True)
class Limits:
    """What a device allows: registers in one read, and spans that must never be read."""

    max_registers: int
    holes: tuple[Span, ...] = ()

    def allow(self, span: Span) -> bool:
        """Whether one request may read the span."""
        largest = _MAX_BITS if span.table.is_bits else self.max_registers
        crosses = any(
            hole.table is span.table and hole.address < span.end and span.address < hole.end for hole in self.holes
        )
        return span.count <= largest and not crosses and span.end <= ADDRESSES


@lru_cache(maxsize=256)
def merge(wanted: tuple[Span, ...], cost: LineCost, limits: Limits) -> tuple[Span, ...]:
    """The cheapest requests that read every wanted span once, by dynamic programming over the sorted spans.

    A hole is read along when that costs less than another request, never across a forbidden one.
    """
    return tuple(
        span for table in Table for span in _merge_table(sorted({w for w in wanted if w.table is table}), cost, limits)
    )


def _merge_table(spans: list[Span], cost: LineCost, limits: Limits) -> tuple[Span, ...]:
    best: list[tuple[float, tuple[Span, ...]]] = [(0.0, ())]
    for last in range(len(spans)):
        choices = []
        for first in range(last, -1, -1):
            joined = _hull(spans[first : last + 1])
            if first < last and not limits.allow(joined):
                break
            before_s, before = best[first]
            choices.append((before_s + cost.of(joined), (*before, joined)))
        best.append(min(choices))
    return best[-1][1]


def _hull(spans: Sequence[Span]) -> Span:
    first = min(span.address for span in spans)
    return Span(spans[0].table, first, max(span.end for span in spans) - first)


def halves(span: Span, wanted: Sequence[Span]) -> tuple[Span, ...]:
    """A refused read cut in two between the spans that it was for; nothing when it was for one alone.

    The cut goes through the largest hole, since that is what a device refuses most often; without holes, the middle.
    """
    inside = sorted({want for want in wanted if span.covers(want)})
    if len(inside) < 2:
        return ()
    middle = len(inside) / 2
    _, _, cut = max((inside[at].address - inside[at - 1].end, -abs(at - middle), at) for at in range(1, len(inside)))
    return _hull(inside[:cut]), _hull(inside[cut:])
