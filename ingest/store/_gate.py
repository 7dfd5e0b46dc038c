"""The gate of readers: when nobody reads any more what was there before."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager


class Gate:
    """Counts readers, so that files and rows that were replaced go only when nobody can be reading them."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._next = 0
        self._inside: set[int] = set()

    @contextmanager
    def inside(self) -> Iterator[None]:
        """A reader, from before it chooses what to read until it has read."""
        with self._lock:
            number = self._next
            self._next += 1
            self._inside.add(number)
        try:
            yield
        finally:
            with self._lock:
                self._inside.discard(number)

    def mark(self) -> int:
        """Now; for ``is_past``."""
        with self._lock:
            return self._next

    def is_past(self, mark: int) -> bool:
        """Whether every reader that was inside at a mark has left."""
        with self._lock:
            return min(self._inside, default=mark) >= mark
