"""DL/T 645: decode after encode gives the same, garbage raises FrameError only, and no changed byte gives a value."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from device_profiles.fields import dlt645 as fields
from device_profiles.fields.dlt645 import Format
from edge_agent.drivers.contract import FrameError
from edge_agent.drivers.dlt645 import frames
from edge_agent.drivers.dlt645.frames import (
    ENVELOPE,
    Data,
    Find,
    Follow,
    Found,
    Read,
    Reason,
    Refused,
    RefusedError,
    Seek,
)
from tests.property.polled_talk import flip

ADDRESSES = st.text("0123456789", min_size=12, max_size=12)
ENDINGS = st.sampled_from((2, 4, 6, 8, 10)).flatmap(lambda size: st.text("0123456789", min_size=size, max_size=size))
IDENTIFIERS = st.integers(0, 0xFFFFFFFF)
SEQUENCES = st.integers(1, 255)
ANSWERS = st.one_of(
    st.builds(Data, ADDRESSES, IDENTIFIERS, st.binary(max_size=196), st.none(), st.booleans()),
    st.builds(Data, ADDRESSES, IDENTIFIERS, st.binary(max_size=195), SEQUENCES, st.booleans()),
    st.builds(Found, ADDRESSES),
    st.builds(Refused, ADDRESSES, st.sampled_from([0x11, 0x12, 0x13]), st.integers(0, 255).map(Reason)),
)
REQUESTS = st.one_of(
    st.builds(Read, ADDRESSES, IDENTIFIERS),
    st.builds(Seek, ENDINGS, IDENTIFIERS),
    st.builds(Follow, ADDRESSES, IDENTIFIERS, SEQUENCES),
    st.just(Find()),
)
MESSAGES = st.one_of(REQUESTS, ANSWERS)
FORMATS = st.builds(Format, st.integers(1, 8), st.integers(0, 9), st.booleans())
KNOWN_GOOD = bytes.fromhex("68615785090324681104333434352216")


@given(MESSAGES, st.integers(0, 8))
def test_a_message_survives_encoding(message, preamble):
    frame = frames.encode(message, preamble)
    assert frames.decode(frame) == message
    assert ENVELOPE.size(frame[: preamble + 10]) == len(frame)
    assert ENVELOPE.size(frame[: preamble + 9]) is None


def test_a_published_request():
    """HAZARDS 4.1: read the voltage of phase A of meter 240309855761."""
    assert frames.decode(KNOWN_GOOD) == Read("240309855761", 0x02010100)
    assert frames.encode(Read("240309855761", 0x02010100)) == KNOWN_GOOD


def test_a_published_frame_with_a_wrong_sum_is_refused():
    """HAZARDS 4.3: the same frame as it stands in some places, ending 24."""
    with pytest.raises(FrameError, match="24 16, expected 22 16"):
        frames.decode(KNOWN_GOOD[:-2] + b"\x24\x16")


@pytest.mark.parametrize(
    ("hexadecimal", "message", "field", "value"),
    [
        # a public log of a reading session, the same in several places
        ("68610100000000689108333334335933333 38A16", ("000000000161", 0x00010000), "00010000", 0.26),
        ("68610100000000689106333434353443 1016", ("000000000161", 0x02010100), "02010100", 100.1),
    ],
)
def test_published_answers(hexadecimal, message, field, value):
    answer = frames.decode(bytes.fromhex(hexadecimal.replace(" ", "")))
    assert answer[:2] == message
    assert frames.decode_number(answer.data, fields.parse(field).format) == value


@given(ANSWERS, st.data())
def test_no_changed_byte_gives_another_message(message, data):
    frame = frames.encode(message, 4)
    spoilt = flip(frame, data.draw(st.integers(0, len(frame) - 1)), data.draw(st.integers(1, 255)))
    with pytest.raises(FrameError):
        frames.decode(spoilt)


def test_what_the_sum_cannot_see():
    """Two bytes that change places; the digits are others and the sum is not."""
    frame = frames.encode(Data("000000000161", 0x00010000, bytes.fromhex("12345600")))
    swapped = frame[:14] + bytes((frame[15], frame[14])) + frame[16:]
    assert frames.decode(swapped).data == bytes.fromhex("34125600")


@given(st.binary(max_size=300), st.booleans())
def test_garbage_raises_frame_errors_only(data, wrapped):
    if wrapped:
        content = b"\x68\x61\x01\x00\x00\x00\x00\x68" + data[:1] + bytes((len(data[1:201]),)) + data[1:201]
        data = content + bytes((sum(content) & 0xFF, 0x16))
    for decode in (
        frames.decode,
        ENVELOPE.size,
        frames.decode_found,
        lambda garbage: frames.decode_data(Read("000000000161", 0), garbage),
        lambda garbage: frames.decode_data(Follow("000000000161", 0, 1), garbage),
    ):
        try:
            decode(data)
        except FrameError:
            continue


@pytest.mark.parametrize(
    "start",
    ["FE" * 9, "00", "FEFE69", "68 61 01 00 00 00 00 69", "68 61 01 00 00 00 00 68 91 C9"],
    ids=["preamble", "noise", "start", "second start", "length"],
)
def test_what_can_be_no_frame_is_refused_before_it_is_whole(start):
    with pytest.raises(FrameError):
        ENVELOPE.size(bytes.fromhex(start))


@given(st.binary(max_size=9), FORMATS)
def test_garbage_is_no_number(data, format_):
    try:
        value = frames.decode_number(data, format_)
    except FrameError:
        return
    assert value is None or (format_.signed or value >= 0)


@given(FORMATS, st.data())
def test_a_number_survives_encoding(format_, data):
    most = (8 if format_.signed else 10) * 10 ** (2 * format_.size - 1) - 1
    value = data.draw(st.integers(-most if format_.signed else 0, most)) / 10**format_.decimals
    if format_.size <= 7:  # sixteen digits are more than a float holds
        assert frames.decode_number(frames.encode_number(value, format_), format_) == value
    assert frames.decode_number(frames.encode_number(None, format_), format_) is None


@pytest.mark.parametrize(
    ("field", "data", "value"),
    [
        ("02010100", "0110", 100.1),
        ("02020100", "563412", 123.456),
        ("02020100", "563492", -123.456),
        ("02030000", "452301", 1.2345),
        ("02030000", "452381", -1.2345),
        ("02060000", "0010", 1.0),
        ("02060000", "0088", -0.8),
        ("02800002", "0150", 50.01),
        ("02800007", "0583", -30.5),
        ("00010000", "99999999", 999999.99),
        ("00000000", "34120080", -12.34),
        ("02010200", "FFFF", None),
        ("04000401 bcd6 .0", "563412907856", 567890123456.0),
    ],
)
def test_numbers_as_the_standard_writes_them(field, data, value):
    assert frames.decode_number(bytes.fromhex(data), fields.parse(field).format) == value


@pytest.mark.parametrize(
    ("data", "signed"), [("0A10", False), ("FF10", False), ("01A0", False), ("0AC0", True), ("10", False)]
)
def test_numbers_that_are_none_are_refused(data, signed):
    with pytest.raises(FrameError):
        frames.decode_number(bytes.fromhex(data), Format(2, 1, signed))


def test_an_answer_to_something_else_is_refused():
    """P16: another meter, another identifier, another part."""
    request, data = Read("000000000161", 0x02010100), b"\x01\x10"
    right = Data(request.address, request.identifier, data)
    assert frames.decode_data(request, frames.encode(right)) == right
    for wrong in (
        right._replace(address="000000000162"),
        right._replace(identifier=0x02010200),
        right._replace(sequence=1),
        request,
        Found(request.address),
        Refused(request.address, 0x12, Reason.OTHER),
    ):
        with pytest.raises(FrameError, match="expected data of 02010100"):
            frames.decode_data(request, frames.encode(wrong))


def test_whoever_has_an_address_that_ends_so_answers_with_all_of_it():
    """Clause 5.2, abbreviated addressing: AAh in front of the digits, which go over the line low byte first."""
    assert frames.encode(Seek("0161")).hex(" ") == "68 61 01 aa aa aa aa 68 11 04 33 33 34 33 bc 16"
    data = frames.encode(Data("000000000161", 0x00010000, bytes(4)))
    assert frames.decode_sought("61", data) == "000000000161"
    assert frames.decode_sought("0161", frames.encode(Refused("990000000161", 0x11, Reason.OTHER))) == "990000000161"
    for wrong in (data, frames.encode(Found("000000000162")), frames.encode(Seek("62"))):
        with pytest.raises(FrameError, match="ends with 62"):
            frames.decode_sought("62", wrong)


def test_a_refusal_names_its_reasons():
    refused = Refused("000000000161", 0x11, Reason.NO_SUCH_DATA | Reason.PASSWORD)
    with pytest.raises(RefusedError, match="refused 02010100: no_such_data password") as caught:
        frames.decode_data(Read("000000000161", 0x02010100), frames.encode(refused))
    assert caught.value.reasons == 6


@pytest.mark.parametrize(
    "message",
    [
        Read("AAAAAAAAAAAA", 0),
        Read("1", 0),
        Read("00000000016A", 0),
        Read("000000000161", 1 << 32),
        Seek(""),
        Seek("1"),
        Seek("000000000161"),
        Seek("6A"),
        Follow("000000000161", 0, 0),
        Data("000000000161", 0, bytes(197)),
        Refused("000000000161", 0x14, Reason.OTHER),
    ],
)
def test_a_message_that_cannot_be_is_refused(message):
    with pytest.raises(FrameError):
        frames.encode(message)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("02010100", (0x02010100, (2, 1, False), None)),
        ("02020300", (0x02020300, (3, 3, True), None)),
        ("02030000", (0x02030000, (3, 4, True), None)),
        ("00010000", (0x00010000, (4, 2, False), None)),
        ("00000000", (0x00000000, (4, 2, True), None)),
        ("00010401", (0x00010401, (4, 2, False), None)),
        ("02800002", (0x02800002, (2, 2, False), None)),
        ("02010100 bcd4 .1", (0x02010100, (4, 1, False), None)),
        ("02030000 bcd3 .4 signed", (0x02030000, (3, 4, True), None)),
        ("0201FF00 bcd2 .1 at 0", (0x0201FF00, (2, 1, False), 0)),
        ("0203FF00 bcd3 .4 signed at 9", (0x0203FF00, (3, 4, True), 9)),
    ],
)
def test_fields(text, found):
    assert fields.parse(text) == found


@pytest.mark.parametrize(
    "text", ["", "0201010", "02010400", "0201ff00", "0201FF00", "00014000", "00010D00"[:-2] + "0D", "00150100",
             "02010100 bcd9 .1", "02010100 bcd0 .1", "02010100 .1", "02010100 bcd2", "02010100  bcd2 .1"]
)  # fmt: skip
def test_what_is_no_field_is_refused(text):
    with pytest.raises(ValueError, match="expected like"):
        fields.parse(text)
