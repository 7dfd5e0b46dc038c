"""How what a simulated device says of its own accord reaches a gateway, and how it knows that it was taken.

On a connection it waits for the protocol's confirmation. On a line nobody answers: there it waits until somebody has
read what it sent.
"""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from typing import Final, Protocol

from simulators.pty import SerialLine
from simulators.talk.contract import Message

_MOST_HEARD: Final = 4096
_REACH_S: Final = 30.0
"""Real seconds for which a device tries to reach a gateway that is not there yet."""
_GLANCE_S: Final = 0.002


class Way(Protocol):
    """How what a device says reaches a gateway."""

    async def deliver(self, message: Message, data: bytes) -> bool:
        """Send ``data``, which is what became of the message; whether it was taken."""

    def close(self) -> None:
        """Let go."""


class Call:
    """A connection that a device opens and keeps."""

    def __init__(self, host: str, port: int, patience_s: float) -> None:
        self._host, self._port, self._patience_s = host, port, patience_s
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def deliver(self, message: Message, data: bytes) -> bool:
        """Wait for the confirmation; a gateway that hangs up is called again the next time."""
        try:
            async with asyncio.timeout(_REACH_S):
                reader, writer = self._streams or await self._connect()
            writer.write(data)
            async with asyncio.timeout(self._patience_s):
                await writer.drain()
                return message.confirmed is None or await _confirmed(reader, message)
        except (OSError, TimeoutError):
            self.close()
            return False

    async def _connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        while True:
            with suppress(OSError):
                self._streams = await asyncio.open_connection(self._host, self._port)
                return self._streams
            await asyncio.sleep(_GLANCE_S)

    def close(self) -> None:
        """Hang up."""
        if self._streams is not None:
            self._streams[1].close()
            self._streams = None


async def _confirmed(reader: asyncio.StreamReader, message: Message) -> bool:
    heard = b""
    while message.confirmed is not None and not message.confirmed(heard):
        data = await reader.read(_MOST_HEARD)
        if not data:
            raise ConnectionResetError("hung up")
        heard = (heard + data)[-_MOST_HEARD:]
    return True


class Wired:
    """A serial line on which devices talk."""

    def __init__(self, wire: SerialLine, patience_s: float) -> None:
        self._wire, self._patience_s = wire, patience_s

    async def deliver(self, message: Message, data: bytes) -> bool:  # nobody answers
        """Wait until somebody is there, and has read it; where nobody is, it is lost as on a wire."""
        if not data:
            return True
        await _until(self._wire.is_attended, _REACH_S)
        self._wire.put(data)
        return await _until(self._wire.is_read, self._patience_s)

    def close(self) -> None:
        """The line is not ours to close."""


async def _until(done: Callable[[], bool], patience_s: float) -> bool:
    """Look again and again."""
    with suppress(TimeoutError):
        async with asyncio.timeout(patience_s):
            while not done():  # noqa: ASYNC110  # there is no event: a line tells nobody that it was read
                await asyncio.sleep(_GLANCE_S)
            return True
    return False
