"""Frames cut out of a stream of bytes that may hold anything, and messages put together from numbered packages.

Both are bounded, do no I/O, and give the same whatever the pieces in which the bytes came.
"""

import re
from collections.abc import Callable, Hashable, Iterable
from dataclasses import dataclass, field
from typing import Final, Generic, TypeVar

from edge_agent.drivers.contract import Event, FrameError, Refused
from telemetry.span import SECOND_NS

T = TypeVar("T")
SHOWN_BYTES: Final = 32
"""Of a refused frame; enough to know it by, and too few to show the password in it."""
_BLANKS: Final = b"\r\n\0 "
"""What devices send between frames without meaning anything by it."""
MAX_MESSAGES: Final = 4
MAX_PACKAGES: Final = 256
MAX_MESSAGE_BYTES: Final = 64 * 1024
_PATIENCE_NS: Final = 120 * SECOND_NS


def events(
    found: Iterable[T | Refused], take: Callable[[T], Iterable[Event]], refuse: Callable[[T, FrameError], Refused]
) -> list[Event]:
    """What comes of frames, in order: what ``take`` makes of each up to its error, which ``refuse`` puts into words."""
    told: list[Event] = []
    for one in found:
        if isinstance(one, Refused):
            told.append(one)
            continue
        try:
            told.extend(take(one))
        except FrameError as exc:
            told.append(refuse(one, exc))
    return told


class Splitter(Generic[T]):
    """Cuts a stream into frames, and finds the next one again after anything else.

    ``start`` matches where a frame may begin without consuming it (a lookahead), within ``start_bytes``. ``size`` is
    given bytes that begin so and tells the length of the frame, None while that can't be told; it never exceeds
    ``longest``. ``decode`` makes something of the whole frame or raises FrameError. A right frame inside of an
    unfinished one ends the latter: a garbled length must not swallow what follows.
    """

    def __init__(
        self,
        start: re.Pattern[bytes],
        start_bytes: int,
        size: Callable[[bytes], int | None],
        decode: Callable[[bytes], T],
    ) -> None:
        self._start, self._start_bytes, self._size, self._decode = start, start_bytes, size, decode
        self._buffer = bytearray()
        self._covered = 0
        """Bytes at the head of the buffer that belong to a frame refused before: nothing more is said of them."""
        self._junk = b""
        self._junk_bytes = 0

    def feed(self, data: bytes) -> list[T | Refused]:
        """What some more bytes bring: frames, and refusals of what is none."""
        self._buffer += data
        found: list[T | Refused] = []
        while self._find_start():
            if self._junk_bytes:
                found.append(self._refuse_junk())
            length = self._size(bytes(self._buffer))
            inner = self._inner(length)
            if inner is not None:
                found += self._refuse(f"unfinished frame: another begins after {inner} bytes", inner)
            elif length is None or length > len(self._buffer):
                break
            else:
                found += self._take(length)
        return found

    def _take(self, length: int) -> list[T | Refused]:
        try:
            frame = self._decode(bytes(self._buffer[:length]))
        except FrameError as exc:
            return self._refuse(str(exc), length)
        self._drop(length)
        return [frame]

    def _find_start(self) -> bool:
        """Bring the next possible beginning to the head of the buffer."""
        match = self._start.search(self._buffer)
        at = match.start() if match else max(0, len(self._buffer) - self._start_bytes + 1)
        junk = bytes(self._buffer[self._covered : at]).translate(None, _BLANKS)
        self._junk_bytes += len(junk)
        self._junk = (self._junk + junk)[:SHOWN_BYTES]
        self._drop(at)
        return match is not None

    def _inner(self, length: int | None) -> int | None:
        """Where a whole and right frame begins inside of the one at the head of the buffer."""
        end = len(self._buffer) if length is None else min(length, len(self._buffer))
        for match in self._start.finditer(self._buffer, 1, end):
            part = bytes(self._buffer[match.start() : end])
            size = self._size(part)
            if size is not None and size <= len(part) and self._is_right(part[:size]):
                return match.start()
        return None

    def _is_right(self, frame: bytes) -> bool:
        try:
            self._decode(frame)
        except FrameError:
            return False
        return True

    def _refuse(self, reason: str, length: int) -> list[T | Refused]:
        """Give up the frame at the head; its bytes are looked through for another."""
        is_new = length > self._covered
        refused = Refused(reason, bytes(self._buffer[: min(length, SHOWN_BYTES)]))
        self._covered = max(self._covered, length)
        self._drop(1)
        return [refused] if is_new else []

    def _refuse_junk(self) -> Refused:
        refused = Refused(f"{self._junk_bytes} bytes that belong to no frame", self._junk)
        self._junk, self._junk_bytes = b"", 0
        return refused

    def _drop(self, count: int) -> None:
        del self._buffer[:count]
        self._covered = max(0, self._covered - count)


@dataclass(slots=True)
class _Message:
    total: int
    last_ns: int
    pieces: dict[int, bytes] = field(default_factory=dict)


class Packages:
    """Messages that come in numbered packages: a few at a time, each bounded; one that goes stale is forgotten."""

    def __init__(self) -> None:
        self._messages: dict[Hashable, _Message] = {}

    def make_room(self, key: Hashable, now_ns: int) -> list[Refused]:
        """Give up what has waited too long, or is in the way of ``key``; says what was given up."""
        stale = [k for k, message in self._messages.items() if not 0 <= now_ns - message.last_ns <= _PATIENCE_NS]
        if not stale and key not in self._messages and len(self._messages) >= MAX_MESSAGES:
            stale = [min(self._messages, key=lambda k: self._messages[k].last_ns)]
        return [self._give_up(k) for k in stale]

    def add(self, key: Hashable, place: tuple[int, int], piece: bytes, now_ns: int) -> tuple[bytes, ...] | None:
        """Take package ``place`` (of how many, which); all of them in order once none is missing.

        A package that comes again with other content begins the message anew: pieces of two are never mixed.
        Raises FrameError for what exceeds the bounds.
        """
        total, number = place
        if not 1 <= number <= total <= MAX_PACKAGES:
            raise FrameError(f"package {number} of {total}, expected 1 to at most {MAX_PACKAGES}")
        message = self._messages.get(key)
        if message is None or message.total != total or message.pieces.get(number, piece) != piece:
            message = self._messages[key] = _Message(total, now_ns)
        message.pieces[number], message.last_ns = piece, now_ns
        if sum(map(len, message.pieces.values())) > MAX_MESSAGE_BYTES:
            del self._messages[key]
            raise FrameError(f"message of {total} packages, expected at most {MAX_MESSAGE_BYTES} bytes")
        if len(message.pieces) < total:
            return None
        del self._messages[key]
        return tuple(message.pieces[at] for at in range(1, total + 1))

    def missing(self, key: Hashable) -> int | None:
        """The first package that a message lacks, None for a message of which nothing is here."""
        message = self._messages.get(key)
        if message is None:
            return None
        return next(at for at in range(1, message.total + 1) if at not in message.pieces)

    def piece(self, key: Hashable, number: int) -> bytes | None:
        """A package that has come."""
        message = self._messages.get(key)
        return None if message is None else message.pieces.get(number)

    def _give_up(self, key: Hashable) -> Refused:
        missing, message = self.missing(key), self._messages.pop(key)
        return Refused(f"message {key}: package {missing} of {message.total} never came", b"")
