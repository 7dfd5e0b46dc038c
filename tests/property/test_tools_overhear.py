"""What is overheard is cut into the frames that were sent, whatever the pieces in which it came; pure, no line."""

from hypothesis import given
from hypothesis import strategies as st

from edge_agent.drivers.modbus import frames
from edge_agent.lines.trace import Way
from gateway.tools.overhear import Cutter

READS = st.builds(
    frames.Read, unit=st.integers(1, 247), function=st.sampled_from([1, 2, 3, 4]), address=st.integers(0, 1000),
    count=st.integers(1, 20),
)  # fmt: skip
WRITES = st.builds(
    frames.Write, unit=st.integers(1, 247), function=st.just(16), address=st.integers(0, 1000),
    values=st.lists(st.integers(0, 65535), min_size=1, max_size=10).map(tuple),
)  # fmt: skip
OUTCOMES = st.sampled_from(["answered", "refused", "silent"])


def answer(request, outcome: str, filler: int) -> bytes:
    """As the device would, or nothing."""
    if outcome == "silent":
        return b""
    if outcome == "refused":
        return frames.wrap_rtu(request.unit, frames.encode_exception(request.function, 2))
    payload = bytes([filler]) * frames.payload_size(request) if isinstance(request, frames.Read) else b""
    return frames.wrap_rtu(request.unit, frames.encode_answer(request, payload))


@given(
    st.lists(st.tuples(st.one_of(READS, WRITES), OUTCOMES, st.integers(0, 255)), min_size=1, max_size=8),
    st.lists(st.integers(1, 40), min_size=1),
)
def test_frames_are_told_from_each_other_whatever_the_pieces(exchanges, sizes):
    said, expected = b"", []
    for request, outcome, filler in exchanges:
        out, back = frames.wrap_rtu(request.unit, frames.encode_request(request)), answer(request, outcome, filler)
        said += out + back
        expected += [(Way.OUT, out)] + ([(Way.IN, back)] if back else [])
    heard: list[tuple[Way, bytes]] = []
    cutter = Cutter(lambda way, data: heard.append((way, data)))
    turn = 0
    while said:
        cutter.heard(said[: sizes[turn % len(sizes)]])
        said = said[sizes[turn % len(sizes)] :]
        turn += 1
    assert heard == expected
    assert cutter.noise == 0


@given(st.binary(max_size=400), st.integers(1, 50))
def test_noise_is_passed_over_and_what_follows_is_found(noise, size):
    request = frames.wrap_rtu(7, b"\x03\x00\x10\x00\x02")
    heard: list[bytes] = []
    cutter = Cutter(lambda _, data: heard.append(data))
    said = noise + request
    for at in range(0, len(said), size):
        cutter.heard(said[at : at + size])
    assert request in heard
