"""What goes over a wire, told to whoever asks: the one hook for tools. Where nobody asks, none of this runs."""

from collections.abc import Callable
from enum import StrEnum

from edge_agent.lines.wire import Ears, Wire


class Way(StrEnum):
    """Which way bytes went, as the gateway sees it."""

    OUT = "out"
    IN = "in"


Trace = Callable[[Way, bytes], None]
"""Told of all bytes as they come and go; it must return at once and not raise."""


class TracedWire:
    """A wire that tells of everything on it."""

    def __init__(self, wire: Wire, trace: Trace) -> None:
        self.name, self.character_s, self.silence_s = wire.name, wire.character_s, wire.silence_s
        self._wire, self._trace = wire, trace

    @property
    def is_open(self) -> bool:
        """Whether bytes can be sent."""
        return self._wire.is_open

    async def open(self, ears: Ears, timeout_s: float) -> None:
        """Make it ready; raises LineDownError."""

        def heard(data: bytes) -> None:
            self._trace(Way.IN, data)
            ears.heard(data)

        await self._wire.open(Ears(heard, ears.lost), timeout_s)

    def send(self, data: bytes) -> None:
        """Hand bytes over."""
        self._trace(Way.OUT, data)
        self._wire.send(data)

    def close(self) -> None:
        """Let go of it."""
        self._wire.close()
