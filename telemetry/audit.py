"""A file of what was asked and done, one JSON line each, chained by hashes: no line changes or goes unnoticed.

A cut tail is noticed by whoever has noted the head elsewhere; both ends of an order keep a file of their own.
"""

import fcntl
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import msgspec

from telemetry.chain import GENESIS, ChainError, Link, extend, verify

_TAIL: Final = 64 * 1024
"""Longer than any line."""


class Line(msgspec.Struct, frozen=True, kw_only=True):
    """A line of the file; ``body`` is JSON."""

    seq: int
    body: str
    prev: str
    sha256: str


def record(path: Path, entry: Any) -> None:
    """Append an entry (anything msgspec writes as JSON) and see it on the disk; raises OSError and ChainError.

    Several processes may write to the same file.
    """
    body = msgspec.json.encode(entry).decode()
    if len(body) > _TAIL // 4:
        raise ValueError(f"{path}: an entry of {len(body)} characters, expected at most {_TAIL // 4}")
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o640)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        torn, seq, prev = _head(descriptor, path)
        (link,) = extend(seq, prev, [body])
        text = msgspec.json.encode(Line(**link._asdict())) + b"\n"
        os.write(descriptor, b"\n" * torn + text)
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def entries(path: Path) -> list[Any]:
    """What stands in a file, oldest first, once all of it has been checked; raises OSError and ChainError."""
    lines = list(_lines(path))
    if lines:
        verify(path.name, lines, (lines[-1].seq, lines[-1].sha256))
    return [msgspec.json.decode(line.body) for line in lines]


def _lines(path: Path) -> Iterator[Link]:
    """Whole lines; half of one that a power cut left is passed over."""
    for text in path.read_bytes().splitlines():
        if (line := _parsed(text)) is not None:
            yield line


def _parsed(text: bytes) -> Link | None:
    try:
        line = msgspec.json.decode(text, type=Line)
    except msgspec.DecodeError:
        return None
    return Link(line.seq, line.body, line.prev, line.sha256)


def _head(descriptor: int, path: Path) -> tuple[bool, int, str]:
    """Whether the last line is torn, and the number and hash of the last whole one."""
    size = os.fstat(descriptor).st_size
    tail = os.pread(descriptor, _TAIL, max(0, size - _TAIL))
    for text in reversed(tail.splitlines()):
        if (line := _parsed(text)) is not None:
            return not tail.endswith(b"\n"), line.seq, line.sha256
    if size > _TAIL:
        raise ChainError(f"{path}: no line in its last {_TAIL} bytes, expected a log of orders")
    return size > 0 and not tail.endswith(b"\n"), 0, GENESIS
