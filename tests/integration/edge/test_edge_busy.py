"""A gateway that is busy with something else is no reason to call a device silent."""

import asyncio
import time

import pytest

from edge_agent.compiled import SerialPlan
from edge_agent.drivers.modbus import frames
from edge_agent.drivers.modbus.driver import Call
from edge_agent.drivers.modbus.rtu import RtuLine
from edge_agent.lines.half_duplex import HalfDuplex
from edge_agent.lines.line import NoAnswerError
from edge_agent.lines.wire import SerialWire
from simulators.pty import LineTransport, SerialLine

REQUEST = frames.Read(unit=1, function=3, address=0, count=1)
ANSWER = frames.wrap_rtu(1, bytes((3, 2, 0, 42)))
PROMPT_ANSWERS = 20
TIMEOUT_S = 1.0


class Device(asyncio.Protocol):
    """Answers at once, or stays silent."""

    silent = False

    def connection_made(self, transport):
        self.transport = transport

    def data_received(self, data):
        if not self.silent:
            self.transport.write(ANSWER)


class BusyWire(SerialWire):
    """Hands the request over, and then something else keeps the whole process."""

    busy_s = 0.0

    def send(self, data):
        super().send(data)
        time.sleep(self.busy_s)


@pytest.fixture
async def line(tmp_path):
    """A line whose device has been prompt so often that little patience is left, its wire, and the device."""
    far, device = SerialLine(tmp_path / "line"), Device()
    transport = LineTransport(far, device)
    plan = SerialPlan(port=str(far.path), baud=115200, parity="N", stop=1)
    wire = BusyWire(plan)
    line = RtuLine(HalfDuplex(wire, TIMEOUT_S))
    await line.connect()
    for _ in range(PROMPT_ANSWERS):
        assert await line.transact(Call.of(REQUEST)) == bytes((0, 42))
    yield line, wire, device
    line.close()
    transport.close()
    far.close()


async def test_answer_that_came_while_the_gateway_was_busy_counts(line):
    """The deadline passes while nobody listens; the answer is there, and is the answer to this very request."""
    line, wire, _ = line
    wire.busy_s = 0.2
    assert await line.transact(Call.of(REQUEST)) == bytes((0, 42))
    assert line.counters.timeouts == 0


async def test_device_that_is_silent_while_the_gateway_is_busy_is_found_out(line):
    line, wire, device = line
    wire.busy_s, device.silent = 0.2, True
    began_s = time.monotonic()
    with pytest.raises(NoAnswerError):
        await line.transact(Call.of(REQUEST))
    assert 0.2 < time.monotonic() - began_s < TIMEOUT_S
