"""What all simulated devices of a line share, and what faults make of their bytes."""

from dataclasses import dataclass
from typing import Final

import numpy as np

from simulators.faults import KINDS, Answer, Faults
from simulators.twin import Observe
from telemetry.clock import Clock

STRANGE: Final = "wrong_unit"
"""The fault in which a device claims another address; it concerns what is said, not its bytes."""
SLOW: Final = "slow"


@dataclass(frozen=True, slots=True, kw_only=True)
class Bench:
    """What all devices of a line share."""

    observe: Observe
    clock: Clock
    broken: Faults
    rng: np.random.Generator


def spoilt(bench: Bench, data: bytes, kind: str | None) -> bytes:
    """What a fault makes of bytes."""
    if kind in (None, SLOW, STRANGE) or not data:
        return data
    return KINDS[kind](Answer(data, False, bench.rng))
