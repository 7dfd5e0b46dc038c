"""SDI-12: decode after encode gives the same, garbage raises FrameError only, and a wrong CRC is no value."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from device_profiles.fields import sdi12 as fields
from edge_agent.drivers.contract import FrameError
from edge_agent.drivers.sdi12 import frames
from edge_agent.drivers.sdi12.frames import Command, Identity, Started
from tests.property.polled_talk import flip

ADDRESSES = st.sampled_from("0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz")
STARTS = "V|MC?[1-9]?|CC?[1-9]?|HA|HB"
BODIES = st.from_regex(
    rf"(|I|I?({STARTS})|RC?[0-9]|I({STARTS}|RC?[0-9])_[0-9]{{3}}|DB?(0|[1-9][0-9]{{0,2}}))", fullmatch=True
)
DIGITS = st.sampled_from([frames.DIGITS_M, frames.DIGITS_C, frames.DIGITS_H])
NUMBERS = st.builds(
    lambda digits, decimals: digits / 10**decimals, st.integers(-9_999_999, 9_999_999), st.integers(0, 6)
)
PRINTABLE = st.characters(min_codepoint=0x21, max_codepoint=0x7E)


def texts(most):
    return st.text(PRINTABLE, min_size=1, max_size=most)


def test_the_example_of_the_standard():
    """Clause 4.4.12."""
    assert frames.decode_values("0", b"0+3.14OqZ\r\n", crc=True) == (3.14,)
    assert frames.encode_values("0", [3.14], crc=True) == b"0+3.14OqZ\r\n"


def test_a_crc_may_hold_what_is_not_printable():
    """Its characters run from 40h to 7Fh."""
    assert frames.encode_values("0", [253.0], crc=True) == b"0+253Fj\x7f\r\n"
    assert frames.decode_values("0", b"0+253Fj\x7f\r\n", crc=True) == (253.0,)


def test_the_crc_is_that_of_its_catalogue():
    """CRC-16/ARC has the check value BB3Dh for the digits 1 to 9."""
    assert frames.crc16(b"123456789") == 0xBB3D


@given(ADDRESSES, BODIES)
def test_a_command_survives_encoding(address, body):
    command = Command(address, body)
    assert frames.decode_command(frames.encode_command(command)) == command


def test_whoever_is_there_is_asked():
    assert frames.encode_command(Command("?")) == b"?!"
    assert frames.decode_command(b"?!") == Command("?", "")


@pytest.mark.parametrize(
    "command",
    [
        Command("?", "M"),
        Command("", "0M"),
        Command("0", "M0"),
        Command("é", "M"),
        Command("0", "D01"),
        Command("0", "D1000"),
        Command("0", "HA1"),
        Command("0", "IR0"),
        Command("0", "IM_01"),
        Command("0", "I_001"),
    ],
)
def test_a_command_that_cannot_be_is_refused(command):
    with pytest.raises(FrameError):
        frames.encode_command(command)


@given(ADDRESSES, st.integers(0, 999), DIGITS, st.data())
def test_a_start_survives_encoding(address, ready_s, digits, data):
    started = Started(ready_s, data.draw(st.integers(0, 10**digits - 1)))
    frame = frames.encode_started(address, started, digits)
    assert frames.decode_started(address, frame, digits) == started
    with pytest.raises(FrameError):
        frames.decode_started(address, frame, digits % 3 + 1)


@given(ADDRESSES, st.lists(NUMBERS, max_size=99), st.booleans(), st.sampled_from([35, 75]))
def test_values_survive_encoding_over_pages(address, values, crc, most):
    try:
        pages = frames.encode_pages(address, values, crc=crc, most=most)
    except FrameError:
        assert sum(len(frames.number_text(value)) for value in values) > 10 * (most - 9)
        return
    found = [value for page in pages for value in frames.decode_values(address, page, crc=crc)]
    assert found == pytest.approx(values, rel=1e-15)
    assert all(frames.answer_size(page, address, frames.LONGEST_VALUES) == len(page) for page in pages)


@given(st.floats(-9_999_999, 9_999_999))
def test_a_number_keeps_its_sign_and_seven_digits(value):
    text = frames.number_text(value)
    assert text[0] in "+-"
    assert sum(map(str.isdecimal, text)) <= 7
    assert float(text) == pytest.approx(value, rel=1e-6, abs=1e-6)


@given(ADDRESSES, st.sampled_from(["1.3", "1.4"]), texts(8), texts(6), texts(3), st.text(PRINTABLE, max_size=13))
def test_an_identity_survives_encoding(address, version, vendor, model, firmware, extra):
    identity = Identity(version, vendor, model, firmware, extra)
    assert frames.decode_identity(address, frames.encode_identity(address, identity)) == identity


@given(ADDRESSES)
def test_an_acknowledgement_survives_encoding(address):
    frame = frames.encode_acknowledge(address)
    assert frames.decode_acknowledge(address, frame) == address
    assert frames.decode_acknowledge(frames.ANYONE, frame) == address


@given(ADDRESSES, st.lists(NUMBERS, min_size=1, max_size=8), st.data())
def test_with_a_crc_no_changed_byte_gives_a_value(address, values, data):
    frame = frames.encode_values(address, values, crc=True)
    spoilt = flip(frame, data.draw(st.integers(0, len(frame) - 1)), data.draw(st.integers(1, 255)))
    with pytest.raises(FrameError):
        frames.decode_values(address, spoilt, crc=True)


@pytest.mark.parametrize(
    ("frame", "crc"),
    [
        (b"0+3.14OqY\r\n", True),  # wrong CRC
        (b"0+3.14\r\n", True),  # CRC asked for, none sent
        (b"0+3.14OqZ\r\n", False),  # CRC sent, none asked for
        (b"0+3.14", False),  # no end
        (b"0+3.14\n", False),
        (b"1+3.14\r\n", False),  # of another sensor
        (b"03.14\r\n", False),  # no sign
        (b"0+3.1e4\r\n", False),  # an exponent
        (b"0+12345678\r\n", False),  # eight digits
        (b"0+\r\n", False),
        (b"0+.\r\n", False),
        (b"0+1+-2\r\n", False),
        (b"0+1\x002\r\n", False),
        (b"0+1.2.3\r\n", False),
        ("0+٣\r\n".encode(), False),  # digits of another script
        (b"0" + b"+1" * 40 + b"\r\n", False),
    ],
)
def test_values_that_are_wrong_in_any_way_are_refused(frame, crc):
    with pytest.raises(FrameError):
        frames.decode_values("0", frame, crc=crc)


@pytest.mark.parametrize(
    ("frame", "values"),
    [
        (b"0\r\n", ()),
        (b"0+1-2+3.5\r\n", (1.0, -2.0, 3.5)),
        (b"0+.5-0.25+7.\r\n", (0.5, -0.25, 7.0)),
        (b"0-1234567\r\n", (-1234567.0,)),
    ],
)
def test_values_as_sensors_write_them(frame, values):
    assert frames.decode_values("0", frame, crc=False) == values


@given(st.binary(max_size=100), st.booleans())
def test_garbage_raises_frame_errors_only(data, flag):
    for decode in (
        frames.decode_command,
        lambda garbage: frames.answer_size(garbage, "0", frames.LONGEST_VALUES),
        lambda garbage: frames.decode_acknowledge("?", garbage),
        lambda garbage: frames.decode_started("0", b"0" + garbage + b"\r\n", 2 + flag),
        lambda garbage: frames.decode_values("0", b"0" + garbage + b"\r\n", crc=flag),
        lambda garbage: frames.decode_identity("0", b"0" + garbage + b"\r\n"),
        lambda garbage: frames.decode_parameter("0", b"0" + garbage + b"\r\n", crc=flag),
        lambda garbage: frames.packet_size(b"0" + garbage, "0"),
        lambda garbage: frames.decode_packet("0", b"0" + garbage),
    ):
        try:
            decode(data)
        except FrameError:
            continue


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("M.1", ("M", 0, False, 1)),
        ("M3.2", ("M", 3, False, 2)),
        ("MC.9", ("M", 0, True, 9)),
        ("MC3.2", ("M", 3, True, 2)),
        ("C.4", ("C", 0, False, 4)),
        ("CC.4", ("C", 0, True, 4)),
        ("C1.20", ("C", 1, False, 20)),
        ("CC1.20", ("C", 1, True, 20)),
        ("R0.3", ("R", 0, False, 3)),
        ("RC9.1", ("R", 9, True, 1)),
        ("V.1", ("V", 0, False, 1)),
        ("HA.17", ("HA", 0, True, 17)),
        ("HB.999", ("HB", 0, True, 999)),
    ],
)
def test_fields(text, found):
    assert fields.parse(text) == found


@pytest.mark.parametrize(
    "text",
    [
        "",
        "M",
        "M.0",
        "M.10",
        "M0.1",
        "R.1",
        "R0.38",
        "V1.1",
        "VC.1",
        "C.100",
        "m.1",
        "M.1 ",
        "D0.1",
        "H.1",
        "HAC.1",
        "HA1.1",
        "HA.0",
        "HB.1000",
        "M.100",
    ],
)
def test_what_is_no_field_is_refused(text):
    with pytest.raises(ValueError, match="expected"):
        fields.parse(text)
