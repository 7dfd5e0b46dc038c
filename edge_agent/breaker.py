"""When to try again what has failed: exponential, bounded, jittered, in data time so that a drill replays."""

from typing import Final

import numpy as np

_JITTER: Final = 0.1


class Breaker:
    """Lets tries through until they fail, then ever more rarely: after ``first_ns``, doubling up to ``most_ns``.

    ``grace`` failures in a row are forgiven once something has succeeded. A probe that lies further ahead than the
    longest interval means that the clock was set back, and is due.
    """

    def __init__(self, first_ns: int, most_ns: int, rng: np.random.Generator, grace: int = 0) -> None:
        self._first_ns, self._most_ns, self._rng, self._grace = first_ns, most_ns, rng, grace
        self._failures = 0
        self._proven = False
        self._interval_ns = 0
        self._probe_ns: int | None = None

    @property
    def is_open(self) -> bool:
        """Whether tries are held back."""
        return self._probe_ns is not None

    def allows(self, now_ns: int) -> bool:
        """Whether to try at this moment."""
        return self._probe_ns is None or not 0 < self._probe_ns - now_ns <= 2 * self._interval_ns

    def succeed(self) -> None:
        """It works: try freely."""
        self._failures, self._interval_ns, self._probe_ns, self._proven = 0, 0, None, True

    def fail(self, now_ns: int, at_least_ns: int = 0) -> None:
        """It does not: hold back, for ``at_least_ns`` in any case."""
        self._failures += 1
        if self._proven and self._failures <= self._grace:
            return
        doubled_ns = min(max(2 * self._interval_ns, self._first_ns), self._most_ns)
        self._interval_ns = max(doubled_ns, at_least_ns)
        self._probe_ns = now_ns + int(self._interval_ns * (1 + _JITTER * self._rng.random()))
