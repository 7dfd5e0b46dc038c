"""Peers that misbehave: whatever they send, a wrong value never comes out, and the others lose little."""

import asyncio
import itertools
import os

import numpy as np

from edge_agent.drivers.modbus import frames
from telemetry.quality import Cause, Quality


def line(port: str, profile: str, units=(1,), *, period_s: float = 0.05, timeout_s: float = 1.0) -> str:
    """A file with one serial bus."""
    devices = "".join(
        f"      - {{name: dev{unit}, profile: {profile}, unit: {unit}, station: s{unit}, period_s: {period_s}}}\n"
        for unit in units
    )
    return f"buses:\n  - name: line\n    timeout_s: {timeout_s}\n    serial: {{port: {port}}}\n    devices:\n{devices}"


def together(*texts: str) -> str:
    """Several files of one bus as one, with the names in them numbered."""
    return "buses:\n" + "".join(_numbered(text, number) for number, text in enumerate(texts))


def _numbered(text: str, number: int) -> str:
    for word in ("name: line", "name: one", "station: s", "name: dev"):
        text = text.replace(word, f"{word}{number}")
    return text.removeprefix("buses:\n")


def spoilt(good: bytes) -> dict[str, bytes]:
    unit, pdu = frames.unwrap_rtu(good)
    return {
        "wrong unit": frames.wrap_rtu(unit + 1, pdu),
        "wrong function": frames.wrap_rtu(unit, b"\x04" + pdu[1:]),
        "wrong byte count": frames.wrap_rtu(unit, b"\x03\x04" + pdu[2:] + b"\0\0"),
        "lying byte count": frames.wrap_rtu(unit, b"\x03\x04" + pdu[2:]),
        "truncated": good[:-1],
        "one byte": good[:1],
        "bad CRC": good[:-1] + bytes((good[-1] ^ 1,)),
        "flipped bit": good[:3] + bytes((good[3] ^ 16,)) + good[4:],
        "garbage before": b"\xff" + good,
        "garbage behind": good + b"\x00",
        "noise": bytes(range(40)),
        "twice": good + good,
        "exception of another function": frames.wrap_rtu(unit, b"\x84\x02"),
    }


KINDS = list(spoilt(frames.wrap_rtu(1, b"\x03\x02\x00\x64")))


async def test_a_frame_that_is_not_the_answer_is_never_a_value(rtu_peer, answering, profile, plans, polling):
    """P21: counted, flagged, never a value, and the port stays open; the next right answer counts again."""

    def every_other(kind: str):
        turn = itertools.count()

        def script(request: bytes):
            good = answering(request)
            yield 0, spoilt(good)[kind] if next(turn) % 2 == 0 else good

        return script

    name = profile(("a", "holding 0 u16"))
    ports = [rtu_peer(every_other(kind)).port for kind in KINDS]
    buses = plans(together(*(line(port, name, period_s=0.1, timeout_s=0.04) for port in ports)))
    series = [int(bus.devices[0].ids[0]) for bus in buses]
    async with polling(buses) as (acquisition, sink):
        await sink.until(lambda _: all(sink.values(one).count(100.0) >= 2 for one in series))
    for kind, bus, one in zip(KINDS, buses, series, strict=True):
        values = sink.values(one)
        assert {value for value in values if not np.isnan(value)} == {100.0}, kind
        assert np.isnan(values).any(), kind
        figures = acquisition.stats()[bus.name].line
        assert figures.garbled >= 1, kind
        assert figures.connects == 1, kind
    for batch in sink.batches:
        lost = np.isnan(batch.value)
        assert (batch.quality[lost] == Quality.MISSING).all()
        assert (batch.cause[lost] == Cause.COMMS).all()


LATENESS = (0.3, 0.5, 0.75)


