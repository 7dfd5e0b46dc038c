"""NMEA 0183 sentences as bytes, both ways and without I/O.

Standard: NMEA 0183 (IEC 61162-1), which is sold, not published; frame, checksum and TAG block follow the descriptions
of it in the documentation of gpsd and in makers' manuals (docs/reference/protocols/nmea0183.md). What the fields mean
stands in ``sentences``. Whatever arrives is hostile: every decoder raises FrameError and nothing else.
"""

import re
from typing import Final

from edge_agent.drivers.checksum import xor8
from edge_agent.drivers.contract import FrameError
from edge_agent.drivers.nmea0183.compose import compose
from edge_agent.drivers.nmea0183.sentences import Sentence, numbers, time_of

__all__ = [
    "MAX_LINE",
    "MAX_SENTENCE",
    "FrameError",
    "Sentence",
    "compose",
    "decode",
    "encode",
    "numbers",
    "split",
    "time_of",
]

MAX_SENTENCE: Final = 82
"""Bytes of a sentence from its start to its line end; what we write keeps to it."""
MAX_LINE: Final = 255
"""Bytes of a line that are read, a TAG block included: weather stations exceed 82 with MDA and long XDR sentences."""

_BODY: Final = re.compile(r"[ -~]*")
_RESERVED: Final = frozenset("$*!\\~")
_STANDARD: Final = re.compile(r"[A-Z0-9]{5}")
_PROPRIETARY: Final = re.compile(r"P[A-Z0-9]{3,}")
_SUM: Final = re.compile(r"[0-9A-Fa-f]{2}")


def encode(sentence: Sentence, tag: str = "") -> bytes:
    """A sentence as a line, with the parameters of a TAG block before it; raises FrameError for one that can't be."""
    body = ",".join((sentence.talker + sentence.kind, *sentence.fields))
    line = f"{_tag_block(tag)}{sentence.start}{body}*{xor8(_ascii(body)):02X}\r\n"
    if any("," in field for field in sentence.fields) or decode(line[:-2].encode("ascii")) != sentence:
        raise FrameError(
            f"{sentence} can't be written, expected a talker, a kind and fields without reserved characters"
        )
    if len(line) - line.index(sentence.start) > MAX_SENTENCE:
        raise FrameError(f"{sentence.kind} of {len(line)} bytes, expected at most {MAX_SENTENCE}")
    return line.encode("ascii")


def decode(line: bytes) -> Sentence:
    """The sentence of a line without its line end; a TAG block before it is checked and dropped.

    Raises FrameError for a missing or wrong checksum, a wrong address, and a character that can't be there.
    """
    if len(line) > MAX_LINE:
        raise FrameError(f"{len(line)} bytes, expected at most {MAX_LINE}")
    text = _without_tag(_printable(line))
    if text[:1] not in ("$", "!"):
        raise FrameError(f"starts with {text[:1]!r}, expected '$' or '!'")
    address, *fields = _checked(text[1:]).split(",")
    if _PROPRIETARY.fullmatch(address):
        return Sentence("P", address[1:], tuple(fields), text[0])
    if not _STANDARD.fullmatch(address):
        raise FrameError(f"address {address!r}, expected two characters of a talker and three of a sentence")
    return Sentence(address[:2], address[2:], tuple(fields), text[0])


def split(line: bytes) -> tuple[bytes, bytes]:
    """What stands before the last sentence of a line, and that sentence with its TAG block.

    A sentence that lost its end runs into the next one; noise on the line stands before the next start.
    """
    start = max(line.rfind(b"$"), line.rfind(b"!"))
    if start < 0:
        return line, b""
    if line[start - 1 : start] == b"\\":
        start = max(line.rfind(b"\\", 0, start - 1), 0)
    return line[:start], line[start:]


def _printable(line: bytes) -> str:
    text = line.decode("latin-1")
    if not _BODY.fullmatch(text):
        odd = next(char for char in text if not " " <= char <= "~")
        raise FrameError(f"byte 0x{ord(odd):02X}, expected printable ASCII")
    return text


def _ascii(text: str) -> bytes:
    try:
        return text.encode("ascii")
    except UnicodeEncodeError as exc:
        raise FrameError(f"{text!r}, expected ASCII") from exc


def _checked(text: str) -> str:
    """What stands before the asterisk, when the two digits after it are its checksum."""
    body, star, digits = text.partition("*")
    if not star:
        raise FrameError("no checksum, expected '*' and two hexadecimal digits")
    if not _SUM.fullmatch(digits):
        raise FrameError(f"checksum {digits!r}, expected two hexadecimal digits at the end")
    if int(digits, 16) != xor8(body.encode("ascii")):
        raise FrameError(f"checksum {digits}, expected {xor8(body.encode('ascii')):02X}")
    if odd := _RESERVED.intersection(body):
        raise FrameError(f"reserved character {min(odd)!r} in a sentence, expected none")
    return body


def _tag_block(tag: str) -> str:
    return f"\\{tag}*{xor8(_ascii(tag)):02X}\\" if tag else ""


def _without_tag(text: str) -> str:
    if not text.startswith("\\"):
        return text
    tag, end, rest = text[1:].partition("\\")
    if not end:
        raise FrameError("TAG block without an end, expected a second backslash")
    _checked(tag)
    return rest
