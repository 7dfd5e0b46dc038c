"""Checksums of one byte that several protocols share; the CRC of Modbus stands with its frames."""

from functools import reduce
from operator import xor


def sum8(data: bytes) -> int:
    """All bytes added, carries above eight bits dropped. It can't see two bytes that changed places."""
    return sum(data) & 0xFF


def xor8(data: bytes) -> int:
    """All bytes combined by exclusive or. It can't see the same bit turned over in two bytes."""
    return reduce(xor, data, 0)
