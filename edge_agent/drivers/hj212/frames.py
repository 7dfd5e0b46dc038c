"""HJ 212 messages as bytes, both ways and without I/O: ``##`` length, data segment, CRC, CR LF.

Source: HJ 212-2017, 6.3.1 (packet), 6.3.2 (data segment), 6.6.5 (command numbers), annex A (CRC), appendix C
(examples), and what public sources that quote HJ 212-2025 agree on: 6.3.2, 6.3.3, table 3, annex A.1, appendix C.
Which is which stands in docs/reference/protocols/hj212.md. Whatever arrives is hostile until it has been decoded:
``decode`` raises FrameError and nothing else.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from enum import IntEnum
from typing import Final

from edge_agent.drivers import beijing
from edge_agent.drivers.contract import FrameError
from edge_agent.drivers.hj212.data import Data as Data
from edge_agent.drivers.hj212.data import encode as encode_data
from edge_agent.drivers.modbus.frames import crc16
from edge_agent.drivers.stream import Splitter

REQUEST_ANSWER, RESULT, NOTICE_ANSWER, DATA_ANSWER, HEARTBEAT = "9011", "9012", "9013", "9014", "9015"
"""Command numbers of the answers and of the heartbeat; those of data stand in ``device_profiles.fields.hj212``."""
INTERACTION: Final = "91"
"""System number (ST) of answers."""
READY, DONE = "QnRtn=1", "ExeRtn=1"
"""Data parts of a 9011 that will do what was asked, and of a 9012 that has done it (tables 6 and 7)."""
MAX_SEGMENT: Final = 1024
MAX_DATA: Final = 943
"""Characters between the ``&&``: 950 with ``CP=&&`` and ``&&``."""
LONGEST: Final = 2 + 4 + MAX_SEGMENT + 4 + 2
_HEAD, _TAIL = 6, 6
_ANSWER_BIT, _PACKAGE_BIT, _VERSION_SHIFT = 1, 2, 2
_QN_DIGITS: Final = 17
_DATA: Final = "CP=&&"
_DATA_END: Final = "&&"
_START: Final = re.compile(rb"(?=##(?:0\d{3}|10[01]\d|102[0-4]))")
_FIELDS: Final[Mapping[str, re.Pattern[str]]] = {
    name: re.compile(pattern, re.ASCII)
    for name, pattern in {
        "QN": r"\d{17}",
        "ST": r"[0-9A-Z]{2}",
        "CN": r"\d{4}",
        "PW": r"[!-%'-:<>-~]{0,6}",
        "MN": r"[0-9A-Za-z_-]{1,24}",
        "Flag": r"\d{1,3}",
        "PNUM": r"\d{1,4}",
        "PNO": r"\d{1,4}",
        "RF": r"1",
    }.items()
}
_FIXED: Final = ("QN", "ST", "CN", "PW", "MN", "Flag")
_ENCRYPTED: Final = b"CP=&&{"
_PRINTABLE: Final = re.compile(r"[ -~]*", re.ASCII)


class Edition(IntEnum):
    """The edition of the standard, as every message says it in its Flag."""

    HJ212_2017 = 1
    HJ212_2025 = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """One message, or one package of one. ``package`` is (how many, which one); ``data`` what stands between ``&&``."""

    qn: str
    """17 digits: the moment of the request or upload, by which an answer names it."""
    st: str
    cn: str
    pw: str
    mn: str
    edition: Edition = Edition.HJ212_2017
    wants_answer: bool = False
    package: tuple[int, int] | None = None
    resent: bool = False
    """Sent later than its time (RF=1; edition 2025 only)."""
    data: str = ""


def crc(data: bytes) -> int:
    """The check of annex A: not CRC-16/MODBUS, since each byte meets the high half of the register alone."""
    value = 0xFFFF
    for byte in data:
        value = _SHIFTED[(value >> 8) ^ byte]
    return value


# Both checks shift a byte eight times over the same polynomial; that of one byte by Modbus has it in it.
_SHIFTED: Final = tuple(crc16(bytes((byte ^ 0xFF,))) ^ 0xFF for byte in range(256))


def encode(message: Message) -> bytes:
    """A message as it goes over the line; raises FrameError for one that decode would refuse."""
    flag = message.edition << _VERSION_SHIFT | (_PACKAGE_BIT if message.package else 0) | message.wants_answer
    fields = dict(
        zip(_FIXED, (message.qn, message.st, message.cn, message.pw, message.mn, str(flag)), strict=True),
    )
    if message.package is not None:
        fields["PNUM"], fields["PNO"] = map(str, message.package)
    if message.resent:
        fields["RF"] = "1"
    head = "".join(f"{name}={value};" for name, value in fields.items())
    try:
        segment = f"{head}{_DATA}{message.data}{_DATA_END}".encode("ascii")
    except UnicodeEncodeError as exc:
        raise FrameError(f"message with {exc.object[exc.start]!r}, expected ASCII") from exc
    frame = b"##%04d%b%04X\r\n" % (len(segment), segment, crc(segment))
    if decode(frame) != message:
        raise FrameError(f"message CN={message.cn} of {message.mn}, expected one that survives encoding")
    return frame


def decode(frame: bytes) -> Message:
    """The message in a whole frame; raises FrameError."""
    segment = _open(frame)
    head, separator, rest = segment.partition(_DATA)
    if not separator or not rest.endswith(_DATA_END) or _DATA_END in rest[:-2]:
        raise FrameError(f"data segment {segment[-40:]!r}, expected CP=&&...&& at its end")
    if not _PRINTABLE.fullmatch(rest):
        raise FrameError("data part with control characters, expected printable ASCII")
    return _message(_fields(head), rest[:-2])


def _open(frame: bytes) -> str:
    """The data segment of a frame whose length, check and end are right."""
    if _ENCRYPTED in frame:
        raise FrameError("data part is encrypted (SM4), expected it plain: switch encryption off for this line")
    if not _START.match(frame) or frame[-2:] != b"\r\n":
        raise FrameError(f"frame {frame[:8]!r} to {frame[-8:]!r}, expected ## with 4 digits to CR LF")
    length = int(frame[2:_HEAD])
    if len(frame) != _HEAD + length + _TAIL:
        raise FrameError(f"data segment of {len(frame) - _HEAD - _TAIL} characters, expected {length} as it says")
    segment, found = frame[_HEAD:-_TAIL], frame[-_TAIL:-2]
    expected = b"%04X" % crc(segment)
    if found.upper() != expected:
        raise FrameError(f"CRC {found!r}, expected {expected!r}")
    try:
        return segment.decode("ascii")
    except UnicodeDecodeError as exc:
        raise FrameError(f"byte {segment[exc.start]:02x} in the data segment, expected ASCII") from exc


def _fields(head: str) -> dict[str, str]:
    """The fields before CP, each in its place."""
    if not head.endswith(";"):
        raise FrameError(f"data segment {head[-20:]!r} before CP, expected a semicolon")
    fields: dict[str, str] = {}
    for part in head[:-1].split(";"):
        name, _, value = part.partition("=")
        pattern = _FIELDS.get(name)
        if pattern is None or name in fields or not pattern.fullmatch(value):
            expected = f"{name}={pattern.pattern} once" if pattern else f"one of {', '.join(_FIELDS)}"
            raise FrameError(f"field {'PW' if name == 'PW' else part[:40]!r}, expected {expected}")
        fields[name] = value
    if list(fields) != [name for name in _FIELDS if name in fields] or any(name not in fields for name in _FIXED):
        raise FrameError(f"fields {', '.join(fields)}; expected {', '.join(_FIXED)}, then PNUM and PNO, then RF")
    return fields


def _message(fields: Mapping[str, str], data: str) -> Message:
    flag = int(fields["Flag"])
    edition = flag >> _VERSION_SHIFT
    if edition not in set(Edition):
        raise FrameError(f"Flag={flag} is of edition {edition}, expected 1 (2017) or 2 (2025)")
    if "RF" in fields and edition != Edition.HJ212_2025:
        raise FrameError("RF in a message of edition 2017, expected none")
    beijing.to_utc_ns(fields["QN"])
    return Message(
        qn=fields["QN"],
        st=fields["ST"],
        cn=fields["CN"],
        pw=fields["PW"],
        mn=fields["MN"],
        edition=Edition(edition),
        wants_answer=bool(flag & _ANSWER_BIT),
        package=_package(fields, has_package=bool(flag & _PACKAGE_BIT)),
        resent="RF" in fields,
        data=data,
    )


def _package(fields: Mapping[str, str], *, has_package: bool) -> tuple[int, int] | None:
    if ("PNUM" in fields, "PNO" in fields) != (has_package, has_package):
        raise FrameError(f"Flag={fields['Flag']} with {', '.join(fields)}; expected PNUM and PNO if bit 1 of it is set")
    if not has_package:
        return None
    total, number = int(fields["PNUM"]), int(fields["PNO"])
    if not 1 <= number <= total:
        raise FrameError(f"PNO={number} of PNUM={total}, expected 1 to PNUM")
    return total, number


def size(start: bytes) -> int | None:
    """Bytes of the frame that starts so: to its CR LF, or as many as its length says if none comes; None for more."""
    if len(start) < _HEAD:
        return None
    length = _HEAD + int(start[2:_HEAD]) + _TAIL
    end = start.find(b"\r\n", _HEAD, length)
    if end >= 0:
        return end + 2
    return length if len(start) >= length else None


def splitter() -> Splitter[Message]:
    """What cuts a stream into messages; holds less than ``LONGEST`` bytes."""
    return Splitter(_START, _HEAD, size, decode)


def answer(message: Message, cn: str = DATA_ANSWER, data: str = "") -> Message:
    """The answer to a message or to one package of it: 9014 for data, 9013 for a notice, 9011 and 9012 for requests."""
    return replace(message, st=INTERACTION, cn=cn, wants_answer=False, resent=False, data=data)


def upload(message: Message, data: Data) -> Iterator[Message]:
    """The messages that carry some data (for simulated devices): one, or packages of whole items; raises FrameError."""
    time, *groups = encode_data(data).split(";")
    parts = [time]
    for group in groups:
        if len(parts[-1]) + 1 + len(group) > _room(message):
            parts.append(time)
        parts[-1] += ";" + group
    for number, part in enumerate(parts, 1):
        yield replace(message, data=part, package=(len(parts), number) if len(parts) > 1 else None)


def _room(message: Message) -> int:
    """Characters of data that a package of this message can carry."""
    probe = encode(replace(message, data="", package=(9999, 9999)))
    return min(MAX_DATA, MAX_SEGMENT - (len(probe) - _HEAD - _TAIL))


def now(time_ns: int) -> str:
    """A moment as a QN."""
    return beijing.from_utc_ns(time_ns, _QN_DIGITS)
