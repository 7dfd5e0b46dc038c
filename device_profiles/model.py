"""What a device measures, as data: one YAML file a device (docs/reference/devices.md lists them)."""

from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache
from typing import Final, Literal

import msgspec

from device_profiles.attribute import Attribute
from device_profiles.output import Output
from device_profiles.words import TYPES, Order, Type, layout
from telemetry.series import Text

ADDRESSES: Final = 0x10000
MAX_REGISTERS: Final = 125
"""Registers in one read at most (MODBUS Application Protocol V1.1b3, 6.3)."""

Transport = Literal["tcp", "rtu"]
Danger = Literal["high", "low", "both", "none"]


class Table(StrEnum):
    """The four address spaces of a device."""

    COIL = "coil"
    DISCRETE = "discrete"
    INPUT = "input"
    HOLDING = "holding"

    @property
    def is_bits(self) -> bool:
        """Whether an address is one bit, not one register."""
        return self in (Table.COIL, Table.DISCRETE)


@dataclass(frozen=True, slots=True)
class Register:
    """Where a number stands and how it is written; ``bit`` picks one bit of a register."""

    table: Table
    address: int
    type: Type
    order: Order = Order.ABCD
    high: bool = False
    bit: int = 0

    @property
    def count(self) -> int:
        """Addresses that the number takes."""
        return 1 if self.table.is_bits else self.type.registers

    @property
    def end(self) -> int:
        """The first address after it."""
        return self.address + self.count

    @property
    def places(self) -> tuple[int, ...]:
        """Where its bytes stand among the bytes of its registers, most significant first."""
        if self.type.name == "bit":
            return (0,) if self.bit >= 8 else (1,)
        if self.type.size == 1:
            return (0,) if self.high else (1,)
        return layout(self.type.size, self.order)


