"""A water, heat or gas meter that speaks CJ/T 188-2004."""

import math
from fractions import Fraction
from typing import Final

from device_profiles.field_model import FieldPoint, FieldProfile
from device_profiles.fields import cjt188
from device_profiles.fields.cjt188 import UNITS, Dimension
from edge_agent.drivers.cjt188 import frames
from edge_agent.drivers.cjt188.frames import ENVELOPE, Data, Find, Found, Item, Quantity, Read, Reading, Status
from simulators.field_twin import FieldTwin
from simulators.talk.contract import ANYONE

_PREAMBLE: Final = 2
_DEFAULTS: Final = {
    Dimension.VOLUME: UNITS["m3"].code,
    Dimension.ENERGY: UNITS["kWh"].code,
    Dimension.POWER: UNITS["kW"].code,
    Dimension.FLOW: UNITS["m3/h"].code,
}
_SILENT: Final = b""


class Cjt188:
    """The devices' side."""

    def asked(self, heard: bytes) -> str | None:
        """The meter of a whole request to read; whoever is there for the search."""
        size = ENVELOPE.size(heard)
        if size is None or size > len(heard):
            return None
        match message := frames.decode(heard[:size]):
            case Find():
                return ANYONE
            case Read():
                return str(message.address)
        raise ValueError(f"{message}, expected a request to read")

    def answer(self, heard: bytes, address: str, twin: FieldTwin, time_ns: int) -> bytes:
        """The reading; silence for an identifier that the profile does not name, and for a state that nobody knows."""
        request, meter = frames.decode(heard), frames.parse_address(address)
        if isinstance(request, Find):
            return frames.encode(Found(meter), _PREAMBLE)
        points = {
            field.name: point
            for point in twin.unit.profile.points
            if (field := cjt188.parse(point.field)).identifier == getattr(request, "identifier", "")
        }
        if not isinstance(request, Read) or not points:
            return _SILENT
        raw = {name: twin.at(point, time_ns) for name, point in points.items()}
        if any(math.isnan(raw.get(state, 0.0)) for state in ("valve", "battery")):
            return _SILENT
        quantities = {item.name: _quantity(item, points, raw) for item in frames.layout(meter.type)}
        status = Status(int(raw.get("valve", 0.0)), bool(raw.get("battery", 0.0)))
        data = frames.encode_reading(meter.type, Reading(quantities, time_ns, status))
        return frames.encode(Data(meter, request.identifier, data, request.serial), _PREAMBLE)


def _quantity(item: Item, points: dict[str, FieldPoint], raw: dict[str, float]) -> Quantity:
    """A number rounded to the decimals of its place; none (FF) where the profile names none or there is none."""
    code = None if item.dimension is None else _DEFAULTS[item.dimension]
    if item.name not in points:
        return Quantity(None, code)
    unit = cjt188.parse(points[item.name].field).unit
    code = code if unit is None else UNITS[unit].code
    value = raw[item.name]
    if math.isnan(value):
        return Quantity(None, code)
    return Quantity(Fraction(round(value * 10**item.decimals), 10**item.decimals), code)


def of(_: FieldProfile) -> Cjt188:
    """How a device speaks."""
    return Cjt188()
