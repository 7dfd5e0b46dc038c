"""The headers of a sound file at once: a start reads a million records in a second or two.

Whatever is wrong with a file, it is not read here but piece by piece (``record.scan``), which finds out what.
"""

import struct
import zlib
from typing import Final

import numpy as np
from numpy.typing import NDArray

from gateway.spool.record import HEADER_BYTES, MAGIC
from telemetry.batch import I64
from telemetry.wire import MAX_PAYLOAD, Lane

_HEADER: Final = np.dtype(
    [
        ("magic", "S4"),
        ("crc", "<u4"),
        ("payload_crc", "<u4"),
        ("length", "<u4"),
        ("epoch", "<u8"),
        ("seq", "<u8"),
        ("oldest_ns", "<i8"),
        ("rows", "<u2"),
        ("lane", "u1"),
    ]
)
"""As ``record`` packs it."""
_LENGTH: Final = struct.Struct("<I")
_LENGTH_AT: Final = 12
_LEAD_BYTES: Final = 8
_ONES: Final = np.uint32(0xFFFFFFFF)
_TABLE: Final = np.array(
    [(zlib.crc32(bytes([0xFF ^ byte])) ^ 0xFFFFFFFF) ^ 0x00FFFFFF for byte in range(256)], np.uint32
)
"""What one byte does to CRC-32 (ISO 3309), from its value over single bytes."""


def read(data: bytes, *, verify: bool) -> "tuple[I64, NDArray[np.void]] | None":
    """Where the records of a file start, and their headers, both of shape (n,); None for a file that is not all sound.

    Sound is one epoch, ascending numbers, and nothing between the records; ``verify`` compares payloads too.
    """
    starts = _starts(data)
    if starts is None or not len(starts):
        return None
    block = np.frombuffer(data, np.uint8)[starts[:, None] + np.arange(HEADER_BYTES)]
    headers = block.view(_HEADER)[:, 0]
    sound = (
        (headers["magic"] == MAGIC).all()
        and (headers["epoch"] == headers["epoch"][0]).all()
        and (headers["seq"][1:] > headers["seq"][:-1]).all()
        and (headers["lane"] <= max(Lane)).all()
        and np.array_equal(headers["crc"], _crc32(block[:, _LEAD_BYTES:]))
    )
    return (starts, headers) if sound and not (verify and not _payloads_sound(data, starts, headers)) else None


def _starts(data: bytes) -> I64 | None:
    """Follow the lengths from record to record to the very end."""
    starts, at, end = [], 0, len(data)
    while at + HEADER_BYTES <= end:
        (length,) = _LENGTH.unpack_from(data, at + _LENGTH_AT)
        if length > MAX_PAYLOAD:
            return None
        starts.append(at)
        at += HEADER_BYTES + length
    return np.array(starts, np.int64) if at == end else None


def _crc32(block: NDArray[np.uint8]) -> NDArray[np.uint32]:
    """CRC-32 of each row of a block; shape (n, bytes) to (n,)."""
    crc = np.full(len(block), _ONES)
    for column in block.T:
        crc = _TABLE[(crc ^ column) & np.uint32(0xFF)] ^ (crc >> np.uint32(8))
    return crc ^ _ONES


def _payloads_sound(data: bytes, starts: I64, headers: "NDArray[np.void]") -> bool:
    view = memoryview(data)
    begins = (starts + HEADER_BYTES).tolist()
    lengths, crcs = headers["length"].tolist(), headers["payload_crc"].tolist()
    return all(
        zlib.crc32(view[begin : begin + length]) == crc
        for begin, length, crc in zip(begins, lengths, crcs, strict=True)
    )