class Gate(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """When readings count: the field ``mask`` of a register (moved down to bit 0) must lie in ``min`` to ``max``.

    Otherwise every gated point gets ``verdict`` and ``cause``: ``missing`` where the number means nothing (a meter that
    shows 0 without a signal), ``bad`` where the number is real but not the world's (a test gas).
    """

    register: str
    mask: int | None = None
    min: float = float("-inf")
    max: float = float("inf")
    verdict: Literal["missing", "bad"] = "missing"
    cause: Literal["DEVICE", "STALE", "MANUAL"] = "DEVICE"
    note: str = ""


class Measured(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One measured quantity: ``device value = raw * scale + offset`` in ``unit``, the unit that the device uses.

    With a ``polynomial`` [a0, a1, a2, ...] it is ``a0 + a1 x + a2 x^2 + ...`` with that as x. ``missing`` are raw
    numbers that mean "no reading"; ``valid`` is the range that the sensor can measure and ``modulus`` the value at
    which a totaliser starts again, both in ``unit``.
    """

    name: str
    quantity: str
    """One that the product knows; it decides the canonical unit."""
    unit: str
    """The unit that the device uses; converted once, at decoding."""
    valid: tuple[float, float]
    scale: float = 1.0
    offset: float = 0.0
    missing: tuple[float, ...] = ()
    danger: Danger = "high"
    """Beyond which end of ``valid`` a reading is doubtful evidence, not void."""
    modulus: float | None = None
    polynomial: tuple[float, ...] = ()
    """Of a device that is not linear (a thermistor, a weir): coefficients from the constant on."""
    states: dict[int, Text] = {}
    """What the numbers of a code mean: ``{0: {zh: 正常, en: well}, 3: {zh: 故障, en: faulty}}``."""
    bits: dict[int, Text] = {}
    """What the bits of a code mean, 0 the lowest."""
    note: str = ""


class Point(Measured, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A quantity in registers; ``mask`` picks bits of the raw number."""

    register: str
    """Table, address and type: ``holding 0x0010 s32 cdab``, ``input 3 u8 low``, ``holding 7 bit 4``, ``coil 12``."""
    mask: int | None = None
    gates: tuple[str, ...] = ()
    """Names of gates that must be open."""


class PointChange(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a variant of a device does otherwise at one point."""

    register: str | None = None
    quantity: str | None = None
    unit: str | None = None
    scale: float | None = None
    offset: float | None = None
    polynomial: tuple[float, ...] | None = None
    valid: tuple[float, float] | None = None
    missing: tuple[float, ...] | None = None


class Variant(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A device that looks the same but is not: the vendor changed a scale, or it was configured so."""

    note: str
    points: dict[str, PointChange]


class Exchange(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A request and its answer as hexadecimal frames."""

    request: str
    answer: str


class Golden(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Frames that a device exchanged in one poll, and what must come out (canonical units; null: MISSING)."""

    frame: Transport
    exchange: tuple[Exchange, ...]
    values: dict[str, float | None]
    source: str
    variant: str | None = None
    attributes: dict[str, str | None] = {}
    """What must come out of it as text; null: nothing."""


class Line(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How the device's serial port is set when it leaves the factory."""

    baud: int
    parity: Literal["N", "E", "O"] = "N"
    stop: Literal[1, 2] = 1
    data: Literal[7, 8] = 8


class AnyProfile(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What every device has: ``source`` says where its description comes from, ``defects`` what it does wrong.

    ``pause_after_ms`` is the rest that it needs after each answer.
    """

    name: str
    """The name of the file without .yaml."""
    title: Text
    source: str
    """Where the register map, or the description of the fields, comes from."""
    serial: Line | None = None
    """The line as it leaves the factory; only for serial lines."""
    pause_after_ms: float = 0.0
    defects: tuple[str, ...] = ()


class Profile(AnyProfile, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A Modbus device: where its numbers stand and what they mean.

    ``holes`` are addresses that must never be read (``holding 0x10-0x1F``).
    """

    protocol: Literal["modbus"] = "modbus"
    transports: tuple[Transport, ...]
    points: tuple[Point, ...]
    golden: tuple[Golden, ...]
    unit: int = 1
    """The unit number as it leaves the factory."""
    max_registers: int = MAX_REGISTERS
    """Registers in one read at most."""
    holes: tuple[str, ...] = ()
    gates: dict[str, Gate] = {}
    variants: dict[str, Variant] = {}
    outputs: tuple[Output, ...] = ()
    attributes: dict[str, Attribute] = {}
    """What it says of itself: ``serial``, ``firmware``, ``model`` and others."""


_GRAMMAR: Final = "expected like 'holding 0x0010 s32 cdab', 'input 3 u8 low', 'holding 7 bit 4' or 'coil 12'"


@lru_cache(maxsize=4096)
def register(text: str) -> Register:
    """Read a register; raises ValueError that says what was found and what was expected."""
    words = text.split()
    if len(words) < 2 or words[0] not in set(Table):
        raise ValueError(f"{text!r} is no register, {_GRAMMAR}")
    table, address = Table(words[0]), _number(words[1])
    found = _bits(table, address, words[2:]) if table.is_bits else _typed(table, address, words[2:])
    if found is None:
        raise ValueError(f"{text!r} is no register, {_GRAMMAR}")
    if found.end > ADDRESSES:
        raise ValueError(
            f"{text!r} ends at 0x{found.end - 1:X}, expected {found.count} address(es) within 0x0000 to 0xFFFF"
        )
    return found


def span(text: str) -> tuple[Table, int, int]:
    """Read a hole such as ``holding 0x10-0x1F`` as table, first and one past the last; raises ValueError."""
    words = text.split()
    parts = words[1].split("-") if len(words) == 2 and words[0] in set(Table) else []
    if not 1 <= len(parts) <= 2:
        raise ValueError(f"{text!r} is no span, expected like 'holding 0x10-0x1F'")
    first, last = _number(parts[0]), _number(parts[-1])
    if not first <= last < ADDRESSES:
        raise ValueError(f"{text!r} runs from {first} to {last}, expected rising addresses up to 0xFFFF")
    return Table(words[0]), first, last + 1


def _number(text: str) -> int:
    try:
        number = int(text, 0)
    except ValueError as exc:
        raise ValueError(f"{text!r} is no address, expected a number such as 16 or 0x0010") from exc
    if not 0 <= number < ADDRESSES:
        raise ValueError(f"address {text}, expected 0x0000 to 0xFFFF")
    return number


def _bits(table: Table, address: int, rest: list[str]) -> Register | None:
    return Register(table, address, TYPES["bit"]) if rest in ([], ["bit"]) else None


def _typed(table: Table, address: int, rest: list[str]) -> Register | None:
    name, *detail = rest or [""]
    kind = TYPES.get(name)
    if kind is None:
        raise ValueError(f"unknown type {name!r}, expected one of {', '.join(TYPES)}")
    if name == "bit":
        number = int(detail[0]) if len(detail) == 1 and detail[0].isdecimal() else 16
        return Register(table, address, kind, bit=number) if number < 16 else None
    if kind.size == 1:
        return Register(table, address, kind, high=detail == ["high"]) if detail in (["high"], ["low"]) else None
    order = detail[0] if detail else Order.ABCD
    return Register(table, address, kind, Order(order)) if len(detail) <= 1 and order in set(Order) else None
