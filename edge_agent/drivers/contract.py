"""What every protocol but Modbus looks like to the rest of the edge: numbers by field, without any I/O.

Two kinds of talk:

- polled: a ``Conversation`` yields what to ask, is sent the frame that came, and returns the numbers;
- pushed: a ``Session`` is fed what a device sends of its own accord, and gives reports, replies and refusals.

A field is the protocol's own name of a number, as a profile writes it (``device_profiles.fields``). Numbers are the
device's own: scale, unit, missing codes and valid range are the profile's business and are applied afterwards.
"""

from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol, runtime_checkable

from telemetry.quality import Cause, Quality


class FrameError(ValueError):
    """A frame that is wrong in any way: what was found, and what was expected. No part of it is used."""


class RefusedError(FrameError):
    """A right frame in which the device says that it will not do what it was asked."""


@dataclass(frozen=True, slots=True)
class Number:
    """A number as the device sent it, and what the device itself says of it; NaN where it says that it has none."""

    value: float
    quality: Quality = Quality.UNCHECKED
    cause: Cause = Cause.NONE


Numbers = Mapping[str, Number]
"""By field. A field that a device did not send is not in there."""


@dataclass(frozen=True, slots=True)
class Ask:
    """One step of a conversation: what to send (nothing: only listen), and how to know the whole answer.

    ``size`` is given the bytes so far and says how long the frame is, None while that can't be told; it raises
    FrameError as soon as no right answer can begin so. ``longest`` is how many bytes the answer may have at most: so
    long a line stays in use by an answer that is late. ``wait_s`` is the wait for the answer to begin, in real seconds;
    None is the line's own. ``optional``: silence is an answer too; the conversation is sent b"" and goes on.
    ``character_s`` is what a character takes on the far side of an adapter that is slower than the line to it.
    """

    request: bytes
    size: Callable[[bytes], int | None]
    longest: int = 256
    wait_s: float | None = None
    optional: bool = False
    character_s: float = 0.0


Conversation = Generator[Ask, bytes, Numbers]
"""Raises FrameError when an answer is not one to what was asked. An Ask without an answer ends it from outside,
unless it was optional."""


@runtime_checkable
class Polled(Protocol):
    """A protocol in which the gateway asks."""

    def check_address(self, address: str) -> None:
        """Raises ValueError for what can't be a device's address on a line."""

    def poll(self, address: str, fields: Sequence[str]) -> Conversation:
        """The cheapest conversation that brings the fields of one device."""


@runtime_checkable
class Choosy(Protocol):
    """A protocol that has fields which not every line can carry."""

    def check_data_bits(self, bits: int, fields: Sequence[str]) -> None:
        """Raises ValueError for fields whose characters do not fit into so many bits."""


@dataclass(frozen=True, slots=True)
class Nameplate:
    """What a device says of itself: ``serial``, ``vendor``, ``model``, ``firmware`` and others.

    ``units`` are those in which it says that it sends its fields (of ``telemetry.units`` where it is one of them),
    ``lacking`` the fields that it says it does not have.
    """

    attributes: Mapping[str, str]
    units: Mapping[str, str] = field(default_factory=dict)
    lacking: Sequence[str] = ()


@runtime_checkable
class Identified(Protocol):
    """A protocol in which a device can be asked who it is."""

    def identify(self, address: str, fields: Sequence[str]) -> Generator[Ask, bytes, Nameplate]:
        """What one device says of itself, and of the fields that are read from it; as a ``Conversation``."""


@dataclass(frozen=True, slots=True)
class Report:
    """What one device sent of its own accord.

    ``time_ns`` is the device's own time of the numbers in UTC, None where it sends none: then the moment of arrival
    counts. ``kind`` says what it was, for logs.
    """

    address: str
    kind: str
    numbers: Numbers
    time_ns: int | None = None


@dataclass(frozen=True, slots=True)
class Reply:
    """Bytes to send back to a device once everything before is kept: an acknowledgement, an answer."""

    address: str
    data: bytes


@dataclass(frozen=True, slots=True)
class Refused:
    """A frame that was refused: why, and how it began."""

    reason: str
    data: bytes


Event = Report | Reply | Refused


class Session(Protocol):
    """One connection, or one serial line, with devices that send of their own accord."""

    def receive(self, data: bytes, now_ns: int) -> list[Event]:
        """What came of some bytes, in order; never raises, and keeps no more than one frame of unfinished bytes.

        ``now_ns`` is data time, for replies that carry a time. A reply follows the report that it acknowledges.
        """


class Pushed(Protocol):
    """A protocol in which devices send of their own accord."""

    def check_address(self, address: str) -> None:
        """Raises ValueError for what can't be a device's address."""

    def session(self, secret: str | None = None) -> Session:
        """A new connection's session; ``secret`` is what devices must show (a password), None to ask for none."""
