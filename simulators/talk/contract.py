"""What a simulated device's side of a protocol looks like to the line that it is on. No I/O.

A device is asked, or it sends of its own accord. Each module of this package has ``of(profile)``, which gives one of
the two for all devices of a line.
"""

from collections.abc import Callable, Collection, Iterator
from importlib import import_module
from typing import Final, NamedTuple, Protocol, runtime_checkable

from device_profiles.field_model import FieldPoint, FieldProfile
from simulators.field_twin import FieldTwin

ANYONE: Final = "?"
"""Who is asked when a request is for whichever device is on the line; digits after it are the end of its address."""


@runtime_checkable
class Answering(Protocol):
    """Devices that are asked."""

    def asked(self, heard: bytes) -> str | None:
        """The address that a request is for; None while it is not whole. Raises ValueError for what is no request."""

    def answer(self, heard: bytes, address: str, twin: FieldTwin, time_ns: int) -> bytes:
        """What goes back on a whole request, nothing where the device has no way to say what is the case.

        ``address`` is the one that the device claims to have.
        """


class Message(NamedTuple):
    """What a device sends, and how it knows from what it has heard since that this was taken (None: it never does)."""

    data: bytes
    confirmed: Callable[[bytes], bool] | None = None


class Due(NamedTuple):
    """A report that is due: its points, and the time that has passed since the one before."""

    kind: str
    points: tuple[FieldPoint, ...]
    time_ns: int
    period_ns: int


@runtime_checkable
class Sending(Protocol):
    """Devices that send of their own accord."""

    def kind(self, point: FieldPoint) -> str:
        """Which report a point is in."""

    def messages(self, due: Due, address: str, twin: FieldTwin, secret: str | None) -> Iterator[Message]:
        """The messages that carry a report, in order."""


def of(profile: FieldProfile) -> Answering | Sending:
    """How a device speaks."""
    talk: Answering | Sending = import_module(f"simulators.talk.{profile.protocol}").of(profile)
    return talk


def stranger(address: str, known: Collection[str]) -> str | None:
    """An address of none of the devices on a line that might stand there; None where addresses name nobody."""
    if not address or not address[-1].isalnum():
        return None
    return next((other for digit in "0123456789" if (other := address[:-1] + digit) not in known), None)
