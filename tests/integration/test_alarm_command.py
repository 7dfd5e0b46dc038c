"""``petrel alarm`` as a person runs it, against a centre that answers on a real socket."""

import asyncio
import contextlib
import fcntl
import io
import json
import os
import pty
import re
import struct
import sys
import termios
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from unicodedata import east_asian_width

import pytest

from alerting.api.server import address, listen, serve_http
from petrel import desk
from petrel.broker import free_port
from tests.unit.centre_things import START_NS, HandWall
from tests.unit.centre_world import SECOND, World, world

PETREL = Path(sys.executable).parent / "petrel"


@dataclass(frozen=True)
class Done:
    """What a command came to."""

    code: int
    out: str
    err: str


async def petrel(*arguments: str) -> Done:
    """Run a command to its end."""
    process = await asyncio.create_subprocess_exec(
        PETREL, *arguments, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
    )
    async with asyncio.timeout(20):
        out, err = await process.communicate()
    return Done(process.returncode or 0, out.decode(), err.decode())


@asynccontextmanager
async def answering(place: World) -> AsyncIterator[str]:
    """The address of a centre on a socket, for the length of a block."""
    listener = listen("127.0.0.1", 0)
    async with asyncio.TaskGroup() as tasks:
        serving = tasks.create_task(serve_http(place.service.app, listener))
        yield address(listener)
        serving.cancel()


@pytest.fixture
async def place(tmp_path):
    async with world(tmp_path, clock=HandWall(START_NS)) as made:
        await made.poll({0: 30.0, 1: 60.0})
        yield made


@pytest.fixture
async def centre(place):
    async with answering(place) as url:
        yield url


async def listed(centre: str, *filters: str) -> list[dict]:
    done = await petrel("alarm", "list", "--centre", centre, "--json", *filters)
    assert (done.code, done.err) == (0, "")
    return json.loads(done.out)


async def shown(place: World, **filters: str | int) -> list[dict]:
    """What the centre itself says."""
    async with place.client() as client:
        return (await client.get("/api/v1/alarms", params=filters)).json()["items"]


async def test_lists_what_the_filters_ask_for(centre):
    assert {one["subject"] for one in await listed(centre)} == {"gas-0", "gas-1"}
    for filters in (
        ("--level", "red"),
        ("--level", "4"),
        ("--area", "1002"),
        ("--hazard", "combustible_gas", "--area", "gas-1"),
    ):
        assert [one["subject"] for one in await listed(centre, *filters)] == ["gas-1"], filters
    assert await listed(centre, "--state", "acknowledged", "--state", "cleared") == []
    done = await petrel("alarm", "list", "--centre", centre, "--hazard", "flood")
    assert (done.code, done.out) == (0, "no alarms 无告警\n")


async def test_the_table_fits_a_terminal_and_speaks_both_languages(centre):
    """On a terminal of 80 columns, of which a Chinese character takes two."""
    shown = re.sub(r"\x1b\[[\d;?]*[a-zA-Z]", "", await on_a_terminal("alarm", "list", "--centre", centre))
    assert max(sum(1 + (east_asian_width(c) in "WF") for c in line) for line in shown.splitlines()) <= 80
    for words in ("red", "红色", "unacknowledged", "未确认", "Gas 1", "气体 1", "07-28 08:00", "v1"):
        assert words in shown, words


