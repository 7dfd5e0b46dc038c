"""Devices that send of their own accord: over connections that they open, and on a serial line."""

import asyncio
import os
import tty
from datetime import UTC, datetime

import numpy as np
import pytest

from telemetry.clock import SECOND_NS
from telemetry.quality import Cause, Quality
from tests.integration.brokers import free_port
from tests.integration.edge.followed import Log
from tests.integration.gateway_centre import until
from tests.integration.loggers import message

LOGGER = """
name: {name}
title: {{zh: 试验, en: Test}}
source: made up for tests
protocol: hj212
transports: [listen]
points:
  - {{name: pm25, quantity: pm25, unit: ug/m3, field: 2011/a34004-Rtd, valid: [0, 1000]}}
  - {{name: pm25-hour, quantity: pm25, unit: ug/m3, field: 2061/a34004-Avg, valid: [0, 1000], period_s: 3600}}
golden:
  - {{messages: [{{sent: "ascii:##"}}], values: {{}}, source: none}}
"""
MAST = """
name: mast
title: {zh: 试验, en: Test}
source: made up for tests
protocol: nmea0183
transports: [serial]
serial: {baud: 4800}
address: "*"
points:
  - {name: wind, quantity: wind_speed, unit: m/s, field: MWV/T.speed/M, valid: [0, 60]}
golden:
  - {messages: [{sent: "ascii:$"}], values: {}, source: none}
"""
BUS = """
buses:
  - name: loggers
    listen: {{host: 127.0.0.1, port: {port}{extra}}}
    devices:
      - {{name: air, profile: logger.yaml, address: ABC, station: park, period_s: {period_s}}}
"""


@pytest.fixture
def bus(tmp_path, plans):
    """A bus on which one data logger calls; gives its plan and port."""
    (tmp_path / "logger.yaml").write_text(LOGGER.format(name="logger"), encoding="utf-8")

    def make(period_s: float = 60.0, extra: str = ""):
        port = free_port()
        (plan,) = plans(BUS.format(port=port, extra=extra, period_s=period_s))
        return plan, port

    return make


@pytest.fixture
async def call():
    """Call a port as a data logger does; the connections end with the test."""
    writers: list[asyncio.StreamWriter] = []

    async def connect(port: int) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        async with asyncio.timeout(5):
            while True:
                try:
                    reader, writer = await asyncio.open_connection("127.0.0.1", port)
                except ConnectionRefusedError:
                    await asyncio.sleep(0.01)
                    continue
                writers.append(writer)
                return reader, writer

    yield connect
    for writer in writers:
        writer.close()


def seconds(at: datetime) -> int:
    return int(at.timestamp()) * SECOND_NS


async def test_a_report_becomes_rows_at_the_time_of_the_device_and_is_acknowledged(bus, polling, call):
    """P8: what comes late keeps its own time."""
    plan, port = bus()
    long_ago = datetime(2026, 11, 1, 4, 0, tzinfo=UTC)
    async with polling([plan]) as (acquisition, sink):
        reader, writer = await call(port)
        writer.write(message("35.1", long_ago) + message("30.5", long_ago, code="2061"))
        answers = b""
        async with asyncio.timeout(5):
            while answers.count(b"CN=9014") < 2:
                answers += await reader.read(4096)
        await sink.until(lambda got: len(got) == 2)
        assert acquisition.devices() == {"air": "ok"}
    now, hour = plan.devices[0].ids.tolist()
    found = [(b.series.tolist(), b.time_ns.tolist(), b.value.tolist(), b.quality.tolist()) for b in sink.batches]
    assert found == [
        ([now], [seconds(long_ago)], [35.1], [Quality.GOOD]),
        ([hour], [seconds(long_ago)], [30.5], [Quality.GOOD]),
    ]


async def test_a_message_in_pieces_among_garbage_counts_once(bus, polling, call):
    """P21: what is refused is counted, and the connection stays."""
    plan, port = bus()
    whole = message("12.5", datetime.now(UTC))
    async with polling([plan]) as (acquisition, sink):
        _, writer = await call(port)
        writer.write(b"garbage\r\n" + whole[:-6] + b"0000\r\n")
        for byte in whole:
            writer.write(bytes((byte,)))
            await writer.drain()
        await sink.until(lambda got: len(got) == 1)
        figures = acquisition.stats()["loggers"].line
        assert (figures.answers, figures.connects) == (1, 1)
        assert figures.garbled >= 1
    assert sink.values(int(plan.devices[0].ids[0])) == [12.5]


async def test_two_callers_do_not_mix(bus, polling, call):
    """Half a message of one caller must not be finished by another."""
    plan, port = bus()
    whole = message("12.5", datetime.now(UTC))
    async with polling([plan]) as (_, sink):
        (_, one), (_, other) = await call(port), await call(port)
        one.write(whole[:40])
        await one.drain()
        other.write(message("99.0", datetime.now(UTC)))
        await sink.until(lambda got: len(got) == 1)
        one.write(whole[40:])
        await sink.until(lambda got: len(got) == 2)
    assert sink.values(int(plan.devices[0].ids[0])) == [99.0, 12.5]


