"""A real HTTP receiver on loopback that does what receivers do: answers, refuses, hangs, resets."""

import asyncio
import json
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

OK = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok"


def status(line: str, *headers: str) -> bytes:
    return "\r\n".join((f"HTTP/1.1 {line}", "content-length: 0", *headers, "", "")).encode()


@dataclass
class Request:
    """What arrived."""

    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def key(self) -> str:
        return self.headers["idempotency-key"]


@dataclass
class Receiver:
    """``script``: an answer for each request in turn, then 200; ``None`` resets, ``hang`` never answers.

    ``thinks_s``: how long it takes for an answer.
    """

    script: list[bytes | str | None] = field(default_factory=list)
    requests: list[Request] = field(default_factory=list)
    thinks_s: float = 0.0
    connections: int = 0
    port: int = 0
    arrived: asyncio.Condition = field(default_factory=asyncio.Condition)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/hook"

    async def wait(self, requests: int) -> None:
        async with asyncio.timeout(5), self.arrived:
            await self.arrived.wait_for(lambda: len(self.requests) >= requests)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        try:
            while request := await _read(reader):
                answer = self.script[len(self.requests)] if len(self.requests) < len(self.script) else OK
                self.requests.append(request)
                async with self.arrived:
                    self.arrived.notify_all()
                if answer == "hang":
                    await reader.read()
                    return
                if answer is None:
                    writer.transport.abort()
                    return
                await asyncio.sleep(self.thinks_s)
                writer.write(answer)
                await writer.drain()
        except (ConnectionError, asyncio.IncompleteReadError):
            return
        finally:
            writer.close()


async def _read(reader: asyncio.StreamReader) -> Request | None:
    head = await reader.readuntil(b"\r\n\r\n")
    lines = head.decode("latin-1").split("\r\n")[1:]
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines) if name}
    return Request(headers, await reader.readexactly(int(headers.get("content-length", 0))))


@asynccontextmanager
async def receiving(script: Iterable[bytes | str | None] = ()) -> AsyncIterator[Receiver]:
    """A receiver on a free port."""
    receiver = Receiver(list(script))
    server = await asyncio.start_server(receiver.serve, "127.0.0.1", 0)
    receiver.port = server.sockets[0].getsockname()[1]
    try:
        yield receiver
    finally:
        server.close()
