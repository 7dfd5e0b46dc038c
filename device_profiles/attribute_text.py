"""The texts and numbers of attributes, both ways, and where they stand.

``holding 0x0100 string 16`` is a text of sixteen registers, two bytes in each, the high byte first; with ``badc`` the
low byte first. A text ends at its first NUL; spaces and 0xFF (memory that nobody wrote) around it are padding.
"""

import math
from dataclasses import dataclass
from decimal import Decimal
from typing import Final

from device_profiles import convert, model, words
from device_profiles.attribute import Attribute
from device_profiles.convert import Patch
from device_profiles.model import Register, Table
from device_profiles.words import Order
from telemetry.plain import plain

_STRING: Final = "string"
_PADDING: Final = b" \xff"
_SWAPPED: Final = (Order.ABCD, Order.BADC)


@dataclass(frozen=True, slots=True)
class TextSpot:
    """Where a text stands, in registers."""

    table: Table
    address: int
    count: int
    swapped: bool = False

    @property
    def end(self) -> int:
        """The first address after it."""
        return self.address + self.count


def spot(text: str) -> TextSpot | Register:
    """Read a register with a text or a number; raises ValueError that says what was found and what was expected."""
    parts = text.split()
    if _STRING not in parts[2:3]:
        return model.register(text)
    place = model.register(f"{parts[0]} {parts[1]} u16")
    order = parts[4] if len(parts) == 5 else Order.ABCD
    count = int(parts[3]) if len(parts) in (4, 5) and parts[3].isdecimal() and parts[3].isascii() else 0
    if order not in _SWAPPED or not 1 <= count <= model.MAX_REGISTERS:
        most = model.MAX_REGISTERS
        raise ValueError(
            f"{text!r} is no text, expected like 'holding 0x0100 string 16', 1 to {most}, then badc or nothing"
        )
    if place.address + count > model.ADDRESSES:
        raise ValueError(f"{text!r} ends at 0x{place.address + count - 1:X}, expected within 0x0000 to 0xFFFF")
    return TextSpot(place.table, place.address, count, order == Order.BADC)


def decode(attribute: Attribute, where: TextSpot | Register, data: bytes) -> str | None:
    """What the bytes of its registers (of its bit) say, fit to be shown; None where they say nothing."""
    if isinstance(where, TextSpot):
        return text_of(attribute, _swapped(data) if where.swapped else data)
    if where.table.is_bits or where.type.name == "bit":
        return str(int.from_bytes(data, "little" if where.table.is_bits else "big") >> where.bit & 1)
    number = words.unpack(_bytes_of(where, data), where.type, where.order)
    if not math.isfinite(number) or number in attribute.missing:
        return None
    if where.type.is_float:
        return f"{number * attribute.scale:.7g}"
    if attribute.scale != 1:
        return f"{Decimal(repr(attribute.scale)) * int(number):f}"
    return f"{int(number):0{2 * where.type.size}d}" if where.type.is_bcd else str(int(number))


def text_of(attribute: Attribute, data: bytes) -> str | None:
    """The text in some bytes; what its encoding does not know is shown as escapes, and so is what can't be printed."""
    bare = data.split(b"\0", 1)[0].strip(_PADDING)
    return plain(bare.decode(attribute.encoding, errors="backslashreplace")) or None


def encode(attribute: Attribute, where: TextSpot | Register, said: str) -> Patch:
    """What a device holds that says so, for simulated devices. Raises ValueError for what does not fit."""
    if isinstance(where, Register):
        return convert.hold(where, None, float(Decimal(said) / Decimal(repr(attribute.scale))))
    data = said.encode(attribute.encoding)
    if len(data) > 2 * where.count:
        raise ValueError(f"{said!r} takes {len(data)} bytes, expected at most {2 * where.count}")
    data = data.ljust(2 * where.count, b"\0")
    data = _swapped(data) if where.swapped else data
    return Patch(where.table, where.address, tuple(int.from_bytes(data[at : at + 2]) for at in range(0, len(data), 2)))


def _bytes_of(where: Register, data: bytes) -> bytes:
    """Those of its registers that a number takes: one of two where it is a byte."""
    return data[:1] if where.type.size == 1 and where.high else data[-1:] if where.type.size == 1 else data


def _swapped(data: bytes) -> bytes:
    return b"".join(data[at : at + 2][::-1] for at in range(0, len(data), 2))
