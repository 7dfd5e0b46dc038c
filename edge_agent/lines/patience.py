"""How long to wait for an answer to begin: learned per device, since one slow device must not slow down the failures of
the others.

The rule is that of TCP's retransmission timer (RFC 6298, clauses 2 and 5): the smoothed delay plus four times its mean
deviation, doubled after each silence; never more than what the field engineer has set, and that until something came.
"""

from collections.abc import Hashable
from dataclasses import dataclass
from typing import Final

_GAIN: Final = 1 / 8
_SPREAD_GAIN: Final = 1 / 4
_SPREADS: Final = 4
_SHORTEST_S: Final = 0.2
"""Below this a busy gateway, not the device, decides how late an answer is seen (the RFC itself rounds up to 1 s)."""


@dataclass(slots=True)
class _Learned:
    delay_s: float
    spread_s: float
    doublings: int = 0


class Patience:
    """The waits of one line, in real seconds; ``most_s`` bounds each."""

    def __init__(self, most_s: float) -> None:
        self._most_s = most_s
        self._learned: dict[Hashable, _Learned] = {}

    def wait_s(self, party: Hashable) -> float:
        """How long the beginning of an answer may take."""
        learned = self._learned.get(party)
        if learned is None:
            return self._most_s
        usual_s = max(_SHORTEST_S, learned.delay_s + _SPREADS * learned.spread_s)
        return float(min(self._most_s, usual_s * 2**learned.doublings))

    def answered(self, party: Hashable, after_s: float) -> None:
        """An answer began so long after its request was out."""
        delay_s = max(0.0, after_s)
        learned = self._learned.get(party)
        if learned is None:
            self._learned[party] = _Learned(delay_s, delay_s / 2)
            return
        learned.spread_s += _SPREAD_GAIN * (abs(delay_s - learned.delay_s) - learned.spread_s)
        learned.delay_s += _GAIN * (delay_s - learned.delay_s)
        learned.doublings = 0

    def silent(self, party: Hashable) -> None:
        """No answer in time: be more patient from now on."""
        learned = self._learned.get(party)
        if learned is not None and self.wait_s(party) < self._most_s:
            learned.doublings += 1
