"""A fire alarm transmitter that speaks GB/T 26875.3-2011: it uploads objects, and each packet is confirmed."""

import math
from collections.abc import Iterator, Mapping
from functools import partial
from typing import Final

from device_profiles.field_model import FieldPoint, FieldProfile
from device_profiles.fields import gb26875
from device_profiles.fields.gb26875 import ANALOGS, BITS, STATE, Gb26875Field
from edge_agent.drivers.gb26875 import frames
from edge_agent.drivers.gb26875.frames import Command, Item, Packet
from simulators.field_twin import FieldTwin
from simulators.talk.contract import Due, Message

_CENTRE: Final = 1
_KIND: Final = 0
"""Of a component: general, since profiles name none."""
_OPERATOR: Final = 1


class Gb26875:
    """The devices' side."""

    def kind(self, point: FieldPoint) -> str:
        """The object: all that a profile says of one component is one object."""
        field = gb26875.parse(point.field)
        return point.field if field.kind == "analog" else str(field._replace(part=STATE))

    def messages(self, due: Due, address: str, twin: FieldTwin, secret: str | None) -> Iterator[Message]:
        """One packet with one object; none for an analog value that is not to be had, since no packet can say so."""
        field = gb26875.parse(due.kind)
        raw = {gb26875.parse(point.field).part: twin.at(point, due.time_ns) for point in due.points}
        if any(math.isnan(value) for value in raw.values()):
            return
        unit = frames.encode_unit([_item(field, raw, due.time_ns)])
        source = frames.read_address(address)
        packet = Packet(twin.serial(0x10000), Command.UPLOAD, source, _CENTRE, unit, due.time_ns)
        yield Message(frames.encode(packet), partial(_is_confirmed, packet))


def _item(field: Gb26875Field, raw: Mapping[str, float], time_ns: int) -> Item:
    system_type, system = field.system or (0, 0)
    zone, number = field.component or (0, 0)
    if field.kind == "analog":
        ((name, value),) = raw.items()
        code = ANALOGS.index(name) + 1 if name in ANALOGS else int(name)
        return frames.Analog(system_type, system, _KIND, zone, number, code, round(value), time_ns)
    state = _state(BITS[field.kind], raw)
    if field.kind == "component":
        return frames.ComponentState(system_type, system, _KIND, zone, number, state, "", time_ns)
    if field.kind == "system":
        return frames.SystemState(system_type, system, state, time_ns)
    if field.kind == "operation":
        return frames.SystemOperation(system_type, system, state, _OPERATOR, time_ns)
    if field.kind == "transmitter":
        return frames.TransmitterState(state, time_ns)
    return frames.TransmitterOperation(state, _OPERATOR, time_ns)


def _state(bits: tuple[str, ...], raw: Mapping[str, float]) -> int:
    named = sum(bool(raw.get(bit, 0.0)) << at for at, bit in enumerate(bits))
    return named | int(raw.get(STATE, 0.0))


def _is_confirmed(sent: Packet, heard: bytes) -> bool:
    length = frames.size(heard)
    if length is None or length > len(heard):
        return False
    answer = frames.decode(heard[:length])
    return (answer.serial, answer.command) == (sent.serial, Command.CONFIRM) or _is_confirmed(sent, heard[length:])


def of(_: FieldProfile) -> Gb26875:
    """How a device speaks."""
    return Gb26875()
