"""SDI-12 1.4, clauses 5 and 6: packets of high volume, and what a sensor says of its values.

No published packet with its bytes was found, so the golden ones are laid out by hand from clause 5.2; the CRC of each
was computed with another implementation of CRC-16/ARC than ours (bit by bit from the high end, on reflected bytes).
"""

import math
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_agent.drivers.contract import FrameError
from edge_agent.drivers.sdi12 import about, frames, packets
from edge_agent.drivers.sdi12.frames import Parameter
from tests.property.polled_talk import flip

ADDRESSES = st.sampled_from(frames.ADDRESSES)
INTEGERS = {1: (-(2**7), 2**7 - 1), 2: (0, 2**8 - 1), 3: (-(2**15), 2**15 - 1), 4: (0, 2**16 - 1)} | {
    5: (-(2**31), 2**31 - 1),
    6: (0, 2**32 - 1),
    7: (-(2**53), 2**53),
    8: (0, 2**53),
}
TEXTS = st.text(st.characters(min_codepoint=0x20, max_codepoint=0x7E, exclude_characters=",;"), max_size=12).map(
    str.strip
)


def reflected(number, bits):
    return int(f"{number:0{bits}b}"[::-1], 2)


def other_crc(data):
    """CRC-16/ARC as its catalogue defines it: polynomial 8005h from the high end, input and output reflected."""
    crc = 0
    for byte in data:
        crc ^= reflected(byte, 8) << 8
        for _ in range(8):
            crc = (crc << 1 ^ (0x8005 if crc & 0x8000 else 0)) & 0xFFFF
    return reflected(crc, 16)


@pytest.mark.parametrize(
    ("frame", "values"),
    [
        ("30 0400 09 0000C03F 8AC5", (1.5,)),
        ("30 0400 03 0100FFFF 0298", (1.0, -1.0)),
        ("7A 0100 02 FF 9916", (255.0,)),
        ("30 0000 00 0F00", ()),
    ],
)
def test_packets_laid_out_by_hand(frame, values):
    """Address, payload's length with its low byte first, type, payload, CRC with its low byte first."""
    data = bytes.fromhex(frame)
    assert data[-2:] == struct.pack("<H", other_crc(data[:-2]))
    address = chr(data[0])
    assert frames.decode_packet(address, data) == values
    assert frames.encode_packet(address, values, data[3] or packets.FLOAT32) == data


def test_the_types_of_numbers_are_those_of_two_implementations_and_a_manual():
    """1 to 8 are whole numbers of 1, 2, 4 and 8 bytes, signed first; 9 and 10 are floating."""
    assert [f"{kind.kind}{kind.itemsize}" for _, kind in sorted(packets.TYPES.items())] == [
        "i1", "u1", "i2", "u2", "i4", "u4", "i8", "u8", "f4", "f8",
    ]  # fmt: skip


@given(ADDRESSES, st.sampled_from(sorted(INTEGERS)), st.data(), st.integers(8, 64))
def test_whole_numbers_survive_their_packets(address, code, data, most):
    values = data.draw(st.lists(st.integers(*INTEGERS[code]).map(float), max_size=40))
    sent = frames.encode_packets(address, values, code, most)
    assert all(len(packet) <= most + 6 for packet in sent)
    assert [value for packet in sent for value in frames.decode_packet(address, packet)] == values
    assert all(frames.packet_size(packet[:4], address) == len(packet) for packet in sent)


@given(ADDRESSES, st.lists(st.floats(width=32, allow_infinity=False), max_size=250), st.sampled_from([9, 10]))
def test_floating_numbers_survive_their_packets(address, values, code):
    sent = frames.encode_packets(address, values, code)
    found = [value for packet in sent for value in frames.decode_packet(address, packet)]
    assert found == pytest.approx(values, rel=0, abs=0, nan_ok=True)


@given(st.lists(st.integers(0, 255).map(float), min_size=1, max_size=20), st.data())
def test_no_changed_byte_of_a_packet_gives_a_value(values, data):
    frame = frames.encode_packet("0", values, 2)
    spoilt = flip(frame, data.draw(st.integers(0, len(frame) - 1)), data.draw(st.integers(1, 255)))
    with pytest.raises(FrameError):
        frames.decode_packet("0", spoilt)


