"""Lines of text as a profile describes them, both ways and without I/O.

There is no standard: the profile's ``line`` says what a line looks like (device_profiles/fields/ascii_line.py), and its
golden messages prove it. A line that does not match as a whole, whose checksum is wrong, or in which any group for a
number holds something else is refused whole. Every decoder raises FrameError and nothing else.
"""

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from device_profiles import pattern
from device_profiles.fields import ascii_line
from device_profiles.fields.ascii_line import ADDRESS, CHECKED, CHECKSUM, PLACE, SPECIAL, LineFormat
from edge_agent.drivers.checksum import sum8, xor8
from edge_agent.drivers.contract import FrameError, Number
from edge_agent.drivers.modbus.frames import crc16
from telemetry.quality import Cause, Quality

ANY: Final = "*"
"""The address of a device that does not say, and is not told, what it is called."""
_ADDRESS: Final = re.compile(r"[!-~]{1,32}")
_NUMBER: Final = re.compile(r"[+-]?(?:\d{1,30}(?:\.\d{0,30})?|\.\d{1,30})(?:[eE][+-]?\d{1,3})?")
_NOTHING: Final = Number(math.nan, Quality.MISSING, Cause.DEVICE)
_SHOWN: Final = 40


@dataclass(frozen=True, slots=True)
class Reading:
    """What a line says: its numbers by group, and who says it (None where the line does not tell)."""

    numbers: dict[str, Number]
    address: str | None = None


@dataclass(frozen=True, slots=True)
class Codec:
    """A line format made ready once, for many lines."""

    format: LineFormat
    node: pattern.Node
    regex: re.Pattern[bytes]
    end: bytes
    fields: tuple[str, ...]
    address: re.Pattern[bytes] | None
    """What a line's own address looks like, None where lines carry none."""

    @staticmethod
    def of(line: LineFormat) -> "Codec":
        """Raises ValueError for a format that makes no sense."""
        node = ascii_line.check(line)
        named = {group.name: group for group, _ in pattern.groups(node)}
        address = pattern.compiled(named[ADDRESS].part) if ADDRESS in named else None
        end = line.terminator.encode(line.encoding)
        fields = tuple(name for name in named if name not in SPECIAL)
        return Codec(line, node, pattern.compiled(node), end, fields, address)

    @property
    def longest(self) -> int:
        """Bytes of the longest line with its terminator."""
        return self.format.max_bytes + len(self.end)


def check_address(codec: Codec, address: str) -> None:
    """Raises ValueError for an address that no line or request can carry."""
    in_request = codec.format.request is not None and PLACE in codec.format.request
    if codec.address is None and not in_request:
        if address != ANY:
            raise ValueError(f"address {address!r}, expected {ANY}: neither line nor request carries one")
    elif not _ADDRESS.fullmatch(address) or (codec.address and not codec.address.fullmatch(address.encode("ascii"))):
        raise ValueError(f"address {address!r}, expected one as the line carries it")


def size(codec: Codec, data: bytes) -> int | None:
    """Bytes of the line that begins so, its terminator included; None while it has none; raises FrameError."""
    at = data.find(codec.end)
    if at > codec.format.max_bytes or (at < 0 and len(data) >= codec.longest):
        raise FrameError(f"line {data[:_SHOWN]!r} ..., expected its end within {codec.format.max_bytes} bytes")
    return None if at < 0 else at + len(codec.end)


def decode(codec: Codec, line: bytes) -> Reading:
    """What a line without its terminator says; raises FrameError."""
    if len(line) > codec.format.max_bytes:
        raise FrameError(f"line of {len(line)} bytes, expected at most {codec.format.max_bytes}")
    found = codec.regex.fullmatch(line)
    if found is None:
        raise FrameError(f"line {line[:_SHOWN]!r}, expected {codec.format.pattern!r}")
    if codec.format.checksum != "none":
        _check_sum(codec.format, found)
    texts = {name: found[name] for name in codec.fields if found[name] is not None}
    numbers = {name: _number(codec.format, name, text) for name, text in texts.items()}
    own = found[ADDRESS] if codec.address else None
    return Reading(numbers, None if own is None else _address(own))


