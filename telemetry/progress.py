"""Whether what must go on goes on: counters that only grow, and a vigil over them in real time."""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """How far something has come. ``done`` only grows, and at least once in ``patience_s`` unless it is ``idle``."""

    done: int
    patience_s: float
    idle: bool = False
    """Whether there is nothing to do, so that standing still says nothing."""


class Vigil:
    """Notices what stands still for longer than it may; seconds are those of ``time.monotonic``."""

    def __init__(self) -> None:
        self._moved: dict[str, tuple[int, float]] = {}

    def stuck(self, all_of_it: Mapping[str, Progress], now_s: float) -> list[str]:
        """One line for each that is stuck: what, for how long, and how long it may be."""
        moved, found = dict[str, tuple[int, float]](), list[str]()
        for name, one in all_of_it.items():
            done, since_s = self._moved.get(name, (one.done, now_s))
            if one.idle or one.done != done:
                since_s = now_s
            moved[name] = (one.done, since_s)
            if now_s - since_s > one.patience_s:
                found.append(
                    f"{name}: no progress for {now_s - since_s:.0f} s, expected some within {one.patience_s:g} s"
                )
        self._moved = moved
        return found
