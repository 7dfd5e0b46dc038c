"""Where devices are heard that send of their own accord: a port that they call, or a wire that we keep open."""

import asyncio
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Final, Protocol

import structlog

from edge_agent.compiled import ListenPlan
from edge_agent.lines import keepalive
from edge_agent.lines.line import LineCounters, LineDownError
from edge_agent.lines.wire import Ears, Wire

Send = Callable[[bytes], None]
Heard = Callable[[bytes], None]
Opened = Callable[[str, Send], Heard]
"""Called for each connection with the name of the other side and a way to answer; gives who hears what comes."""

Caller = Callable[[asyncio.StreamReader, asyncio.StreamWriter], None]

_log = structlog.get_logger(__name__)
_CHUNK: Final = 65_536
_AGAIN_S: Final = (1.0, 30.0)
_GIVES_WAY_S: Final = 30.0
"""A caller that is silent for so long gives way to one more where all places are taken: most often the one more is the
same device, whose connection broke without a word."""
_MOST_UNSENT: Final = 65_536
"""Bytes of replies that a caller may leave unread before it is hung up on."""


class Feed(Protocol):
    """A source of bytes; it comes back whatever happens to it."""

    counters: LineCounters

    async def run(self, opened: Opened) -> None:
        """Hear until cancelled."""


class WireFeed:
    """A serial line, or a connection that we open; opened again after ever longer waits, up to 30 s."""

    def __init__(self, wire: Wire, timeout_s: float, bus: str = "") -> None:
        self._log = _log.bind(bus=bus)
        self.counters = LineCounters()
        self._wire, self._timeout_s = wire, timeout_s

    async def run(self, opened: Opened) -> None:
        """Hear until cancelled."""
        wait_s = _AGAIN_S[0]
        try:
            while True:
                began = time.monotonic()
                reason = await self._hear(opened)
                wait_s = _AGAIN_S[0] if time.monotonic() - began > _AGAIN_S[1] else min(2 * wait_s, _AGAIN_S[1])
                self._log.warning("line lost", line=self._wire.name, reason=reason, again_s=wait_s)
                await asyncio.sleep(wait_s)
        finally:
            self._wire.close()

    async def _hear(self, opened: Opened) -> str:
        """Hear until the wire is lost; why."""
        lost: asyncio.Future[str] = asyncio.get_running_loop().create_future()

        def note(reason: str) -> None:
            if not lost.done():
                lost.set_result(reason)

        try:
            await self._wire.open(Ears(opened(self._wire.name, self._wire.send), note), self._timeout_s)
        except LineDownError as exc:
            self.counters.connect_failures += 1
            return str(exc)
        self.counters.connects += 1
        reason = await lost
        self._wire.close()
        return reason


class CallFeed:
    """A TCP port that devices call. ``idle_s``: a caller that is silent for so long is gone, whatever TCP thinks."""

    def __init__(self, plan: ListenPlan, idle_s: float, bus: str = "") -> None:
        self._log = _log.bind(bus=bus)
        self.counters = LineCounters()
        self._plan, self._idle_s = plan, idle_s
        self._heard_s: dict[asyncio.StreamWriter, float] = {}

    async def run(self, opened: Opened) -> None:
        """Listen until cancelled; a port that can't be had is tried again, since an address may come later."""
        async with asyncio.TaskGroup() as tasks:

            def caller(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
                tasks.create_task(self._caller(opened, reader, writer), name="caller")

            server = await self._listen(caller)
            async with server:
                await server.serve_forever()

    async def _listen(self, caller: Caller) -> asyncio.Server:
        while True:
            try:
                return await asyncio.start_server(caller, self._plan.host, self._plan.port)
            except (OSError, UnicodeError) as exc:
                self.counters.connect_failures += 1
                self._log.warning("can't listen", address=f"{self._plan.host}:{self._plan.port}", reason=str(exc))
                await asyncio.sleep(_AGAIN_S[1])

    async def _caller(self, opened: Opened, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        name = "{}:{}".format(*writer.get_extra_info("peername", ("?", 0))[:2])
        if not self._has_room():
            self.counters.connect_failures += 1
            self._log.warning("caller turned away", caller=name, connections=self._plan.connections)
            writer.close()
            return
        keepalive.watch(writer.transport)
        self._heard_s[writer] = time.monotonic()
        self.counters.connects += 1
        try:
            await self._hear(opened(name, _answering(writer)), reader, writer)
        finally:
            self._heard_s.pop(writer, None)
            writer.close()

    def _has_room(self) -> bool:
        """Whether one more caller can be taken, if need be for one that is silent."""
        if len(self._heard_s) < self._plan.connections:
            return True
        longest = min(self._heard_s, key=self._heard_s.__getitem__)
        if time.monotonic() - self._heard_s[longest] < _GIVES_WAY_S:
            return False
        del self._heard_s[longest]
        longest.transport.abort()
        return True

    async def _hear(self, heard: Heard, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Until the caller hangs up, falls silent, or does not take our answers."""
        with suppress(OSError, TimeoutError):
            while writer.transport.get_write_buffer_size() <= _MOST_UNSENT:
                async with asyncio.timeout(self._idle_s):
                    data = await reader.read(_CHUNK)
                if not data:
                    return
                if writer in self._heard_s:
                    self._heard_s[writer] = time.monotonic()
                heard(data)


def _answering(writer: asyncio.StreamWriter) -> Send:
    def send(data: bytes) -> None:
        if not writer.is_closing():
            writer.write(data)

    return send
