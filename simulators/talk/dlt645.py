"""An electricity meter that speaks DL/T 645-2007."""

import math
from collections.abc import Sequence
from typing import Final

from device_profiles.field_model import FieldPoint, FieldProfile
from device_profiles.fields import dlt645
from edge_agent.drivers.dlt645 import frames
from edge_agent.drivers.dlt645.frames import ENVELOPE, Data, Find, Found, Read, Reason, Refused, Seek
from simulators.field_twin import FieldTwin
from simulators.talk.contract import ANYONE

_PREAMBLE: Final = 4
_READ: Final = 0x11


class Dlt645:
    """The devices' side."""

    def asked(self, heard: bytes) -> str | None:
        """The meter of a whole request to read; whoever is there for the search."""
        size = ENVELOPE.size(heard)
        if size is None or size > len(heard):
            return None
        match message := frames.decode(heard[:size]):
            case Find():
                return ANYONE
            case Seek():
                return f"{ANYONE}{message.ending}"
            case Read():
                return message.address
        raise ValueError(f"{message}, expected a request to read")

    def answer(self, heard: bytes, address: str, twin: FieldTwin, time_ns: int) -> bytes:
        """The data of an identifier, FF where there is no number; a refusal of one that the profile does not have."""
        request = frames.decode(heard)
        if not isinstance(request, Read | Seek):
            return frames.encode(Found(address), _PREAMBLE)
        points = [p for p in twin.unit.profile.points if dlt645.parse(p.field).identifier == request.identifier]
        if not points:
            return frames.encode(Refused(address, _READ, Reason.NO_SUCH_DATA), _PREAMBLE)
        return frames.encode(Data(address, request.identifier, _data(points, twin, time_ns)), _PREAMBLE)


def _data(points: Sequence[FieldPoint], twin: FieldTwin, time_ns: int) -> bytes:
    """The numbers at their places; zeros where the profile names none."""
    fields = [dlt645.parse(point.field) for point in points]
    data = bytearray(max((field.at or 0) + field.format.size for field in fields))
    for point, field in zip(points, fields, strict=True):
        value = twin.at(point, time_ns)
        place = field.at or 0
        written = frames.encode_number(None if math.isnan(value) else value, field.format)
        data[place : place + field.format.size] = written
    return bytes(data)


def of(_: FieldProfile) -> Dlt645:
    """How a device speaks."""
    return Dlt645()
