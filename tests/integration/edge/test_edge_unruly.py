"""Never a wrong value, whatever the line does; ``make fuzz`` makes 100,000 exchanges of it on each kind of line.

``PETREL_LINE_EXCHANGES`` sets their number, ``PETREL_FUZZ_SEED`` what happens to them.
"""

import asyncio
import os
import tty
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

import numpy as np
import pytest

from edge_agent.compiled import BusPlan
from edge_agent.drivers.modbus import frames
from edge_agent.lines.line import LineDownError
from edge_agent.opened import opened
from tests.integration.edge.unruly import KINDS, POINTS, UNITS, Unruly

EXCHANGES = int(os.environ.get("PETREL_LINE_EXCHANGES", "3000"))
SEED = int(os.environ.get("PETREL_FUZZ_SEED", "20261124"))
LINES = 24
TIMEOUT_S = 0.05
START_S = 10


@asynccontextmanager
async def on_a_terminal(line: Unruly) -> AsyncIterator[str]:
    """The line as a pseudo-terminal."""
    far, near = os.openpty()
    tty.setraw(near)
    line.send = lambda data: os.write(far, data)
    asyncio.get_running_loop().add_reader(far, lambda: line.heard(os.read(far, 4096)))
    try:
        yield f"serial: {{port: {os.ttyname(near)}, baud: 115200}}"
    finally:
        asyncio.get_running_loop().remove_reader(far)
        os.close(far)
        os.close(near)


@asynccontextmanager
async def behind_a_serial_server(line: Unruly) -> AsyncIterator[str]:
    """The line behind a TCP port."""

    class Port(asyncio.Protocol):
        def connection_made(self, transport):
            line.send = transport.write

        def data_received(self, data):
            line.heard(data)

    server = await asyncio.get_running_loop().create_server(Port, "127.0.0.1", 0)
    async with server:
        port = server.sockets[0].getsockname()[1]
        yield f"serial_server: {{host: 127.0.0.1, port: {port}, baud: 115200}}"


def text(end: str, profile: str) -> str:
    devices = ", ".join(f"{{name: d{u}, profile: {profile}, unit: {u}, station: s{u}, period_s: 1}}" for u in UNITS)
    return f"buses: [{{name: line, timeout_s: {TIMEOUT_S}, {end}, devices: [{devices}]}}]"


async def polled(plan: BusPlan, line: Unruly, exchanges: int) -> Counter[str]:
    """Poll both devices in turn, and hold every value against what they have just said."""
    connection, devices = opened(plan, line.trace)
    found: Counter[str] = Counter()
    async with asyncio.timeout(START_S):
        while not connection.connected:
            with suppress(LineDownError):
                await connection.connect()
    while connection.counters.requests < exchanges:
        for device in devices:
            line.told.clear()
            poll = await device.poll(0)
            assert not isinstance(poll.failure, LineDownError), poll.failure
            values = [float("nan")] * len(POINTS) if poll.readings is None else poll.readings.value.tolist()
            for place, value in enumerate(values):
                if np.isnan(value):
                    found["missing"] += 1
                    continue
                assert value == line.told.get((device.plan.unit, place)), (device.plan.name, place, hex(int(value)))
                found["right"] += 1
    found["exchanges"] = connection.counters.requests
    connection.close()
    return found


@pytest.mark.parametrize("end", [on_a_terminal, behind_a_serial_server])
async def test_an_unruly_line_gives_no_wrong_value(end, profile, plans, request, capsys):
    """P16, P21: late, split, cut, merged, doubled, garbled and lost answers, and those to another request."""
    name = profile(*POINTS, extra="holes: [holding 2-8]")
    lines = [Unruly(np.random.default_rng([SEED, number]), TIMEOUT_S) for number in range(LINES)]

    async def one(line: Unruly) -> Counter[str]:
        async with end(line) as where:
            (plan,) = plans(text(where, name))
            return await polled(plan, line, -(-EXCHANGES // LINES))

    async with asyncio.TaskGroup() as tasks:
        running = [tasks.create_task(one(line)) for line in lines]
    found = sum((task.result() for task in running), Counter())
    terminal = request.config.pluginmanager.getplugin("terminalreporter")
    with capsys.disabled():
        terminal.write_line(f"\n{end.__name__}: {dict(found)}")
    done = sum((line.done for line in lines), Counter())
    assert done.keys() == KINDS.keys()
    assert found["right"] > 0.6 * found["exchanges"]


SOMETHING_ELSE = {"noise": b"\x55" * 12, "a neighbour's": frames.wrap_rtu(2, b"\x03\x02\x00\x07")}


@pytest.mark.parametrize("first", SOMETHING_ELSE.values(), ids=SOMETHING_ELSE)
async def test_an_answer_behind_something_else_is_not_that_to_the_next_question(
    first, rtu_peer, answering, profile, plans, polling
):
    """P16: what comes first is refused at once, but the device may still answer; b is asked for as a was."""

    def script(request: bytes):
        late = request[3] == 0
        return [(0, first), (0.05, answering(request))] if late else [(0.08, answering(request))]

    name = profile(("a", "holding 0 u16"), ("b", "holding 9 u16"), extra="holes: [holding 1-8]")
    peer = rtu_peer(script)
    device = f"{{name: d, profile: {name}, unit: 1, station: s, period_s: 0.1}}"
    (plan,) = plans(f"buses: [{{name: line, timeout_s: 0.2, serial: {{port: {peer.port}}}, devices: [{device}]}}]")
    async with polling([plan]) as (_, sink):
        await sink.until(lambda got: len(got) >= 4)
    a, b = (np.array(sink.values(int(series))) for series in plan.devices[0].ids)
    assert np.isnan(a).all()
    assert set(b[~np.isnan(b)].tolist()) == {109.0}
