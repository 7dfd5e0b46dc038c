"""CJ/T 188: decode after encode gives the same, garbage raises FrameError only, and no changed byte gives a value.

No frame of the standard's own could be found. The golden ones are built by hand; two more come from public descriptions
and have right sums.
"""

from datetime import UTC, datetime
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from device_profiles.fields import cjt188 as fields
from edge_agent.drivers.cjt188 import frames
from edge_agent.drivers.cjt188.frames import ENVELOPE, Address, Data, Find, Found, Read, Refused, RefusedError
from edge_agent.drivers.cjt188.readings import Quantity, Reading, Status
from edge_agent.drivers.contract import FrameError
from tests.property.polled_talk import flip

TYPES = st.sampled_from([0x10, 0x11, 0x19, 0x20, 0x22, 0x29, 0x30, 0x40, 0x49])
ADDRESSES = st.builds(Address, TYPES, st.text("0123456789", min_size=14, max_size=14))
IDENTIFIERS = st.text("0123456789ABCDEF", min_size=4, max_size=4)
SERIALS = st.integers(0, 255)
ANSWERS = st.one_of(
    st.builds(Data, ADDRESSES, IDENTIFIERS, st.binary(max_size=97), SERIALS),
    st.builds(Found, ADDRESSES, IDENTIFIERS, SERIALS),
    st.builds(Refused, ADDRESSES, st.sampled_from([1, 3]), st.binary(min_size=2, max_size=2), SERIALS),
)
MESSAGES = st.one_of(st.builds(Read, ADDRESSES, IDENTIFIERS, SERIALS), st.builds(Find, IDENTIFIERS, SERIALS), ANSWERS)
METER = Address(0x10, "78330011223344")
STATUS = st.builds(
    Status, st.integers(0, 3), st.booleans(), st.integers(0, 31).map(lambda bits: bits << 3), st.integers(0, 255)
)
TIMES_NS = st.integers(950_000_000, 4_000_000_000).map(lambda second: second * 10**9)


def utc_ns(*parts):
    return int(datetime(*parts, tzinfo=UTC).timestamp()) * 10**9


def codes_of(item):
    return st.sampled_from([unit.code for unit in fields.UNITS.values() if unit.dimension is item.dimension])


@st.composite
def readings(draw):
    meter_type = draw(TYPES)
    quantities = {}
    for item in frames.layout(meter_type):
        digits = draw(st.none() | st.integers(0, 100**item.size - 1))
        value = None if digits is None else Fraction(digits, 10**item.decimals)
        quantities[item.name] = Quantity(value, draw(codes_of(item)) if item.dimension else None)
    return meter_type, Reading(quantities, draw(st.none() | TIMES_NS), draw(STATUS))


@given(MESSAGES, st.integers(0, 8))
def test_a_message_survives_encoding(message, preamble):
    frame = frames.encode(message, preamble)
    assert frames.decode(frame) == message
    assert ENVELOPE.size(frame[: preamble + 11]) == len(frame)


@given(readings())
def test_a_reading_survives_encoding(reading):
    meter_type, found = reading
    assert frames.decode_reading(meter_type, frames.encode_reading(meter_type, found)) == found


def test_a_water_meter_by_hand():
    frame = bytes.fromhex(
        "FE FE 68 10 44 33 22 11 00 33 78 81 16 90 1F 00 56 34 12 00 2C 00 30 12 00 2C 31 01 22 11 05 15 20 00 00 E8 16"
    )
    data = frames.decode_data(Read(METER, "901F"), frame)
    reading = frames.decode_reading(METER.type, data)
    assert reading.quantities == {"total": (Fraction("1234.56"), 0x2C), "settled": (1230, 0x2C)}
    assert reading.time_ns == utc_ns(2015, 5, 11, 14, 1, 31)
    assert reading.status == Status(0, battery_low=False)
    assert frames.encode(Data(METER, "901F", frames.encode_reading(0x10, reading)), 2) == frame


