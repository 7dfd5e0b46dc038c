"""A sensor that speaks SDI-12 1.4: it measures at once, and keeps the values until it is asked for them."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from device_profiles.field_model import FieldPoint, FieldProfile
from device_profiles.fields import sdi12
from device_profiles.fields.sdi12 import Kind, Sdi12Field
from edge_agent.drivers.sdi12 import frames
from edge_agent.drivers.sdi12.frames import Identity, Parameter, Started
from simulators.field_twin import FieldTwin

_IDENTITY: Final = Identity("1.4", "PETREL", "TWIN", "1")
_SILENT: Final = b""
_END: Final = b"!"
_CODES: Final = {
    "water_level": "HG",
    "water_temperature": "TW",
    "air_temperature": "TA",
    "soil_moisture": "MV",
    "soil_temperature": "TS",
    "conductivity": "WC",
    "rain": "PC",
}
"""Of SHEF, by quantity; others stay empty."""


@dataclass(frozen=True, slots=True)
class _Kept:
    """What was measured last: lines for aD0!, packets for aDB0!."""

    lines: tuple[bytes, ...] = ()
    packets: tuple[bytes, ...] = ()


class Sdi12:
    """The devices' side; what has been measured and not yet fetched is kept, by address."""

    def __init__(self) -> None:
        self._kept: dict[str, _Kept] = {}

    def asked(self, heard: bytes) -> str | None:
        """The sensor of a whole command; whoever is there for ``?!``."""
        return frames.decode_command(heard).address if heard.endswith(_END) else None

    def answer(self, heard: bytes, address: str, twin: FieldTwin, time_ns: int) -> bytes:
        """What a command brings; silence where a value is not to be had and the profile has no code for that."""
        body = frames.decode_command(heard).body
        if body == "":
            return frames.encode_acknowledge(address)
        if body == "I":
            return frames.encode_identity(address, _IDENTITY)
        if body.startswith("I"):
            return _describe(address, body.removeprefix("I"), twin)
        kept = self._kept.get(address, _Kept())
        if body.startswith("DB"):
            return _one(kept.packets, int(body[2:])) or frames.encode_packet(address, [])
        if body.startswith("D"):
            return _one(kept.lines, int(body[1:])) or frames.encode_values(address, [], crc=False)
        return self._measure(address, body, twin, time_ns)

    def _measure(self, address: str, body: str, twin: FieldTwin, time_ns: int) -> bytes:
        kind, number, crc = _measurement(body)
        placed = _placed(twin, kind, number)
        places = range(1, max(placed, default=0) + 1)
        values = [twin.at(placed[place], time_ns) if place in placed else 0.0 for place in places]
        if any(map(math.isnan, values)):
            return _SILENT
        if kind is Kind.CONTINUOUS:
            return frames.encode_values(address, values, crc=crc)
        if kind is Kind.HIGH_BINARY:
            self._kept[address] = _Kept(packets=tuple(frames.encode_packets(address, values)))
        else:
            most = frames.VALUES_AFTER_M if kind in (Kind.MEASURE, Kind.VERIFY) else frames.VALUES_AFTER_C
            limit = frames.PAGES_HIGH if kind.is_high else frames.PAGES
            lines = frames.encode_pages(address, values, crc=crc, most=most, limit=limit)
            self._kept[address] = _Kept(lines=tuple(lines))
        return frames.encode_started(address, Started(0, len(values)), frames.DIGITS[kind])


def _one(frames_: tuple[bytes, ...], at: int) -> bytes | None:
    return frames_[at] if at < len(frames_) else None


def _describe(address: str, body: str, twin: FieldTwin) -> bytes:
    """What a measurement, or one value of it, is: as aIM! and aIM_001! ask."""
    measurement, _, place = body.partition("_")
    kind, number, crc = _measurement(measurement)
    placed = _placed(twin, kind, number)
    if not place:
        return frames.encode_started(address, Started(0, max(placed, default=0)), frames.DIGITS[kind])
    point = placed.get(int(place))
    said = None if point is None else Parameter(_CODES.get(point.quantity, ""), _unit(point))
    return frames.encode_parameter(address, said, crc=crc)


def _unit(point: FieldPoint) -> str:
    """The unit of the number on the line; the profile has it only where it does not scale."""
    return point.unit if point.scale == 1.0 and not point.polynomial else ""


def _measurement(body: str) -> tuple[Kind, int, bool]:
    """Which measurement a command starts, and whether its values have a CRC."""
    field = sdi12.parse(f"{body}.1")
    return field.kind, field.number, field.crc


def _placed(twin: FieldTwin, kind: Kind, number: int) -> Mapping[int, FieldPoint]:
    """The points of a measurement by their place; between them stand zeros."""
    fields: list[tuple[Sdi12Field, FieldPoint]] = [
        (sdi12.parse(point.field), point) for point in twin.unit.profile.points
    ]
    return {field.place: point for field, point in fields if (field.kind, field.number) == (kind, number)}


def of(_: FieldProfile) -> Sdi12:
    """How a device speaks."""
    return Sdi12()
