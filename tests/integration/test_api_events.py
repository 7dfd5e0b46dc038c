"""Server-sent events from a real server on loopback: snapshot, deltas, resuming, slow readers, stopping."""

import asyncio
import json
import socket
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx
import numpy as np
import pytest

from alerting.api.fanout import Fanout
from alerting.api.server import ListenError, address, listen, serve_http
from telemetry.settings import SettingsError
from tests.unit.centre_things import START_NS, HandWall
from tests.unit.centre_world import SECOND, World, world


class Stream:
    """Reads messages as a console does."""

    def __init__(self, answer: httpx.Response) -> None:
        self._lines = answer.aiter_lines()

    async def next(self, event: str) -> tuple[str, dict]:
        """The next message of a kind: its id and data."""
        async with asyncio.timeout(5):
            while True:
                fields: dict[str, str] = {}
                async for line in self._lines:
                    if not line:
                        break
                    name, _, value = line.partition(": ")
                    fields[name] = value
                if fields.get("event") == event:
                    return fields.get("id", ""), json.loads(fields["data"])


@asynccontextmanager
async def served(place: World) -> AsyncIterator[str]:
    listener = listen("127.0.0.1", 0)
    async with asyncio.TaskGroup() as tasks:
        server = tasks.create_task(serve_http(place.service.app, listener))
        try:
            yield address(listener)
        finally:
            server.cancel()


@asynccontextmanager
async def reading(url: str, last: str | None = None) -> AsyncIterator[Stream]:
    headers = {} if last is None else {"last-event-id": last}
    async with (
        httpx.AsyncClient(trust_env=False) as client,
        client.stream("GET", f"{url}/api/v1/events", headers=headers) as answer,
    ):
        assert answer.headers["content-type"].startswith("text/event-stream")
        yield Stream(answer)


@pytest.fixture
async def place(tmp_path):
    async with world(tmp_path, clock=HandWall(START_NS)) as made:
        made.service.centre.fanout._pause_s = 0.01
        await made.poll({0: 1.0, 1: 2.0})
        made.service.centre.fanout.publish()
        yield made


async def test_a_snapshot_then_what_changed(place):
    async with served(place) as url, reading(url) as stream:
        _, whole = await stream.next("snapshot")
        assert set(whole) == {"site", "stations", "areas", "alarms", "gateways"}
        assert [one["id"] for one in whole["stations"]] == ["gas-0", "gas-1", "gas-2", "gas-3"]
        place.clock.ns += SECOND
        await place.poll({1: 60.0})
        _, delta = await stream.next("delta")
        assert [one["id"] for one in delta["stations"]] == ["gas-1"]
        assert [one["level"] for one in delta["alarms"]] == [4]
        assert [one["code"] for one in delta["areas"]] == ["1002"]
        assert delta["site"]["now"] == "2023-07-28T08:00:01+08:00"
        place.clock.ns += SECOND
        await place.poll({0: 1.5})
        _, delta = await stream.next("delta")
        assert [one["id"] for one in delta["stations"]] == ["gas-0"]
        assert "alarms" not in delta


async def test_silence_is_told_too(place):
    """P8, F13: a station that vanishes becomes stale on the page by itself."""
    async with served(place) as url, reading(url) as stream:
        await stream.next("snapshot")
        place.clock.ns += 10 * SECOND
        await place.service.centre.tick()
        _, delta = await stream.next("delta")
        assert {one["id"]: one["readings"][0]["stale"] for one in delta["stations"]} == {"gas-0": True, "gas-1": True}


async def test_a_dropped_link_loses_nothing(place):
    async with served(place) as url:
        async with reading(url) as stream:
            last, _ = await stream.next("snapshot")
        for value in (60.0, 61.0, 62.0):
            place.clock.ns += SECOND
            await place.poll({1: value})
            await asyncio.sleep(0.03)
        async with reading(url, last) as stream:
            values = []
            while 62.0 not in values:
                _, delta = await stream.next("delta")
                values += [one["readings"][0]["value"] for one in delta["stations"]]
        assert values == sorted(values)  # quick successors may come as one picture, never out of order
        assert values[-1] == 62.0