def encode(codec: Codec, texts: Mapping[str, str], address: str = ANY) -> bytes:
    """The device's side: a line with its terminator that says these texts, everything else as short as may be.

    Raises FrameError where the pattern does not read them back.
    """
    wanted = {name: _encoded(codec, text) for name, text in texts.items()}
    if codec.address is not None and address != ANY:
        wanted[ADDRESS] = _encoded(codec, address)
    line = pattern.example(codec.node, wanted)
    found = codec.regex.fullmatch(line)
    if found is not None and codec.format.checksum != "none":
        start, stop = found.span(CHECKSUM)
        line = line[:start] + _digits(codec.format, found[CHECKED]) + line[stop:]
        found = codec.regex.fullmatch(line)
    if found is None or any(name not in codec.regex.groupindex or found[name] != wanted[name] for name in wanted):
        raise FrameError(f"line {line[:_SHOWN]!r}, expected {codec.format.pattern!r} with {dict(texts)}")
    decode(codec, line)
    return line + codec.end


def encode_number(codec: Codec, value: float, decimals: int = 3) -> str:
    """A number as text for ``encode``; NaN is the first missing text. Raises FrameError where there is none."""
    if math.isnan(value):
        if not codec.format.missing:
            raise FrameError("no reading, expected a text for it in the profile's line.missing")
        return codec.format.missing[0]
    return f"{value:.{decimals}f}".replace(".", codec.format.decimal)


def encode_request(codec: Codec, address: str) -> bytes:
    """What asks a device; raises FrameError for a format without a request."""
    if codec.format.request is None:
        raise FrameError("no request, expected one in the profile's line")
    return _encoded(codec, codec.format.request.replace(PLACE, address))


def decode_request(codec: Codec, data: bytes) -> str:
    """The device's side: who is asked, ``*`` where requests do not say; raises FrameError for another request."""
    before, place, after = (codec.format.request or "").partition(PLACE)
    head, tail = _encoded(codec, before), _encoded(codec, after)
    middle = data[len(head) : len(data) - len(tail)]
    if codec.format.request is None or head + middle + tail != data or (bool(place) is not bool(middle)):
        raise FrameError(f"request {data[:_SHOWN]!r}, expected {codec.format.request!r}")
    return _address(middle) if place else ANY


def _encoded(codec: Codec, text: str) -> bytes:
    try:
        return text.encode(codec.format.encoding)
    except UnicodeEncodeError as exc:
        raise FrameError(f"{text!r}, expected characters of {codec.format.encoding}") from exc


def _address(text: bytes) -> str:
    found = text.decode("latin-1")
    if not _ADDRESS.fullmatch(found):
        raise FrameError(f"address {found!r}, expected 1 to 32 printable characters")
    return found


def _number(line: LineFormat, name: str, raw: bytes) -> Number:
    try:
        text = raw.decode(line.encoding).strip(" \t")
    except UnicodeDecodeError as exc:
        raise FrameError(f"{name} {raw[:_SHOWN]!r}, expected {line.encoding}") from exc
    if text in line.missing:
        return _NOTHING
    if text in line.words:
        return Number(line.words[text])
    plain = text.replace(",", ".") if line.decimal == "," and "." not in text else text
    value = float(plain) if _NUMBER.fullmatch(plain) else math.inf
    if not math.isfinite(value):
        raise FrameError(f"{name} {text!r}, expected a number")
    return Number(value)


def _check_sum(line: LineFormat, found: re.Match[bytes]) -> None:
    if found[CHECKED] is None or found[CHECKSUM] is None:
        raise FrameError("no checksum in the line, expected one")
    expected = _digits(line, found[CHECKED])
    if found[CHECKSUM].upper() != expected:
        raise FrameError(f"checksum {found[CHECKSUM][:8]!r}, expected {expected!r}")


def _digits(line: LineFormat, checked: bytes) -> bytes:
    if line.checksum == "crc16-modbus":
        order: Final = "big" if line.checksum_order == "high" else "little"
        return crc16(checked).to_bytes(2, order).hex().upper().encode()
    return b"%02X" % (xor8(checked) if line.checksum == "xor8" else sum8(checked))
