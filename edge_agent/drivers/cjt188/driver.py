"""Conversations with CJ/T 188 meters: one request brings the whole reading."""

from collections.abc import Generator, Sequence
from typing import Final

from device_profiles.fields import cjt188
from device_profiles.fields.cjt188 import Cjt188Field
from edge_agent.drivers.cjt188 import frames
from edge_agent.drivers.cjt188.frames import ENVELOPE, Address, Find, Read, Reading
from edge_agent.drivers.contract import Ask, Conversation, FrameError, Number
from telemetry.clock import SECOND_NS
from telemetry.quality import Cause, Quality

_PREAMBLE: Final = 4
_HEAD: Final = 3
"""Identifier and serial number before the reading."""
_NONE: Final = Number(float("nan"), Quality.MISSING, Cause.DEVICE)


class Cjt188:
    """CJ/T 188-2004 on a line that meters share."""

    def check_address(self, address: str) -> None:
        """Raises ValueError for anything but a type and 14 digits such as ``10:78330011223344``."""
        frames.parse_address(address)

    def poll(self, address: str, fields: Sequence[str]) -> Conversation:
        """The reading, once for each order of its identifier's bytes that the fields name.

        While the meter says that its battery is low, every number is SUSPECT; one that it fills with FF is MISSING.
        """
        wanted = {field: cjt188.parse(field) for field in fields}
        meter = frames.parse_address(address)
        numbers: dict[str, Number] = {}
        for identifier in dict.fromkeys(part.identifier for part in wanted.values()):
            reading = yield from _read(meter, identifier)
            parts = {field: part for field, part in wanted.items() if part.identifier == identifier}
            numbers |= {
                field: number for field, part in parts.items() if (number := _number(part, reading)) is not None
            }
        return numbers


PROTOCOL: Final = Cjt188()


def find(identifier: str = "810A") -> Generator[Ask, bytes, str]:
    """The address of the only meter on a line (03h)."""
    request = frames.encode(Find(identifier), _PREAMBLE)
    return str(frames.decode_found((yield Ask(request, ENVELOPE.size, ENVELOPE.longest(_HEAD)))))


def _read(meter: Address, identifier: str) -> Generator[Ask, bytes, Reading]:
    request = Read(meter, identifier)
    answer = yield Ask(frames.encode(request, _PREAMBLE), ENVELOPE.size, ENVELOPE.longest())
    return frames.decode_reading(meter.type, frames.decode_data(request, answer))


def _number(field: Cjt188Field, reading: Reading) -> Number | None:
    """The number of a field; None where this type of meter has none such. Raises FrameError."""
    value = _value(field, reading)
    if value is None:
        return _NONE if field.name in reading.quantities or field.name == "clock" else None
    if reading.status.battery_low and field.name not in ("valve", "battery"):
        return Number(value, Quality.SUSPECT, Cause.DEVICE)
    return Number(value)


def _value(field: Cjt188Field, reading: Reading) -> float | None:
    match field.name:
        case "clock":
            return None if reading.time_ns is None else reading.time_ns / SECOND_NS
        case "valve":
            return float(reading.status.valve)
        case "battery":
            return float(reading.status.battery_low)
    quantity = reading.quantities.get(field.name)
    if quantity is None or quantity.value is None:
        return None
    if field.unit is None or quantity.code is None:
        return float(quantity.value)
    try:
        return cjt188.convert(quantity.value, quantity.code, field.unit)
    except ValueError as exc:
        raise FrameError(f"{field.name} with {exc}") from exc
