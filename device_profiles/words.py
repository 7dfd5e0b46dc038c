"""Register words and the numbers in them: types, byte and word orders, both ways.

Modbus fixes neither the order of the two words of a 32-bit number nor, in practice, that of the bytes in a word, so
every number carries its order. Letters name the bytes from the most significant one on, as they follow one another in
the registers; the scheme for four bytes extends to eight (``cdab``: words reversed) and to two (``badc``: swapped).
"""

import math
import struct
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

import numpy as np
from numpy.typing import NDArray

from telemetry.batch import F64


class Order(StrEnum):
    """How the bytes of a number follow one another in registers."""

    ABCD = "abcd"
    BADC = "badc"
    CDAB = "cdab"
    DCBA = "dcba"


@dataclass(frozen=True, slots=True)
class Type:
    """A type of number: its size in bytes, its big-endian ``struct`` code, and the numbers that it can hold."""

    name: str
    size: int
    code: str
    low: float
    high: float

    @property
    def registers(self) -> int:
        """Registers that a number takes; a byte or a bit lives in one."""
        return (self.size + 1) // 2

    @property
    def is_float(self) -> bool:
        """Whether the type holds fractions."""
        return self.code in "fd"

    @property
    def is_bcd(self) -> bool:
        """Whether each nibble is a decimal digit."""
        return self.name.startswith("bcd")


def _integer(name: str, code: str) -> Type:
    size, bits = int(name[1:]) // 8, int(name[1:])
    low, high = (0, 2**bits - 1) if name[0] == "u" else (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1)
    return Type(name, size, code, low, high)


_FLOAT32_MAX: Final = float(np.finfo(np.float32).max)
_FLOAT64_MAX: Final = float(np.finfo(np.float64).max)
_INTEGERS: Final = {
    "u8": "B",
    "s8": "b",
    "u16": "H",
    "s16": "h",
    "u32": "I",
    "s32": "i",
    "u64": "Q",
    "s64": "q",
}
TYPES: Final[dict[str, Type]] = {
    **{name: _integer(name, code) for name, code in _INTEGERS.items()},
    "f32": Type("f32", 4, "f", -_FLOAT32_MAX, _FLOAT32_MAX),
    "f64": Type("f64", 8, "d", -_FLOAT64_MAX, _FLOAT64_MAX),
    "bcd16": Type("bcd16", 2, "H", 0, 9_999),
    "bcd32": Type("bcd32", 4, "I", 0, 99_999_999),
    "bcd64": Type("bcd64", 8, "Q", 0, 9_999_999_999_999_999),
    "bit": Type("bit", 1, "B", 0, 1),
}


def layout(size: int, order: Order) -> tuple[int, ...]:
    """Where each byte of a number of 2, 4 or 8 bytes stands in the register bytes, most significant first."""
    words = [(at, at + 1) for at in range(0, size, 2)]
    if order in (Order.CDAB, Order.DCBA):
        words.reverse()
    swapped = order in (Order.BADC, Order.DCBA)
    return tuple(at for word in words for at in (reversed(word) if swapped else word))


def pack(value: float, kind: Type, order: Order = Order.ABCD) -> bytes:
    """A number as register bytes; integers are rounded to the nearest. Raises ValueError when it does not fit.

    The rounding belongs to whoever writes a register (a setting, a simulated device): readings never pass here.
    """
    number = value if kind.is_float else round(value) if np.isfinite(value) else value
    if np.isfinite(value) and not kind.low <= number <= kind.high:
        raise ValueError(f"{value} does not fit {kind.name}, expected {kind.low} to {kind.high}")
    if not kind.is_float and not np.isfinite(value):
        raise ValueError(f"{value} does not fit {kind.name}, expected a finite number")
    if kind.is_bcd:
        number = int(str(number), 16)
    big = struct.pack(f">{kind.code}", number)
    return big if kind.size == 1 else bytes(_scatter(big, layout(kind.size, order)))


def unpack(data: bytes, kind: Type, order: Order = Order.ABCD) -> float:
    """The number in register bytes; NaN for BCD with a nibble above 9. Raises ValueError for a wrong length."""
    if len(data) != kind.size:
        raise ValueError(f"{len(data)} bytes for {kind.name}, expected {kind.size}")
    big = data if kind.size == 1 else bytes(data[at] for at in layout(kind.size, order))
    if kind.is_bcd:
        digits = big.hex()
        return int(digits) if digits.isdecimal() else math.nan
    (number,) = struct.unpack(f">{kind.code}", big)
    return number


def _scatter(big: bytes, places: tuple[int, ...]) -> bytearray:
    data = bytearray(len(big))
    for byte, at in zip(big, places, strict=True):
        data[at] = byte
    return data


_NIBBLE_SHIFTS: Final = np.arange(0, 64, 4, dtype=np.uint64)
_DECADES: Final = 10 ** np.arange(16, dtype=np.uint64)


def from_bcd(number: NDArray[np.uint64]) -> F64:
    """The numbers that packed decimal digits spell, NaN where a nibble is no digit. Shape (n,) -> (n,)."""
    digits = (number[:, None] >> _NIBBLE_SHIFTS) & np.uint64(0xF)
    return np.where((digits > 9).any(axis=1), np.nan, (digits * _DECADES).sum(axis=1))
