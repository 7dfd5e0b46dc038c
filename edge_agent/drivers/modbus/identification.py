"""Read device identification (function 43, MEI type 14) as bytes, both ways and without I/O.

Source: MODBUS Application Protocol V1.1b3, 6.21, stream access. Whatever arrives is hostile until it has been decoded.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, NamedTuple

from edge_agent.drivers.contract import FrameError
from edge_agent.drivers.modbus.frames import MAX_RTU, ExceptionAnswerError

FUNCTION: Final = 43
_MEI: Final = 14
_EXCEPTION: Final = 0x80
_HEAD: Final = 7
"""Bytes of the PDU before the objects: function, MEI type, category, conformity, more, next object, objects."""
_MORE: Final = 0xFF
BASIC, REGULAR, EXTENDED = 1, 2, 3
"""Categories: objects 0 to 2, up to 6, and those from 0x80 on."""


@dataclass(frozen=True, slots=True)
class Identify:
    """Read the objects of a category from ``object`` on."""

    unit: int
    category: int
    object: int = 0


class Identification(NamedTuple):
    """Objects of an answer, and from which one to go on; None: that was all."""

    objects: Mapping[int, bytes]
    following: int | None


def category(number: int) -> int:
    """In which category an object is."""
    return BASIC if number < 3 else REGULAR if number < 7 else EXTENDED


def encode_request(request: Identify) -> bytes:
    """The PDU of a request."""
    return bytes((FUNCTION, _MEI, request.category, request.object))


def decode_request(unit: int, pdu: bytes) -> Identify:
    """The request in a PDU (for simulated devices); raises FrameError."""
    if len(pdu) != 4 or pdu[:2] != bytes((FUNCTION, _MEI)):
        raise FrameError(f"request {pdu[:8].hex(' ')}, expected 2b 0e, a category and an object")
    return Identify(unit, pdu[2], pdu[3])


def encode_answer(request: Identify, found: Identification) -> bytes:
    """The PDU that answers (for simulated devices)."""
    more, following = (0, 0) if found.following is None else (_MORE, found.following)
    head = bytes((FUNCTION, _MEI, request.category, request.category, more, following, len(found.objects)))
    return head + b"".join(bytes((number, len(text))) + text for number, text in found.objects.items())


def decode_answer(request: Identify, pdu: bytes) -> Identification:
    """What the answer to this request says.

    Raises ExceptionAnswerError when the device refused, FrameError when it is no answer to this request.
    """
    if len(pdu) == 2 and pdu[0] == FUNCTION | _EXCEPTION:
        raise ExceptionAnswerError(pdu[1])
    if len(pdu) < _HEAD or pdu[:3] != bytes((FUNCTION, _MEI, request.category)):
        raise FrameError(f"answer {pdu[:8].hex(' ')}, expected 2b 0e {request.category:02x} and what follows")
    more, following = pdu[4], pdu[5]
    if more not in (0, _MORE) or (more and following <= request.object):
        raise FrameError(f"answer {pdu[:8].hex(' ')}, expected 00 for the last, or ff and a later object")
    return Identification(_objects(pdu), following if more else None)


def _objects(pdu: bytes) -> Mapping[int, bytes]:
    found, at = dict[int, bytes](), _HEAD
    for _ in range(pdu[_HEAD - 1]):
        if at + 2 > len(pdu) or at + 2 + pdu[at + 1] > len(pdu):
            raise FrameError(f"identification of {len(pdu)} bytes, expected {pdu[_HEAD - 1]} whole objects")
        found[pdu[at]] = pdu[at + 2 : at + 2 + pdu[at + 1]]
        at += 2 + pdu[at + 1]
    if at != len(pdu):
        raise FrameError(f"identification of {len(pdu)} bytes, expected {at} for its {pdu[_HEAD - 1]} objects")
    return found


def rtu_answer_size(start: bytes) -> int | None:
    """Bytes of the serial frame that starts so, None while that can't be told; raises FrameError for no such frame."""
    if len(start) >= 2 and start[1] == FUNCTION | _EXCEPTION:
        return 5
    if len(start) >= 2 and start[1] != FUNCTION:
        raise FrameError(f"answer {start[:4].hex(' ')}, expected function {FUNCTION}")
    at = 1 + _HEAD
    if len(start) < at:
        return None
    for _ in range(start[_HEAD]):
        if len(start) < at + 2:
            return None
        at += 2 + start[at + 1]
        if at + 2 > MAX_RTU:
            raise FrameError(f"identification of {at + 2} bytes or more, expected at most {MAX_RTU}")
    return at + 2
