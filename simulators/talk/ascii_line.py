"""A device that writes lines of text as its profile describes them, asked or of its own accord."""

import math
import re
from collections.abc import Iterator
from itertools import product
from typing import Final

from device_profiles import pattern
from device_profiles.field_model import FieldPoint, FieldProfile
from edge_agent.drivers.ascii_line import frames
from edge_agent.drivers.ascii_line.frames import ANY, Codec
from simulators.field_twin import FieldTwin
from simulators.talk.contract import Answering, Due, Message, Sending
from simulators.twin import UnfitValueError

_DECIMALS: Final = (3, 2, 1, 0, 4, 5, 6)
"""Tried in this order: as many as instruments usually print."""
_WIDTHS: Final = (0, *range(2, 13))
_SILENT: Final = b""
_LINE: Final = "line"


class _Lines:
    """Lines out of numbers."""

    def __init__(self, profile: FieldProfile) -> None:
        if profile.line is None:
            raise ValueError(f"{profile.name}: no line, expected one")
        self.codec = Codec.of(profile.line)
        named = {group.name: group for group, _ in pattern.groups(self.codec.node)}
        self._groups = {name: pattern.compiled(named[name].part) for name in self.codec.fields}

    def line(self, twin: FieldTwin, address: str, time_ns: int) -> bytes:
        """A line with all points of a device; nothing where one is not to be had and no text says that."""
        raw = {point.field: twin.at(point, time_ns) for point in twin.unit.profile.points}
        if any(map(math.isnan, raw.values())) and not self.codec.format.missing:
            return _SILENT
        texts = {name: self._text(name, regex, raw.get(name, 0.0)) for name, regex in self._groups.items()}
        return frames.encode(self.codec, texts, address)

    def _text(self, name: str, regex: re.Pattern[bytes], value: float) -> str:
        """A number in the first form that the pattern reads; a word where the profile has one for it."""
        line = self.codec.format
        candidates = [word for word, number in line.words.items() if number == value]
        if math.isnan(value):
            candidates = [*line.missing]
        else:
            for decimals, width in product(_DECIMALS, _WIDTHS):
                candidates.append(frames.encode_number(self.codec, value, decimals).zfill(width))
        for text in candidates:
            if regex.fullmatch(text.encode(line.encoding)):
                return text
        raise UnfitValueError(f"{name}: {value} in {regex.pattern!r}, expected a number that it reads")


class Asked:
    """Devices that answer a request with a line."""

    def __init__(self, lines: _Lines) -> None:
        self._lines = lines

    def asked(self, heard: bytes) -> str | None:
        """The device of a whole request."""
        return frames.decode_request(self._lines.codec, heard) if heard.endswith(self._end) else None

    @property
    def _end(self) -> bytes:
        return (self._lines.codec.format.request or "")[-1:].encode(self._lines.codec.format.encoding)

    def answer(self, heard: bytes, address: str, twin: FieldTwin, time_ns: int) -> bytes:
        """A line."""
        return self._lines.line(twin, address, time_ns)


class Streaming:
    """Devices that write lines of their own accord."""

    def __init__(self, lines: _Lines) -> None:
        self._lines = lines

    def kind(self, point: FieldPoint) -> str:
        """All points are in one line."""
        return _LINE

    def messages(self, due: Due, address: str, twin: FieldTwin, secret: str | None) -> Iterator[Message]:
        """A line, or silence."""
        if data := self._lines.line(twin, address or ANY, due.time_ns):
            yield Message(data)


def of(profile: FieldProfile) -> Answering | Sending:
    """How a device speaks."""
    lines = _Lines(profile)
    return Streaming(lines) if lines.codec.format.request is None else Asked(lines)
