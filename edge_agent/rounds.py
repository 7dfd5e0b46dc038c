"""When the devices of a bus are asked what they say of themselves: when they are opened or come back, and once a day.

Never with a poll, and never before its rows have left: one request after a moment of the bus, and all of them together
get one part in twenty of its time.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Protocol

from telemetry.clock import HOUR_NS, SECOND_NS

_SHARE: Final = 20
_DAY_NS: Final = 24 * HOUR_NS
_CONNECTION_NS: Final = HOUR_NS
"""A connection that was opened anew asks for no more than that: there are those that last for one answer."""
_LONGEST_REST_NS: Final = HOUR_NS


class Telling(Protocol):
    """The attributes of one device, asked for step by step."""

    @property
    def pending(self) -> bool:
        """Whether something is still to be asked."""

    def begin(self, *, anew: bool) -> None:
        """Ask for everything from now on; what failed before only ``anew``."""

    async def step(self) -> float:
        """One question; the seconds of the line that it took."""


@dataclass(slots=True)
class _Party:
    """A device with its attributes: whether it answers, on which connection it was asked, and when."""

    attributes: Telling
    answers: bool = False
    connects: int = -1
    asked_ns: int | None = None

    def is_older(self, age_ns: int, now_ns: int) -> bool:
        """Whether it was asked so long ago, or never; so it is when the clock was set back."""
        return self.asked_ns is None or not 0 <= now_ns - self.asked_ns < age_ns


class Rounds:
    """The rounds of one bus, in data time; ``parties`` by device."""

    def __init__(self, parties: Mapping[str, Telling]) -> None:
        self._parties = {name: _Party(one) for name, one in parties.items()}
        self._rest: tuple[int, int] = (0, 0)

    def polled(self, device: str, now_ns: int, connects: int, *, answered: bool) -> None:
        """A device has, or has not, answered its poll on the connection of this number."""
        party = self._parties.get(device)
        if party is None:
            return
        is_back, party.answers = answered and not party.answers, answered
        is_elsewhere = connects != party.connects and party.is_older(_CONNECTION_NS, now_ns)
        is_old = party.is_older(_DAY_NS, now_ns)
        if answered and (is_back or is_elsewhere or is_old):
            party.attributes.begin(anew=is_old)
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
