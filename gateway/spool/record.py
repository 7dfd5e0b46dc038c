"""Records of the spool on disk: a checked header, and the wire payload exactly as it will be sent.

Layout (little endian): ``magic, header crc, payload crc, length, epoch, seq, oldest_ns, rows, lane`` and ``length``
bytes of payload. The header has a CRC of its own, so that a start reads headers only; the payload's is compared when it
is read to be sent.
"""

import struct
import zlib
from collections.abc import Iterator
from typing import Final, NamedTuple

from telemetry.wire import MAX_PAYLOAD, Lane

MAGIC: Final = b"\xf5SPR"
_CHECKED: Final = struct.Struct("<IIQQqHB")
_LEAD: Final = struct.Struct("<4sI")
_WHOLE: Final = struct.Struct("<4sIIIQQqHB")
HEADER_BYTES: Final = _WHOLE.size
_LAST_LANE: Final = max(Lane)


class Header(NamedTuple):
    """What is known of a batch without reading it; ``oldest_ns`` is the earliest data time among its rows."""

    payload_crc: int
    length: int
    epoch: int
    seq: int
    oldest_ns: int
    rows: int
    lane: int


class Piece(NamedTuple):
    """A stretch of a segment: a record, or (``header`` None) bytes that are none."""

    start: int
    end: int
    header: Header | None


def head(payload: bytes, epoch: int, seq: int, oldest_ns: int, rows: int, lane: Lane) -> Header:
    """The header of a payload."""
    return Header(zlib.crc32(payload), len(payload), epoch, seq, oldest_ns, rows, lane)


def pack(header: Header, payload: bytes) -> bytes:
    """A record ready to be written."""
    checked = _CHECKED.pack(*header)
    return b"".join((_LEAD.pack(MAGIC, zlib.crc32(checked)), checked, payload))


def unpack(buffer: bytes | memoryview, start: int) -> Header | None:
    """The header at ``start``, or None when there is none."""
    if len(buffer) - start < HEADER_BYTES:
        return None
    magic, crc, *fields = _WHOLE.unpack_from(buffer, start)
    if magic != MAGIC or zlib.crc32(buffer[start + _LEAD.size : start + HEADER_BYTES]) != crc:
        return None
    header = Header._make(fields)
    return header if header.length <= MAX_PAYLOAD and header.lane <= _LAST_LANE else None


def scan(buffer: bytes) -> Iterator[Piece]:
    """Cut a segment into records and what lies between them; after garbage the next valid header is sought."""
    view, at = memoryview(buffer), 0
    while at < len(buffer):
        header = unpack(view, at)
        end = at + HEADER_BYTES + header.length if header else 0
        if header is not None and end <= len(buffer):
            yield Piece(at, end, header)
            at = end
        else:
            end = _resume(buffer, at + 1)
            yield Piece(at, end, None)
            at = end


def is_torn(buffer: bytes) -> bool:
    """Whether a buffer without a whole record is the beginning of one, or of zeros that a file grew by."""
    lead = buffer[: len(MAGIC)]
    return lead == MAGIC[: len(lead)] or not any(buffer)


def sound(payload: bytes | memoryview, header_crc: int) -> bool:
    """Whether a payload is the one that was written."""
    return zlib.crc32(payload) == header_crc


def _resume(buffer: bytes, at: int) -> int:
    """Where the next whole record starts, or the end."""
    view = memoryview(buffer)
    while (at := buffer.find(MAGIC, at)) >= 0:
        header = unpack(view, at)
        if header is not None and at + HEADER_BYTES + header.length <= len(buffer):
            return at
        at += 1
    return len(buffer)
