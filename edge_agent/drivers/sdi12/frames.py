"""SDI-12 commands and answers as bytes, both ways and without I/O.

Source: SDI-12, A Serial-Digital Interface Standard for Microprocessor-Based Sensors, version 1.4 (2019), clauses 4.2 to
4.4; the CRC is that of clause 4.4.12. Whatever arrives is hostile until it has been decoded: every decoder raises
FrameError and nothing else. The break before a command, and the inverted levels, are the adapter's.
"""

import re
from collections.abc import Sequence
from typing import Final, NamedTuple

from edge_agent.drivers.contract import FrameError

END: Final = b"\r\n"
ANYONE: Final = "?"
"""The address that every sensor answers; only for a line with one sensor."""
CHARACTER_S: Final = 10 / 1200
"""1200 baud, seven bits, parity, one stop bit: also behind an adapter that is asked at another rate."""
LONGEST_ACKNOWLEDGE: Final = 3
LONGEST_STARTED: Final = 8
LONGEST_IDENTITY: Final = 35
LONGEST_VALUES: Final = 81
"""Address, 75 characters of values (clause 4.4.6), CRC, end."""
VALUES_AFTER_M: Final = 35
VALUES_AFTER_C: Final = 75
"""Characters of values in one answer at most, after aM! and after aC! or for aR! (clauses 4.4.6, 4.4.8)."""
_CRC_SIZE: Final = 3
_MAX_CHARACTER: Final = 0x7F
"""A character of a CRC may be DEL."""
_MAX_DIGITS: Final = 7
_COMMAND: Final = re.compile(r"([0-9A-Za-z])(|I|V|MC?[1-9]?|CC?[1-9]?|RC?[0-9]|D[0-9])!|(\?)()!", re.ASCII)
_NUMBER: Final = re.compile(r"[+-](?:[0-9]+\.?[0-9]*|\.[0-9]+)", re.ASCII)
_IDENTITY: Final = re.compile(r"([0-9])([0-9])(.{8})(.{6})(.{3})(.{0,13})", re.ASCII)


class Command(NamedTuple):
    """A command: ``body`` stands between address and exclamation mark, such as ``M``, ``CC1``, ``D0``, ``I``."""

    address: str
    body: str = ""


class Started(NamedTuple):
    """The answer to M, C and V: so many values will be ready in ``ready_s`` seconds at the latest."""

    ready_s: int
    values: int


class Identity(NamedTuple):
    """The answer to aI! (clause 4.4.2); texts without the spaces that pad them."""

    version: str
    """Of SDI-12: ``1.4``."""
    vendor: str
    model: str
    firmware: str
    extra: str = ""


def crc16(data: bytes) -> int:
    """CRC-16/ARC: polynomial 8005h reflected, starting at 0 (clause 4.4.12)."""
    crc = 0
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (0xA001 if crc & 1 else 0)
    return crc


def crc_text(data: bytes) -> bytes:
    """The CRC of some bytes as three characters, six bits in each."""
    crc = crc16(data)
    return bytes((0x40 | crc >> 12, 0x40 | crc >> 6 & 0x3F, 0x40 | crc & 0x3F))


def check_address(address: str) -> None:
    """Raises FrameError for what is no sensor's address (clause 4.2.1)."""
    if len(address) != 1 or not (address.isascii() and address.isalnum()):
        raise FrameError(f"address {address!r}, expected one of 0-9, A-Z, a-z")


def encode_command(command: Command) -> bytes:
    """A command as it goes over the line; raises FrameError for one that can't be."""
    text = f"{command.address}{command.body}!"
    if _COMMAND.fullmatch(text) is None or len(command.address) != 1:
        raise FrameError(
            f"command {text!r}, expected like '0M!', '0MC1!', '0C!', '0R0!', '0D0!', '0V!', '0I!', '0!', '?!'"
        )
    return text.encode("ascii")


def decode_command(data: bytes) -> Command:
    """The command in some bytes (for simulated sensors); raises FrameError."""
    found = _COMMAND.fullmatch(data.decode("latin-1"))
    if found is None:
        raise FrameError(f"command {data[:8]!r}, expected an address, a body such as M, C1, R0 or D0, and '!'")
    return Command(found[1] or found[3], found[2] or "")


def answer_size(start: bytes, address: str, longest: int) -> int | None:
    """Bytes of the answer that starts so, or None while its end has not come; raises FrameError."""
    if start and address != ANYONE and start[:1] != address.encode("ascii"):
        raise FrameError(f"answer {start[:8]!r}, expected address {address}")
    at = start.find(END)
    text = start[:at] if at >= 0 else start.removesuffix(END[:1])
    if not all(0x20 <= byte <= _MAX_CHARACTER for byte in text):
        raise FrameError(f"answer {start[:8]!r}, expected printable characters up to CR LF")
    size = at + len(END)
    if size > longest or (at < 0 and len(start) >= longest):
        raise FrameError(f"answer {start[:8]!r} of {len(start)} bytes, expected CR LF within {longest}")
    return size if at >= 0 else None


