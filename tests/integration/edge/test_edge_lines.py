"""Lines beside a plain serial port: serial servers, adapters that hear themselves, waits that are learned."""

import itertools
import time

import numpy as np
import pytest
from pymodbus import FramerType
from pymodbus.server import ModbusTcpServer

from tests.integration.edge.conftest import sim_device
from tests.integration.edge.test_edge_faults import line


def behind_a_server(port: int, profile: str, units=(1,), *, timeout_s: float = 1.0) -> str:
    """A file with one bus behind a serial server."""
    text = line("PORT", profile, units, timeout_s=timeout_s)
    return text.replace("serial: {port: PORT}", f"serial_server: {{host: 127.0.0.1, port: {port}}}")


@pytest.fixture
async def serial_server():
    """pymodbus speaking RTU over TCP for some units: gives its port."""
    servers: list[ModbusTcpServer] = []

    async def make(*units: int) -> int:
        devices = [sim_device(unit) for unit in units]
        server = ModbusTcpServer(devices, framer=FramerType.RTU, address=("127.0.0.1", 0))
        assert await server.listen()
        servers.append(server)
        return server.transport.sockets[0].getsockname()[1]

    yield make
    for server in servers:
        await server.shutdown()


async def test_units_behind_a_serial_server_are_read_as_on_a_line(serial_server, profile, plans, polling):
    port = await serial_server(1, 2)
    (bus,) = plans(behind_a_server(port, profile(("a", "holding 0 u16"), ("b", "input 9 u16")), (1, 2)))
    async with polling([bus]) as (acquisition, sink):
        await sink.until(lambda got: len(got) >= 6)
    for unit, device in zip((1, 2), bus.devices, strict=True):
        assert [set(sink.values(int(series))) for series in device.ids] == [{100.0 * unit}, {100.0 * unit + 9}]
    assert acquisition.devices() == {"dev1": "ok", "dev2": "ok"}


async def test_a_late_answer_through_a_serial_server_is_never_the_next_one(
    tcp_peer, profile, plans, polling, answering
):
    """P16: on a connection that carries RTU no transaction number tells answers apart."""
    turn = itertools.count()

    def script(request: bytes):
        yield (0.06 if next(turn) % 3 == 1 else 0), answering(request)

    name = profile(("a", "holding 0 u16"), ("b", "holding 9 u16"), extra="holes: [holding 1-8]")
    (bus,) = plans(behind_a_server(await tcp_peer(script, size=8), name, timeout_s=0.04))
    async with polling([bus]) as (acquisition, sink):
        await sink.until(lambda got: len(got) >= 12)
    a, b = (sink.values(int(series)) for series in bus.devices[0].ids)
    assert {value for value in a if not np.isnan(value)} == {100.0}
    assert {value for value in b if not np.isnan(value)} == {109.0}
    assert acquisition.stats()["line"].line.timeouts >= 2


async def test_an_adapter_that_hears_itself(rtu_peer, profile, plans, polling, answering):
    """Local echo is taken off; an echo that differs is a collision, never a value."""
    turn = itertools.count()

    def script(request: bytes):
        spoilt = next(turn) % 3 == 2
        yield 0, (bytes((request[0] ^ 1,)) + request[1:] if spoilt else request)
        yield 0.005, answering(request)

    peer = rtu_peer(script)
    text = line(peer.port, profile(("a", "holding 0 u16")), timeout_s=0.2)
    (bus,) = plans(text.replace(f"port: {peer.port}", f"port: {peer.port}, echo: true"))
    async with polling([bus]) as (acquisition, sink):
        await sink.until(lambda got: len(got) >= 9)
    values = sink.values(int(bus.devices[0].ids[0]))
    assert {value for value in values if not np.isnan(value)} == {100.0}
    assert sum(map(np.isnan, values)) >= 2
    assert acquisition.stats()["line"].line.garbled >= 2


async def test_an_echo_alone_is_silence(rtu_peer, profile, plans, polling):
    peer = rtu_peer(lambda request: [(0, request)])
    text = line(peer.port, profile(("a", "holding 0 u16")), timeout_s=0.05)
    (bus,) = plans(text.replace(f"port: {peer.port}", f"port: {peer.port}, echo: true"))
    async with polling([bus]) as (acquisition, sink):
        await sink.until(lambda got: len(got) >= 2)
    assert "no answer" in acquisition.devices()["dev1"]
    assert acquisition.stats()["line"].line.garbled == 0


async def test_a_unit_that_is_known_to_be_quick_is_given_up_quickly(rtu_peer, profile, plans, polling, answering):
    """A unit that has answered within milliseconds and falls silent costs the bus far less than the longest wait."""
    silent_since = time.monotonic() + 0.6
    peer = rtu_peer(lambda request: [] if time.monotonic() > silent_since else [(0, answering(request))])
    (bus,) = plans(line(peer.port, profile(("a", "holding 0 u16")), period_s=0.05, timeout_s=2.0))
    async with polling([bus]) as (acquisition, sink):
        await sink.until(lambda _: acquisition.stats()["line"].line.timeouts >= 1)
        gave_up = time.monotonic()
    assert gave_up - silent_since < 0.6


async def test_a_port_that_can_not_switch_direction_says_so(rtu_peer, profile, plans, polling):
    peer = rtu_peer(lambda _: [])
    text = line(peer.port, profile(("a", "holding 0 u16")))
    (bus,) = plans(text.replace(f"port: {peer.port}", f"port: {peer.port}, rs485: true"))
    async with polling([bus]) as (acquisition, sink):
        await sink.until(lambda got: len(got) >= 1)
    assert "switches RS-485 direction" in acquisition.devices()["dev1"]
