"""SL 651 frames in HEX/BCD coding, both ways and without I/O: ``7E7E`` head, text, end character, CRC.

Source: SL 651-2014, 6.2.2 (control characters), 6.2.3 (frame), 6.3 (modes M1 to M4), 6.5 with tables 20 to 23
(HEX/BCD coding), 6.6.2.4 and 6.6.2.5 (serial number, time of sending), H.3.2 (CRC). The ASCII coding (6.4) is another
one and is not read here. Whatever arrives is hostile until it has been decoded: ``decode`` raises FrameError and
nothing else.
"""

import re
from dataclasses import dataclass, replace
from enum import IntEnum
from typing import Final

from edge_agent.drivers import beijing
from edge_agent.drivers.contract import FrameError
from edge_agent.drivers.modbus.frames import crc16
from edge_agent.drivers.sl651.elements import SERIES as SERIES
from edge_agent.drivers.sl651.elements import STATUS as STATUS
from edge_agent.drivers.sl651.elements import Element as Element
from edge_agent.drivers.sl651.elements import Group as Group
from edge_agent.drivers.sl651.elements import element as element
from edge_agent.drivers.sl651.elements import encode as encode_groups
from edge_agent.drivers.sl651.elements import series as series
from edge_agent.drivers.stream import Splitter

KEEP_ALIVE: Final = 0x2F
READ_NOW: Final = 0x37
"""The centre asks for all elements (M4); the reports stand in ``device_profiles.fields.sl651``."""
MAX_TEXT: Final = 4095
MAX_PACKAGES: Final = 4095
_STX, _SYN = 0x02, 0x16
_HEAD, _TAIL = 14, 3
LONGEST: Final = _HEAD + MAX_TEXT + _TAIL
_DOWN: Final = 0x8000
_STAMP: Final = 8
_PLACE: Final = 3
_START: Final = re.compile(rb"(?=~~)")
_STATION: Final = re.compile(r"[0-9A-F]{10}", re.ASCII)


class End(IntEnum):
    """The character that ends a text, and what it asks of the other side (table 10)."""

    ETX = 0x03
    ETB = 0x17
    ENQ = 0x05
    ACK = 0x06
    EOT = 0x04
    NAK = 0x15
    ESC = 0x1B


_UP_ENDS: Final = (End.ETX, End.ETB)
_DOWN_ENDS: Final = (End.ENQ, End.ACK, End.EOT, End.NAK, End.ESC)


@dataclass(frozen=True, slots=True, kw_only=True)
class Frame:
    """One frame. ``text`` is what stands between the start and end characters, without the place of a package."""

    station: str
    """Ten hexadecimal digits (6.2.3.2)."""
    centre: int
    password: int
    function: int
    text: bytes
    end: End
    is_up: bool = True
    """From the station to the centre."""
    package: tuple[int, int] | None = None
    """How many packages the message has, and which this is (mode M3)."""


def encode(frame: Frame) -> bytes:
    """A frame as it goes over the line; raises FrameError for one that decode would refuse."""
    _check(frame)
    station, centre = bytes.fromhex(frame.station), bytes((frame.centre,))
    ends = centre + station if frame.is_up else station + centre
    place = b"" if frame.package is None else (frame.package[0] << 12 | frame.package[1]).to_bytes(_PLACE, "big")
    text = place + frame.text
    length = len(text) | (0 if frame.is_up else _DOWN)
    start = _STX if frame.package is None else _SYN
    head = b"~~" + ends + frame.password.to_bytes(2, "big") + bytes((frame.function,)) + length.to_bytes(2, "big")
    content = head + bytes((start,)) + text + bytes((frame.end,))
    return content + crc16(content).to_bytes(2, "big")


def _check(frame: Frame) -> None:
    allowed = _UP_ENDS if frame.is_up else _DOWN_ENDS
    if frame.end not in allowed:
        raise FrameError(f"end {frame.end:02X}, expected one of {', '.join(f'{end:02X}' for end in allowed)}")
    if _STATION.fullmatch(frame.station) is None or not 1 <= frame.centre <= 0xFF:
        raise FrameError(f"station {frame.station!r}, centre {frame.centre}; expected 10 digits of 0-9A-F and 1 to 255")
    if not 0 <= frame.password <= 0xFFFF or not 0 <= frame.function <= 0xFF:
        raise FrameError(f"password or function {frame.function} out of range, expected two bytes and one")
    if frame.package is not None and not 1 <= frame.package[1] <= frame.package[0] <= MAX_PACKAGES:
        raise FrameError(f"package {frame.package[1]} of {frame.package[0]}, expected 1 to at most {MAX_PACKAGES}")
    if not 1 <= len(frame.text) <= MAX_TEXT - (_PLACE if frame.package else 0):
        raise FrameError(f"text of {len(frame.text)} bytes, expected 1 to {MAX_TEXT}")