async def on_a_terminal(*arguments: str, columns: int = 80) -> str:
    """What a command writes on a terminal so wide."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
    with os.fdopen(ours, "rb", buffering=0) as terminal:
        process = await asyncio.create_subprocess_exec(PETREL, *arguments, stdout=theirs, stderr=theirs)
        os.close(theirs)
        async with asyncio.timeout(20):
            written = await asyncio.to_thread(_to_the_end, terminal)
            assert await process.wait() == 0, written
    return written


def _to_the_end(terminal: io.RawIOBase) -> str:
    written = b""
    with contextlib.suppress(OSError):  # a terminal whose last process has gone
        while piece := terminal.read(4096):
            written += piece
    return written.decode()


async def test_all_pages_are_read(place, centre, monkeypatch):
    """Pages of one alarm each."""
    monkeypatch.setattr(desk, "_PAGE", 1)
    for i in (2, 3):
        place.clock.ns += SECOND
        await place.poll({i: 60.0})
    with desk.desk(centre) as open_desk:
        found = await asyncio.to_thread(open_desk.alarms, {})
    subjects = [json.loads(bytes(raw))["subject"] for raw in found]
    assert subjects[:2] == ["gas-3", "gas-2"]
    assert sorted(subjects[2:]) == ["gas-0", "gas-1"]


async def test_acknowledges_by_the_beginning_of_the_id(place, centre):
    alarm = (await shown(place, level=4))[0]
    done = await petrel("alarm", "ack", alarm["id"][:10], "--by", "Lin 林", "--note", "on my way", "--centre", centre)
    assert (done.code, done.err) == (0, "")
    assert alarm["text"]["en"] in done.out
    assert alarm["text"]["zh"] in done.out
    assert f"acknowledged 已确认: {alarm['id'][:8]} v" in done.out
    now = next(one for one in await shown(place) if one["id"] == alarm["id"])
    assert (now["state"], now["acknowledged_by"]) == ("acknowledged", "Lin 林")
    operations = await place.service.centre.state.operations()
    assert [(one.by, one.note) for one in operations] == [("Lin 林", "on my way")]
    again = await petrel("alarm", "ack", alarm["id"], "--by", "Wu", "--centre", centre)
    assert again.code == 0
    assert "was acknowledged before" in again.out
    assert "Lin 林" in again.out.splitlines()[-1]


async def test_a_stale_version_is_refused(place, centre):
    """F23: who saw blue does not silence red."""
    alarm = (await shown(place, area="gas-0"))[0]
    place.clock.ns += SECOND
    await place.poll({0: 70.0})
    done = await petrel(
        "alarm", "ack", alarm["id"], "--by", "Lin", "--version", str(alarm["version"]), "--centre", centre
    )
    assert (done.code, done.err.count("\n")) == (1, 1)
    assert "expected the newest, 2" in done.err
    assert (await shown(place, area="gas-0"))[0]["state"] == "unacknowledged"


async def test_what_names_no_single_alarm_is_refused(place, centre):
    ids = [one["id"] for one in await shown(place)]
    shared = next((i for i in range(24) if ids[0][i] != ids[1][i]), 0)
    for beginning, problem in (("zz", "no alarm 'zz'"), ("", "no alarm ''"), (ids[0][:shared], "")):
        done = await petrel("alarm", "ack", beginning, "--by", "Lin", "--centre", centre)
        assert (done.code, done.out, done.err.count("\n")) == (1, "", 1)
        assert problem in done.err


@pytest.mark.parametrize(
    ("arguments", "code", "problem"),
    [
        (("list", "--centre", "http://127.0.0.1:{free}"), 1, "no centre answers"),
        (("ack", "ab", "--by", "Lin", "--centre", "http://127.0.0.1:{free}"), 1, "no centre answers"),
        (("list", "--centre", "127.0.0.1"), 2, "expected http://host:port"),
        (("list", "--centre", "http://[::1"), 2, "expected http://host:port"),
        (("list", "--level", "purple"), 2, "expected one of normal, blue"),
        (("list", "--level", "5"), 2, "expected one of normal, blue"),
        (("list", "--state", "loud"), 2, "expected one of unacknowledged"),
    ],
)
async def test_what_can_not_be_done_is_one_line(arguments, code, problem):
    done = await petrel("alarm", *(one.format(free=free_port()) for one in arguments))
    assert (done.code, done.out, done.err.count("\n")) == (code, "", 1)
    assert problem in done.err


async def test_another_server_is_not_taken_for_a_centre():
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(
            b"HTTP/1.1 200 OK\r\ncontent-type: text/html\r\ncontent-length: 6\r\nconnection: close\r\n\r\n<html>"
        )
        writer.close()

    async with await asyncio.start_server(answer, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        done = await petrel("alarm", "list", "--centre", f"http://127.0.0.1:{port}")
    assert (done.code, done.err.count("\n")) == (1, 1)
    assert "text/html, expected the answer of a Storm Petrel centre" in done.err
