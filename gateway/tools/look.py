"""One thing that was looked at: whether it works, what was seen, and what to do about it."""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum


class State(StrEnum):
    """How it is."""

    OK = "ok"
    NOTE = "note"
    """Works, but could do better, or will not for ever."""
    FINDING = "finding"
    """Does not work, or must not stay so."""
    UNTRIED = "not tried"


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """What was looked at, and what to do where it is not right."""

    what: str
    state: State
    says: str
    do: str = ""

    def lines(self) -> list[str]:
        """For people: the state, what was seen, and on a line of its own what to do."""
        first = f"{self.state:<11}{self.what}: {self.says}"
        return [first, f"{'':11}-> {self.do}"] if self.do else [first]


def findings(looks: Iterable[Look]) -> list[Look]:
    """What does not work."""
    return [look for look in looks if look.state is State.FINDING]