def test_a_heat_meter_by_hand():
    data = bytes.fromhex(
        "00 00 10 00 05  50 75 12 00 05  25 06 00 00 17  34 12 05 00 35  78 56 00 00 2C"
        " 30 65 00  15 40 00  41 02 00  00 30 08 24 11 26 20  01 00"
    )
    reading = frames.decode_reading(0x20, data)
    assert reading.quantities == {
        "settled": (1000, 0x05),
        "heat": (Fraction("1275.5"), 0x05),
        "power": (Fraction("6.25"), 0x17),
        "flow": (Fraction("5.1234"), 0x35),
        "volume": (Fraction("56.78"), 0x2C),
        "supply": (Fraction("65.3"), None),
        "return": (Fraction("40.15"), None),
        "hours": (241, None),
    }
    assert reading.time_ns == utc_ns(2026, 11, 24, 0, 30)
    assert reading.status.valve == 1
    assert frames.encode_reading(0x20, reading) == data


@pytest.mark.parametrize(
    ("hexadecimal", "message"),
    [
        ("68 10 44 33 22 11 00 33 78 01 03 1F 90 00 80 16", Read(METER, "1F90")),
        ("FE FE FE FE 68 10 18 02 12 20 20 00 00 01 03 90 1F 00 97 16", Read(Address(0x10, "00002020120218"), "901F")),
        ("68 AA AA AA AA AA AA AA AA 03 03 81 0A 00 49 16", Find()),
        ("68 10 18 02 12 20 20 00 00 83 03 81 0A 00 F5 16", Found(Address(0x10, "00002020120218"))),
    ],
)
def test_frames_of_public_descriptions(hexadecimal, message):
    assert frames.decode(bytes.fromhex(hexadecimal)) == message


def test_a_published_reading_of_a_meter_without_a_clock():
    frame = bytes.fromhex(
        "68101802122020000081 16901F00 000200002C 000200002C 00000000000000 00FF 85 16".replace(" ", "")
    )
    data = frames.decode_data(Read(Address(0x10, "00002020120218"), "901F"), frame)
    reading = frames.decode_reading(0x10, data)
    assert reading.quantities["total"] == (2, 0x2C)
    assert reading.time_ns is None
    assert reading.status == Status(0, battery_low=False, maker=0xFF)


def test_a_published_frame_with_a_wrong_sum_is_refused():
    """A widely copied example ends 08; the sum of its bytes is 13h."""
    frame = bytes.fromhex(
        "68 10 44 33 22 11 00 33 78 81 16 1F 90 00 00 77 66 55 2C 00 77 66 55 2C 31 01 22 11 05 15 20 21 84 08 16"
    )
    with pytest.raises(FrameError, match="08 16, expected 13 16"):
        frames.decode(frame)


@given(ANSWERS, st.data())
def test_no_changed_byte_gives_another_message(message, data):
    frame = frames.encode(message, 4)
    spoilt = flip(frame, data.draw(st.integers(0, len(frame) - 1)), data.draw(st.integers(1, 255)))
    with pytest.raises(FrameError):
        frames.decode(spoilt)


@given(st.binary(max_size=150), st.booleans())
def test_garbage_raises_frame_errors_only(data, wrapped):
    if wrapped:
        content = b"\x68\x10\x44\x33\x22\x11\x00\x33\x78" + data[:1] + bytes((len(data[1:101]),)) + data[1:101]
        data = content + bytes((sum(content) & 0xFF, 0x16))
    for decode in (
        frames.decode,
        ENVELOPE.size,
        frames.decode_found,
        lambda garbage: frames.decode_data(Read(METER, "901F"), garbage),
        lambda garbage: frames.decode_reading(0x10, garbage[:19]),
        lambda garbage: frames.decode_reading(0x20, garbage[:43]),
    ):
        try:
            decode(data)
        except FrameError:
            continue


