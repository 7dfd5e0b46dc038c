"""Frames: decode after encode gives the same, garbage raises nothing but FrameError, and pymodbus agrees."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pymodbus.framer.rtu import FramerRTU
from pymodbus.pdu import DecodePDU

from edge_agent.drivers.modbus import frames
from edge_agent.drivers.modbus.frames import FrameError, Read, Write

UNITS = st.integers(0, 247)
LIMITS = {1: 2000, 2: 2000, 3: 125, 4: 125}


@st.composite
def reads(draw):
    function = draw(st.sampled_from((1, 2, 3, 4)))
    count = draw(st.integers(1, LIMITS[function]))
    return Read(draw(UNITS), function, draw(st.integers(0, 0x10000 - count)), count)


@st.composite
def writes(draw):
    function = draw(st.sampled_from((5, 6, 15, 16)))
    value = st.integers(0, 1) if function in (5, 15) else st.integers(0, 0xFFFF)
    most = {5: 1, 6: 1, 15: 60, 16: 123}[function]
    values = tuple(draw(st.lists(value, min_size=1, max_size=most)))
    return Write(draw(UNITS), function, draw(st.integers(0, 0x10000 - len(values))), values)


REQUESTS = st.one_of(reads(), writes())


@given(REQUESTS)
def test_a_request_survives_encoding(request):
    assert frames.decode_request(request.unit, frames.encode_request(request)) == request


@given(REQUESTS)
def test_pymodbus_reads_our_requests(request):
    found = DecodePDU(True).decode(frames.encode_request(request))
    assert found.function_code == request.function
    assert found.address == request.address
    if isinstance(request, Read):
        assert found.count == request.count


@given(REQUESTS, st.data())
def test_an_answer_survives_encoding_in_both_framings(request, data):
    size = frames.payload_size(request) if isinstance(request, Read) else 0
    payload = data.draw(st.binary(min_size=size, max_size=size))
    pdu = frames.encode_answer(request, payload)
    assert frames.decode_answer(request, pdu) == payload
    rtu = frames.wrap_rtu(request.unit, pdu)
    assert frames.unwrap_rtu(rtu) == (request.unit, pdu)
    assert frames.rtu_answer_size(request, rtu[:2]) == len(rtu)
    tcp = frames.wrap_tcp(7, request.unit, pdu)
    assert frames.unwrap_tcp(tcp) == (7, request.unit, pdu)
    assert frames.tcp_size(tcp) == len(tcp)


@given(REQUESTS, st.integers(0, 255))
def test_a_refusal_is_a_typed_error(request, code):
    pdu = frames.encode_exception(request.function, code)
    with pytest.raises(frames.ExceptionAnswerError) as caught:
        frames.decode_answer(request, pdu)
    assert caught.value.code == code
    assert frames.rtu_answer_size(request, frames.wrap_rtu(request.unit, pdu)) == 5


@given(st.binary(min_size=0, max_size=256))
def test_the_crc_is_that_of_pymodbus(data):
    assert frames.crc16(data).to_bytes(2, "little") == FramerRTU.compute_CRC(data).to_bytes(2, "big")


@given(st.binary(max_size=300))
def test_garbage_raises_frame_errors_only(data):
    for decode in (
        frames.unwrap_rtu,
        frames.unwrap_tcp,
        frames.tcp_size,
        lambda garbage: frames.decode_request(1, garbage),
    ):
        try:
            decode(data)
        except FrameError:
            continue


@given(REQUESTS, st.binary(max_size=260))
def test_no_garbage_is_an_answer_of_another_size(request, data):
    try:
        payload = frames.decode_answer(request, data)
    except FrameError:
        return
    assert len(payload) == (frames.payload_size(request) if isinstance(request, Read) else 0)


@given(reads(), st.data())
def test_a_frame_with_any_bit_turned_over_is_refused(request, data):
    size = frames.payload_size(request)
    frame = frames.wrap_rtu(request.unit, frames.encode_answer(request, bytes(size)))
    at = data.draw(st.integers(0, 8 * len(frame) - 1))
    spoilt = bytearray(frame)
    spoilt[at // 8] ^= 1 << at % 8
    with pytest.raises(FrameError):
        frames.unwrap_rtu(bytes(spoilt))


@pytest.mark.parametrize(
    ("hexadecimal", "found"),
    [
        # the examples of MODBUS Application Protocol V1.1b3, clause 6
        ("11 03 00 6B 00 03", Read(0x11, 3, 0x6B, 3)),
        ("11 01 00 13 00 13", Read(0x11, 1, 0x13, 0x13)),
        ("11 05 00 AC FF 00", Write(0x11, 5, 0xAC, (1,))),
        ("11 06 00 01 00 03", Write(0x11, 6, 1, (3,))),
        ("11 0F 00 13 00 0A 02 CD 01", Write(0x11, 15, 0x13, (1, 0, 1, 1, 0, 0, 1, 1, 1, 0))),
        ("11 10 00 01 00 02 04 00 0A 01 02", Write(0x11, 16, 1, (10, 0x102))),
    ],
)
def test_the_examples_of_the_standard(hexadecimal, found):
    frame = bytes.fromhex(hexadecimal)
    assert frames.decode_request(frame[0], frame[1:]) == found


@pytest.mark.parametrize(
    "request_",
    [
        Read(1, 3, 0, 126),
        Read(1, 3, 0xFFFF, 2),
        Read(1, 7, 0, 1),
        Read(1, 3, 0, 0),
        Write(1, 6, 0, (70_000,)),
        Read(1, 6, 0, 1),
        Write(1, 3, 0, (1,)),
    ],
)
def test_a_request_that_cannot_be_is_refused(request_):
    with pytest.raises(FrameError):
        frames.encode_request(request_)
