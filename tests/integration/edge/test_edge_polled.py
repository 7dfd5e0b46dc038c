"""Conversations of SDI-12, DL/T 645 and CJ/T 188 over a real pseudo-terminal, with a device at its far end."""

import asyncio
import os
import sys
import tty
from fractions import Fraction

import numpy as np
import pytest

from device_profiles.convert import Linear
from edge_agent.compiled import FieldDevicePlan, SerialPlan
from edge_agent.drivers.cjt188 import driver as cjt188
from edge_agent.drivers.cjt188 import frames as cjt188_frames
from edge_agent.drivers.cjt188.readings import Quantity, Reading, Status
from edge_agent.drivers.contract import FrameError, Number
from edge_agent.drivers.dlt645 import driver as dlt645
from edge_agent.drivers.dlt645 import frames as dlt645_frames
from edge_agent.drivers.sdi12 import driver as sdi12
from edge_agent.drivers.sdi12 import frames as sdi12_frames
from edge_agent.field_device import FieldDevice
from edge_agent.fields import FieldColumn
from edge_agent.identity import Identity
from edge_agent.lines.half_duplex import HalfDuplex
from edge_agent.lines.line import GarbledError
from edge_agent.lines.wire import SerialWire
from edge_agent.plan import serial_cost
from telemetry.quality import Cause, Quality

TIMEOUT_S = 2.0
PIECE_S = 0.002
"""Between the pieces of an answer."""
READING = Reading(
    {"total": Quantity(Fraction("1234.56"), 0x2C), "settled": Quantity(Fraction(1200), 0x2C)},
    1_795_489_200 * 10**9,
    Status(0, battery_low=False),
)


class Far:
    """The far end of a pseudo-terminal; ``answer`` is given what came, and gives None for half a request."""

    def __init__(self, answer):
        self.far, self._near = os.openpty()
        tty.setraw(self._near)
        self.port, self._answer, self._heard = os.ttyname(self._near), answer, b""
        asyncio.get_running_loop().add_reader(self.far, self._read)

    def _read(self):
        self._heard += os.read(self.far, 4096)
        answer = self._answer(self._heard)
        if answer is not None:
            self._heard = b""
            for number, piece in enumerate(answer if isinstance(answer, tuple) else (answer,)):
                asyncio.get_running_loop().call_later(PIECE_S * number, os.write, self.far, piece)

    def close(self):
        asyncio.get_running_loop().remove_reader(self.far)
        os.close(self.far)
        os.close(self._near)


@pytest.fixture
async def line():
    """Open a line to a device."""
    opened = []

    async def make(answer, timeout_s=TIMEOUT_S) -> HalfDuplex:
        far = Far(answer)
        plan = SerialPlan(baud=9600, parity="N", stop=1, port=far.port)
        made = HalfDuplex(SerialWire(plan), timeout_s)
        opened.extend((made, far))
        await made.connect()
        return made

    yield make
    for one in opened:
        one.close()


async def converse(line, conversation):
    ask = next(conversation)
    while True:
        frame = await line.exchange(ask, "device", "device")
        try:
            ask = conversation.send(frame)
        except StopIteration as stop:
            return stop.value
        except FrameError:
            line.spoil()
            raise


def sensor(ready_s, *service):
    """An SDI-12 sensor with two values; ``service`` is what it sends after the answer to its measurement."""

    def answer(heard):
        if not heard.endswith(b"!"):
            return None
        body = sdi12_frames.decode_command(heard).body
        if body == "D0":
            return sdi12_frames.encode_values("0", [1.25, -3.5], crc=True)
        started = sdi12_frames.encode_started("0", sdi12_frames.Started(ready_s, 2), sdi12_frames.DIGITS_M)
        return (started, *service)

    return answer


def adapted(answer):
    """A device behind an adapter that is asked at 9600 baud and hands on what comes at 1200, character by character."""

    def slow(heard):
        whole = answer(heard)
        return None if whole is None else tuple(bytes([one]) for one in b"".join(whole))

    return slow


def meter(heard):
    """A DL/T 645 meter."""
    if dlt645_frames.ENVELOPE.size(heard) != len(heard):
        return None
    request = dlt645_frames.decode(heard)
    return dlt645_frames.encode(dlt645_frames.Data(request.address, request.identifier, b"\x01\x22"), 4)


