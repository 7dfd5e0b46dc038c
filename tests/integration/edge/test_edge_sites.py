"""What real sites do to a bus: converters hang up, registers are refused in two ways, clocks are set in mid-poll."""

import asyncio
import itertools

import numpy as np

from edge_agent import listener
from edge_agent.drivers.modbus import frames
from telemetry.clock import HOUR_NS, SECOND_NS, SystemClock
from telemetry.quality import Cause, Quality
from tests.integration.brokers import free_port
from tests.integration.edge.test_edge_faults import line, tcp
from tests.integration.edge.test_edge_listener import BUS, LOGGER

HOLES = "holes: [holding 1-8]"
"""Two points that need a request each."""


def read_answer(request: bytes) -> bytes:
    """A right TCP answer to a read: register ``a`` holds ``100 + a``."""
    call = frames.decode_request(request[6], request[7:])
    payload = b"".join((100 + at).to_bytes(2, "big") for at in range(call.address, call.address + call.count))
    return frames.wrap_tcp(int.from_bytes(request[:2], "big"), request[6], frames.encode_answer(call, payload))


async def test_a_converter_that_closes_after_each_answer_still_gives_every_register(converter, profile, plans, polling):
    """P2: the second request of a poll finds the line gone, sometimes only after it was sent."""
    turn = itertools.count()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(read_answer(await reader.readexactly(12)))
        await writer.drain()
        if next(turn) % 2:
            await reader.read(1)  # the next request is on its way already

    name = profile(("a", "holding 0 u16"), ("b", "holding 9 u16"), extra=HOLES)
    (bus,) = plans(tcp(await converter(serve), name))
    async with polling([bus]) as (acquisition, sink):
        await sink.until(lambda got: len(got) >= 6)
        assert acquisition.devices()["dev"] == "ok"
    a, b = (sink.values(int(series)) for series in bus.devices[0].ids)
    assert set(a) == {100.0}
    assert set(b) == {109.0}


async def test_a_server_that_takes_one_request_and_dies_is_asked_once_more_and_no_oftener(
    converter, profile, plans, polling
):
    """P18: opening a line anew within a poll must not become a storm of connections."""
    asked = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        request = await reader.readexactly(12)
        asked.append(request)
        if len(asked) == 1:
            writer.write(read_answer(request))
            await writer.drain()

    name = profile(("a", "holding 0 u16"), ("b", "holding 9 u16"), extra=HOLES)
    (bus,) = plans(tcp(await converter(serve), name, period_s=5))
    async with polling([bus]) as (_, sink):
        (batch, *_) = await sink.until(lambda got: len(got) >= 1)
    assert batch.value[0] == 100
    assert batch.cause.tolist() == [0, Cause.COMMS]
    assert len(asked) == 2


async def test_one_register_refused_and_another_broken_costs_the_two_of_them(
    rtu_peer, answering, profile, plans, polling
):
    """P2: exception 2 is cut, exception 4 stays; neither takes along the good parts, in whatever order they come."""

    def script(request: bytes):
        unit, pdu = frames.unwrap_rtu(request)
        call = frames.decode_request(unit, pdu)
        span = range(call.address, call.address + call.count)
        code = 2 if 3 in span else 4 if 20 in span else 0
        yield 0, frames.wrap_rtu(unit, frames.encode_exception(3, code)) if code else answering(request)

    peer = rtu_peer(script)
    points = [(f"p{at}", f"holding {at} u16") for at in (0, 1, 2, 3, 4, 5, 20, 30)]
    (bus,) = plans(line(peer.port, profile(*points, extra="holes: [holding 6-19, holding 21-29]"), period_s=0.2))
    async with polling([bus]) as (_, sink):
        batches = await sink.until(lambda got: len(got) >= 3)
    for batch in batches[:3]:
        assert batch.value[[0, 1, 2, 4, 5, 7]].tolist() == [100, 101, 102, 104, 105, 130]
        assert batch.quality[[3, 6]].tolist() == [Quality.MISSING] * 2
        assert batch.cause[[3, 6]].tolist() == [Cause.DEVICE] * 2


async def test_an_answer_lost_while_a_device_is_learnt_costs_its_own_registers(
    rtu_peer, answering, profile, plans, polling
):
    """P2: and what was not learnt for that is learnt with the next poll."""
    turn = itertools.count()

    def script(request: bytes):
        unit, pdu = frames.unwrap_rtu(request)
        call = frames.decode_request(unit, pdu)
        if call.address <= 3 < call.address + call.count:
            yield 0, frames.wrap_rtu(unit, frames.encode_exception(3, 2))
        elif call.address >= 4 and next(turn) == 0:
            yield 0, answering(request)[:-1] + b"\0"
        else:
            yield 0, answering(request)

    peer = rtu_peer(script)
    points = [(f"p{at}", f"holding {at} u16") for at in range(8)]
    (bus,) = plans(line(peer.port, profile(*points), period_s=0.5, timeout_s=0.1))
    async with polling([bus]) as (acquisition, sink):
        first, second, *_ = await sink.until(lambda got: len(got) >= 2)
        assert acquisition.devices()["dev1"] == "refuses holding 0x0003"
    assert first.value[:3].tolist() == [100, 101, 102]
    assert np.isnan(first.value[3:]).any()
    assert second.value[[0, 1, 2, 4, 5, 6, 7]].tolist() == [100, 101, 102, 104, 105, 106, 107]


