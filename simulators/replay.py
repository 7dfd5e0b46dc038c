"""A recording of a line, played back: a request that was recorded gets the answers that it got, in turn, as late.

Devices that speak of their own accord say what they said, when they said it. Whatever was not recorded stays
unanswered, as on a line where nobody is addressed.
"""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import structlog

from simulators.devices import Endpoint, SerialEndpoint, TcpEndpoint
from simulators.pty import SerialLine, connect
from telemetry.recording import Piece, Recording

_LOG: Final = structlog.get_logger()
_TRANSACTION: Final = 2
"""Bytes at the head of a Modbus TCP frame that differ from request to request."""
_LONGEST_REQUEST: Final = 4096


@dataclass(frozen=True, slots=True)
class Answer:
    """What followed a request: pieces of bytes, each so many real seconds after it."""

    pieces: tuple[tuple[float, bytes], ...]


@dataclass(slots=True)
class Script:
    """The answers of a recording by request, each handed out in the order of the recording, over and over."""

    answers: dict[bytes, deque[Answer]]
    is_tcp: bool
    unknown: int = 0
    """Requests that were not recorded."""

    def key(self, request: bytes) -> bytes:
        """A request without what differs each time."""
        return request[_TRANSACTION:] if self.is_tcp else request

    def next(self, request: bytes) -> list[tuple[float, bytes]] | None:
        """The next answer to a whole request; None for one that was not recorded."""
        turn = self.answers.get(self.key(request))
        if turn is None:
            return None
        turn.rotate(-1)
        pieces = list(turn[-1].pieces)
        if self.is_tcp and pieces:
            after_s, first = pieces[0]
            pieces[0] = after_s, request[:_TRANSACTION] + first[_TRANSACTION:]
        return pieces

    def may_become(self, start: bytes) -> bool:
        """Whether some recorded request begins so."""
        begins = self.key(start)
        return any(one.startswith(begins) for one in self.answers)


def script(recording: Recording) -> Script:
    """The answers in a recording."""
    found = Script({}, is_tcp=recording.head.framing == "tcp")
    for request, answer in _exchanges(recording.pieces):
        found.answers.setdefault(found.key(request), deque()).append(answer)
    return found


def _exchanges(pieces: Sequence[Piece]) -> Iterator[tuple[bytes, Answer]]:
    request: Piece | None = None
    heard: list[tuple[float, bytes]] = []
    for piece in pieces:
        if piece.way == "in":
            heard.append((piece.at_s - request.at_s if request else 0.0, piece.data))
            continue
        if request is not None:
            yield request.data, Answer(tuple(heard))
        request, heard = piece, []
    if request is not None:
        yield request.data, Answer(tuple(heard))


@dataclass(slots=True)
class Player:
    """Plays a recording to whoever is connected; ``speed`` recorded seconds pass in a real one."""

    recording: Recording
    speed: float = 1.0
    script: Script = field(init=False)

    def __post_init__(self) -> None:
        self.script = script(self.recording)

    def peer(self) -> "_Peer":
        """The far end of a new connection."""
        return _Peer(self)

    async def speak(self, transport: asyncio.Transport) -> None:
        """Say what was said of their own accord, when it was said."""
        began = asyncio.get_running_loop().time()
        for piece in self.recording.pieces:
            if piece.way == "in":
                await asyncio.sleep(began + piece.at_s / self.speed - asyncio.get_running_loop().time())
                transport.write(piece.data)


class _Peer(asyncio.Protocol):
    """One connection, or the devices' end of a serial line."""

    def __init__(self, player: Player) -> None:
        self._player = player
        self._transport: asyncio.Transport | None = None
        self._buffer = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport  # type: ignore[assignment]  # a stream's transport can write

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        pieces = self._player.script.next(self._buffer)
        if pieces is not None:
            self._buffer = b""
            for after_s, answer in pieces:
                asyncio.get_running_loop().call_later(after_s / self._player.speed, self._write, answer)
        elif not self._player.script.may_become(self._buffer) or len(self._buffer) > _LONGEST_REQUEST:
            self._player.script.unknown += 1
            _LOG.warning("request was not recorded", request=self._buffer[:32].hex(" "))
            self._buffer = b""

    def _write(self, data: bytes) -> None:
        if self._transport is not None and not self._transport.is_closing():
            self._transport.write(data)


@asynccontextmanager
async def on_tcp(player: Player, host: str, port: int) -> AsyncIterator[Endpoint]:
    """Answer at an address, 0 for any free port; raises OSError."""
    server = await asyncio.get_running_loop().create_server(player.peer, host, port)
    async with server:
        yield TcpEndpoint(*server.sockets[0].getsockname()[:2])


@asynccontextmanager
async def on_serial(player: Player, path: Path) -> AsyncIterator[tuple[Endpoint, asyncio.Transport]]:
    """Answer on a line with a name of its own; the transport is for ``speak``."""
    line = SerialLine(path)
    transport, _ = await connect(line, player.peer)
    try:
        yield SerialEndpoint(line.path), transport
    finally:
        transport.close()
        line.close()


async def call(player: Player, host: str, port: int) -> None:
    """Call an address and say what was said, to the end of the recording; raises OSError."""
    transport, _ = await asyncio.get_running_loop().create_connection(player.peer, host, port)
    try:
        await player.speak(transport)
    finally:
        transport.close()
