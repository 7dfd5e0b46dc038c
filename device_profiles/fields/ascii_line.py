"""Numbers of a line of text, by the named groups of a pattern: a device without a protocol of its own.

A field is the name of a group::

    line:
      pattern: 'LEVEL=\\s*(?P<level>[-\\d.]+) m T=(?P<water_temperature>[-\\d.]+)'
      missing: ['----']
    points:
      - field: level

Three names are not numbers: ``address`` is what the device calls itself, ``checked`` what the checksum covers, and
``checksum`` its hexadecimal digits. The language of patterns stands in ``device_profiles.pattern``.
"""

import re
from collections.abc import Mapping
from typing import Final, Literal, NamedTuple

import msgspec

from device_profiles.pattern import Group, Node, groups, shortest
from device_profiles.pattern_reader import read

ADDRESS, CHECKED, CHECKSUM = "address", "checked", "checksum"
SPECIAL: Final = (ADDRESS, CHECKED, CHECKSUM)
PLACE: Final = "{address}"
"""Where a request carries the address of the device that is asked."""
MAX_LINE: Final = 1024
_NAME: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,31}")
_MAX_END: Final = 4


class AsciiField(NamedTuple):
    """The named group whose text is the number."""

    group: str


class LineFormat(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How a device writes a line, and how it is asked for one; without ``request`` it sends of its own accord.

    ``missing`` are texts that mean "no reading", ``words`` texts that stand for numbers (``{OPEN: 1, SHUT: 0}``).
    """

    pattern: str
    """Stands for the whole line without its terminator."""
    terminator: str = "\r\n"
    request: str | None = None
    r"""What to send, its own terminator included; ``{address}`` is where the device's goes: ``#{address}\r``."""
    encoding: Literal["ascii", "latin-1", "utf-8", "gb18030"] = "ascii"
    max_bytes: int = 256
    """Bytes of a line at most."""
    checksum: Literal["none", "xor8", "sum8", "crc16-modbus"] = "none"
    """Of the bytes of group ``checked``; its hexadecimal digits stand in group ``checksum``."""
    checksum_order: Literal["high", "low"] = "high"
    """Which byte of a CRC comes first."""
    decimal: Literal[".", ","] = "."
    missing: tuple[str, ...] = ()
    words: dict[str, float] = {}


def parse(text: str) -> AsciiField:
    """Read a field; raises ValueError. Whether the pattern has it is told by ``fields`` of the format."""
    if not _NAME.fullmatch(text) or text in SPECIAL:
        raise ValueError(f"{text!r} is no field, expected the name of a group, other than {', '.join(SPECIAL)}")
    return AsciiField(text)


def fields(line: LineFormat) -> tuple[str, ...]:
    """The fields of a line, in order; raises ValueError for a format that makes no sense."""
    return tuple(group.name for group, _ in groups(check(line)) if group.name not in SPECIAL)


def check(line: LineFormat) -> Node:
    """The parts of the pattern, once the whole format makes sense; raises ValueError at the first mistake."""
    if not 1 <= line.max_bytes <= MAX_LINE:
        raise ValueError(f"max_bytes {line.max_bytes}, expected 1 to {MAX_LINE}")
    if not 1 <= len(_encoded(line, "terminator", line.terminator)) <= _MAX_END:
        raise ValueError(f"terminator {line.terminator!r}, expected 1 to {_MAX_END} bytes")
    if line.request is not None and not 1 <= len(_encoded(line, "request", line.request)) <= line.max_bytes:
        raise ValueError(f"request {line.request!r}, expected 1 to {line.max_bytes} bytes")
    node = read(line.pattern, line.encoding)
    if shortest(node) > line.max_bytes:
        raise ValueError(f"pattern of at least {shortest(node)} bytes, expected at most max_bytes {line.max_bytes}")
    names = {group.name: group for group, _ in groups(node)}
    if not set(names) - set(SPECIAL):
        raise ValueError("no group for a number in the pattern, expected (?P<name>...)")
    _check_sum(line, names)
    _check_texts(line)
    return node


def _check_sum(line: LineFormat, names: Mapping[str, Group]) -> None:
    has = [name for name in (CHECKED, CHECKSUM) if name in names]
    if line.checksum == "none" and has:
        raise ValueError(f"group {has[0]!r} without a checksum, expected checksum: xor8, sum8 or crc16-modbus")
    if line.checksum != "none" and len(has) < 2:
        raise ValueError(f"checksum {line.checksum}, expected groups 'checked' and 'checksum' in the pattern")
    if has and any(group.name == CHECKSUM for group, _ in groups(names[CHECKED])):
        raise ValueError("group 'checksum' inside of group 'checked', expected it outside")


def _check_texts(line: LineFormat) -> None:
    for text in (*line.missing, *line.words):
        if text != text.strip() or not text:
            raise ValueError(f"text {text!r}, expected one without blanks around it")
        _encoded(line, "text", text)
    if both := sorted(set(line.missing) & set(line.words)):
        raise ValueError(f"{both[0]!r} among missing and words, expected it in one of them")


def _encoded(line: LineFormat, what: str, text: str) -> bytes:
    try:
        return text.encode(line.encoding)
    except UnicodeEncodeError as exc:
        raise ValueError(f"{what} {text!r}, expected characters of {line.encoding}") from exc