@pytest.mark.parametrize("code", ["05", "32", "00", "FF"])
def test_a_unit_that_cannot_stand_there_is_refused(code):
    with pytest.raises(FrameError, match=f"settled with unit code {code.lower()}, expected that of volume"):
        frames.decode_reading(0x10, bytes.fromhex(f"563412002C 00301200{code} 31012211051520 0000"))


def test_other_numbers_under_the_same_identifier_are_refused():
    """A maker's water meter answers 901F in as many bytes: total, its decimals, flow, temperature, time, status."""
    data = bytes.fromhex("34120000 567890 012000 25 301508 241126 0000")
    with pytest.raises(FrameError, match="total with unit code 56, expected that of volume"):
        frames.decode_reading(0x10, data)


@given(st.binary(min_size=7, max_size=7) | st.sampled_from(["00000001010001", "59592331129999"]).map(bytes.fromhex))
def test_no_clock_raises_anything_else(data):
    try:
        reading = frames.decode_reading(0x10, bytes.fromhex("563412002C003012002C") + data + bytes(2))
    except FrameError:
        return
    assert reading.time_ns is None or reading.time_ns % 10**9 == 0


def test_an_answer_to_something_else_is_refused():
    """P16: another meter, another type, another identifier, another serial number."""
    right = Data(METER, "901F", bytes(19))
    assert frames.decode_data(Read(METER, "901F"), frames.encode(right)) == bytes(19)
    for wrong in (
        right._replace(address=METER._replace(number="78330011223345")),
        right._replace(address=METER._replace(type=0x11)),
        right._replace(identifier="1F90"),
        right._replace(serial=1),
        Read(METER, "901F"),
        Found(METER),
    ):
        with pytest.raises(FrameError, match="expected data of 901F"):
            frames.decode_data(Read(METER, "901F"), frames.encode(wrong))


def test_a_refusal_shows_the_status():
    with pytest.raises(RefusedError, match="meter 10:78330011223344 refused 01, its status 04 00"):
        frames.decode_data(Read(METER, "901F"), frames.encode(Refused(METER, 1, b"\x04\x00")))


@pytest.mark.parametrize("size", [0, 18, 20, 43])
def test_a_reading_of_another_size_is_refused(size):
    with pytest.raises(FrameError, match="expected 19"):
        frames.decode_reading(0x10, bytes(size))


@pytest.mark.parametrize(
    "text",
    [
        "",
        "10",
        "10:7833001122334",
        "1A:78330011223344",
        "50:78330011223344",
        "00:78330011223344",
        "10:7833001122334A",
        "10-78330011223344",
        "AA:AAAAAAAAAAAAAA",
    ],
)
def test_what_is_no_address_is_refused(text):
    with pytest.raises(FrameError):
        frames.parse_address(text)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("901F.total m3", ("901F", "total", "m3")),
        ("1F90.settled kWh", ("1F90", "settled", "kWh")),
        ("901F.flow L/h", ("901F", "flow", "L/h")),
        ("901F.supply", ("901F", "supply", None)),
    ],
)
def test_fields(text, found):
    assert fields.parse(text) == found


@pytest.mark.parametrize(
    "text",
    ["", "901F", "901F.total", "901F.total kWh", "901F.supply m3", "901F.clock ", "901F.heat m3", "810A.total m3"],
)
def test_what_is_no_field_is_refused(text):
    with pytest.raises(ValueError, match="expected"):
        fields.parse(text)


@pytest.mark.parametrize(
    ("number", "code", "unit", "value"),
    [
        ("1234.56", 0x2C, "m3", 1234.56),
        ("1234.56", 0x29, "m3", 1.23456),
        ("1", 0x11, "kWh", 10**9 / 3.6e6),
        ("2.5", 0x0A, "MWh", 250.0),
        ("3.6", 0x0E, "kWh", 1.0),
        ("0.5", 0x1A, "kW", 500.0),
        ("1.5", 0x35, "L/h", 1500.0),
    ],
)
def test_units_are_converted(number, code, unit, value):
    assert fields.convert(Fraction(number), code, unit) == value
