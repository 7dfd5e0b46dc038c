"""Connections whose other side goes without a word: the place of a dead caller is not kept, a dead line is noticed."""

import asyncio
import socket
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from edge_agent.compiled import ListenPlan, SerialServerPlan
from edge_agent.lines import feeds
from edge_agent.lines.feeds import CallFeed
from edge_agent.lines.wire import Ears, TcpWire
from tests.integration.brokers import free_port
from tests.integration.gateway_centre import until

KEEPALIVE_TIMER = "02"


def timers(port: int) -> list[str]:
    """Which timers the kernel runs on the established connections whose own end is a port of ours."""
    fields = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    return [field[5][:2] for field in fields if field[1].endswith(f":{port:04X}") and field[3] == "01"]


@asynccontextmanager
async def hearing(connections: int):
    """A port for callers: gives the port, what was heard by caller, and the feed."""
    port, heard = free_port(), []
    feed = CallFeed(ListenPlan(host="127.0.0.1", port=port, connections=connections), 3600.0, "loggers")
    task = asyncio.create_task(feed.run(lambda *_: heard.append))
    try:
        yield port, heard, feed
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def call(port: int, said: bytes) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    async with asyncio.timeout(5):
        while True:
            try:
                reader, writer = await asyncio.open_connection("127.0.0.1", port)
                break
            except ConnectionRefusedError:
                await asyncio.sleep(0.01)
    writer.write(said)
    return reader, writer


async def test_the_kernel_asks_callers_whether_they_are_still_there():
    """P12: a logger on a mobile network calls again and again, and none of its old connections ever ends."""
    async with hearing(4) as (port, heard, _):
        _, writer = await call(port, b"hello")
        await until(lambda: heard)
        await until(lambda: timers(port) == [KEEPALIVE_TIMER])
        writer.close()


async def test_where_all_places_are_taken_the_one_that_is_silent_longest_gives_way(monkeypatch):
    """P7: its old connections must not lock a logger out."""
    monkeypatch.setattr(feeds, "_GIVES_WAY_S", 0.2)
    async with hearing(2) as (port, heard, feed):
        (oldest, one), (_, two) = await call(port, b"one"), await call(port, b"two")
        await until(lambda: len(heard) == 2)
        turned, three = await call(port, b"")
        assert await turned.read() == b""
        await asyncio.sleep(0.25)
        two.write(b"again")
        await until(lambda: heard[-1] == b"again")
        _, four = await call(port, b"four")
        await until(lambda: heard[-1] == b"four")
        with pytest.raises((ConnectionResetError, asyncio.IncompleteReadError)):
            await oldest.readexactly(1)
        two.write(b"still here")
        await until(lambda: heard[-1] == b"still here")
        assert (feed.counters.connects, feed.counters.connect_failures) == (3, 1)
        for writer in (one, two, three, four):
            writer.close()


async def test_a_serial_server_that_is_gone_is_noticed(converter):
    """P7: a request to nobody would be sent again for a quarter of an hour, and a line that only listens hears nothing
    for ever."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()

    plan = SerialServerPlan(host="127.0.0.1", port=await converter(serve), baud=9600, parity="N", stop=1)
    wire = TcpWire(plan)
    await wire.open(Ears(lambda _: None, lambda _: None), 1.0)
    try:
        ours = wire._link._transport.get_extra_info("socket")
        await until(lambda: timers(ours.getsockname()[1]) == [KEEPALIVE_TIMER])
        assert 0 < ours.getsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT) <= 60_000
    finally:
        wire.close()