async def test_silence_is_missing_rows_at_the_moments_that_were_due(bus, polling, call):
    plan, port = bus(period_s=0.2)
    series = int(plan.devices[0].ids[0])
    async with polling([plan]) as (acquisition, sink):
        _, writer = await call(port)
        writer.write(message("1.0", datetime.now(UTC)))
        await sink.until(lambda _: len(sink.values(series)) >= 4)
        assert "silent" in acquisition.devices()["air"]
    values = sink.values(series)
    assert values.count(1.0) == 1
    lost = [batch for batch in sink.batches if np.isnan(batch.value).any()]
    assert all(batch.cause.tolist() == [Cause.COMMS] for batch in lost)
    times = [int(batch.time_ns[0]) for batch in lost if batch.series[0] == series]
    steps = np.diff(times) / SECOND_NS
    assert steps == pytest.approx(np.full(len(steps), 0.2), abs=0.002)


async def test_a_caller_that_falls_silent_within_a_minute_of_a_line_is_told(bus, call, log):
    plan, port = bus(period_s=10.0)
    one = log([plan])
    await report(one, call, port)
    assert await one.upto(59) == [True]
    assert await one.upto(70) == [True, False]


async def test_a_caller_that_reports_once_an_hour_is_well_again_when_the_minute_is_over(bus, call, log):
    plan, port = bus(period_s=600.0)
    one = log([plan])
    assert await one.upto(901) == [False]
    while not one.rows.empty():
        one.rows.get_nowait()
    await report(one, call, port)
    assert await one.upto(950) == [False]
    assert await one.upto(1021) == [False, True]


async def report(one: Log, call, port: int) -> None:
    _, writer = await call(port)
    writer.write(message("1.0", datetime.now(UTC)))
    async with asyncio.timeout(5):
        await one.rows.get()


async def test_a_device_that_nobody_entered_is_counted_never_a_row_and_not_told_to_delete(bus, polling, call):
    """P8: whoever enters it later has what it kept meanwhile."""
    plan, port = bus()
    async with polling([plan]) as (acquisition, sink):
        reader, writer = await call(port)
        writer.write(message("7.0", datetime.now(UTC), mn="XYZ") + message("8.0", datetime.now(UTC)))
        await sink.until(lambda got: len(got) == 1)
        async with asyncio.timeout(5):
            assert b"MN=ABC" in await reader.readuntil(b"\r\n")
        figures = acquisition.stats()["loggers"].line
        assert (figures.refusals, figures.withheld) == (1, 1)
    assert sink.values(int(plan.devices[0].ids[0])) == [8.0]


async def test_one_caller_too_many_is_turned_away(bus, polling, call):
    plan, port = bus(extra=", connections: 1")
    async with polling([plan]) as (_, sink):
        _, first = await call(port)
        first.write(message("1.0", datetime.now(UTC)))
        await sink.until(lambda got: len(got) == 1)
        reader, _ = await call(port)
        async with asyncio.timeout(5):
            assert await reader.read() == b""
        first.write(message("2.0", datetime.now(UTC)))
        await sink.until(lambda got: len(got) == 2)


async def test_sentences_on_a_serial_line(tmp_path, plans, polling):
    (tmp_path / "mast.yaml").write_text(MAST, encoding="utf-8")
    far, near = os.openpty()
    tty.setraw(near)
    (plan,) = plans(
        f"buses:\n  - name: mast\n    serial: {{port: {os.ttyname(near)}}}\n"
        "    devices:\n      - {name: mast, profile: mast.yaml, station: pier, period_s: 60}\n"
    )
    body = "WIMWV,214.8,T,12.5,M,A"
    check = 0
    for byte in body.encode():
        check ^= byte
    async with polling([plan]) as (acquisition, sink):
        await until(lambda: acquisition.stats()["mast"].line.connects)
        os.write(far, f"$WIMWV,1,T,99,M,A*00\r\n${body}*{check:02X}\r\n".encode())
        await sink.until(lambda got: len(got) == 1)
        assert acquisition.stats()["mast"].line.garbled == 1
    assert sink.values(int(plan.devices[0].ids[0])) == [12.5]
    os.close(far)
    os.close(near)


MISTAKES = [
    ("listen: {{host: 127.0.0.1, port: {port}{extra}}}", "tcp: {{host: 127.0.0.1, port: 1}}", "speaks listen"),
    ("address: ABC, ", "", "expected"),
    ("address: ABC", "address: 'A;C'", "expected"),
    ("    devices", "    secret: NO_SUCH_SECRET\n    devices", "NO_SUCH_SECRET is not set"),
    ("profile: logger.yaml", "profile: rs-fsxcs", "expected a device that speaks listen"),
]


@pytest.mark.parametrize(("old", "new", "words"), MISTAKES, ids=[words for *_, words in MISTAKES])
def test_a_mistake_is_one_line(tmp_path, plans, old, new, words):
    (tmp_path / "logger.yaml").write_text(LOGGER.format(name="logger"), encoding="utf-8")
    assert old in BUS
    with pytest.raises(ValueError, match=words) as caught:
        plans(BUS.replace(old, new).format(port=1, extra="", period_s=60))
    assert str(caught.value).startswith(str(tmp_path / "gateway.yaml") + ":")
    assert "\n" not in str(caught.value)
