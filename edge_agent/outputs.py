"""Setting an output of a Modbus device, and reading back whether it is set: the read-back alone is the proof.

A write whose answer is lost is never sent again: what the device shows decides. Where it shows nothing, the outcome is
unknown, and is called so.
"""

import asyncio
import math
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Protocol

from device_profiles import words
from device_profiles.model import Register, Table
from edge_agent.drivers.modbus import frames
from edge_agent.drivers.modbus.driver import Call, Line
from edge_agent.drivers.modbus.frames import ExceptionAnswerError, Refusal
from edge_agent.drivers.modbus.shared import SharedLine
from edge_agent.lines.line import LineDownError, LineError
from edge_agent.plan import Span
from telemetry.orders import Outcome

_LOOKS: Final = 5
"""Read-backs within the time in which an output settles, besides the first."""
_LEAST_LOOKS: Final = 2
_BETWEEN_S: Final = 0.02
_HANGS_UP_S: Final = 0.01
"""A converter that hangs up after each answer has done so by then: a write that meets its end would be lost."""
_UNDER_WAY: Final = (Refusal.ACKNOWLEDGE,)
"""Not a refusal: the device is at it."""


class Lines(Protocol):
    """Who owns the lines of the Modbus buses."""

    def line(self, bus: str) -> SharedLine:
        """The line of a bus as it is now; raises KeyError."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Spot:
    """A register of one device on one bus; ``pause_s`` is the rest that the device needs after an answer."""

    bus: str
    unit: int
    register: Register
    pause_s: float = 0.0

    def call(self) -> Call:
        """The request that reads it."""
        spot = self.register
        return Call.of(Span(spot.table, spot.address, spot.count).request(self.unit), self.pause_s)

    def number(self, data: bytes) -> float:
        """The number in the answer to that."""
        spot = self.register
        if spot.table.is_bits:
            return float(frames.unpack_bits(data, 1)[0])
        if spot.type.name == "bit":
            return float(data[spot.places[0]] >> spot.bit % 8 & 1)
        whole = bytes(data[place] for place in spot.places)
        return float(words.unpack(whole, spot.type))


@dataclass(frozen=True, slots=True, kw_only=True)
class Interlock:
    """What a register must read before an output may leave its rest, and what it means when it reads otherwise."""

    spot: Spot
    must_be: float
    says: str


@dataclass(frozen=True, slots=True, kw_only=True)
class OutputPlan:
    """An output, compiled: ``spot`` is written, ``shows`` read back; seconds are real."""

    spot: Spot
    shows: Spot
    safe: float
    settle_s: float
    multiple: bool
    interlocks: tuple[Interlock, ...]

    def call(self, value: float) -> Call:
        """The request that sets it: functions 5 and 6, or 15 and 16 where the device or the number asks for them."""
        spot = self.spot.register
        if spot.table is Table.COIL:
            function = frames.WRITE_COILS if self.multiple else frames.WRITE_COIL
            values: tuple[int, ...] = (int(value),)
        else:
            data = words.pack(value, spot.type, spot.order)
            values = tuple(int.from_bytes(data[at : at + 2], "big") for at in range(0, len(data), 2))
            single = len(values) == 1 and not self.multiple
            function = frames.WRITE_REGISTER if single else frames.WRITE_REGISTERS
        return Call.of(frames.Write(self.spot.unit, function, spot.address, values), self.spot.pause_s)

    def is_shown(self, read: float | None, value: float) -> bool:
        """Whether a read-back is what was asked for, as exactly as the register that was written can hold it."""
        narrow = self.spot.register.type.name == "f32"
        return read is not None and math.isclose(read, value, rel_tol=1e-6 if narrow else 1e-12)


@dataclass(frozen=True, slots=True)
class Effect:
    """What came of setting an output: DONE, REFUSED, FAILED or UNKNOWN, why, and the last read-back."""

    outcome: Outcome
    reason: str
    read_back: float | None = None


async def switch(lines: Lines, plan: OutputPlan, value: float) -> Effect:
    """Set an output and prove it. Never raises what a line or a device may do."""
    locks = () if value == plan.safe else plan.interlocks
    here = [lock for lock in locks if lock.spot.bus == plan.spot.bus]
    # Those of other buses first: who holds a line must not wait for another one.
    held = await _held_elsewhere(lines, [lock for lock in locks if lock not in here])
    if held is not None:
        return Effect(Outcome.REFUSED, held)
    try:
        line = _line(lines, plan.spot.bus)
        async with line.reserved() as bare:
            if (held := await _held(bare, here)) is not None:
                return Effect(Outcome.REFUSED, held)
            await asyncio.sleep(_HANGS_UP_S)
            await _open(bare)
            doubt = await _write(bare, plan.call(value))
            read, trouble = await _look(bare, plan)
    except LineDownError as exc:
        return Effect(Outcome.FAILED, f"nothing was sent: {exc}")
    except ExceptionAnswerError as exc:
        return Effect(Outcome.FAILED, f"refused by the device: {exc}")
    if not plan.is_shown(read, value):
        read, trouble = await _settle(line, plan, value, read, trouble)
    return _judged(plan, value, read, doubt, trouble)


def _line(lines: Lines, bus: str) -> SharedLine:
    """The line of a bus; raises LineDownError while there is none, in the middle of a change."""
    try:
        return lines.line(bus)
    except KeyError as exc:
        raise LineDownError(f"there is no bus {bus} at present") from exc


def _judged(plan: OutputPlan, value: float, read: float | None, doubt: str, trouble: str) -> Effect:
    if plan.is_shown(read, value):
        return Effect(Outcome.DONE, f"reads back {read:g}{f', though {doubt}' if doubt else ''}", read)
    said = doubt or "the device confirmed the write"
    if read is None:
        return Effect(Outcome.UNKNOWN, f"{said}, and it can't be read back: {trouble}")
    return Effect(Outcome.FAILED, f"{said}, but it reads back {read:g}, expected {value:g}", read)


async def _held_elsewhere(lines: Lines, locks: Sequence[Interlock]) -> str | None:
    """As ``_held``, for interlocks on other buses than the output."""
    for lock in locks:
        try:
            async with _line(lines, lock.spot.bus).reserved() as bare:
                held = await _held(bare, [lock])
        except LineDownError as exc:
            held = f"interlock {lock.says}: can't be read ({exc})"
        if held is not None:
            return held
    return None


async def _held(bare: Line, locks: Sequence[Interlock]) -> str | None:
    """Why an output must stay at rest; what can't be read holds as well."""
    for lock in locks:
        try:
            found = await _shown(bare, lock.spot)
        except (LineError, ExceptionAnswerError) as exc:
            return f"interlock {lock.says}: can't be read ({exc})"
        if found != lock.must_be:
            return f"interlock {lock.says}: reads {found:g}, expected {lock.must_be:g}"
    return None


