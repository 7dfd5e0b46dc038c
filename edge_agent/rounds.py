"""When the devices of a bus are asked what they say of themselves: when they are opened or come back, and once a day.

Never with a poll, and never before its rows have left: one request after a moment of the bus, and all of them together
get one part in twenty of its time.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from edge_agent.attributes import Attributes
from telemetry.clock import HOUR_NS, SECOND_NS

_SHARE: Final = 20
_DAY_NS: Final = 24 * HOUR_NS
_LONGEST_REST_NS: Final = HOUR_NS


@dataclass(slots=True)
class _Party:
    """A device with its attributes: whether it answers, on which connection it was asked, and when."""

    attributes: Attributes
    answers: bool = False
    connects: int = -1
    asked_ns: int | None = None

    def is_old(self, now_ns: int) -> bool:
        """Whether a day is over; so it is when the clock was set back."""
        return self.asked_ns is None or not 0 <= now_ns - self.asked_ns < _DAY_NS


class Rounds:
    """The rounds of one bus, in data time; ``parties`` by device."""

    def __init__(self, parties: Mapping[str, Attributes]) -> None:
        self._parties = {name: _Party(one) for name, one in parties.items()}
        self._rest: tuple[int, int] = (0, 0)

    def polled(self, device: str, now_ns: int, connects: int, *, answered: bool) -> None:
        """A device has, or has not, answered its poll on the connection of this number."""
        party = self._parties.get(device)
        if party is None:
            return
        is_back = answered and (not party.answers or connects != party.connects)
        party.answers = answered
        if not answered or not (is_back or party.is_old(now_ns)):
            return
        party.attributes.begin(anew=party.is_old(now_ns))
        party.connects, party.asked_ns = connects, now_ns

    async def step(self, now_ns: int) -> None:
        """One request to one device, where something is to be asked and the bus has rested from the last one."""
        begun_ns, rest_ns = self._rest
        if 0 <= now_ns - begun_ns < rest_ns:
            return
        due = (one for one in self._parties.values() if one.answers and one.attributes.pending)
        party = next(due, None)
        if party is not None:
            self._rest = now_ns, min(int(_SHARE * await party.attributes.step() * SECOND_NS), _LONGEST_REST_NS)
