"""A stream of text cut into lines, with bounded memory."""

from typing import Final

from edge_agent.drivers.contract import Refused

SHOWN: Final = 32
"""Bytes of a refused line that are kept to be shown."""


class LineCutter:
    """Cuts what comes in pieces into lines of at most ``limit`` bytes without their ``end``.

    A longer line is refused once, at its beginning, and dropped up to its end: the next line is whole again.
    """

    def __init__(self, end: bytes, limit: int) -> None:
        self._end, self._limit = end, limit
        self._rest = b""
        self._skipping = False

    def feed(self, data: bytes) -> list[bytes | Refused]:
        """The lines that are complete now, in order."""
        found: list[bytes | Refused] = []
        *lines, self._rest = (self._rest + data).split(self._end)
        for line in lines:
            if not self._skipping:
                found.append(line if len(line) <= self._limit else self._too_long(line))
            self._skipping = False
        half_end = len(self._end) - 1
        if self._skipping or len(self._rest) > self._limit + half_end:
            if not self._skipping:
                found.append(self._too_long(self._rest))
            self._skipping = True
            self._rest = self._rest[len(self._rest) - half_end :] if half_end else b""
        return found

    def _too_long(self, line: bytes) -> Refused:
        return Refused(f"no end of line, expected one within {self._limit} bytes", line[:SHOWN])