def size(start: bytes) -> int | None:
    """Bytes of the frame that starts so, None while its head is incomplete; a head that can't be is all of it."""
    if len(start) < _HEAD:
        return None
    length = int.from_bytes(start[11:13], "big")
    if start[13] not in (_STX, _SYN) or length & ~(_DOWN | MAX_TEXT):
        return _HEAD
    return _HEAD + (length & MAX_TEXT) + _TAIL


def decode(frame: bytes) -> Frame:
    """The parts of a whole frame; raises FrameError."""
    if frame[:2] != b"~~" or len(frame) <= _HEAD + _TAIL or size(frame) != len(frame):
        raise FrameError(f"frame of {len(frame)} bytes {frame[:_HEAD].hex(' ')}, expected 7e 7e and the length it says")
    found, expected = int.from_bytes(frame[-2:], "big"), crc16(frame[:-2])
    if found != expected:
        raise FrameError(f"frame {frame[:_HEAD].hex(' ')} with CRC {found:04X}, expected {expected:04X}")
    if frame[-_TAIL] not in set(End):
        raise FrameError(f"end {frame[-_TAIL]:02X}, expected a control character")
    is_up = not int.from_bytes(frame[11:13], "big") & _DOWN
    text, package = _text(frame)
    decoded = Frame(
        station=(frame[3:8] if is_up else frame[2:7]).hex().upper(),
        centre=frame[2] if is_up else frame[7],
        password=int.from_bytes(frame[8:10], "big"),
        function=frame[10],
        text=text,
        end=End(frame[-_TAIL]),
        is_up=is_up,
        package=package,
    )
    _check(decoded)
    return decoded


def _text(frame: bytes) -> tuple[bytes, tuple[int, int] | None]:
    text = frame[_HEAD:-_TAIL]
    if frame[_HEAD - 1] == _STX:
        return text, None
    place = int.from_bytes(text[:_PLACE], "big")
    return text[_PLACE:], (place >> 12, place & 0xFFF)


def splitter() -> Splitter[Frame]:
    """What cuts a stream into frames; holds less than ``LONGEST`` bytes."""
    return Splitter(_START, 2, size, decode)


def stamp(serial: int, time_ns: int) -> bytes:
    """Serial number and time of sending, with which a text begins; raises FrameError."""
    if not 0 <= serial <= 0xFFFF:
        raise FrameError(f"serial number {serial}, expected 0 to 65535")
    return serial.to_bytes(2, "big") + bytes.fromhex(beijing.from_utc_ns(time_ns, 12))


def read_stamp(text: bytes) -> tuple[int, int]:
    """Serial number and time of sending (UTC ns) of a text; raises FrameError."""
    if len(text) < _STAMP:
        raise FrameError(f"text of {len(text)} bytes, expected {_STAMP} of serial number and time at its beginning")
    return int.from_bytes(text[:2], "big"), beijing.to_utc_ns(text[2:_STAMP].hex())


def after_stamp(text: bytes) -> bytes:
    """What follows serial number and time of sending."""
    return text[_STAMP:]


def answer(frame: Frame, end: End, serial: int, time_ns: int, package: tuple[int, int] | None = None) -> Frame:
    """The centre's answer to a frame of a station; that to packages names the last one, or the one wanted again."""
    return replace(frame, is_up=False, end=end, text=stamp(serial, time_ns), package=package)


def upload(frame: Frame, serial: int, sent_ns: int, groups: tuple[Group, ...], room: int = MAX_TEXT) -> list[Frame]:
    """The frames that carry a report (for simulated devices): one, or packages (M3) of at most ``room`` bytes each."""
    text = stamp(serial, sent_ns) + encode_groups(frame.function, groups)
    if len(text) <= room:
        return [replace(frame, text=text, package=None, end=End.ETX)]
    parts = [text[at : at + room - _PLACE] for at in range(0, len(text), room - _PLACE)]
    return [
        replace(frame, text=part, package=(len(parts), at), end=End.ETX if at == len(parts) else End.ETB)
        for at, part in enumerate(parts, 1)
    ]
