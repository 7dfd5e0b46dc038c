"""From the bytes of a poll to values in canonical units: compiled once, then a dozen array operations a poll.

Flag, never fix: a value is converted and nothing else. A missing code, a shut gate or an unread block makes MISSING;
a value outside the sensor's range stays as it is, SUSPECT towards danger and BAD otherwise.
"""

import math
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

import numpy as np
from numpy.typing import NDArray

from device_profiles.convert import Linear, shift
from device_profiles.model import Danger, Register
from device_profiles.words import from_bcd
from edge_agent.plan import Span
from edge_agent.scale import Readings, Scale
from telemetry.batch import F64, I64, U8, U16, Mask
from telemetry.quality import Cause, Quality

_NO_MASK: Final = -1
_AS_IT_IS: Final = Linear(1.0, 1.0, 0.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """One number to take from a poll. ``valid`` is in the canonical unit; ``gates`` are positions among the gates."""

    register: Register
    linear: Linear = _AS_IT_IS
    mask: int | None = None
    missing: tuple[float, ...] = ()
    valid: tuple[float, float] = (-math.inf, math.inf)
    danger: Danger = "high"
    gates: tuple[int, ...] = ()

    @property
    def span(self) -> Span:
        """The addresses that it needs."""
        return Span(self.register.table, self.register.address, self.register.count)


@dataclass(frozen=True, slots=True, kw_only=True)
class GateColumn:
    """A number that decides whether others count: it must lie in ``low`` to ``high``."""

    column: Column
    low: float
    high: float
    verdict: Quality
    cause: Cause


Answer = bytes | Cause
"""The data of one block, or why there are none."""


class Decoder:
    """Takes the columns of one device out of the blocks that its plan reads."""

    def __init__(self, blocks: Sequence[Span], columns: Sequence[Column], gates: Sequence[GateColumn] = ()) -> None:
        everything = [*columns, *(gate.column for gate in gates)]
        self._n = len(columns)
        self._blank = [bytes(_size(block)) for block in blocks]
        self._home = np.array([_home(blocks, column.span) for column in everything])
        self._unread = np.flatnonzero(self._home < 0)
        places, code = _layout(blocks, self._home, everything)
        self._places = np.array(places, np.intp)
        self._struct = struct.Struct(">" + code)
        self._bcd = _positions([column.register.type.is_bcd for column in everything])
        self._masks = _Masks([_mask(column, blocks, home) for column, home in zip(everything, self._home, strict=True)])
        self._codes = _Codes(everything)
        self._scale = Scale(columns, wide=any(column.register.type.name == "f64" for column in columns))
        self._gates = _Gates(columns, gates)

    def decode(self, answers: Sequence[Answer]) -> Readings:
        """Readings from the answers to the plan's requests, in the order of its blocks."""
        pairs = zip(answers, self._blank, strict=True)
        data = b"".join([blank if isinstance(answer, Cause) else answer for answer, blank in pairs])
        ordered = np.frombuffer(data, np.uint8)[self._places].tobytes()
        unpacked = self._struct.unpack(ordered)
        raw = np.array(unpacked, np.float64)
        self._masks.apply(raw)
        if self._bcd.size:  # from the integers: sixteen digits in nibbles are more bits than a float holds
            raw[self._bcd] = from_bcd(np.array([unpacked[at] for at in self._bcd], np.uint64))
        cause = self._lost(raw, answers)
        value = self._scale.apply(raw[: self._n])
        quality, cause = self._scale.judge(value, cause[: self._n])
        if self._gates.any:
            self._gates.apply(raw[self._n :], value, quality, cause)
        void = np.isnan(value)
        if void.any():
            quality[void] = Quality.MISSING
            cause[void & (cause == 0)] = Cause.DEVICE
        return Readings(value, quality, cause)

    def _lost(self, raw: F64, answers: Sequence[Answer]) -> U16:
        """Make numbers NaN that mean no reading or were not read; the causes of it, for all columns."""
        void = self._codes.find(raw)
        cause = np.zeros(len(raw), np.uint16)
        if void.any():
            raw[void] = np.nan
            cause[void] = Cause.DEVICE
        for block, answer in enumerate(answers):
            if isinstance(answer, Cause):
                cause[self._home == block] = answer
                raw[self._home == block] = np.nan
        if self._unread.size:
            cause[self._unread] = Cause.DEVICE
            raw[self._unread] = np.nan
        return cause


@lru_cache(maxsize=256)
def decoder(blocks: tuple[Span, ...], columns: tuple[Column, ...], gates: tuple[GateColumn, ...]) -> Decoder:
    """The decoder for a plan; devices of one kind share theirs, since it holds no state."""
    return Decoder(blocks, columns, gates)


class _Masks:
    """Columns that are a field of bits in their number."""

    def __init__(self, masks: Sequence[int]) -> None:
        self._at = _positions([mask != _NO_MASK for mask in masks])
        self._mask = np.array([mask for mask in masks if mask != _NO_MASK], np.int64)
        self._shift = np.array([shift(mask) for mask in masks if mask != _NO_MASK], np.int64)

    def apply(self, raw: F64) -> None:
        if self._at.size:
            raw[self._at] = (raw[self._at].astype(np.int64) & self._mask) >> self._shift


class _Codes:
    """Raw numbers that mean "no reading"; NaN and infinity always do."""

    def __init__(self, columns: Sequence[Column]) -> None:
        pairs = [(at, _signed(code, column)) for at, column in enumerate(columns) for code in column.missing]
        self._at: I64 = np.array([at for at, _ in pairs], np.int64)
        self._code = np.array([code for _, code in pairs], np.float64)

    def find(self, raw: F64) -> Mask:
        void: Mask = ~np.isfinite(raw)
        if self._at.size:
            void[self._at[raw[self._at] == self._code]] = True
        return void


class _Gates:
    """Which rows a shut gate spoils."""

    def __init__(self, columns: Sequence[Column], gates: Sequence[GateColumn]) -> None:
        pairs = [(row, gate) for row, column in enumerate(columns) for gate in column.gates]
        self.any = bool(pairs)
        self._row = np.array([row for row, _ in pairs], np.intp)
        self._gate = np.array([gate for _, gate in pairs], np.intp)
        self._low = np.array([gate.low for gate in gates])
        self._high = np.array([gate.high for gate in gates])
        self._verdict = np.array([gates[gate].verdict for _, gate in pairs], np.uint8)
        self._cause = np.array([gates[gate].cause for _, gate in pairs], np.uint16)

    def apply(self, raw: F64, value: F64, quality: U8, cause: U16) -> None:
        """Spoil rows in place; a gate that could not be read (NaN) is shut."""
        shut = ~((raw >= self._low) & (raw <= self._high))
        if not shut.any():
            return
        hit = shut[self._gate]
        rows, verdict = self._row[hit], self._verdict[hit]
        np.maximum.at(quality, rows, verdict)
        np.bitwise_or.at(cause, rows, self._cause[hit])
        value[rows[verdict == Quality.MISSING]] = np.nan


def _positions(chosen: Sequence[bool]) -> NDArray[np.intp]:
    return np.flatnonzero(np.array(chosen, np.bool_))


def _size(block: Span) -> int:
    return (block.count + 7) // 8 if block.table.is_bits else 2 * block.count


def _home(blocks: Sequence[Span], span: Span) -> int:
    """The block that holds a span, -1 for none (the device refused it)."""
    return next((at for at, block in enumerate(blocks) if block.covers(span)), -1)


def _layout(blocks: Sequence[Span], home: NDArray[np.int_], columns: Sequence[Column]) -> tuple[list[int], str]:
    """Where each byte stands among the bytes of all blocks, and the code that unpacks them."""
    starts = np.cumsum([0, *(_size(block) for block in blocks)])
    places: list[int] = []
    for column, block in zip(columns, home, strict=True):
        if block < 0:
            places += [0] * column.register.type.size
            continue
        distance = column.register.address - blocks[block].address
        if column.register.table.is_bits:
            places.append(int(starts[block]) + distance // 8)
        else:
            places += [int(starts[block]) + 2 * distance + place for place in column.register.places]
    return places, "".join(column.register.type.code for column in columns)


def _mask(column: Column, blocks: Sequence[Span], home: int) -> int:
    register = column.register
    if register.table.is_bits:
        return 1 << (register.address - blocks[home].address) % 8
    if register.type.name == "bit":
        return 1 << register.bit % 8
    return _NO_MASK if column.mask is None else column.mask


def _signed(code: float, column: Column) -> float:
    """A missing code as the number that the type reads: 0xFFFF is -1 if signed, f32 has no -999.9."""
    kind, patterns = column.register.type, 2.0 ** (8 * column.register.type.size)
    if kind.name == "f32":
        return float(np.float32(code))
    return code - patterns if kind.low < 0 and not kind.is_float and kind.high < code < patterns else code
