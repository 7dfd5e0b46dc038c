"""What went over a line, as a file: JSON lines, the first of them a head, then pieces of bytes in the order of time.

Written by ``petrel bus trace``, played back by ``petrel sim replay``; text, so that it can be read, cut and mailed.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Final, Literal, TypeVar

import msgspec

from telemetry.settings import SettingsError

FORMAT: Final = "petrel-bus-trace/1"
_LARGEST: Final = 256 * 1024 * 1024


class Head(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What was recorded where; ``began`` is UTC in ISO 8601."""

    format: Literal["petrel-bus-trace/1"] = FORMAT
    bus: str
    line: str
    """For people: the port and how it is set."""
    protocol: str
    framing: Literal["rtu", "tcp", "bytes"]
    """How a request is told: Modbus RTU, Modbus TCP with its transaction numbers, or another protocol's bytes."""
    calls: bool = False
    """Whether the devices speak of their own accord; otherwise they answer."""
    devices: tuple[str, ...] = ()
    began: str = ""


class Piece(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Bytes that went one way, as the gateway sees it, ``at_s`` real seconds after the beginning."""

    at_s: float
    way: Literal["out", "in"]
    hex: str

    @property
    def data(self) -> bytes:
        """The bytes."""
        return bytes.fromhex(self.hex)


T = TypeVar("T", Head, Piece)


@dataclass(frozen=True, slots=True)
class Recording:
    """A head and its pieces."""

    head: Head
    pieces: tuple[Piece, ...]


def write(path: Path, head: Head, pieces: Iterable[Piece]) -> None:
    """Write a recording; raises OSError."""
    lines = (msgspec.json.encode(one) for one in (head, *pieces))
    path.write_bytes(b"\n".join(lines) + b"\n")


def read(path: Path) -> Recording:
    """Read a recording; raises SettingsError with the line of the first mistake."""
    try:
        if path.stat().st_size > _LARGEST:
            raise SettingsError(f"{path}: {path.stat().st_size} bytes, expected at most {_LARGEST}")
        lines = path.read_bytes().splitlines()
    except OSError as exc:
        raise SettingsError(f"{path}: {exc.strerror}, expected a readable file") from exc
    if not lines:
        raise SettingsError(f"{path}:1: empty, expected a recording of petrel bus trace")
    head = _decode(path, 1, lines[0], Head)
    return Recording(head, _in_order(path, [_decode(path, at, one, Piece) for at, one in enumerate(lines[1:], 2)]))


def _decode(path: Path, line: int, text: bytes, kind: type[T]) -> T:
    try:
        found = msgspec.json.decode(text, type=kind)
        if isinstance(found, Piece):
            bytes.fromhex(found.hex)
    except ValueError as exc:
        raise SettingsError(f"{path}:{line}: {exc}, expected a line of petrel bus trace") from exc
    return found


def _in_order(path: Path, pieces: Sequence[Piece]) -> tuple[Piece, ...]:
    for line, (before, after) in enumerate(pairwise(pieces), 3):
        if not before.at_s <= after.at_s:
            raise SettingsError(f"{path}:{line}: at_s {after.at_s}, expected {before.at_s} or later")
    return tuple(pieces)
