"""What the centre may ask a gateway to do, and what a gateway answers: the bodies of signed messages (ADR 0008, 0009).

Topics ``command`` and ``config`` carry orders, ``result`` the answers; none of them is ever retained.
"""

from enum import StrEnum
from typing import Final

import msgspec

from telemetry.clock import SECOND_NS
from telemetry.wire import VERSION

ID_BYTES: Final = 16
LONGEST_TTL_S: Final = 600.0
"""An order that is not carried out within ten minutes is an order for another situation."""
SKEW_S: Final = 30.0
"""So far may the clocks of the centre and of a gateway be apart."""


class Order(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What every order says: which one it is (32 hexadecimal digits), who asks, and for how long it counts (UTC)."""

    version: int = VERSION
    id: str
    by: str
    issued_ns: int
    expires_ns: int


class Command(Order, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Set one output to a value, in the device's own numbers (1 and 0 for on and off)."""

    output: str
    value: float
    drill: bool
    reason: str = ""


class Verb(StrEnum):
    """What to do about a gateway's configuration."""

    PUSH = "push"
    DRY_RUN = "dry-run"
    LIST = "list"
    ROLLBACK = "rollback"


class ConfigOrder(Order, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A question or a change of the configuration.

    ``number`` is that of the version to come (PUSH, ROLLBACK): higher than any that the gateway has seen. ``text`` is
    the whole gateway.yaml, ``profiles`` are profiles that are new to the gateway, by file name; ``to`` is the version
    to go back to (0: as installed).
    """

    verb: Verb
    number: int = 0
    text: str = ""
    profiles: dict[str, str] = {}
    to: int = 0


class Outcome(StrEnum):
    """What became of an order. UNKNOWN is never to be taken for DONE."""

    DONE = "done"
    TRIAL = "trial"
    REFUSED = "refused"
    FAILED = "failed"
    UNKNOWN = "unknown"


class Switched(msgspec.Struct, frozen=True, kw_only=True):
    """What an output was asked to be, and what it reads back (None: nothing could be read)."""

    output: str
    value: float
    read_back: float | None
    took_ms: float
    drill: bool


class Change(msgspec.Struct, frozen=True, kw_only=True):
    """What a configuration does otherwise than the present one."""

    number: int
    kept: tuple[str, ...]
    """Buses that go on untouched."""
    replaced: tuple[str, ...]
    added: tuple[str, ...]
    removed: tuple[str, ...]
    others: tuple[str, ...]
    """Sections other than buses."""
    diff: str
    """Unified, cut where it is too long."""


class VersionNote(msgspec.Struct, frozen=True, kw_only=True):
    """One version of the configuration, and what became of it."""

    number: int
    digest: str
    key: str
    by: str
    time_ns: int
    state: str
    reason: str = ""


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """A gateway's answer to an order; ``final`` is false while a configuration is on trial."""

    version: int = VERSION
    id: str
    outcome: Outcome
    reason: str
    time_ns: int
    final: bool = True
    repeated: bool = False
    """Whether the order had come before: then this is the first one's answer, and nothing was done again."""
    switched: Switched | None = None
    change: Change | None = None
    versions: tuple[VersionNote, ...] = ()


def untimely(order: Order, now_ns: int) -> str | None:
    """Why an order does not count at a moment, None when it does."""
    if not 0 < order.expires_ns - order.issued_ns <= LONGEST_TTL_S * SECOND_NS:
        ttl_s = (order.expires_ns - order.issued_ns) / SECOND_NS
        return f"it counts for {ttl_s:g} s, expected more than 0 and at most {LONGEST_TTL_S:g}"
    if now_ns >= order.expires_ns:
        return f"it expired {(now_ns - order.expires_ns) / SECOND_NS:.1f} s ago by this gateway's clock"
    if order.issued_ns - now_ns > SKEW_S * SECOND_NS:
        ahead_s = (order.issued_ns - now_ns) / SECOND_NS
        return f"it was issued {ahead_s:.1f} s ahead of this gateway's clock, expected at most {SKEW_S:g}"
    return None


def brief(order: Order) -> dict[str, object]:
    """An order for an account: without the text of a configuration, which is kept elsewhere."""
    found: dict[str, object] = msgspec.structs.asdict(order)
    if isinstance(order, ConfigOrder):
        found["text"] = f"{len(order.text)} characters"
        found["profiles"] = sorted(order.profiles)
    return found
