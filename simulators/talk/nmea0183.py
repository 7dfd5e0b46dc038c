"""A talker of NMEA 0183: its sentences, one after the other, and nobody answers."""

from collections.abc import Iterator, Mapping
from typing import Final

from device_profiles.field_model import FieldPoint, FieldProfile
from device_profiles.fields import nmea0183
from edge_agent.drivers.nmea0183 import frames
from simulators.field_twin import FieldTwin
from simulators.talk.contract import Due, Message

_WEATHER: Final = "WI"
"""The talker where the gateway hears anyone."""
_TRANSDUCERS: Final = 2
"""In one sentence, so that it stays within its 82 bytes."""


class Nmea0183:
    """The devices' side."""

    def kind(self, point: FieldPoint) -> str:
        """The sentence, with its reference where it has one."""
        field = nmea0183.parse(point.field)
        return f"{field.sentence}/{field.reference}" if field.sentence == "MWV" else field.sentence

    def messages(self, due: Due, address: str, twin: FieldTwin, secret: str | None) -> Iterator[Message]:
        """One sentence; transducers in as many as they take."""
        values = {point.field: twin.at(point, due.time_ns) for point in due.points}
        talker = address if address.isalnum() else _WEATHER
        kind = due.kind.partition("/")[0]
        for part in _parts(kind, values):
            yield Message(frames.encode(frames.compose(talker, kind, part, time_ns=due.time_ns)))


def _parts(kind: str, values: Mapping[str, float]) -> Iterator[Mapping[str, float]]:
    if kind != "XDR":
        yield values
        return
    named = list(values.items())
    yield from (dict(named[at : at + _TRANSDUCERS]) for at in range(0, len(named), _TRANSDUCERS))


def of(_: FieldProfile) -> Nmea0183:
    """How a device speaks."""
    return Nmea0183()