def started_size(start: bytes, address: str) -> int | None:
    """As ``answer_size`` for the answer to M or V; a service request that came in one piece with it is counted in."""
    size = answer_size(start, address, LONGEST_STARTED)
    return size if size is None or size == len(start) else size + LONGEST_ACKNOWLEDGE


def _body(frame: bytes, address: str, longest: int) -> str:
    """What stands between address and end of a whole answer."""
    if answer_size(frame, address, longest) != len(frame):
        raise FrameError(f"answer {frame[:8]!r} of {len(frame)} bytes, expected one line that ends with CR LF")
    return frame[1 : -len(END)].decode("ascii")


def encode_acknowledge(address: str) -> bytes:
    """The answer to a! and ?!, and the service request (for simulated sensors)."""
    check_address(address)
    return address.encode("ascii") + END


def decode_acknowledge(address: str, frame: bytes) -> str:
    """The address that answered a! or ?!, or that requests service; raises FrameError."""
    if _body(frame, address, LONGEST_ACKNOWLEDGE):
        raise FrameError(f"answer {frame[:8]!r}, expected an address alone")
    found = frame[:1].decode("ascii")
    check_address(found)
    return found


def encode_started(address: str, started: Started, *, concurrent: bool) -> bytes:
    """The answer to M, V (one digit of values) or C (two); raises FrameError."""
    check_address(address)
    most = 99 if concurrent else 9
    if not (0 <= started.ready_s <= 999 and 0 <= started.values <= most):
        raise FrameError(f"{started.values} values in {started.ready_s} s, expected 0 to {most} in 0 to 999 s")
    return f"{address}{started.ready_s:03}{started.values:0{2 if concurrent else 1}}".encode("ascii") + END


def decode_started(address: str, frame: bytes, *, concurrent: bool) -> Started:
    """When a measurement will be ready and what it will have; raises FrameError."""
    body = _body(frame, address, LONGEST_STARTED)
    digits = 5 if concurrent else 4
    if len(body) != digits or not body.isdecimal():
        raise FrameError(f"answer {frame[:10]!r}, expected an address and {digits} digits")
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


def encode_pages(address: str, values: Sequence[float], *, crc: bool, most: int = VALUES_AFTER_M) -> list[bytes]:
    """The answers to D0 to D9 that carry these values, each with at most ``most`` characters; raises FrameError."""
    pages: list[list[float]] = [[]]
    for value in values:
        if len("".join(map(number_text, [*pages[-1], value]))) > most:
            pages.append([])
        pages[-1].append(value)
    if len(pages) > 10:
        raise FrameError(f"{len(values)} values on {len(pages)} pages, expected at most 10")
    return [encode_values(address, page, crc=crc) for page in pages]


def decode_values(address: str, frame: bytes, *, crc: bool) -> tuple[float, ...]:
    """The values in an answer to D or R, none where the sensor has none; raises FrameError.

    Without a CRC nothing but parity tells a wrong digit from a right one.
    """
    body = _body(frame, address, LONGEST_VALUES)
    if crc:
        content, found = frame[: -_CRC_SIZE - len(END)], frame[-_CRC_SIZE - len(END) : -len(END)]
        if not content or found != crc_text(content):
            raise FrameError(f"answer {frame[:8]!r} with CRC {found!r}, expected {crc_text(content)!r}")
        body = body[:-_CRC_SIZE]
    texts = _NUMBER.findall(body)
    if "".join(texts) != body or len(body) > VALUES_AFTER_C:
        raise FrameError(
            f"values {body[:20]!r}, expected signed decimal numbers of at most {VALUES_AFTER_C} characters"
        )
    if any(sum(map(str.isdecimal, text)) > _MAX_DIGITS for text in texts):
        raise FrameError(f"values {body[:20]!r}, expected at most {_MAX_DIGITS} digits in each")
    return tuple(map(float, texts))


def encode_identity(address: str, identity: Identity) -> bytes:
    """The answer to aI!; raises FrameError for texts that do not fit."""
    check_address(address)
    version, vendor, model, firmware, extra = identity
    text = f"{version.replace('.', '')}{vendor:8}{model:6}{firmware:3}{extra}"
    frame = f"{address}{text}".encode("ascii", "replace") + END
    if decode_identity(address, frame) != identity:
        raise FrameError(
            f"identity {text!r}, expected a version like 1.4 and texts of at most 8, 6, 3 and 13 characters"
        )
    return frame


def decode_identity(address: str, frame: bytes) -> Identity:
    """What a sensor says it is; raises FrameError."""
    found = _IDENTITY.fullmatch(_body(frame, address, LONGEST_IDENTITY))
    if found is None:
        raise FrameError(f"answer {frame[:8]!r} of {len(frame)} bytes, expected version, vendor, model and firmware")
    major, minor, *texts = found.groups()
    return Identity(f"{major}.{minor}", *(text.rstrip() for text in texts))
