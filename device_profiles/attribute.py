"""What a device says of itself: serial number, firmware, model. No readings: they are read once and again each day."""

from typing import Final, Literal

import msgspec

SERIAL: Final = "serial"
"""By convention the serial number: another one is another device."""

Encoding = Literal["ascii", "utf-8", "gb18030"]


class Attribute(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where an attribute stands: in a register, or in an object of the device identification (function 43/14)."""

    register: str | None = None
    """``holding 0x0100 string 16`` (registers; ``badc``: the low byte first), or a number: ``input 3 u16``, ``input 8
    bcd64``."""
    identification: int | None = None
    """Object: 0 vendor, 1 product code, 2 revision, 4 product name, 5 model; 0x80 to 0xFF are the vendor's own."""
    encoding: Encoding = "ascii"
    """Of a text."""
    scale: float = 1.0
    """Of a number: 103 with 0.01 is version 1.03."""
    missing: tuple[float, ...] = ()
    """Numbers that mean that there is none."""
    note: str = ""
