"""What can still be read of a damaged message."""

from collections.abc import Iterator
from itertools import islice
from typing import Final

from telemetry.bundle import FIRST
from telemetry.wire import Lane

_FIXARRAY: Final = 0x9
_FIXINT_END: Final = 0x80
_NIL: Final = 0xC0
_UINT_SIZES: Final = {0xCC: 1, 0xCD: 2, 0xCE: 4, 0xCF: 8}
"""Bytes that follow the first one of a msgpack integer."""


def identity(payload: bytes) -> tuple[int, int] | None:
    """Epoch and seq of a ``data`` message of any size whose rest may be damaged; None when even they can't be read.

    They stand in the first 28 bytes, so that is all that is looked at.
    """
    unpacker = iter(payload[1:28])
    if not payload or payload[0] >> 4 != _FIXARRAY:
        return None
    numbers = [_unsigned(unpacker) for _ in range(3)]
    epoch, seq = numbers[1], numbers[2]
    if numbers[0] is None or epoch is None or seq is None or not (0 < epoch < 2**63 and 0 < seq < 2**63):
        return None
    return epoch, seq


def is_backlog(payload: bytes) -> bool:
    """Whether a ``data`` message may wait for those of other lanes: a bundle, or a batch that says so."""
    if payload[:1] == FIRST:
        return True
    unpacker = iter(payload[1:33])
    return [_unsigned(unpacker) for _ in range(4)][-1] == Lane.BACKLOG


def _unsigned(octets: Iterator[int]) -> int | None:
    """The next non-negative msgpack integer."""
    kind = next(octets, _NIL)
    if kind < _FIXINT_END:
        return kind
    size = _UINT_SIZES.get(kind)
    number = bytes(islice(octets, size)) if size else b""
    return int.from_bytes(number, "big") if size == len(number) and size else None
