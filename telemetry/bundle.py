"""A bundle: several ``data`` messages in one, since a message costs both ends the same whatever it holds (ADR 0013).

Layout: ``0xC1``, then of each part its length (u4, little-endian) and the part, an ordinary ``data`` message. msgpack
never begins with 0xC1, so a centre that knows no bundles takes none for a batch. Each part keeps its own identity, and
is answered by it.
"""

import struct
from collections.abc import Iterable
from typing import Final

from telemetry.batch import MAX_ROWS
from telemetry.faults import BadMessageError, Fault
from telemetry.wire import MAX_PAYLOAD

MAX_PARTS: Final = 512
"""Batches in one bundle at most."""
MAX_ROWS_IN_ALL: Final = 2 * MAX_ROWS
"""Rows of all its batches at most, so that a bundle can't cost much more to unpack than a batch."""
FIRST: Final = b"\xc1"
"""Of a bundle; of no other message."""
_LENGTH: Final = struct.Struct("<I")


def packed(payloads: Iterable[bytes]) -> list[bytes]:
    """The same messages in as few as possible, in order; one that would be alone in a bundle goes as it is."""
    messages: list[list[bytes]] = []
    size = MAX_PAYLOAD
    for payload in payloads:
        needed = _LENGTH.size + len(payload)
        if size + needed > MAX_PAYLOAD or len(messages[-1]) == MAX_PARTS:
            messages.append([])
            size = len(FIRST)
        messages[-1].append(payload)
        size += needed
    return [_bundle(parts) if len(parts) > 1 else parts[0] for parts in messages]


def parts(payload: bytes) -> list[bytes]:
    """The ``data`` messages in a payload, which is its only one when it is no bundle; they are not looked at.

    Raises ValueError for a bundle that is too long, empty, or lies about a length.
    """
    if payload[:1] != FIRST:
        return [payload]
    if len(payload) > MAX_PAYLOAD:
        raise BadMessageError(Fault.TOO_LARGE, f"bundle of {len(payload)} bytes, expected at most {MAX_PAYLOAD}")
    found, at = list[bytes](), len(FIRST)
    while at < len(payload):
        size = _size(payload, at)
        at += _LENGTH.size + size
        found.append(payload[at - size : at])
    if not 0 < len(found) <= MAX_PARTS:
        raise BadMessageError(Fault.LENGTHS, f"bundle of {len(found)} batches, expected 1 to {MAX_PARTS}")
    return found


def _size(payload: bytes, at: int) -> int:
    """The length that a part at ``at`` says it has."""
    left = len(payload) - at - _LENGTH.size
    size = _LENGTH.unpack_from(payload, at)[0] if left >= 0 else 0
    if not 0 < size <= left:
        text = f"bundle: a part of {size} bytes where {max(left, 0)} are left, expected 1 to as many"
        raise BadMessageError(Fault.LENGTHS, text)
    return int(size)


def _bundle(payloads: Iterable[bytes]) -> bytes:
    return FIRST + b"".join(_LENGTH.pack(len(payload)) + payload for payload in payloads)