async def test_ids_of_another_start_get_a_snapshot(place):
    async with served(place) as url:
        for last in ("", "000000000000-1", "nonsense", "-", "1-" + "9" * 400):
            async with reading(url, last) as stream:
                await stream.next("snapshot")


async def test_heartbeats_carry_data_time(place):
    place.service.centre.fanout._heartbeat_s = 0.05
    async with served(place) as url, reading(url) as stream:
        await stream.next("heartbeat")
        place.clock.ns += 7 * SECOND
        await stream.next("heartbeat")
        _, beat = await stream.next("heartbeat")
        assert beat == {"now": "2023-07-28T08:00:07+08:00", "speed": 1.0}


async def test_the_server_stops_while_a_console_is_connected(place):
    """An open stream must not keep the process alive."""
    async with served(place) as url, reading(url) as stream:
        await stream.next("snapshot")
        begun_s = time.monotonic()
    assert time.monotonic() - begun_s < 4


async def test_a_taken_port_is_one_clear_line():
    listener = listen("127.0.0.1", 0)
    port = listener.getsockname()[1]
    with pytest.raises(ListenError, match=rf"^http: 127\.0\.0\.1:{port}: the port is in use"):
        listen("127.0.0.1", port)
    listener.close()


@pytest.mark.parametrize("host", ["0.0.0.0", "192.168.1.7", "::", "example.org", ""])
def test_nobody_else_is_served_until_there_are_users(host):
    with pytest.raises(SettingsError, match="expected a loopback address"):
        listen(host, 0)


class Numbers:
    """A picture that counts."""

    def __init__(self, padding: int = 0) -> None:
        self.count = 0
        self.padding = b" " * padding

    def snapshot(self) -> bytes:
        return b'{"whole":%d}' % self.count

    def delta(self) -> bytes:
        self.count += 1
        return b'{"part":%d}' % self.count + self.padding

    def pulse(self) -> bytes:
        return b"{}"


async def test_a_slow_reader_gets_a_snapshot_and_holds_up_nobody():
    fanout = Fanout(Numbers(), np.random.default_rng(1), ring=4)
    slow, quick = fanout.stream(None), fanout.stream(None)
    heard: list[list[bytes]] = [[], []]

    async def take(stream, into, count):
        for _ in range(count):
            into.append(await anext(stream))

    await take(slow, heard[0], 2)
    await take(quick, heard[1], 2)
    for _ in range(10):
        fanout.publish()
        await take(quick, heard[1], 1)
    await take(slow, heard[0], 1)
    assert [b"snapshot" in message for message in heard[1]] == [False, True, *[False] * 10]
    assert heard[0][-1].endswith(b'event: snapshot\ndata: {"whole":10}\n\n')
    await slow.aclose()
    await quick.aclose()
    assert fanout.clients == 0


async def test_a_resumed_reader_misses_no_number():
    """However far behind: every number after the last one taken, or a snapshot that holds them."""
    fanout = Fanout(Numbers(), np.random.default_rng(1), ring=4)
    for behind in range(8):
        for _ in range(behind):
            fanout.publish()
        last = f"{fanout._boot}-{fanout._number - behind}"
        stream = fanout.stream(last)
        await anext(stream)
        fanout.publish()
        first = await anext(stream)
        expected = b"delta" if behind < 4 else b"snapshot"
        assert expected in first, behind
        await stream.aclose()


async def test_a_reader_that_takes_nothing_is_let_go(place, monkeypatch):
    monkeypatch.setattr("alerting.api.events._PATIENCE_S", 0.2)
    fanout = place.service.centre.fanout
    fanout._picture = Numbers(padding=1_000_000)
    came = False
    async with served(place) as url:
        port = int(url.rpartition(":")[2])
        with socket.socket() as line:
            line.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            line.connect(("127.0.0.1", port))
            line.sendall(b"GET /api/v1/events HTTP/1.1\r\nhost: 127.0.0.1\r\n\r\n")
            async with asyncio.timeout(60):
                while not came or fanout.clients:
                    came = came or fanout.clients > 0
                    fanout.touch()
                    await asyncio.sleep(0.02)
