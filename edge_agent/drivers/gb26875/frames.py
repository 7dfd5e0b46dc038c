"""GB/T 26875.3-2011 packets as bytes, both ways and without I/O.

Clause 6.6: 40 40, serial number 2, version 2, time of sending 6, source 6, target 6, length of the data unit 2, command
1, data unit, sum 1, 23 23; numbers low byte first, the sum over all bytes from the serial number to the data unit. The
source is a public transcript of the standard, compared with an independent public codec
(docs/reference/protocols/gb26875.md). What a data unit means stands in ``items``. Every decoder raises FrameError and
nothing else.
"""

import re
import struct
from dataclasses import dataclass
from enum import IntEnum
from typing import Final

from edge_agent.drivers.checksum import sum8
from edge_agent.drivers.contract import FrameError
from edge_agent.drivers.gb26875.items import (
    Analog,
    ComponentState,
    ComponentText,
    Item,
    SystemOperation,
    SystemState,
    SystemText,
    SystemTime,
    SystemVersion,
    TransmitterOperation,
    TransmitterState,
    TransmitterText,
    TransmitterTime,
    TransmitterVersion,
    numbers,
)
from edge_agent.drivers.gb26875.unit import decode_unit, encode_unit, label, label_time

__all__ = [
    "LONGEST",
    "START",
    "Analog",
    "Command",
    "ComponentState",
    "ComponentText",
    "FrameError",
    "Item",
    "Packet",
    "SpoiltError",
    "SystemOperation",
    "SystemState",
    "SystemText",
    "SystemTime",
    "SystemVersion",
    "TransmitterOperation",
    "TransmitterState",
    "TransmitterText",
    "TransmitterTime",
    "TransmitterVersion",
    "decode",
    "decode_unit",
    "encode",
    "encode_unit",
    "numbers",
    "read_address",
    "reply",
    "size",
    "write_address",
]

START: Final = b"@@"
_END: Final = b"##"
_HEADER: Final = struct.Struct("<2sH2B6s6s6sHB")
_TAIL: Final = 3
_LENGTH_AT: Final = 24
MAX_UNIT: Final = 1024
LONGEST: Final = _HEADER.size + MAX_UNIT + _TAIL
_MAIN_VERSION: Final = 1
_ADDRESS: Final = re.compile(r"[0-9A-F]{12}")


class Command(IntEnum):
    """Clause 6.6, table 2; 7 to 127 are reserved, 128 to 255 are the user's own."""

    CONTROL = 1
    UPLOAD = 2
    CONFIRM = 3
    REQUEST = 4
    ANSWER = 5
    DENY = 6


@dataclass(frozen=True, slots=True)
class Packet:
    """What one side sends; ``serial`` of a confirmation or an answer is that of what it confirms or answers.

    ``time_ns`` is the moment of sending (UTC, whole seconds), None where the sender has no clock.
    """

    serial: int
    command: Command
    source: int
    target: int
    unit: bytes = b""
    time_ns: int | None = None
    user_version: int = 1


class SpoiltError(FrameError):
    """A packet from start to end, but not what was sent: by the standard it is denied, so that it is sent again."""

    def __init__(self, reason: str, denial: Packet | None) -> None:
        super().__init__(reason)
        self.denial = denial
        """None for a confirmation or a denial, which nobody answers."""


def encode(packet: Packet) -> bytes:
    """A packet as bytes; raises FrameError for one that can't be."""
    if len(packet.unit) > MAX_UNIT:
        raise FrameError(f"data unit of {len(packet.unit)} bytes, expected at most {MAX_UNIT}")
    try:
        addresses = packet.source.to_bytes(6, "little"), packet.target.to_bytes(6, "little")
        versions = _MAIN_VERSION, packet.user_version
        header = _HEADER.pack(
            START, packet.serial, *versions, label(packet.time_ns), *addresses, len(packet.unit), packet.command
        )
    except (struct.error, OverflowError) as exc:
        raise FrameError(f"{packet}: {exc}, expected numbers that fit their bytes") from exc
    body = header[len(START) :] + packet.unit
    return START + body + bytes((sum8(body),)) + _END


def size(data: bytes) -> int | None:
    """Bytes of the packet that begins so, None while that can't be told; of one whose length can't be, its least."""
    if len(data) < _LENGTH_AT + 2:
        return None
    (length,) = struct.unpack_from("<H", data, _LENGTH_AT)
    return _HEADER.size + _TAIL + (length if length <= MAX_UNIT else 0)


def decode(frame: bytes) -> Packet:
    """The packet in exactly these bytes; raises FrameError, of the kind SpoiltError where it is to be denied."""
    if len(frame) < _HEADER.size + _TAIL or not frame.startswith(START):
        raise FrameError(f"{frame[:4].hex(' ')}, {len(frame)} bytes, expected 40 40 and at least 30 bytes")
    _, serial, main, user, sent, source, target, length, command = _HEADER.unpack_from(frame)
    if length > MAX_UNIT or len(frame) != _HEADER.size + length + _TAIL:
        raise FrameError(f"length {length} in {len(frame)} bytes, expected at most {MAX_UNIT} and 30 bytes less")
    if not frame.endswith(_END):
        raise FrameError(f"ends with {frame[-2:].hex(' ')}, expected 23 23")
    sender, receiver = int.from_bytes(source, "little"), int.from_bytes(target, "little")
    if problem := _problem(frame, main, command):
        denial = Packet(serial, Command.DENY, receiver, sender, user_version=user)
        raise SpoiltError(problem, None if command in (Command.CONFIRM, Command.DENY) else denial)
    unit = frame[_HEADER.size : -_TAIL]
    return Packet(serial, Command(command), sender, receiver, unit, label_time(sent), user)


def _problem(frame: bytes, main: int, command: int) -> str | None:
    expected = sum8(frame[len(START) : -_TAIL])
    if frame[-_TAIL] != expected:
        return f"sum {frame[-_TAIL]:02X}, expected {expected:02X}"
    if main != _MAIN_VERSION:
        return f"main version {main}, expected {_MAIN_VERSION}"
    if command not in set(Command):
        return f"command {command}, expected 1 to 6"
    return None


def reply(packet: Packet, command: Command, time_ns: int | None, unit: bytes = b"") -> Packet:
    """What goes back on a packet: the same serial number and version, from its target to its source."""
    return Packet(packet.serial, command, packet.target, packet.source, unit, time_ns, packet.user_version)


def write_address(address: int) -> str:
    """An address as twelve hexadecimal digits, the highest first (on the line the lowest byte is)."""
    return f"{address:012X}"


def read_address(text: str) -> int:
    """Raises ValueError for anything but twelve hexadecimal digits in capitals."""
    if not _ADDRESS.fullmatch(text):
        raise ValueError(f"address {text!r}, expected 12 hexadecimal digits in capitals, the highest byte first")
    return int(text, 16)
