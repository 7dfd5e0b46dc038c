"""A device that does not speak Modbus, as data: its numbers have names of the protocol's own instead of registers."""

from typing import Final, Literal

import msgspec

from device_profiles.fields.ascii_line import LineFormat
from device_profiles.model import AnyProfile, Measured

ASCII: Final = "ascii:"
"""Before a golden frame that is written as text, with the escapes of Python, instead of hexadecimal."""

Protocol = Literal["hj212", "sl651", "sdi12", "nmea0183", "dlt645", "cjt188", "gb26875", "ascii_line"]
Way = Literal["serial", "tcp", "listen"]
"""A serial line (of the gateway or behind a serial server), a connection that we open, one that the device opens."""


class FieldPoint(Measured, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A quantity in a field of a message; ``period_s`` where it comes at other times than the device's other points."""

    field: str
    """The protocol's own name of the number (docs/reference/protocols)."""
    period_s: float | None = None


class Message(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What goes over a line, each as hexadecimal bytes or as text after ``ascii:``; empty for nothing.

    Of a device that is asked, ``sent`` answers ``asked``; of one that calls, ``asked`` is empty and ``reply`` answers.
    """

    sent: str
    asked: str = ""
    reply: str = ""


class FieldGolden(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Messages of one poll or report, and what must come out (canonical units; null: MISSING)."""

    messages: tuple[Message, ...]
    values: dict[str, float | None]
    source: str
    address: str | None = None
    """What the device that was asked is called on the line, where the profile has no address."""
    time: str | None = None
    """The device's own time in the messages, ISO 8601 with offset."""


class FieldProfile(AnyProfile, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A device of another protocol than Modbus: which fields it sends and what they mean."""

    protocol: Protocol
    transports: tuple[Way, ...]
    points: tuple[FieldPoint, ...]
    golden: tuple[FieldGolden, ...]
    line: LineFormat | None = None
    """Of ``ascii_line``: what a line looks like."""
    address: str | None = None
    """What it is called on the line as it leaves the factory; None where only the site knows."""


def message(text: str) -> bytes:
    """A golden message as bytes; raises ValueError."""
    if text.startswith(ASCII):
        return text.removeprefix(ASCII).encode("latin-1").decode("unicode_escape").encode("latin-1")
    return bytes.fromhex(text)
