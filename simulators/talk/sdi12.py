"""A sensor that speaks SDI-12 1.4: it measures at once, and keeps the values until it is asked for them."""

import math
from collections.abc import Sequence
from typing import Final

from device_profiles.field_model import FieldPoint, FieldProfile
from device_profiles.fields import sdi12
from device_profiles.fields.sdi12 import Kind
from edge_agent.drivers.sdi12 import frames
from edge_agent.drivers.sdi12.frames import Identity, Started
from simulators.field_twin import FieldTwin

_IDENTITY: Final = Identity("1.4", "PETREL", "TWIN", "1")
_SILENT: Final = b""
_END: Final = b"!"


class Sdi12:
    """The devices' side; what has been measured and not yet fetched is kept, by address."""

    def __init__(self) -> None:
        self._pages: dict[str, list[bytes]] = {}

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
        if body.startswith("D"):
            return self._fetch(address, int(body[1]))
        return self._measure(address, body, twin, time_ns)

    def _fetch(self, address: str, page: int) -> bytes:
        pages = self._pages.get(address, [])
        return pages[page] if page < len(pages) else frames.encode_values(address, [], crc=False)

    def _measure(self, address: str, body: str, twin: FieldTwin, time_ns: int) -> bytes:
        kind, crc, number = Kind(body[0]), "C" in body[1:], int(body[-1]) if body[-1].isdecimal() else 0
        values = _values(twin, (kind, number), time_ns)
        if any(map(math.isnan, values)):
            return _SILENT
        if kind is Kind.CONTINUOUS:
            return frames.encode_values(address, values, crc=crc)
        concurrent = kind is Kind.CONCURRENT
        most = frames.VALUES_AFTER_C if concurrent else frames.VALUES_AFTER_M
        self._pages[address] = frames.encode_pages(address, values, crc=crc, most=most)
        return frames.encode_started(address, Started(0, len(values)), concurrent=concurrent)


def _values(twin: FieldTwin, measurement: tuple[Kind, int], time_ns: int) -> Sequence[float]:
    """The values of a measurement in their order; zeros at places that the profile does not name."""
    placed: dict[int, FieldPoint] = {}
    for point in twin.unit.profile.points:
        field = sdi12.parse(point.field)
        if (field.kind, field.number) == measurement:
            placed[field.place] = point
    places = range(1, max(placed, default=0) + 1)
    return [twin.at(placed[place], time_ns) if place in placed else 0.0 for place in places]


def of(_: FieldProfile) -> Sdi12:
    """How a device speaks."""
    return Sdi12()
