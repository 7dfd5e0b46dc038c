"""Device identification: what is encoded decodes, a frame is as long as it says, and garbage raises one error."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_agent.drivers.contract import FrameError
from edge_agent.drivers.modbus import frames
from edge_agent.drivers.modbus.identification import (
    Identification,
    Identify,
    decode_answer,
    decode_request,
    encode_answer,
    encode_request,
    rtu_answer_size,
)

REQUESTS = st.builds(Identify, st.integers(0, 247), st.integers(1, 3), st.just(0))
OBJECTS = st.dictionaries(st.integers(0, 255), st.binary(max_size=30), max_size=7)
ANSWERS = st.builds(Identification, OBJECTS, st.none() | st.integers(1, 255))


@given(st.builds(Identify, st.integers(0, 247), st.integers(0, 255), st.integers(0, 255)))
def test_a_request_survives(request):
    assert decode_request(request.unit, encode_request(request)) == request


@given(REQUESTS, ANSWERS)
def test_an_answer_survives_and_tells_its_length_byte_by_byte(request, answer):
    pdu = encode_answer(request, answer)
    assert decode_answer(request, pdu) == answer
    frame = frames.wrap_rtu(request.unit, pdu)
    if len(frame) > frames.MAX_RTU:
        with pytest.raises(FrameError):
            rtu_answer_size(frame)
        return
    sizes = [rtu_answer_size(frame[:at]) for at in range(len(frame) + 1)]
    assert sizes[-1] == len(frame)
    assert set(sizes) <= {None, len(frame)}


@given(REQUESTS, st.binary(max_size=64) | st.binary(max_size=64).map(lambda tail: b"\x2b\x0e\x01" + tail))
def test_garbage_raises_one_error(request, garbage):
    for attempt in (lambda: decode_answer(request, garbage), lambda: decode_request(1, garbage)):
        try:
            attempt()
        except FrameError:
            continue
    try:
        size = rtu_answer_size(garbage)
    except FrameError:
        return
    assert size is None or 5 <= size <= frames.MAX_RTU


@given(REQUESTS, ANSWERS, st.data())
def test_a_piece_of_an_answer_is_none(request, answer, data):
    pdu = encode_answer(request, answer)
    cut = data.draw(st.integers(0, len(pdu) - 1))
    for damaged in (pdu[:cut], pdu + b"\0"):
        with pytest.raises(FrameError):
            decode_answer(request, damaged)


def test_a_refusal_says_its_code():
    with pytest.raises(frames.ExceptionAnswerError, match=r"exception 1 \(function\)"):
        decode_answer(Identify(1, 1), b"\xab\x01")
    assert rtu_answer_size(b"\x01\xab") == 5


def test_more_to_come_must_lie_ahead():
    """A device that sends us round in circles is refused."""
    with pytest.raises(FrameError, match="later object"):
        decode_answer(Identify(1, 1, 4), encode_answer(Identify(1, 1), Identification({}, 4)))
