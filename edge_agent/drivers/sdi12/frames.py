"""SDI-12 commands and answers as bytes, both ways and without I/O.

Source: SDI-12, A Serial-Digital Interface Standard for Microprocessor-Based Sensors, version 1.4 (2019), clauses 4.2 to
4.4, 5 and 6; the CRC is that of clause 4.4.12. Whatever arrives is hostile until it has been decoded: every decoder
raises FrameError and nothing else. The break before a command, and the inverted levels, are the adapter's. Binary
packets stand in ``packets``, what a sensor says of itself in ``about``.
"""

import re
from collections.abc import Sequence
from typing import Final, NamedTuple

from device_profiles.fields.sdi12 import Kind
from edge_agent.drivers.contract import FrameError
from edge_agent.drivers.sdi12.about import (
    LONGEST_IDENTITY,
    LONGEST_PARAMETER,
    Identity,
    Parameter,
    decode_identity,
    decode_parameter,
    encode_identity,
    encode_parameter,
)
from edge_agent.drivers.sdi12.packets import decode_packet, encode_packet, encode_packets, longest_packet, packet_size
from edge_agent.drivers.sdi12.words import ANYONE, END, answer_size, body_of, check_address, crc16, crc_text

__all__ = [
    "ANYONE",
    "END",
    "LONGEST_IDENTITY",
    "LONGEST_PARAMETER",
    "Command",
    "FrameError",
    "Identity",
    "Parameter",
    "Started",
    "answer_size",
    "check_address",
    "crc16",
    "crc_text",
    "decode_acknowledge",
    "decode_command",
    "decode_identity",
    "decode_packet",
    "decode_parameter",
    "decode_started",
    "decode_values",
    "encode_acknowledge",
    "encode_command",
    "encode_identity",
    "encode_packet",
    "encode_packets",
    "encode_pages",
    "encode_parameter",
    "encode_started",
    "encode_values",
    "longest_packet",
    "number_text",
    "packet_size",
    "started_size",
]

CHARACTER_S: Final = 10 / 1200
"""1200 baud, ten bits a character: also behind an adapter that is asked at another rate."""
ADDRESSES: Final = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
"""All that a sensor may have (clause 4.2.1)."""
LONGEST_ACKNOWLEDGE: Final = 3
LONGEST_STARTED: Final = 9
DIGITS_M: Final = 1
DIGITS_C: Final = 2
DIGITS_H: Final = 3
"""Digits that count the values in the answers to M and V, to C, and to HA and HB."""
DIGITS: Final = {
    Kind.MEASURE: DIGITS_M,
    Kind.VERIFY: DIGITS_M,
    Kind.CONCURRENT: DIGITS_C,
    Kind.HIGH_ASCII: DIGITS_H,
    Kind.HIGH_BINARY: DIGITS_H,
}
"""By kind of measurement; a continuous one is not started, and counts nothing."""
LONGEST_VALUES: Final = 81
"""Address, 75 characters of values (clause 4.4.6), CRC, end."""
VALUES_AFTER_M: Final = 35
VALUES_AFTER_C: Final = 75
"""Characters of values in one answer at most, after aM! and after aC! and aHA! or for aR! (clauses 4.4.6, 4.4.8)."""
PAGES: Final = 10
PAGES_HIGH: Final = 1000
"""Answers that may carry the values: aD0! to aD9!, in high volume aD0! to aD999! and aDB0! to aDB999!."""
_MAX_DIGITS: Final = 7
_STARTING: Final = "V|MC?[1-9]?|CC?[1-9]?|H[AB]"
_CONTINUOUS: Final = "RC?[0-9]"
_PAGE: Final = "DB?(?:0|[1-9][0-9]{0,2})"
_COMMAND: Final = re.compile(
    rf"([0-9A-Za-z])(I?(?:{_STARTING})?|{_CONTINUOUS}|I(?:{_STARTING}|{_CONTINUOUS})_[0-9]{{3}}|{_PAGE})!|(\?)()!",
    re.ASCII,
)
_NUMBER: Final = re.compile(r"[+-](?:[0-9]+\.?[0-9]*|\.[0-9]+)", re.ASCII)


class Command(NamedTuple):
    """A command: ``body`` stands between address and exclamation mark, such as ``M``, ``CC1``, ``D0``, ``I``."""

    address: str
    body: str = ""


class Started(NamedTuple):
    """The answer to M, C and V: so many values will be ready in ``ready_s`` seconds at the latest."""

    ready_s: int
    values: int


def encode_command(command: Command) -> bytes:
    """A command as it goes over the line; raises FrameError for one that can't be."""
    text = f"{command.address}{command.body}!"
    if _COMMAND.fullmatch(text) is None or len(command.address) != 1:
        raise FrameError(
            f"command {text!r}, expected like '0M!', '0MC1!', '0C!', '0R0!', '0HA!', '0D0!', '0DB0!', '0V!', '0I!',"
            " '0IM!', '0IM_001!', '0!', '?!'"
        )
    return text.encode("ascii")


