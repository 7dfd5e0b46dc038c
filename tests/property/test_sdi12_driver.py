"""Conversations with a simulated SDI-12 sensor: the fewest commands, the waits, and what is refused."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from device_profiles.fields import sdi12
from edge_agent.drivers.contract import FrameError, Number
from edge_agent.drivers.sdi12 import driver, frames
from edge_agent.drivers.sdi12.frames import Identity, Started
from tests.property.polled_talk import talk


class Sensor:
    """A sensor that measures 1, 2, 3, ... of ``count`` values, ready after ``ready_s``."""

    def __init__(self, count=3, ready_s=0, most=35, requests_service=True):
        self.count, self.ready_s, self.most, self.requests_service = count, ready_s, most, requests_service
        self.pages, self.heard = [], []

    def __call__(self, request):
        self.heard.append(request.decode())
        if not request:
            return frames.encode_acknowledge("0") if self.requests_service else None
        body = frames.decode_command(request).body
        if body[:1] == "D":
            page = int(body[1])
            return self.pages[page] if page < len(self.pages) else frames.encode_values("0", [], crc=False)
        values, crc = [float(n) for n in range(1, self.count + 1)], "C" in body[1:]
        if body[0] == "R":
            return frames.encode_values("0", values, crc=crc)
        self.pages = frames.encode_pages("0", values, crc=crc, most=self.most)
        return frames.encode_started("0", Started(self.ready_s, self.count), concurrent=body[0] == "C")


def poll(sensor, *fields):
    numbers, _ = talk(driver.PROTOCOL.poll("0", fields), sensor)
    return {field: number.value for field, number in numbers.items()}, sensor.heard


def test_two_values_of_one_measurement_take_one():
    assert poll(Sensor(), "M.1", "M.3") == ({"M.1": 1.0, "M.3": 3.0}, ["0M!", "0D0!"])


def test_a_crc_for_one_value_serves_all_of_its_measurement():
    assert poll(Sensor(), "M.1", "MC.2") == ({"M.1": 1.0, "MC.2": 2.0}, ["0MC!", "0D0!"])


def test_continuous_values_take_one_command():
    assert poll(Sensor(), "RC0.2", "R1.1") == ({"RC0.2": 2.0, "R1.1": 1.0}, ["0RC0!", "0R1!"])


def test_verification_and_numbered_measurements():
    assert poll(Sensor(), "V.1", "M4.2")[1] == ["0V!", "0D0!", "0M4!", "0D0!"]


def test_the_service_request_is_awaited():
    assert poll(Sensor(ready_s=2), "M.1") == ({"M.1": 1.0}, ["0M!", "", "0D0!"])


def test_without_a_service_request_the_values_are_asked_for_all_the_same():
    assert poll(Sensor(ready_s=2, requests_service=False), "M.1") == ({"M.1": 1.0}, ["0M!", "", "0D0!"])


def test_a_service_request_in_one_piece_with_the_answer_is_none_of_the_values():
    """A USB adapter hands over what came within its latency at once."""
    conversation = driver.PROTOCOL.poll("0", ["M.1"])
    ask = next(conversation)
    assert [ask.size(b"00011\r\n0\r\n"[:end]) for end in (6, 7, 8, 10)] == [None, 7, 10, 10]
    assert conversation.send(b"00011\r\n0\r\n").request == b"0D0!"


def test_a_service_request_of_another_sensor_is_refused():
    conversation = driver.PROTOCOL.poll("0", ["M.1"])
    next(conversation)
    with pytest.raises(FrameError, match="expected address 0"):
        conversation.send(b"00011\r\n1\r\n")


def test_the_wait_is_the_promised_one():
    conversation = driver.PROTOCOL.poll("0", ["M.1"])
    next(conversation)
    ask = conversation.send(frames.encode_started("0", Started(272, 1), concurrent=False))
    assert (ask.request, ask.optional) == (b"", True)
    assert 272 < ask.wait_s < 275


def test_a_concurrent_measurement_is_waited_for_in_silence():
    sensor = Sensor(count=20, ready_s=5, most=75, requests_service=False)
    assert poll(sensor, "C.20", "CC.1") == ({"C.20": 20.0, "CC.1": 1.0}, ["0CC!", "", "0D0!"])
    with pytest.raises(FrameError, match="silence"):
        poll(Sensor(ready_s=5), "C.1")


def test_pages_are_read_up_to_the_last_wanted_value():
    sensor = Sensor(count=9, most=6)
    assert poll(sensor, "M.4") == ({"M.4": 4.0}, ["0M!", "0D0!", "0D1!"])


def test_a_value_that_the_sensor_does_not_have_is_left_out():
    assert poll(Sensor(count=2), "M.2", "M.5") == ({"M.2": 2.0}, ["0M!", "0D0!"])
    assert poll(Sensor(count=0), "M.1") == ({}, ["0M!"])


def test_an_aborted_measurement_is_no_value():
    sensor = Sensor()
    with pytest.raises(FrameError, match="aborted"):
        talk(driver.PROTOCOL.poll("0", ["M.1"]), lambda request: b"0\r\n" if b"D" in request else sensor(request))


def test_more_values_than_promised_are_refused():
    sensor = Sensor(count=3)
    with pytest.raises(FrameError, match="expected 3"):
        talk(
            driver.PROTOCOL.poll("0", ["M.3"]),
            lambda request: b"0+1+2+3+4\r\n" if b"D" in request else sensor(request),
        )


def test_the_only_sensor_is_found_and_says_what_it_is():
    identity = Identity("1.4", "PETREL", "RADAR", "001", "42")
    assert talk(driver.find(), lambda _: b"7\r\n") == ("7", [b"?!"])
    assert talk(driver.identify("7"), lambda _: frames.encode_identity("7", identity)) == (identity, [b"7I!"])


@given(st.lists(st.sampled_from(["M.1", "MC.2", "M1.3", "C.9", "CC2.1", "R0.3", "RC0.1", "V.2"]), unique=True))
def test_every_field_comes_back_and_no_measurement_twice(fields):
    """P19: what stands together is asked for together."""
    sensor = Sensor(count=9)
    numbers, _ = talk(driver.PROTOCOL.poll("0", fields), sensor)
    assert numbers == {field: Number(float(field[-1])) for field in fields}
    starts = [command for command in sensor.heard if command[1] != "D"]
    assert len(starts) == len({sdi12.parse(field)[:2] for field in fields})


@pytest.mark.parametrize("address", ["", "?", "*", "10", "é", "-"])
def test_what_is_no_address_is_refused(address):
    with pytest.raises(ValueError):
        driver.PROTOCOL.check_address(address)