class Jumpy(SystemClock):
    """A clock whose owner sets it."""

    def __init__(self) -> None:
        self.shift_ns = 0

    def now_ns(self) -> int:
        return super().now_ns() + self.shift_ns


async def test_a_clock_set_back_in_the_middle_of_a_poll_does_not_stop_the_polls(
    rtu_peer, answering, profile, plans, polling
):
    """P7: a busy bus is always in the middle of a poll."""
    clock, turn = Jumpy(), itertools.count()

    def script(request: bytes):
        if next(turn) == 2:
            clock.shift_ns = -5 * HOUR_NS
        yield 0, answering(request)

    peer = rtu_peer(script)
    (bus,) = plans(line(peer.port, profile(("a", "holding 0 u16")), period_s=0.1))
    async with polling([bus], clock) as (_, sink):
        await sink.until(lambda got: len(got) >= 8)


async def test_a_clock_set_back_hides_no_silence_of_a_device_that_calls(tmp_path, plans, polling, monkeypatch):
    """P7: a logger that says nothing is missed by the new time, not hours later by the old one."""
    monkeypatch.setattr(listener, "EVERY_NS", SECOND_NS // 10)
    (tmp_path / "logger.yaml").write_text(LOGGER.format(name="logger"), encoding="utf-8")
    clock = Jumpy()
    (bus,) = plans(BUS.format(port=free_port(), extra="", period_s=0.2))
    async with polling([bus], clock) as (_, sink):
        clock.shift_ns = -5 * HOUR_NS
        await sink.until(lambda got: len(got) >= 2)
    assert all((batch.cause == Cause.COMMS).all() for batch in sink.batches)


async def test_a_dead_unit_with_long_answers_is_probed_as_rarely_as_it_costs(
    rtu_peer, answering, profile, plans, polling
):
    """P1: besides the timeout a probe takes twice the time of the answer, here 0.26 s, that the line must be kept free
    for; a twentieth of the time is 12 s from probe to probe."""
    peer = rtu_peer(lambda request: [] if request[0] == 1 else [(0, answering(request))])
    long = profile(*((f"p{at}", f"holding {at} u16") for at in range(0, 120, 10)), name="long")
    text = line(peer.port, profile(("a", "holding 0 u16")), (1, 2), period_s=0.2, timeout_s=0.05)
    text = text.replace(f"port: {peer.port}", f"port: {peer.port}, baud: 9600")
    (bus,) = plans(text.replace("profile: plain.yaml, unit: 1", f"profile: {long}, unit: 1"))
    async with polling([bus]) as (acquisition, _):
        await asyncio.sleep(3.5)
        assert acquisition.stats()["line"].devices["dev1"].held_back >= 10
    assert sum(request[0] == 1 for _, request in peer.requests) == 1


async def test_a_unit_that_sends_rubbish_is_probed_with_one_request(rtu_peer, answering, profile, plans, polling):
    """P1, P21: a wrong baud rate or two units under one address must not hold the line for a whole poll each time."""
    peer = rtu_peer(lambda request: [(0, b"\xf0\x0f\xaa" if request[0] == 1 else answering(request))])
    points = [(f"p{at}", f"holding {at} u16") for at in (0, 9, 18, 27)]
    name = profile(*points, extra="holes: [holding 1-8, holding 10-17, holding 19-26]")
    (bus,) = plans(line(peer.port, name, (1, 2), period_s=0.4, timeout_s=0.02))
    async with polling([bus]) as (acquisition, sink):
        await sink.until(lambda _: acquisition.stats()["line"].devices["dev1"].polls >= 3)
    bursts = [list(group) for one, group in itertools.groupby(request[0] for _, request in peer.requests) if one == 1]
    assert [len(burst) for burst in bursts[:3]] == [4, 1, 1]
    ours = [request for _, request in peer.requests if request[0] == 1]
    assert len(set(ours[3:6])) == 3, "each probe begins with another request"


async def test_a_unit_whose_first_answer_is_always_wrong_comes_back_after_an_outage(
    rtu_peer, answering, profile, plans, polling
):
    """P2, P7: a probe that begins with the one bad request must not be the only one for ever."""
    down = {True}

    def script(request: bytes):
        if down or frames.decode_request(1, request[1:-2]).address == 0:
            yield 0, b"\xf0\x0f\xaa"
        else:
            yield 0, answering(request)

    peer = rtu_peer(script)
    name = profile(("a", "holding 0 u16"), ("b", "holding 9 u16"), extra=HOLES)
    (bus,) = plans(line(peer.port, name, period_s=0.1, timeout_s=0.02))
    async with polling([bus]) as (_, sink):
        await sink.until(lambda got: len(got) >= 3)
        down.clear()
        await sink.until(lambda _: sink.values(int(bus.devices[0].ids[1])).count(109.0) >= 3)
    assert np.isnan(sink.values(int(bus.devices[0].ids[0]))).all()
