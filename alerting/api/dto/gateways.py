"""The boxes in the field."""

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True, kw_only=True)
class Gateway:
    """A box in the field, as it last spoke of itself; ``devices`` maps a name to ``ok`` or what is wrong, ``complaint``
    is what the centre found wrong with its messages, empty where nothing was; ``notes`` is what people should know;
    ``attributes`` is what each device says of itself (``serial``, ``firmware``, ``model``), as it was read last. Its
    clock was never set where ``unset``; bytes are what its line has carried.
    """

    source: str
    presence: Literal["online", "offline", "unknown"]
    last_seen: str | None
    spool_batches: int
    spool_rows: int
    oldest: str | None
    hours_until_full: float | None
    drain_rows_per_s: float | None
    clock: Literal["synchronised", "unsynchronised", "unset"] | None
    clock_steps: int
    day_bytes: int | None
    month_bytes: int | None
    quota_bytes: int | None
    notes: list[str]
    devices: dict[str, str]
    attributes: dict[str, dict[str, str]]
    complaint: str
    drill: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Gateways:
    """All gateways."""

    items: list[Gateway]
    next: str | None
