"""Conversations with a simulated CJ/T 188 meter: one request a reading, units, status and what is missing."""

import math
from fractions import Fraction

import pytest

from edge_agent.drivers.cjt188 import driver, frames
from edge_agent.drivers.cjt188.frames import Address, Data, Find, Found, Read, Refused, RefusedError
from edge_agent.drivers.cjt188.readings import Quantity, Reading, Status
from edge_agent.drivers.contract import FrameError, Number
from telemetry.quality import Cause, Quality
from tests.property.polled_talk import talk

WATER = "10:78330011223344"
HEAT = "20:78330011223344"
TIME_NS = 1_795_489_200 * 10**9
WELL = Status(0, battery_low=False)


def water(total="1234.56", code=0x2C, status=WELL, time_ns=TIME_NS):
    value = None if total is None else Fraction(total)
    return Reading({"total": Quantity(value, code), "settled": Quantity(Fraction(1200), 0x2C)}, time_ns, status)


def heat():
    with_units = {"settled": ("0", 0x05), "heat": ("3.60", 0x11), "power": ("6.25", 0x17), "flow": ("5.1234", 0x35),
                  "volume": ("56.78", 0x2C)}  # fmt: skip
    plain = {"supply": "65.30", "return": "40.15", "hours": "241"}
    quantities = {name: Quantity(Fraction(value), code) for name, (value, code) in with_units.items()}
    return Reading(quantities | {name: Quantity(Fraction(value)) for name, value in plain.items()}, TIME_NS, WELL)


def meter(reading, heard=None):
    """A meter that answers requests for its reading, whatever the order of the identifier's bytes."""

    def answer(request):
        message = frames.decode(request)
        if heard is not None:
            heard.append(message)
        if isinstance(message, Find):
            return frames.encode(Found(Address(0x10, "78330011223344"), message.identifier), 2)
        data = frames.encode_reading(message.address.type, reading)
        return frames.encode(Data(message.address, message.identifier, data, message.serial), 4)

    return answer


def poll(address, reading, *fields, heard=None):
    return talk(driver.PROTOCOL.poll(address, fields), meter(reading, heard))[0]


def test_one_request_brings_the_whole_reading():
    heard = []
    numbers = poll(WATER, water(), "901F.total m3", "901F.settled L", "901F.valve", "901F.clock", heard=heard)
    assert numbers == {
        "901F.total m3": Number(1234.56),
        "901F.settled L": Number(1_200_000.0),
        "901F.valve": Number(0.0),
        "901F.clock": Number(1_795_489_200.0),
    }
    assert heard == [Read(Address(0x10, "78330011223344"), "901F")]


def test_the_order_of_the_identifier_is_that_of_the_field():
    heard = []
    poll(WATER, water(), "1F90.total m3", heard=heard)
    assert heard == [Read(Address(0x10, "78330011223344"), "1F90")]


def test_a_heat_meter_in_the_wanted_units():
    fields = ("901F.heat kWh", "901F.power kW", "901F.flow m3/h", "901F.volume m3", "901F.supply", "901F.return",
              "901F.hours", "901F.total m3")  # fmt: skip
    numbers = poll(HEAT, heat(), *fields)
    assert [number.value for number in numbers.values()] == [1000.0, 6.25, 5.1234, 56.78, 65.3, 40.15, 241.0]
    assert "901F.total m3" not in numbers


def test_a_low_battery_puts_every_number_in_doubt():
    numbers = poll(WATER, water(status=Status(3, battery_low=True)), "901F.total m3", "901F.battery", "901F.valve")
    assert numbers == {
        "901F.total m3": Number(1234.56, Quality.SUSPECT, Cause.DEVICE),
        "901F.battery": Number(1.0),
        "901F.valve": Number(3.0),
    }


@pytest.mark.parametrize(
    ("reading", "field"), [(water(total=None), "901F.total m3"), (water(time_ns=None), "901F.clock")]
)
def test_what_the_meter_does_not_have_is_missing(reading, field):
    number = poll(WATER, reading, field)[field]
    assert (math.isnan(number.value), number.quality, number.cause) == (True, Quality.MISSING, Cause.DEVICE)


def test_a_unit_of_another_kind_is_refused():
    with pytest.raises(FrameError, match="settled with unit code 05, expected one of volume"):
        poll(HEAT, heat(), "901F.settled m3")


def test_a_refusal_ends_the_conversation():
    refused = frames.encode(Refused(Address(0x10, "78330011223344"), 1, b"\x04\x00"))
    with pytest.raises(RefusedError):
        talk(driver.PROTOCOL.poll(WATER, ["901F.total m3"]), lambda _: refused)


def test_the_only_meter_is_found():
    address, requests = talk(driver.find(), meter(water()))
    assert address == WATER
    assert requests == [bytes.fromhex("FEFEFEFE68AAAAAAAAAAAAAAAA0303810A004916")]
    driver.PROTOCOL.check_address(address)
