"""What every channel promises, and what it is given."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated, Any, Final, Protocol

import msgspec

from alerting.alarms import Event
from telemetry.series import Text

_DRILL: Final = Text(zh="【演练】", en="DRILL: ")


class Receipt(StrEnum):
    """How far a receipt goes: what we know when a channel says that it has done its work."""

    WRITTEN = "written"
    """It stands in a file or log; nobody need have seen it."""
    ACCEPTED = "accepted"
    """The receiver's server took it over."""
    DELIVERED = "delivered"
    """It reached the person's device."""
    CONFIRMED = "confirmed"
    """The person answered."""


class ChannelSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="kind"):
    """What every channel of centre.yaml can say; a module of a channel adds its own."""

    name: str
    min_level: Annotated[int, msgspec.Meta(ge=0, le=4)] = 1
    """Lowest level that opens a conversation; what follows in it (all-clear included) is always sent."""
    drills: bool = False
    """Whether drills may use this channel. Every text of a drill is marked, but a live receiver should get none."""
    timeout_s: Annotated[float, msgspec.Meta(gt=0, le=300)] = 10.0
    """Real time for one attempt."""
    retry_for_s: Annotated[float, msgspec.Meta(ge=0, le=7 * 86_400)] = 3_600.0
    """Real time from the event after which no attempt is made again."""
    parallel: Annotated[int, msgspec.Meta(ge=1, le=64)] = 8
    """Attempts under way at once."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """One version of one alarm for one channel. ``key`` stays the same at every attempt; ``text`` carries the mark."""

    key: str
    attempt: int
    event: Event
    text: Text


@dataclass(frozen=True, slots=True, kw_only=True)
class Sent:
    """The receiver has it, as far as ``receipt`` says; ``note`` is what it answered."""

    receipt: Receipt
    note: str = ""


class ChannelError(Exception):
    """An attempt that failed, in one line. ``final``: another attempt would fail too. ``retry_after_s``: its wish."""

    def __init__(self, reason: str, *, final: bool = False, retry_after_s: float = 0.0) -> None:
        super().__init__(reason)
        self.final = final
        self.retry_after_s = retry_after_s


class Channel(Protocol):
    """A way to tell somebody."""

    async def send(self, message: Message) -> Sent:
        """Make one attempt; raises ChannelError. The caller bounds its time."""

    async def close(self) -> None:
        """Let go of connections and files."""


def marked(text: Text, *, drill: bool) -> Text:
    """The text with the mark of a drill in front, in both languages (F16)."""
    return Text(zh=_DRILL.zh + text.zh, en=_DRILL.en + text.en) if drill else text


def payload(message: Message) -> dict[str, Any]:
    """What a receiver gets of a message, ready for JSON."""
    event = msgspec.to_builtins(message.event)
    return {
        "key": message.key,
        "attempt": message.attempt,
        "drill": message.event.drill,
        "alarm_id": message.event.alarm_id,
        "version": message.event.version,
        "text": msgspec.to_builtins(message.text),
        "answered_ns": message.event.answered_ns,
        "alarm": event | {"text": msgspec.to_builtins(message.text)},
    }
