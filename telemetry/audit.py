"""A file of what was asked and done, one JSON line each, chained by hashes: no line changes or goes unnoticed.

A cut tail is noticed by whoever has noted the head elsewhere; both ends of an order keep a file of their own.

A file that has grown long is sealed: ``audit.jsonl`` becomes ``audit.000000004711.jsonl``, by the number of its last
line, and the chain goes on in a new one. Who can't keep all sealed files lets the oldest go, once a line of the chain
says which line was the last of them, and its hash. What is left must begin where such a line says, or somebody else
took something out.
"""

import errno
import fcntl
import os
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final, NamedTuple

import msgspec

from telemetry.chain import GENESIS, ChainError, Link, extend, verify
from telemetry.disk import sync_folder

LET_GO: Final = "let go"
"""What a line is about (``what``) that says up to which line (``through``, ``sha256``) the chain was let go."""
_TAIL: Final = 64 * 1024
"""Longer than any line."""
_LONG: Final = 1024 * 1024


class Line(msgspec.Struct, frozen=True, kw_only=True):
    """A line of the file; ``body`` is JSON."""

    seq: int
    body: str
    prev: str
    sha256: str


class _Head(NamedTuple):
    """The number and the hash of the last line."""

    seq: int = 0
    sha256: str = GENESIS


def record(path: Path, entry: Mapping[str, object], *, sealed: int | None = None) -> None:
    """Append an entry, which msgspec writes as JSON, and see it on the disk; raises OSError and ChainError.

    Several processes may write to the same file. Besides it, ``sealed`` files are kept at most; None: all of them.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with _locked(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, fcntl.LOCK_EX) as descriptor:
        head = _append(descriptor, path, entry)
        if os.fstat(descriptor).st_size < _LONG:
            return
        before = _sealed(path)
        gone = [] if sealed is None else before[: max(0, len(before) + 1 - sealed)]
        if gone:
            through = _head_of(gone[-1])
            told = {
                "time_ns": entry.get("time_ns", 0),
                "what": LET_GO,
                "through": through.seq,
                "sha256": through.sha256,
            }
            head = _append(descriptor, path, told)
        path.rename(path.with_name(f"{path.stem}.{head.seq:012d}{path.suffix}"))
        for one in gone:
            one.unlink(missing_ok=True)
        sync_folder(path.parent)


def entries(path: Path) -> list[Any]:
    """What stands in a file and those that were sealed before it, oldest first, once all of it has been checked.

    Raises OSError and ChainError.
    """
    try:
        with _locked(path, os.O_RDONLY, fcntl.LOCK_SH):
            places = [*_sealed(path), path]
            lines = [line for place in places for line in _lines(place)]
    except FileNotFoundError:  # it was sealed, and no line was written since
        lines = [line for place in _sealed(path) for line in _lines(place)]
        if not lines:
            raise
    return _checked(path, lines)


def _checked(path: Path, lines: list[Link]) -> list[Any]:
    if not lines:
        return []
    found = [msgspec.json.decode(line.body) for line in lines]
    begin = _Head(lines[0].seq - 1, lines[0].prev)
    told = [_Head(one["through"], one["sha256"]) for one in found if one.get("what") == LET_GO]
    if begin not in (_Head(), *told):
        raise ChainError(
            f"{path.name}: begins with line {lines[0].seq}, and no line says that those before were let go"
        )
    verify(path.name, lines, (lines[-1].seq, lines[-1].sha256), begin)
    return found


@contextmanager
def _locked(path: Path, flags: int, lock: int) -> Iterator[int]:
    """The file that grows, locked; not one that somebody sealed while we waited for it. Raises OSError."""
    while True:
        descriptor = os.open(path, flags | os.O_CLOEXEC, 0o640)
        try:
            fcntl.flock(descriptor, lock)
            if _stands_at(descriptor, path):
                yield descriptor
                return
        finally:
            os.close(descriptor)


def _stands_at(descriptor: int, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(descriptor), path.stat())
    except FileNotFoundError:
        return False


def _append(descriptor: int, path: Path, entry: Mapping[str, object]) -> _Head:
    """Write a line whole, or not at all: a full disk takes a part and calls that no error."""
    body = msgspec.json.encode(entry).decode()
    if len(body) > _TAIL // 4:
        raise ValueError(f"{path}: an entry of {len(body)} characters, expected at most {_TAIL // 4}")
    size = os.fstat(descriptor).st_size
    torn, head = _head(descriptor, size, path)
    (link,) = extend(head.seq, head.sha256, [body])
    text = b"\n" * torn + msgspec.json.encode(Line(**link._asdict())) + b"\n"
    if os.write(descriptor, text) < len(text):
        os.ftruncate(descriptor, size)
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path))
    os.fsync(descriptor)
    return _Head(link.seq, link.sha256)


def _sealed(path: Path) -> list[Path]:
    """The sealed files of a file, oldest first."""
    name = re.compile(rf"{re.escape(path.stem)}\.\d{{12}}{re.escape(path.suffix)}")
    return sorted(one for one in path.parent.iterdir() if name.fullmatch(one.name))


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


def _head(descriptor: int, size: int, path: Path) -> tuple[bool, _Head]:
    """Whether the last line is torn, and the head of the chain: the last whole line, here or where it was sealed."""
    tail = os.pread(descriptor, _TAIL, max(0, size - _TAIL))
    torn = size > 0 and not tail.endswith(b"\n")
    if (head := _last(tail)) is not None:
        return torn, head
    if size > _TAIL:
        raise ChainError(f"{path}: no line in its last {_TAIL} bytes, expected a log of orders")
    before = _sealed(path)
    return torn, _head_of(before[-1]) if before else _Head()


def _head_of(path: Path) -> _Head:
    """The last line of a sealed file; raises OSError and ChainError."""
    with path.open("rb") as file:
        file.seek(max(0, path.stat().st_size - _TAIL))
        head = _last(file.read(_TAIL))
    if head is None:
        raise ChainError(f"{path}: no line at its end, expected a sealed log of orders")
    return head


def _last(tail: bytes) -> _Head | None:
    lines = (_parsed(text) for text in reversed(tail.splitlines()))
    return next((_Head(line.seq, line.sha256) for line in lines if line is not None), None)