async def test_an_answer_after_the_timeout_never_becomes_the_answer_to_the_next_request(
    rtu_peer, answering, profile, plans, polling
):
    """P16: two registers behind a hole are asked for by requests of the same shape, and one answer is late."""

    def sometimes_late(lateness: float):
        turn = itertools.count()

        def script(request: bytes):
            yield (0.04 * (1 + lateness) if next(turn) % 3 == 1 else 0), answering(request)

        return script

    name = profile(("a", "holding 0 u16"), ("b", "holding 9 u16"), extra="holes: [holding 1-8]")
    ports = [rtu_peer(sometimes_late(lateness)).port for lateness in LATENESS]
    buses = plans(together(*(line(port, name, timeout_s=0.04) for port in ports)))
    async with polling(buses) as (acquisition, sink):
        await sink.until(lambda got: len(got) >= 36)
    for bus in buses:
        a, b = (sink.values(int(series)) for series in bus.devices[0].ids)
        assert {value for value in a if not np.isnan(value)} == {100.0}
        assert {value for value in b if not np.isnan(value)} == {109.0}
        assert acquisition.stats()[bus.name].line.timeouts >= 2
        assert acquisition.stats()[bus.name].line.late > 0


async def test_half_a_poll_is_kept_when_the_other_half_is_lost(rtu_peer, answering, profile, plans, polling):
    """P2: the registers that were answered before the silence are readings."""
    turn = itertools.count()

    def script(request: bytes):
        return [] if next(turn) % 2 else [(0, answering(request))]

    peer = rtu_peer(script)
    name = profile(("a", "holding 0 u16"), ("b", "holding 9 u16"), extra="holes: [holding 1-8]")
    (bus,) = plans(line(peer.port, name, period_s=0.5, timeout_s=0.3))
    async with polling([bus]) as (acquisition, sink):
        (batch, *_) = await sink.until(lambda got: len(got) >= 1)
    assert batch.value[0] == 100
    assert batch.quality.tolist() == [Quality.UNCHECKED, Quality.MISSING]
    assert batch.cause.tolist() == [0, Cause.COMMS]
    assert "no answer" in acquisition.devices()["dev1"]


async def test_one_dead_unit_of_four_costs_the_others_less_than_a_tenth(rtu_peer, answering, profile, plans, polling):
    """P1: the dead one is probed ever more rarely, but gives a MISSING row at each of its moments."""
    peer = rtu_peer(lambda request: [] if request[0] == 3 else [(0, answering(request))])
    (bus,) = plans(line(peer.port, profile(("a", "holding 0 u16")), (1, 2, 3, 4), period_s=0.25, timeout_s=0.15))
    async with polling([bus]) as (acquisition, sink):
        await asyncio.sleep(3)
    figures = acquisition.stats()["line"].devices
    for device in bus.devices:
        values = np.array(sink.values(int(device.ids[0])))
        assert 11 <= len(values) <= 13
        if device.unit == 3:
            assert np.isnan(values).all()
        else:
            assert np.isfinite(values).mean() > 0.9, f"unit {device.unit} lost {np.isnan(values).mean():.0%}"
    assert figures["dev3"].held_back >= 9
    assert 1 <= sum(request[0] == 3 for _, request in peer.requests) <= 2


async def test_a_dead_unit_that_returns_is_polled_again(rtu_peer, answering, profile, plans, polling):
    """P7."""
    dead = {2}
    peer = rtu_peer(lambda request: [] if request[0] in dead else [(0, answering(request))])
    (bus,) = plans(line(peer.port, profile(("a", "holding 0 u16")), (1, 2), period_s=0.1, timeout_s=0.05))
    two = int(bus.devices[1].ids[0])
    async with polling([bus]) as (acquisition, sink):
        await sink.until(lambda _: acquisition.stats()["line"].devices["dev2"].held_back >= 3)
        dead.clear()
        await sink.until(lambda _: 200.0 in sink.values(two))
        healthy_from = len(sink.values(two))
        await sink.until(lambda _: sink.values(two)[healthy_from:].count(200.0) >= 5)


REFUSED = (3, 6)


