"""What the field side logs names bus, device, unit and register, where it concerns one."""

import asyncio
import socket

from structlog.testing import capture_logs

from edge_agent.compiled import ListenPlan
from edge_agent.drivers.modbus import frames
from edge_agent.lines.feeds import CallFeed
from tests.integration.edge.test_edge_faults import line
from tests.integration.gateway_centre import until


async def test_refused_registers_are_logged_with_bus_device_and_unit(rtu_peer, answering, profile, plans, polling):
    def script(request: bytes):
        unit, pdu = frames.unwrap_rtu(request)
        call = frames.decode_request(unit, pdu)
        bad = call.address <= 3 < call.address + call.count
        yield 0, frames.wrap_rtu(unit, frames.encode_exception(3, 2)) if bad else answering(request)

    peer = rtu_peer(script)
    (bus,) = plans(line(peer.port, profile(*((f"p{at}", f"holding {at} u16") for at in range(6))), period_s=0.1))
    with capture_logs() as logs:
        async with polling([bus]) as (_, sink):
            await sink.until(lambda got: len(got) >= 2)
    (one,) = [log for log in logs if log["event"] == "device refuses registers"]
    assert (one["bus"], one["device"], one["unit"]) == (bus.name, "dev1", 1)
    assert one["state"] == "refuses holding 0x0003"


async def test_a_device_that_fails_says_at_which_registers(rtu_peer, profile, plans, polling):
    """A busy or broken device (exception 4) is no refusal for good: nothing is halved, and the block is named."""
    peer = rtu_peer(lambda request: [(0, frames.wrap_rtu(request[0], b"\x83\x04"))])
    (bus,) = plans(line(peer.port, profile(("a", "holding 16 u16"), ("b", "holding 17 u16")), period_s=0.1))
    async with polling([bus]) as (acquisition, sink):
        await sink.until(lambda got: len(got) >= 2)
        state = acquisition.devices()["dev1"]
    assert state == "device answered exception 4 (failure), asked for holding 0x0010-0x0011"


async def test_a_port_that_is_taken_names_its_bus():
    with socket.socket() as other, capture_logs() as logs:
        other.bind(("127.0.0.1", 0))
        other.listen()
        plan = ListenPlan(host="127.0.0.1", port=other.getsockname()[1], connections=1)
        async with asyncio.TaskGroup() as tasks:
            running = tasks.create_task(CallFeed(plan, 1.0, "loggers").run(lambda _, __: None))
            await until(lambda: logs)
            running.cancel()
    assert (logs[0]["event"], logs[0]["bus"]) == ("can't listen", "loggers")
