"""What is fresh: live batches in their order, and recent payloads in memory, so that sending them reads no disk."""

from collections import deque
from typing import Final

from gateway.spool.segment import Entry, Key, State

_LIVE_MOST: Final = 256
"""Live batches that may wait; the oldest of more becomes backlog."""
_FRESH_BYTES: Final = 4 * 1024 * 1024


class LiveQueue:
    """Live batches that were not sent yet, first come, first served."""

    def __init__(self) -> None:
        self._entries: deque[Entry] = deque()

    def put(self, entry: Entry) -> None:
        """Queue a batch; one that is gone already is left out."""
        if entry.is_gone:
            return
        entry.segment.state[entry.index] = State.QUEUED
        self._entries.append(entry)
        if len(self._entries) > _LIVE_MOST:
            oldest = self._entries.popleft()
            if not oldest.is_gone:
                oldest.segment.state[oldest.index] = State.OPEN

    def take(self) -> Entry | None:
        """The next one, which counts as sent from now on."""
        while self._entries:
            entry = self._entries.popleft()
            if not entry.is_gone:
                entry.segment.state[entry.index] = State.SENT
                return entry
        return None

    def clear(self) -> None:
        """Forget all: they are backlog now."""
        self._entries.clear()


class Fresh:
    """Payloads by identity, the oldest forgotten first."""

    def __init__(self, most_bytes: int = _FRESH_BYTES) -> None:
        self._payloads: dict[Key, bytes] = {}
        self._bytes = 0
        self._most_bytes = most_bytes

    def __contains__(self, key: Key) -> bool:
        return key in self._payloads

    def get(self, key: Key) -> bytes | None:
        """The payload, if it is still here."""
        return self._payloads.get(key)

    def put(self, key: Key, payload: bytes) -> None:
        """Keep a payload."""
        self._payloads[key] = payload
        self._bytes += len(payload)
        while self._bytes > self._most_bytes:
            self.drop(next(iter(self._payloads)))

    def drop(self, key: Key) -> None:
        """Forget a payload."""
        self._bytes -= len(self._payloads.pop(key, b""))
