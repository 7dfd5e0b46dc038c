"""Devices that write lines of text: asked for one, or of their own accord."""

from collections.abc import Generator, Sequence
from functools import partial
from typing import Protocol

from device_profiles.fields.ascii_line import LineFormat
from edge_agent.drivers.ascii_line import frames
from edge_agent.drivers.ascii_line.frames import ANY, Codec
from edge_agent.drivers.contract import Ask, Event, FrameError, Numbers, Polled, Pushed, Refused, Report
from edge_agent.drivers.text import SHOWN, LineCutter


class Described(Protocol):
    """A profile that says what a line looks like."""

    @property
    def line(self) -> LineFormat | None:
        """The format of a line."""


def of(profile: Described) -> Polled | Pushed:
    """The protocol of a profile; raises ValueError for one without a line, or with one that makes no sense."""
    if profile.line is None:
        raise ValueError("no line, expected one with a pattern")
    codec = Codec.of(profile.line)
    return Streaming(codec) if profile.line.request is None else Asked(codec)


class Asked:
    """A device that answers a request with a line."""

    def __init__(self, codec: Codec) -> None:
        self._codec = codec

    def check_address(self, address: str) -> None:
        """Raises ValueError for what neither line nor request can carry."""
        frames.check_address(self._codec, address)

    def poll(self, address: str, fields: Sequence[str]) -> Generator[Ask, bytes, Numbers]:
        """One request, one line; a line that names another device is no answer."""
        request = frames.encode_request(self._codec, address)
        frame = yield Ask(request, partial(frames.size, self._codec), self._codec.longest)
        if not frame.endswith(self._codec.end):
            raise FrameError(f"line {frame[:SHOWN]!r}, expected {self._codec.end!r} at its end")
        reading = frames.decode(self._codec, frame.removesuffix(self._codec.end))
        if reading.address not in (None, address):
            raise FrameError(f"line of {reading.address!r}, expected one of {address!r}")
        return {field: reading.numbers[field] for field in fields if field in reading.numbers}


class Streaming:
    """A device that writes lines of its own accord."""

    def __init__(self, codec: Codec) -> None:
        self._codec = codec

    def check_address(self, address: str) -> None:
        """Raises ValueError for what the line can't carry; ``*`` where it carries none."""
        frames.check_address(self._codec, address)

    def session(self, secret: str | None = None) -> "LineSession":
        """A new line; raises ValueError for a secret, since no line can show one."""
        if secret is not None:
            raise ValueError("a secret, expected none: a line of text has no password")
        return LineSession(self._codec)


class LineSession:
    """The lines of one connection; an empty one means nothing."""

    def __init__(self, codec: Codec) -> None:
        self._codec = codec
        self._cutter = LineCutter(codec.end, codec.format.max_bytes)

    def receive(self, data: bytes, now_ns: int) -> list[Event]:
        """A report for each line that matches, a refusal for each other one."""
        return [event for line in self._cutter.feed(data) if line != b"" for event in self._take(line)]

    def _take(self, line: bytes | Refused) -> list[Event]:
        if isinstance(line, Refused):
            return [line]
        try:
            reading = frames.decode(self._codec, line)
        except FrameError as exc:
            return [Refused(str(exc), line[:SHOWN])]
        return [Report(reading.address or ANY, "line", reading.numbers)]
