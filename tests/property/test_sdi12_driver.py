"""Conversations with a simulated SDI-12 sensor: the fewest commands, the waits, and what is refused."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from device_profiles.fields import sdi12
from edge_agent.drivers.contract import FrameError, Number
from edge_agent.drivers.sdi12 import driver, frames, metadata
from edge_agent.drivers.sdi12.frames import Identity, Parameter, Started
from telemetry.quality import Cause, Quality
from tests.property.polled_talk import talk


class Sensor:
    """A sensor that measures 1, 2, 3, ... of ``count`` values, ready after ``ready_s``."""

    def __init__(self, count=3, ready_s=0, most=35, requests_service=True, in_packet=250):
        self.count, self.ready_s, self.most, self.requests_service = count, ready_s, most, requests_service
        self.in_packet, self.pages, self.heard = in_packet, [], []

    def __call__(self, request):
        self.heard.append(request.decode())
        if not request:
            return frames.encode_acknowledge("0") if self.requests_service else None
        body = frames.decode_command(request).body
        if body[:1] == "D":
            page = int(body.strip("DB"))
            return self.pages[page] if page < len(self.pages) else frames.encode_values("0", [], crc=False)
        values, crc = [float(n) for n in range(1, self.count + 1)], "C" in body[1:] or body == "HA"
        if body == "HB":
            self.pages = frames.encode_packets("0", values, most=4 * self.in_packet)
            return frames.encode_started("0", Started(self.ready_s, self.count), frames.DIGITS_H)
        if body[0] == "R":
            return frames.encode_values("0", values, crc=crc)
        self.pages = frames.encode_pages("0", values, crc=crc, most=self.most, limit=1000)
        if body == "HA":
            return frames.encode_started("0", Started(self.ready_s, self.count), frames.DIGITS_H)
        return frames.encode_started(
            "0", Started(self.ready_s, self.count), frames.DIGITS_C if body[0] == "C" else frames.DIGITS_M
        )


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
    ask = conversation.send(frames.encode_started("0", Started(272, 1), frames.DIGITS_M))
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


@pytest.mark.parametrize("requests_service", [True, False])
def test_high_volume_as_text_takes_as_many_pages_as_it_needs(requests_service):
    """Beyond aD9!, each with a CRC, which nobody has to ask for; a service request may come or not."""
    sensor = Sensor(count=120, ready_s=3, most=20, requests_service=requests_service)
    found, heard = poll(sensor, "HA.120", "HA.7")
    assert found == {"HA.120": 120.0, "HA.7": 7.0}
    assert heard[:4] == ["0HA!", "", "0D0!", "0D1!"]
    assert heard[-1] == f"0D{len(sensor.pages) - 1}!"
    assert len(sensor.pages) > 20


def test_high_volume_as_text_without_its_crc_is_no_value():
    sensor = Sensor(count=2)
    with pytest.raises(FrameError, match="CRC"):
        talk(driver.PROTOCOL.poll("0", ["HA.1"]), lambda request: b"0+1+2\r\n" if b"D" in request else sensor(request))


def test_high_volume_as_packets_is_read_up_to_the_last_wanted_value():
    sensor = Sensor(count=600, in_packet=100)
    assert poll(sensor, "HB.150", "HB.1") == ({"HB.1": 1.0, "HB.150": 150.0}, ["0HB!", "0DB0!", "0DB1!"])


def test_all_999_values_of_a_sensor_come():
    fields = [f"HB.{place}" for place in range(1, 1000)]
    found, heard = poll(Sensor(count=999), *fields)
    assert list(found.values()) == [float(place) for place in range(1, 1000)]
    assert heard == ["0HB!", "0DB0!", "0DB1!", "0DB2!", "0DB3!"]


def test_an_empty_packet_is_an_aborted_measurement():
    sensor = Sensor(count=3)
    with pytest.raises(FrameError, match="aborted"):
        talk(
            driver.PROTOCOL.poll("0", ["HB.1"]),
            lambda request: frames.encode_packet("0", []) if b"DB" in request else sensor(request),
        )


def test_a_packet_with_a_wrong_crc_is_no_value():
    sensor = Sensor(count=3)

    def garbling(request):
        answer = sensor(request)
        return answer[:-1] + bytes([answer[-1] ^ 1]) if b"DB" in request else answer

    with pytest.raises(FrameError, match="CRC"):
        talk(driver.PROTOCOL.poll("0", ["HB.1"]), garbling)


def test_what_is_no_number_in_a_packet_is_missing():
    sensor = Sensor(count=2)
    packet = frames.encode_packet("0", [float("nan"), 2.0])
    numbers, _ = talk(
        driver.PROTOCOL.poll("0", ["HB.1", "HB.2"]), lambda request: packet if b"DB" in request else sensor(request)
    )
    assert (numbers["HB.1"].quality, numbers["HB.1"].cause) == (Quality.MISSING, Cause.DEVICE)
    assert numbers["HB.2"] == Number(2.0)


def test_a_late_packet_holds_the_line_no_longer_than_its_values_can_take():
    conversation = driver.PROTOCOL.poll("0", ["HB.1"])
    next(conversation)
    assert conversation.send(b"0000002\r\n").longest == 2 * 8 + 6
    conversation = driver.PROTOCOL.poll("0", ["HB.1"])
    next(conversation)
    assert conversation.send(b"0000999\r\n").longest == 1006


def asked_who(answers, *fields):
    """What a sensor says of itself that answers so, and what it was asked; silence on anything else."""
    return talk(driver.PROTOCOL.identify("0", fields), lambda request: answers.get(request.decode()))


WHO = b"014PETREL  RADAR 001SN42\r\n"


def test_a_sensor_says_what_its_values_are():
    plate, asked = asked_who(
        {
            "0I!": WHO,
            "0IMC3!": b"00022\r\n",
            "0IMC3_001!": frames.encode_parameter("0", Parameter("HG", "ft"), crc=True),
            "0IMC3_002!": frames.encode_parameter("0", Parameter("TW", "C", ("mean",)), crc=True),
            "0IR0_001!": b"0,VB,V;\r\n",
        },
        "MC3.1", "M3.2", "M3.4", "R0.1",
    )  # fmt: skip
    assert plate.attributes == {
        "vendor": "PETREL", "model": "RADAR", "firmware": "001", "serial": "SN42", "MC3": "2 values in 2 s",
        "MC3.1": "HG ft", "M3.2": "TW C mean", "R0.1": "VB V",
    }  # fmt: skip
    assert plate.units == {"MC3.1": "ft", "M3.2": "degC", "R0.1": "V"}
    assert plate.lacking == ("M3.4",)
    assert [one.decode() for one in asked] == ["0I!", "0IMC3!", "0IMC3_001!", "0IMC3_002!", "0IR0_001!"]


def test_a_sensor_of_an_older_version_is_not_asked_for_metadata():
    plate, asked = asked_who({"0I!": b"013PETREL  RADAR 001SN42\r\n"}, "M.1")
    assert (plate.attributes["serial"], asked) == ("SN42", [b"0I!"])


def test_a_sensor_that_has_no_metadata_is_asked_once_for_them():
    """Some that call themselves 1.4 have none."""
    plate, asked = asked_who({"0I!": WHO}, "M.1", "M1.1", "R0.1")
    assert (plate.attributes["vendor"], asked) == ("PETREL", [b"0I!", b"0IM!"])
    plate, asked = asked_who({"0I!": WHO, "0IM!": b"00001\r\n"}, "M.1", "M1.1")
    assert (plate.units, asked) == ({}, [b"0I!", b"0IM!", b"0IM_001!"])


def test_metadata_in_another_form_cost_nothing_but_themselves():
    """A sensor that takes aIM! for aI!."""
    plate, asked = asked_who({"0I!": WHO, "0IM!": WHO}, "M.1", "M1.1")
    assert plate.attributes["vendor"] == "PETREL"
    assert plate.attributes["metadata"].startswith("not understood: answer b'014PETRE'")
    assert asked == [b"0I!", b"0IM!"]


def test_a_sensor_with_very_many_values_is_not_asked_about_all():
    fields = [f"HA.{place}" for place in range(1, 500)]
    answers = {
        f"0IHA_{place:03}!": frames.encode_parameter("0", Parameter("X", "m"), crc=True) for place in range(1000)
    }
    plate, asked = asked_who({"0I!": WHO, "0IHA!": b"0000499\r\n"} | answers, *fields)
    assert len(asked) == 2 + metadata.MOST
    assert plate.attributes["HA"] == "499 values in 0 s"


def test_the_only_sensor_is_found_and_says_what_it_is():
    identity = Identity("1.4", "PETREL", "RADAR", "001", "42")
    assert talk(driver.find(), lambda _: b"7\r\n") == ("7", [b"?!"])
    assert talk(driver.identify("7"), lambda _: frames.encode_identity("7", identity)) == (identity, [b"7I!"])


@given(
    st.lists(
        st.sampled_from(["M.1", "MC.2", "M1.3", "C.9", "CC2.1", "R0.3", "RC0.1", "V.2", "HA.7", "HB.5"]), unique=True
    )
)
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
