"""What goes wrong on a line: pure functions from the right answer to the wrong one, and when they apply."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Final, NamedTuple

import numpy as np

from edge_agent.drivers.modbus import frames
from simulators.scenario import Fault
from telemetry.span import moment_ns


class Answer(NamedTuple):
    """A right answer as it would go over the line, how it is framed, and where randomness comes from."""

    packet: bytes
    tcp: bool
    rng: np.random.Generator


def dead(_: Answer) -> bytes:
    """No answer."""
    return b""


def garbage(answer: Answer) -> bytes:
    """As many bytes as the answer has, of noise."""
    return answer.rng.bytes(len(answer.packet))


def truncated(answer: Answer) -> bytes:
    """The answer without its last bytes: one at least, and never all of it."""
    return answer.packet[: int(answer.rng.integers(1, len(answer.packet)))]


def wrong_unit(answer: Answer) -> bytes:
    """A sound frame of somebody else's."""
    if answer.tcp:
        return answer.packet[:6] + bytes((answer.packet[6] ^ 0x55,)) + answer.packet[7:]
    unit, pdu = frames.unwrap_rtu(answer.packet)
    return frames.wrap_rtu(unit ^ 0x55, pdu)


def wrong_values(answer: Answer) -> bytes:
    """The answer with one bit turned over, its checksum left as it was."""
    at = int(answer.rng.integers(8 * len(answer.packet)))
    flipped = bytes((answer.packet[at // 8] ^ 1 << at % 8,))
    return answer.packet[: at // 8] + flipped + answer.packet[at // 8 + 1 :]


KINDS: Final[dict[str, Callable[[Answer], bytes]]] = {
    "dead": dead,
    "garbage": garbage,
    "truncated": truncated,
    "wrong_unit": wrong_unit,
    "wrong_values": wrong_values,
}
SLOW: Final = 0.45
"""Real seconds that a slow device takes to answer: longer than the default site's 0.3 s, less than twice that, which
is how long a gateway leaves a silent unit alone. Later still, nothing on a serial line tells whose answer it is."""


@dataclass(frozen=True, slots=True)
class Spell:
    """A fault of one device from a moment of data time to another (not included)."""

    device: str
    kind: str
    begins_ns: int
    ends_ns: int


Faults = Callable[[str, int], str | None]
"""Which fault a device has at a moment of data time, if any."""


def schedule(spells: Iterable[Spell]) -> Faults:
    """Faults as they are written down; raises ValueError for a kind that does not exist."""
    listed = tuple(spells)
    for spell in listed:
        if spell.kind not in (*KINDS, "slow"):
            raise ValueError(f"{spell.device}: no fault {spell.kind!r}, expected slow, {', '.join(KINDS)}")

    def at(device: str, time_ns: int) -> str | None:
        return next((s.kind for s in listed if s.device == device and s.begins_ns <= time_ns < s.ends_ns), None)

    return at


def none(_device: str, _time_ns: int) -> str | None:
    """Everything works."""
    return None


def of(faults: Iterable[Fault]) -> Faults:
    """The faults of a scenario."""
    return schedule(Spell(f.device, f.kind, moment_ns(f.begins), moment_ns(f.ends)) for f in faults)
