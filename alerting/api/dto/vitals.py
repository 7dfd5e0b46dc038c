"""How the centre is, and what went wrong with a request."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Any


class Condition(StrEnum):
    """How a part of the centre is."""

    OK = "ok"
    DEGRADED = "degraded"
    DOWN = "down"


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """How one part of the centre is: in one line, and in figures."""

    status: Condition
    detail: str
    figures: dict[str, float | int | str | None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Health:
    """How the centre is: ``down`` as soon as one part is. ``lag_ms``: real time from commit to evaluation."""

    status: Condition
    parts: dict[str, Part]
    versions: dict[str, str]
    lag_ms: float | None
    queues: dict[str, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """What went wrong (RFC 9457)."""

    type: str
    title: str
    status: int
    detail: str
    instance: str
    errors: list[dict[str, Any]] | None = None
