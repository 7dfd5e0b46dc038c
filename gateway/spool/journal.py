"""The journal of released numbers: a restart must not send again what the centre has committed (PAINS P10).

Fixed records ``crc, log, epoch, first, last``; the numbers of a log have holes where another log has them, so a range
is meant in its log only. The journal is not synced: after a power cut a few batches more are sent again, and
the centre recognises them. A record that does not check is skipped for the same reason.
"""

import os
import struct
import zlib
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final

_RANGE: Final = struct.Struct("<BQQQ")
_CRC: Final = struct.Struct("<I")
_RECORD_BYTES: Final = _CRC.size + _RANGE.size
COMPACT_BYTES: Final = 256 * 1024

Released = tuple[int, int, int, int]
"""Log, epoch, first and last number, inclusive."""


class Ranges:
    """Released numbers of all epochs, merged."""

    def __init__(self, released: Iterable[Released]) -> None:
        self._epochs: dict[tuple[int, int], tuple[list[int], list[int]]] = {}
        for log, epoch, first, last in sorted(released):
            firsts, lasts = self._epochs.setdefault((log, epoch), ([], []))
            if lasts and first <= lasts[-1] + 1:
                lasts[-1] = max(lasts[-1], last)
            else:
                firsts.append(first)
                lasts.append(last)

    def of(self, log: int, epoch: int) -> Iterator[tuple[int, int]]:
        """First and last numbers of what was released in a log."""
        return zip(*self._epochs.get((log, epoch), ([], [])), strict=True)


def read(path: Path) -> tuple[Ranges, int]:
    """What was released, and how many records could not be read; a missing journal is an empty one."""
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        return Ranges(()), 0
    released, bad = [], int(len(data) % _RECORD_BYTES > 0)
    for at in range(0, len(data) - _RECORD_BYTES + 1, _RECORD_BYTES):
        body = data[at + _CRC.size : at + _RECORD_BYTES]
        if zlib.crc32(body) == _CRC.unpack_from(data, at)[0]:
            released.append(_RANGE.unpack(body))
        else:
            bad += 1
    return Ranges(released), bad


class Journal:
    """The journal of a spool that is in use; every call raises OSError until ``rewrite`` has succeeded once."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._descriptor = -1
        self._size = 0

    @property
    def is_long(self) -> bool:
        """Whether it is time to write it anew."""
        return self._size > COMPACT_BYTES

    def append(self, released: Iterable[Released]) -> None:
        """Note released ranges; raises OSError."""
        data = b"".join(map(_pack, released))
        try:
            written = os.pwrite(self._descriptor, data, self._size)
        except OSError:
            os.ftruncate(self._descriptor, self._size)
            raise
        self._size += written - written % _RECORD_BYTES

    def rewrite(self, released: Iterable[Released]) -> None:
        """Replace the file at once by one with ``released`` only; raises OSError and keeps the old one."""
        data = b"".join(map(_pack, released))
        fresh = self._path.with_suffix(".new")
        fresh.write_bytes(data)
        fresh.replace(self._path)
        self.close()
        self._descriptor = os.open(self._path, os.O_RDWR | os.O_CLOEXEC)
        self._size = len(data)

    def close(self) -> None:
        """Close the file."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1


def _pack(released: Released) -> bytes:
    body = _RANGE.pack(*released)
    return _CRC.pack(zlib.crc32(body)) + body