def decode_command(data: bytes) -> Command:
    """The command in some bytes (for simulated sensors); raises FrameError."""
    found = _COMMAND.fullmatch(data.decode("latin-1"))
    if found is None:
        raise FrameError(f"command {data[:8]!r}, expected an address, a body such as M, C1, R0 or D0, and '!'")
    return Command(found[1] or found[3], found[2] or "")


def started_size(start: bytes, address: str) -> int | None:
    """As ``answer_size`` for the answer to M or V; a service request that came in one piece with it is counted in."""
    size = answer_size(start, address, LONGEST_STARTED)
    return size if size is None or size == len(start) else size + LONGEST_ACKNOWLEDGE


def encode_acknowledge(address: str) -> bytes:
    """The answer to a! and ?!, and the service request (for simulated sensors)."""
    check_address(address)
    return address.encode("ascii") + END


def decode_acknowledge(address: str, frame: bytes) -> str:
    """The address that answered a! or ?!, or that requests service; raises FrameError."""
    if body_of(frame, address, LONGEST_ACKNOWLEDGE):
        raise FrameError(f"answer {frame[:8]!r}, expected an address alone")
    found = frame[:1].decode("ascii")
    check_address(found)
    return found


def encode_started(address: str, started: Started, digits: int) -> bytes:
    """The answer to M, V, C, HA or HB, whose values are counted in so many ``digits``; raises FrameError."""
    check_address(address)
    most = 10**digits - 1
    if not (0 <= started.ready_s <= 999 and 0 <= started.values <= most):
        raise FrameError(f"{started.values} values in {started.ready_s} s, expected 0 to {most} in 0 to 999 s")
    return f"{address}{started.ready_s:03}{started.values:0{digits}}".encode("ascii") + END


def decode_started(address: str, frame: bytes, digits: int) -> Started:
    """When a measurement will be ready and what it will have; raises FrameError."""
    body = body_of(frame, address, LONGEST_STARTED)
    if len(body) != 3 + digits or not body.isdecimal():
        raise FrameError(f"answer {frame[:11]!r}, expected an address and {3 + digits} digits")
    return Started(int(body[:3]), int(body[3:]))


def number_text(value: float) -> str:
    """A number with its sign and at most seven digits (clause 4.4.6), rounded to that; raises FrameError."""
    if not abs(value) < 10**_MAX_DIGITS - 0.5:
        raise FrameError(f"value {value}, expected less than {10**_MAX_DIGITS} either way")
    for decimals in range(_MAX_DIGITS - 1, 0, -1):
        text = f"{value:+.{decimals}f}"
        if len(text) <= _MAX_DIGITS + 2:
            return text.rstrip("0").rstrip(".")
    return f"{value:+.0f}"


def encode_values(address: str, values: Sequence[float], *, crc: bool) -> bytes:
    """One answer to D or R; raises FrameError for more than fits."""
    check_address(address)
    text = "".join(map(number_text, values)).encode("ascii")
    if len(text) > VALUES_AFTER_C:
        raise FrameError(f"{len(text)} characters of values, expected at most {VALUES_AFTER_C}")
    frame = address.encode("ascii") + text
    return frame + (crc_text(frame) if crc else b"") + END


def encode_pages(
    address: str, values: Sequence[float], *, crc: bool, most: int = VALUES_AFTER_M, limit: int = PAGES
) -> list[bytes]:
    """The answers to D0 and so on that carry these values, each with at most ``most`` characters; raises FrameError."""
    pages: list[list[float]] = [[]]
    for value in values:
        if len("".join(map(number_text, [*pages[-1], value]))) > most:
            pages.append([])
        pages[-1].append(value)
    if len(pages) > limit:
        raise FrameError(f"{len(values)} values on {len(pages)} pages, expected at most {limit}")
    return [encode_values(address, page, crc=crc) for page in pages]


def decode_values(address: str, frame: bytes, *, crc: bool) -> tuple[float, ...]:
    """The values in an answer to D or R, none where the sensor has none; raises FrameError.

    Without a CRC nothing but parity tells a wrong digit from a right one.
    """
    body = body_of(frame, address, LONGEST_VALUES, crc=crc)
    texts = _NUMBER.findall(body)
    if "".join(texts) != body or len(body) > VALUES_AFTER_C:
        raise FrameError(
            f"values {body[:20]!r}, expected signed decimal numbers of at most {VALUES_AFTER_C} characters"
        )
    if any(sum(map(str.isdecimal, text)) > _MAX_DIGITS for text in texts):
        raise FrameError(f"values {body[:20]!r}, expected at most {_MAX_DIGITS} digits in each")
    return tuple(map(float, texts))
