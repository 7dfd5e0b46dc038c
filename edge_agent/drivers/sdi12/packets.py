"""Packets of high-volume binary data, both ways and without I/O: the answers to aDB0! to aDB999! after aHB!.

SDI-12 1.4, clause 5.2: the address, bytes of the payload (2), type of its numbers (1), payload, CRC (2); low byte
first, with eight data bits and no parity on the wire. The CRC is over everything before it. What stands here is what
two independent public implementations and a maker's manual agree on (docs/reference/protocols/sdi12.md).
"""

import struct
from collections.abc import Sequence
from typing import Final

import numpy as np

from edge_agent.drivers.contract import FrameError
from edge_agent.drivers.sdi12.words import check_address, crc16

TYPES: Final = {
    code: np.dtype(name)
    for code, name in enumerate(("<i1", "<u1", "<i2", "<u2", "<i4", "<u4", "<i8", "<u8", "<f4", "<f8"), 1)
}
"""By their code. Integers of 64 bits beyond 2**53 are rounded to what a double can hold."""
FLOAT32: Final = 9
_NONE: Final = 0
"""The code of an empty payload: there are no numbers."""
MAX_PAYLOAD: Final = 1000
_HEADER: Final = struct.Struct("<cHB")
_CRC: Final = struct.Struct("<H")
_WIDEST: Final = 8
"""Bytes of a number at most."""


def longest_packet(values: int) -> int:
    """Bytes of a packet at most, of a measurement that has so many values."""
    return _HEADER.size + min(MAX_PAYLOAD, values * _WIDEST) + _CRC.size


def packet_size(start: bytes, address: str) -> int | None:
    """Bytes of the packet that starts so, or None while that can't be told; raises FrameError."""
    if start and start[:1] != address.encode("ascii"):
        raise FrameError(f"packet {start[:8].hex(' ')}, expected address {address}")
    if len(start) < _HEADER.size:
        return None
    _, payload, code = _HEADER.unpack_from(start)
    _check_payload(payload, code)
    return _HEADER.size + payload + _CRC.size


def encode_packet(address: str, values: Sequence[float], code: int = FLOAT32) -> bytes:
    """A packet (for simulated sensors), an empty one for no values; raises FrameError for what does not fit."""
    check_address(address)
    code = code if values else _NONE
    payload = _encode_values(values, code) if values else b""
    _check_payload(len(payload), code)
    frame = _HEADER.pack(address.encode("ascii"), len(payload), code) + payload
    return frame + _CRC.pack(crc16(frame))


def encode_packets(address: str, values: Sequence[float], code: int = FLOAT32, most: int = MAX_PAYLOAD) -> list[bytes]:
    """The answers to aDB0! and so on that carry these values, each with at most ``most`` bytes of them."""
    each = most // TYPES[code].itemsize
    return [encode_packet(address, values[at : at + each], code) for at in range(0, len(values), each)]


def decode_packet(address: str, frame: bytes) -> tuple[float, ...]:
    """The numbers in a packet, none where the sensor has none; raises FrameError."""
    if packet_size(frame, address) != len(frame):
        raise FrameError(f"packet {frame[:8].hex(' ')} of {len(frame)} bytes, expected a whole one")
    content, (found,) = frame[: -_CRC.size], _CRC.unpack(frame[-_CRC.size :])
    if found != (expected := crc16(content)):
        raise FrameError(f"packet {frame[:8].hex(' ')} with CRC {found:04X}, expected {expected:04X}")
    code = content[_HEADER.size - 1]
    payload = content[_HEADER.size :]
    return tuple(np.frombuffer(payload, TYPES[code]).astype(np.float64).tolist()) if payload else ()


def _check_payload(length: int, code: int) -> None:
    if length > MAX_PAYLOAD:
        raise FrameError(f"{length} bytes in a packet, expected at most {MAX_PAYLOAD}")
    if not length:
        return
    if code not in TYPES:
        raise FrameError(f"type {code}, expected 1 to {max(TYPES)}")
    if length % TYPES[code].itemsize:
        raise FrameError(f"{length} bytes of type {code}, expected a multiple of {TYPES[code].itemsize}")


def _encode_values(values: Sequence[float], code: int) -> bytes:
    if code not in TYPES:
        raise FrameError(f"type {code}, expected 1 to {max(TYPES)}")
    kind = TYPES[code]
    if kind.kind != "f":
        limits = np.iinfo(kind)
        if not all(float(value).is_integer() and limits.min <= value <= limits.max for value in values):
            raise FrameError(f"values {values[:3]}, expected whole numbers from {limits.min} to {limits.max}")
        return np.array([int(value) for value in values], kind).tobytes()
    with np.errstate(over="ignore"):
        data = np.array(values, np.float64).astype(kind)
    if np.isinf(data).any():
        raise FrameError(f"values {values[:3]}, expected numbers that {kind.itemsize} bytes hold")
    return data.tobytes()