async def test_a_refused_register_costs_itself_and_nothing_else(rtu_peer, answering, profile, plans, polling):
    """P2: exception 2 is bisected, remembered, and the good parts are kept."""

    def script(request: bytes):
        unit, pdu = frames.unwrap_rtu(request)
        call = frames.decode_request(unit, pdu)
        bad = any(call.address <= at < call.address + call.count for at in REFUSED)
        yield 0, frames.wrap_rtu(unit, frames.encode_exception(3, 2)) if bad else answering(request)

    peer = rtu_peer(script)
    (bus,) = plans(line(peer.port, profile(*((f"p{at}", f"holding {at} u16") for at in range(10))), period_s=0.2))
    async with polling([bus]) as (acquisition, sink):
        batches = await sink.until(lambda got: len(got) >= 3)
        asked = len(peer.requests)
        await sink.until(lambda got: len(got) >= 4)
    for batch in batches[:3]:
        for at in range(10):
            if at in REFUSED:
                assert batch.quality[at] == Quality.MISSING
                assert batch.cause[at] == Cause.DEVICE
            else:
                assert batch.value[at] == 100 + at
    assert acquisition.devices()["dev1"] == "refuses holding 0x0003, holding 0x0006"
    later = [frames.decode_request(1, frames.unwrap_rtu(request)[1]) for _, request in peer.requests[asked:]]
    assert not any(call.address <= at < call.address + call.count for call in later for at in REFUSED)


async def test_a_device_that_refuses_everything_says_so(rtu_peer, profile, plans, polling):
    peer = rtu_peer(lambda request: [(0, frames.wrap_rtu(request[0], b"\x83\x02"))])
    (bus,) = plans(line(peer.port, profile(("a", "holding 0 u16"), ("b", "holding 1 u16")), period_s=0.2))
    async with polling([bus]) as (acquisition, sink):
        batches = await sink.until(lambda got: len(got) >= 2)
        assert "exception 2 (address)" in acquisition.devices()["dev1"]
    assert all((batch.cause == Cause.DEVICE).all() for batch in batches)


async def test_frames_are_apart_by_the_silent_interval(rtu_peer, answering, profile, plans, polling):
    """3.5 characters at 9600 baud are 3.65 ms."""
    peer = rtu_peer(lambda request: [(0, answering(request))])
    text = line(peer.port, profile(("a", "holding 0 u16")), (1, 2, 3, 4), period_s=0.05)
    (bus,) = plans(text.replace(f"port: {peer.port}", f"port: {peer.port}, baud: 9600"))
    async with polling([bus]) as (_, sink):
        await sink.until(lambda got: len(got) >= 20)
    for answered, (asked, _) in zip(peer.sent, peer.requests[1:], strict=False):
        assert asked - answered >= 3.5 * 10 / 9600


async def test_after_a_timeout_the_line_rests_for_as_long_as_the_answer_could_take(
    rtu_peer, answering, profile, plans, polling
):
    """P16: 40 registers at 9600 baud take 89 ms."""
    points = [(f"p{at}", f"holding {at} u16") for at in (0, 10, 20, 30, 39)]
    peer = rtu_peer(lambda request: [] if request[0] == 1 else [(0, answering(request))])
    text = line(peer.port, profile(*points), (1, 2), period_s=0.2, timeout_s=0.05)
    (bus,) = plans(text.replace(f"port: {peer.port}", f"port: {peer.port}, baud: 9600"))
    async with polling([bus]) as (_, sink):
        await sink.until(lambda _: len(peer.requests) >= 3)
    first = next(at for at, (_, request) in enumerate(peer.requests[:-1]) if request[0] == 1)
    reply_s = (5 + 2 * 40) * 10 / 9600
    assert peer.requests[first + 1][0] - peer.requests[first][0] >= 0.05 + 2 * reply_s


async def test_a_port_that_vanishes_is_opened_again_when_it_returns(
    rtu_peer, answering, profile, plans, polling, tmp_path
):
    """P7, P18."""
    first = rtu_peer(lambda request: [(0, answering(request))])
    port = tmp_path / "port"
    port.symlink_to(first.port)
    (bus,) = plans(line(str(port), profile(("a", "holding 0 u16"))))
    async with polling([bus]) as (acquisition, sink):
        await sink.until(lambda got: bool(got) and got[-1].value[0] == 100)
        asyncio.get_running_loop().remove_reader(first.far)
        for end in (first.far, first._near):
            os.close(end)
        await sink.until(lambda got: np.isnan(got[-1].value[0]))
        asyncio.get_running_loop()
        second = rtu_peer(lambda request: [(0, answering(request))])
        port.unlink()
        port.symlink_to(second.port)
        await sink.until(lambda got: got[-1].value[0] == 100)
        assert acquisition.stats()["line"].line.connect_failures <= 3
    first.far, first._near = os.openpty()
    asyncio.get_running_loop().add_reader(first.far, lambda: None)