def water_meter(heard):
    """A CJ/T 188 meter."""
    if cjt188_frames.ENVELOPE.size(heard) != len(heard):
        return None
    request = cjt188_frames.decode(heard)
    data = cjt188_frames.encode_reading(0x10, READING)
    return cjt188_frames.encode(cjt188_frames.Data(request.address, request.identifier, data), 4)


CASES = [
    (sdi12, "0", sensor(0), {"MC.1": 1.25, "MC.2": -3.5}),
    (dlt645, "240309855761", meter, {"02010100": 220.1, "02010200": 220.1}),
    (cjt188, "10:78330011223344", water_meter, {"901F.total m3": 1234.56}),
]


@pytest.mark.parametrize(("driver", "address", "device", "values"), CASES, ids=["sdi12", "dlt645", "cjt188"])
async def test_a_poll_over_a_line(line, driver, address, device, values):
    found = await converse(await line(device), driver.PROTOCOL.poll(address, list(values)))
    assert found == {field: Number(value) for field, value in values.items()}


async def test_a_sensor_behind_an_adapter_that_is_quicker_than_its_wire_is_heard_out(line, monkeypatch):
    """SDI-12 has 1200 baud; an adapter on USB has any. 41 characters take a third of a second whatever its rate."""
    monkeypatch.setattr(sys.modules[__name__], "PIECE_S", sdi12_frames.CHARACTER_S)
    values = [1234.5, -1234.5, 1000.5, 2000.5, 3000.5]

    def many(heard):
        if not heard.endswith(b"!"):
            return None
        if sdi12_frames.decode_command(heard).body == "D0":
            return (sdi12_frames.encode_values("0", values, crc=True),)
        return (sdi12_frames.encode_started("0", sdi12_frames.Started(0, len(values)), sdi12_frames.DIGITS_M),)

    fields = [f"MC.{at}" for at in range(1, 6)]
    found = await converse(await line(adapted(many), 0.1), sdi12.PROTOCOL.poll("0", fields))
    assert [found[field].value for field in fields] == values


@pytest.mark.parametrize(("driver", "address", "device", "values"), CASES, ids=["sdi12", "dlt645", "cjt188"])
async def test_after_garbage_the_next_poll_is_right(line, driver, address, device, values):
    """P21: a garbage frame is refused, and costs nothing but its poll and the time in which more could come."""
    garbage = [b"\x00\xff\x68\x16 garbage"]
    made = await line(lambda heard: garbage.pop() if garbage and device(heard) is not None else device(heard), 0.5)
    with pytest.raises((FrameError, GarbledError)):
        await converse(made, driver.PROTOCOL.poll(address, list(values)))
    found = await converse(made, driver.PROTOCOL.poll(address, list(values)))
    assert found == {field: Number(value) for field, value in values.items()}


async def test_a_sensor_that_requests_no_service_is_asked_after_its_time(line):
    """The silence is no timeout: nothing is counted, and the sensor is asked on at once."""
    made = await line(sensor(1))
    assert await converse(made, sdi12.PROTOCOL.poll("0", ["MC.1"])) == {"MC.1": Number(1.25)}
    assert (made.counters.timeouts, made.counters.garbled) == (0, 0)


@pytest.mark.parametrize("device", [sensor(9, b"0\r\n"), sensor(9, b"0", b"\r\n")], ids=["whole", "halves"])
async def test_a_service_request_is_heard_whenever_it_comes(line, device):
    made = await line(device)
    async with asyncio.timeout(TIMEOUT_S):
        assert await converse(made, sdi12.PROTOCOL.poll("0", ["MC.2"])) == {"MC.2": Number(-3.5)}
    assert (made.counters.timeouts, made.counters.garbled, made.counters.late) == (0, 0, 0)


async def test_a_service_request_in_one_piece_with_the_answer(line):
    device = sensor(9)

    def joined(heard):
        answer = device(heard)
        return answer[0] + b"0\r\n" if isinstance(answer, tuple) else answer

    async with asyncio.timeout(TIMEOUT_S):
        assert await converse(await line(joined), sdi12.PROTOCOL.poll("0", ["MC.2"])) == {"MC.2": Number(-3.5)}