@pytest.mark.parametrize(
    ("start", "words"),
    [
        (b"1\x04\x00\x09", "expected address 0"),
        (b"0\xe9\x03\x02", "1001 bytes in a packet, expected at most 1000"),
        (b"0\x04\x00\x0b", "type 11, expected 1 to 10"),
        (b"0\x04\x00\x00", "type 0, expected 1 to 10"),
        (b"0\x05\x00\x09", "5 bytes of type 9, expected a multiple of 4"),
    ],
)
def test_a_packet_is_refused_by_its_head(start, words):
    with pytest.raises(FrameError, match=words):
        frames.packet_size(start, "0")


@pytest.mark.parametrize(
    ("values", "code", "words"),
    [
        ((1.5,), 3, "expected whole numbers"),
        ((256.0,), 2, "from 0 to 255"),
        ((1e39,), 9, "4 bytes hold"),
        ((0.0,), 11, "type 11"),
        ((1.0,) * 251, 9, "1004 bytes"),
        ((math.nan,), 3, "expected whole numbers"),
    ],
)
def test_what_a_packet_cannot_carry_is_refused(values, code, words):
    with pytest.raises(FrameError, match=words):
        frames.encode_packet("0", values, code)


@pytest.mark.parametrize(
    ("frame", "said"),
    [
        (b"0,TR,C;\r\n", Parameter("TR", "C")),
        (b"0, TR, C;\r\n", Parameter("TR", "C")),
        (b"0,XR,%,Sample;\r\n", Parameter("XR", "%", ("Sample",))),
        (b"0\r\n", None),
    ],
)
def test_parameters_as_a_maker_documents_them(frame, said):
    """Campbell Scientific, manual of the Wintersense, table 7-3: code, unit; the kind of value may follow."""
    assert frames.decode_parameter("0", frame, crc=False) == said


def test_the_answer_to_an_identify_measurement_command_of_two_manuals():
    """Apogee SQ-421 and SP-421: 3IMC2! is answered 30032; without a CRC, though the values have one."""
    assert frames.encode_command(frames.Command("3", "IMC2")) == b"3IMC2!"
    assert frames.decode_started("3", b"30032\r\n", frames.DIGITS_M) == (3, 2)


def test_examples_of_the_support_group():
    """SDI-12 Support Group, additions to the specification, 18 April 2016, examples of 8IM! and 8IC5!."""
    assert frames.decode_started("8", b"80001\r\n", frames.DIGITS_M) == (0, 1)
    assert frames.decode_started("8", b"80109\r\n", frames.DIGITS_M) == (10, 9)
    assert frames.decode_started("8", b"801099\r\n", frames.DIGITS_C) == (10, 99)


@given(ADDRESSES, TEXTS, TEXTS, st.lists(TEXTS, max_size=3), st.booleans())
def test_a_parameter_survives_encoding(address, code, unit, more, crc):
    parameter = Parameter(code, unit, tuple(more))
    frame = frames.encode_parameter(address, parameter, crc=crc)
    assert frames.decode_parameter(address, frame, crc=crc) == parameter


@pytest.mark.parametrize(
    "frame",
    [b"0,TR,C\r\n", b"0,TR;\r\n", b"0TR,C;\r\n", b"0,TR,C;x\r\n", b"0,a;b,c;\r\n", b"0,\x01,C;\r\n", b"0" + b"," * 140],
)
def test_what_is_no_parameter_is_refused(frame):
    with pytest.raises(FrameError):
        frames.decode_parameter("0", frame, crc=False)


@pytest.mark.parametrize(
    ("text", "unit"),
    [("C", "degC"), ("deg c", "degC"), ("KPA", "kPa"), ("m", "m"), ("Feet", "ft"), ("furlong", "furlong")],
)
def test_units_as_makers_write_them(text, unit):
    assert about.own_unit(text) == unit