async def test_a_line_that_never_falls_silent_does_not_hang_the_bus(rtu_peer, profile, plans, polling):
    peer = rtu_peer(lambda _: ((0.001, b"\x55") for _ in range(1000)))
    (bus,) = plans(line(peer.port, profile(("a", "holding 0 u16")), timeout_s=0.02))
    async with polling([bus]) as (_, sink):
        batches = await sink.until(lambda got: len(got) >= 3)
    assert all(np.isnan(batch.value).all() for batch in batches)


def tcp(port: int, profile: str, *, period_s: float = 0.05, timeout_s: float = 1.0) -> str:
    return (
        f"buses:\n  - name: one\n    timeout_s: {timeout_s}\n    tcp: {{host: 127.0.0.1, port: {port}}}\n"
        f"    devices: [{{name: dev, profile: {profile}, station: s, period_s: {period_s}}}]\n"
    )


def tcp_answer(request: bytes, value: int = 100) -> bytes:
    return request[:4] + b"\x00\x05" + request[6:7] + b"\x03\x02" + value.to_bytes(2, "big")


WRONG = {
    "wrong transaction": lambda good: bytes((good[0], good[1] ^ 7)) + good[2:],
    "wrong unit": lambda good: good[:6] + bytes((good[6] ^ 1,)) + good[7:],
    "wrong function": lambda good: good[:7] + b"\x04" + good[8:],
    "wrong byte count": lambda good: good[:5] + b"\x07" + good[6:8] + b"\x04" + good[9:] + b"\0\0",
    "wrong protocol": lambda good: good[:2] + b"\x00\x09" + good[4:],
    "impossible length": lambda good: good[:4] + b"\xff\xff" + good[6:],
    "truncated": lambda good: good[:-1],
    "noise": lambda _: bytes(range(100, 160)),
}


async def test_a_wrong_tcp_answer_is_never_a_value(tcp_peer, profile, plans, polling):
    def every_other(kind: str):
        turn = itertools.count()

        def script(request: bytes):
            good = tcp_answer(request)
            yield 0, WRONG[kind](good) if next(turn) % 2 == 0 else good

        return script

    name = profile(("a", "holding 0 u16"))
    ports = [await tcp_peer(every_other(kind)) for kind in WRONG]
    buses = plans(together(*(tcp(port, name, timeout_s=0.04) for port in ports)))
    series = [int(bus.devices[0].ids[0]) for bus in buses]
    async with polling(buses) as (acquisition, sink):
        await sink.until(lambda _: all(sink.values(one).count(100.0) >= 2 for one in series))
    for kind, bus, one in zip(WRONG, buses, series, strict=True):
        values = sink.values(one)
        assert {value for value in values if not np.isnan(value)} == {100.0}, kind
        assert np.isnan(values).any(), kind
        figures = acquisition.stats()[bus.name].line
        assert figures.garbled + figures.late >= 1, kind


async def test_a_late_tcp_answer_is_dropped_by_its_transaction(tcp_peer, profile, plans, polling):
    """P16: each answer comes one request too late and carries the value of its own request."""
    turn = itertools.count(1)

    def script(request: bytes):
        number = next(turn)
        yield 0.15 if number % 2 else 0, tcp_answer(request, number)

    port = await tcp_peer(script)
    (bus,) = plans(tcp(port, profile(("a", "holding 0 u16")), timeout_s=0.1))
    async with polling([bus]) as (acquisition, sink):
        await sink.until(lambda got: sum(np.isfinite(batch.value).any() for batch in got) >= 3)
    values = [value for value in sink.values(int(bus.devices[0].ids[0])) if np.isfinite(value)]
    assert all(value % 2 == 0 for value in values)
    assert acquisition.stats()["one"].line.late >= 1


