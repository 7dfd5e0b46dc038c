"""Conversations with a simulated DL/T 645 meter: one request an identifier, parts that follow, refusals."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_agent.drivers.contract import FrameError, Number
from edge_agent.drivers.dlt645 import driver, frames
from edge_agent.drivers.dlt645.frames import Data, Find, Follow, Found, Reason, Refused, RefusedError
from telemetry.quality import Cause, Quality
from tests.property.polled_talk import talk

ADDRESS = "240309855761"


class Meter:
    """A meter that holds some data, and sends ``part`` bytes of it in a frame at most."""

    def __init__(self, data, part=196, preamble=4):
        self.data = {identifier: bytes.fromhex(text) for identifier, text in data.items()}
        self.part, self.preamble, self.heard = part, preamble, []

    def __call__(self, request):
        message = frames.decode(request)
        self.heard.append(message)
        return frames.encode(self.answer(message), self.preamble)

    def answer(self, message):
        if isinstance(message, Find):
            return Found(ADDRESS)
        data = self.data.get(message.identifier)
        if data is None:
            return Refused(ADDRESS, 0x11, Reason.NO_SUCH_DATA)
        sequence = message.sequence if isinstance(message, Follow) else None
        at = (sequence or 0) * self.part
        return Data(ADDRESS, message.identifier, data[at : at + self.part], sequence, at + self.part < len(data))


def poll(meter, *fields):
    return talk(driver.PROTOCOL.poll(ADDRESS, fields), meter)[0]


def test_each_identifier_is_asked_for_once():
    meter = Meter({0x02010100: "0122", 0x0201FF00: "012202220322"})
    fields = ("02010100", "0201FF00 bcd2 .1 at 0", "0201FF00 bcd2 .1 at 4")
    assert poll(meter, *fields) == dict(zip(fields, map(Number, (220.1, 220.1, 220.3)), strict=True))
    assert [message.identifier for message in meter.heard] == [0x02010100, 0x0201FF00]


def test_a_block_that_ends_before_a_number_leaves_it_out():
    """A meter of one phase answers the block of three with one."""
    assert poll(Meter({0x0201FF00: "0122"}), "0201FF00 bcd2 .1 at 0", "0201FF00 bcd2 .1 at 2") == {
        "0201FF00 bcd2 .1 at 0": Number(220.1)
    }


def test_what_the_meter_refuses_is_missing_and_the_rest_is_kept():
    """P2."""
    numbers = poll(Meter({0x02010100: "0122"}), "02010200", "02010100")
    assert numbers["02010100"] == Number(220.1)
    assert math.isnan(numbers["02010200"].value)
    assert numbers["02010200"].quality is Quality.MISSING
    assert numbers["02010200"].cause is Cause.DEVICE


def test_a_meter_that_refuses_everything_says_why():
    with pytest.raises(RefusedError, match="no_such_data"):
        poll(Meter({}), "02010100", "02010200")


def test_a_number_filled_with_ff_is_missing():
    number = poll(Meter({0x02010200: "FFFF"}), "02010200")["02010200"]
    assert (math.isnan(number.value), number.quality, number.cause) == (True, Quality.MISSING, Cause.DEVICE)


def test_another_width_than_expected_is_refused():
    with pytest.raises(FrameError, match="expected 2 of BCD"):
        poll(Meter({0x02010100: "012200"}, preamble=0), "02010100")


@given(st.binary(min_size=8, max_size=100), st.integers(7, 196), st.integers(0, 8))
def test_parts_that_follow_are_put_together(data, part, preamble):
    data = bytes(byte >> 4 & 7 | (byte & 7) << 4 for byte in data)
    meter = Meter({0x04010001: data.hex()}, part, preamble)
    at = len(data) - 4
    field = f"04010001 bcd4 .0 at {at}"
    assert poll(meter, field) == {field: Number(float(int(data[at:][::-1].hex())))}
    assert [m.sequence for m in meter.heard[1:]] == list(range(1, -(-len(data) // part)))


def test_data_without_an_end_are_refused():
    with pytest.raises(FrameError, match="more than 16 frames"):
        poll(Meter({0x04010001: "00" * 200}, part=1), "04010001 bcd1 .0 at 0")


def test_the_only_meter_is_found():
    assert talk(driver.find(), Meter({})) == (ADDRESS, [bytes.fromhex("FEFEFEFE68AAAAAAAAAAAA681300DF16")])


@pytest.mark.parametrize(
    "address", ["", "24030985576", "AAAAAAAAAAAA", "2403098557611", "24030985576A", "２40309855761"]
)
def test_what_is_no_address_is_refused(address):
    with pytest.raises(ValueError):
        driver.PROTOCOL.check_address(address)