async def _open(bare: Line) -> None:
    """Some converters hang up after each answer; raises LineDownError."""
    if not bare.connected:
        await bare.connect()


async def _shown(bare: Line, spot: Spot) -> float:
    """What a register reads; a line that turns out to be gone is opened again, once: reading twice does no harm."""
    await _open(bare)
    try:
        data = await bare.transact(spot.call())
    except LineDownError:
        await bare.connect()
        data = await bare.transact(spot.call())
    return spot.number(data)


async def _write(bare: Line, call: Call) -> str:
    """Send it once; what is doubtful about it, empty for nothing. Raises ExceptionAnswerError."""
    try:
        await bare.transact(call)
    except ExceptionAnswerError as exc:
        if exc.code not in _UNDER_WAY:
            raise
    except LineError as exc:
        return f"the answer to the write was lost ({exc})"
    return ""


async def _look(bare: Line, plan: OutputPlan) -> tuple[float | None, str]:
    """What an output shows, or why nothing."""
    try:
        return await _shown(bare, plan.shows), ""
    except (LineError, ExceptionAnswerError) as exc:
        return None, str(exc)


async def _settle(
    line: SharedLine, plan: OutputPlan, value: float, read: float | None, trouble: str
) -> tuple[float | None, str]:
    """Look again until it shows what was asked for or its time is over; polls go on in between."""
    until, looks = time.monotonic() + plan.settle_s, 0
    while not plan.is_shown(read, value) and (time.monotonic() < until or looks < _LEAST_LOOKS):
        await asyncio.sleep(max(_BETWEEN_S, plan.settle_s / _LOOKS))
        looks += 1
        try:
            async with line.reserved() as bare:
                read, trouble = await _look(bare, plan)
        except LineDownError as exc:
            read, trouble = None, str(exc)
    return read, trouble
