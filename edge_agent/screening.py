"""What a gateway does with the readings of one series before they leave, as its settings say."""

import math
from dataclasses import dataclass
from typing import Final

from telemetry.quantity import QUANTITIES, Kind

HEARTBEAT_S: Final = 600.0
"""With a deadband, a series is heard of at least so often."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Screening:
    """In the canonical unit; infinite, or 0 for the deadband, is not wanted. ``circular``: degrees on a circle."""

    max_rate: float = math.inf
    stuck_after_s: float = math.inf
    deadband: float = 0.0
    heartbeat_s: float = math.inf
    circular: bool = False

    @property
    def longest_s(self) -> float:
        """How long a series may be held back, in seconds."""
        return self.heartbeat_s if self.deadband else 0.0

    @property
    def wanted(self) -> bool:
        """Whether anything at all is asked for."""
        return self.deadband > 0 or math.isfinite(self.max_rate) or math.isfinite(self.stuck_after_s)


def screening(
    quantity: str,
    *,
    max_rate: float | None,
    stuck_after_s: float | None,
    deadband: float | None,
    heartbeat_s: float | None,
) -> Screening:
    """What the settings of a point ask for; raises ValueError for what makes no sense with its quantity."""
    kind = QUANTITIES[quantity].kind
    given = {"max_rate": max_rate, "stuck_after_s": stuck_after_s, "deadband": deadband, "heartbeat_s": heartbeat_s}
    for name, number in given.items():
        if number is not None and not 0 < number < math.inf:
            raise ValueError(f"{name} {number}, expected more than 0")
    if kind is Kind.CODE and (max_rate or deadband):
        raise ValueError(f"{quantity} is a code, expected neither max_rate nor deadband")
    if kind is Kind.TOTAL and (max_rate or deadband):
        raise ValueError(f"{quantity} is a total, which the centre takes differences of: expected neither of them")
    if heartbeat_s is not None and deadband is None:
        raise ValueError("heartbeat_s without deadband, expected both")
    return Screening(
        max_rate=max_rate or math.inf,
        stuck_after_s=stuck_after_s or math.inf,
        deadband=deadband or 0.0,
        heartbeat_s=math.inf if deadband is None else heartbeat_s or HEARTBEAT_S,
        circular=kind is Kind.DIRECTION,
    )