async def test_a_slow_device_gives_one_row_for_each_of_its_moments(tcp_peer, profile, plans, polling):
    """A moment that passes while the line is busy is skipped: counted, and recorded as MISSING."""

    def script(request: bytes):
        yield 0.12, tcp_answer(request)

    port = await tcp_peer(script)
    (bus,) = plans(tcp(port, profile(("a", "holding 0 u16")), timeout_s=1.0))
    async with polling([bus]) as (acquisition, sink):
        await sink.until(lambda got: sum(len(batch) for batch in got) >= 20)
    period_ns, times = bus.devices[0].period_ns, np.concatenate([batch.time_ns for batch in sink.batches])
    values = np.concatenate([batch.value for batch in sink.batches])
    moments = np.unique((times[np.isnan(values)] - bus.devices[0].phase_ns) // period_ns)
    assert len(moments) == np.isnan(values).sum()
    spanned = (times.max() - times.min()) / period_ns
    assert abs(len(times) - spanned) <= 4
    assert acquisition.stats()["one"].devices["dev"].skipped >= np.isnan(values).sum() - 3


async def test_a_device_that_closes_after_each_answer_loses_nothing(profile, plans, polling):
    """Some converters do; the connection is made again at the next poll, without a backoff."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(tcp_answer(await reader.readexactly(12)))
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    (bus,) = plans(tcp(server.sockets[0].getsockname()[1], profile(("a", "holding 0 u16"))))
    async with polling([bus]) as (acquisition, sink):
        await sink.until(lambda got: len(got) >= 8)
    server.close()
    assert set(sink.values(int(bus.devices[0].ids[0]))) == {100.0}
    assert acquisition.stats()["one"].line.connects >= 8


async def test_a_server_that_accepts_and_hangs_up_is_not_tried_all_the_time(profile, plans, polling):
    """P18."""
    server = await asyncio.start_server(lambda _, writer: writer.close(), "127.0.0.1", 0)
    (bus,) = plans(tcp(server.sockets[0].getsockname()[1], profile(("a", "holding 0 u16")), period_s=0.02))
    async with polling([bus]) as (acquisition, sink):
        await sink.until(lambda got: len(got) >= 30)
        assert "connection lost" in acquisition.devices()["dev"]
    server.close()
    assert np.isnan(sink.values(int(bus.devices[0].ids[0]))).all()
    assert acquisition.stats()["one"].line.connects <= 3


async def test_a_device_that_needs_a_rest_gets_it(rtu_peer, answering, profile, plans, polling):
    """P20: 30 ms after each answer, and the next device on the line waits too."""
    peer = rtu_peer(lambda request: [(0, answering(request))])
    name = profile(("a", "holding 0 u16"), extra="pause_after_ms: 30")
    (bus,) = plans(line(peer.port, name, (1, 2, 3)))
    async with polling([bus]) as (_, sink):
        await sink.until(lambda got: len(got) >= 6)
    for answered, (asked, _) in zip(peer.sent, peer.requests[1:], strict=False):
        assert asked - answered >= 0.03


async def test_a_busy_device_is_not_cut_into_pieces(rtu_peer, answering, profile, plans, polling):
    """Exception 6 says "later", not "never": the rows of that moment are missing, and nothing is remembered."""
    turn = itertools.count()

    def script(request: bytes):
        yield 0, answering(request) if next(turn) % 2 else frames.wrap_rtu(request[0], b"\x83\x06")

    peer = rtu_peer(script)
    (bus,) = plans(line(peer.port, profile(("a", "holding 0 u16"), ("b", "holding 1 u16"))))
    async with polling([bus]) as (_, sink):
        batches = await sink.until(lambda got: len(got) >= 6)
    assert [batch.cause.tolist() for batch in batches[:4]] == [[Cause.DEVICE] * 2, [0, 0]] * 2
    assert len({request for _, request in peer.requests}) == 1