async def test_a_meter_that_refuses_everything_has_answered(line):
    """Its numbers are MISSING by its own word, with its reason, and nothing is wrong with the line."""

    def refuse(heard):
        if dlt645_frames.ENVELOPE.size(heard) != len(heard):
            return None
        address = dlt645_frames.decode(heard).address
        return dlt645_frames.encode(dlt645_frames.Refused(address, 0x11, dlt645_frames.Reason.NO_SUCH_DATA))

    made = await line(refuse)
    column = FieldColumn(field="02010100", linear=Linear(1.0, 1.0, 0.0), valid=(0.0, 400.0))
    plan = FieldDevicePlan(
        name="meter", address="240309855761", series=(), ids=np.array([1]), screenings=(), period_ns=1, phase_ns=0,
        columns=(column,), periods_ns=np.array([1]),
    )  # fmt: skip
    poll = await FieldDevice(plan, dlt645.PROTOCOL, made).poll(0)
    assert str(poll.failure) == "meter refused 02010100: no_such_data (error byte 02)"
    assert (poll.readings.quality.tolist(), poll.readings.cause.tolist()) == ([Quality.MISSING], [Cause.DEVICE])
    assert (made.counters.garbled, made.counters.timeouts, made.counters.answers) == (0, 0, 1)


def asked_who(line: HalfDuplex, timeout_s: float = TIMEOUT_S) -> Identity:
    plan = FieldDevicePlan(
        name="sensor", address="0", series=(), ids=np.array([1]), screenings=(), period_ns=1, phase_ns=0,
        columns=(), periods_ns=np.array([1]),
    )  # fmt: skip
    return Identity(plan, sdi12.PROTOCOL, line, serial_cost(9600), timeout_s)


async def test_an_sdi12_sensor_says_who_it_is(line):
    """aI!, with and without the serial number that may follow the firmware (clause 4.4.2)."""
    answers = [b"014MADEBY--SENSOR1.2\r\n", b"013ALLCO   AB12  001SN-4711\r\n"]
    asked = []

    def answer(request):
        asked.append(request)
        return answers.pop()

    sensor = asked_who(await line(answer))
    await sensor.read()
    assert sensor.found == {"vendor": "ALLCO", "model": "AB12", "firmware": "001", "serial": "SN-4711"}
    await sensor.read()
    assert sensor.found == {"vendor": "MADEBY--", "model": "SENSOR", "firmware": "1.2"}
    assert asked == [b"0I!"] * 2


async def test_a_late_answer_to_a_question_that_may_stay_open_answers_nothing_else(monkeypatch):
    """P16: a sensor that is late with its metadata is left alone until it can't be late any more; then it is polled."""
    monkeypatch.setattr(sdi12_frames, "LONGEST_PARAMETER", 10)  # or it would be waited for a second longer
    values, asked = sensor(0), []

    def late(request):
        if not request.endswith(b"!"):
            return None
        asked.append(request)
        if request == b"0I!":
            return b"014MADEBY--SENSOR1.2\r\n"
        if request == b"0IMC!":
            asyncio.get_running_loop().call_later(0.25, os.write, far.far, b"09999\r\n")
            return ()
        return values(request)

    far = Far(late)
    made = HalfDuplex(SerialWire(SerialPlan(baud=9600, parity="N", stop=1, port=far.port)), 0.1)
    await made.connect()
    try:
        async with asyncio.timeout(5):
            await converse(made, sdi12.PROTOCOL.identify("0", ["MC.1"]))
            found = await converse(made, sdi12.PROTOCOL.poll("0", ["MC.1"]))
    finally:
        made.close()
        far.close()
    assert found["MC.1"].value == 1.25
    assert asked == [b"0I!", b"0IMC!", b"0MC!", b"0D0!"]
    assert made.counters.late == 7


@pytest.mark.parametrize("answer", [None, b"014MADE\x1bBY-SENSOR1.2\r\n", b"114MADEBY--SENSOR1.2\r\n"])
async def test_an_sdi12_sensor_that_does_not_say_is_asked_twice_and_left_for_the_day(line, answer):
    asked = []

    def answering(request):
        asked.append(request)
        return answer

    sensor = asked_who(await line(answering, timeout_s=0.1), 0.1)
    await sensor.read()
    assert (sensor.found, list(sensor.problems), sensor.pending) == ({}, ["identity"], False)
    sensor.begin(anew=False)
    assert not sensor.pending
    sensor.begin(anew=True)
    assert sensor.pending
