"""Signals: what a quantity does in the time of a scenario, on a regular grid, and what lies between its points."""

from dataclasses import dataclass
from hashlib import blake2b
from typing import Final

import numpy as np

from telemetry.batch import F64, I64
from telemetry.clock import MINUTE_NS, SECOND_NS

STEP_NS: Final = MINUTE_NS
STEP_S: Final = STEP_NS / SECOND_NS


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Grid:
    """The moments of a scenario: ``n`` of them, one minute apart, from ``start_ns``."""

    start_ns: int
    n: int

    @property
    def end_ns(self) -> int:
        """The last moment."""
        return self.start_ns + (self.n - 1) * STEP_NS

    def times_ns(self) -> I64:
        """All moments, shape (n,)."""
        return self.start_ns + np.arange(self.n, dtype=np.int64) * STEP_NS

    def index(self, time_ns: int) -> float:
        """The place of a moment on the grid in steps, held at both ends."""
        return min(max((time_ns - self.start_ns) / STEP_NS, 0.0), self.n - 1.0)


@dataclass(frozen=True, slots=True, eq=False)
class Signal:
    """Values on a grid, shape (n,); linear in between, but for stepped ones (directions, codes), which hold.

    Before its first and after its last moment a signal keeps the value it has there: the weather stays as it was.
    """

    grid: Grid
    values: F64
    stepped: bool = False

    def at(self, time_ns: int) -> float:
        """The value at one moment."""
        place = self.grid.index(time_ns)
        low = int(place)
        first = float(self.values[low])
        if self.stepped or low == place:
            return first
        return first + (place - low) * (float(self.values[low + 1]) - first)

    def series(self, times_ns: I64) -> F64:
        """The values at many moments, shapes (m,) -> (m,)."""
        places = np.clip((times_ns - self.grid.start_ns) / STEP_NS, 0.0, self.grid.n - 1.0)
        if self.stepped:
            return self.values[places.astype(np.int64)]
        return np.interp(places, np.arange(self.grid.n), self.values)


def generator(seed: int, *names: str) -> np.random.Generator:
    """Randomness of one named thing: the same for the same seed and names, whatever else was drawn before."""
    digest = blake2b("/".join(names).encode(), digest_size=8).digest()
    return np.random.default_rng([seed, int.from_bytes(digest, "big")])


def red_noise(rng: np.random.Generator, n: int, memory_steps: float) -> F64:
    """Noise of unit variance that remembers itself over ``memory_steps`` (first-order autoregression), shape (n,)."""
    keep = np.exp(-1.0 / memory_steps)
    kicks = rng.standard_normal(n) * np.sqrt(1.0 - keep * keep)
    kicks[0] = rng.standard_normal()
    return relax(kicks, keep, start=0.0)


def relax(inputs: F64, keep: float, *, start: float) -> F64:
    """The recurrence y = keep * y + input, shape (n,); sequential by nature, so it loops (set-up, not hot)."""
    out, last = np.empty_like(inputs), start
    for i, value in enumerate(inputs):
        last = keep * last + value
        out[i] = last
    return out


def lag(target: F64, minutes: float, *, start: float | None = None) -> F64:
    """Follow ``target`` (n,) with a delay of first order, shape (n,); starts in balance unless told where.

    Causal: a step shows first one moment after it was made.
    """
    keep = float(np.exp(-STEP_S / 60.0 / minutes))
    first = float(target[0]) if start is None else start
    later = relax(target[:-1] * (1.0 - keep), keep, start=first)
    return np.concatenate([[first], later])
