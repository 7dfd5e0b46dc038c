"""Reading all headers of a file at once says the same as reading them one by one, or leaves it to that."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from gateway.spool import quick, record
from telemetry.wire import Lane

payloads = st.lists(st.binary(max_size=40), min_size=1, max_size=12)


def written(bodies, epoch=7):
    """A file as a spool writes it, with gaps in the numbers."""
    headers = [
        record.head(body, epoch, 3 * seq + 1, 10**18 + seq, seq % 9000 + 1, Lane(seq % 3))
        for seq, body in enumerate(bodies)
    ]
    return b"".join(record.pack(header, body) for header, body in zip(headers, bodies, strict=True)), headers


@given(payloads)
def test_a_sound_file_is_read_at_once(bodies):
    data, headers = written(bodies)
    starts, found = quick.read(data, verify=True)
    assert [record.Header._make(row.tolist()[2:]) for row in found] == headers
    assert starts.tolist() == [piece.start for piece in record.scan(data)]


@given(payloads, st.data())
def test_a_file_that_was_damaged_anywhere_is_not(bodies, draw):
    data, _ = written(bodies)
    at, bit = draw.draw(st.integers(0, len(data) - 1)), draw.draw(st.integers(0, 7))
    harmed = bytearray(data)
    harmed[at] ^= 1 << bit
    assert quick.read(bytes(harmed), verify=True) is None


@given(payloads, st.integers(1, 60))
def test_a_file_that_was_cut_is_not(bodies, cut):
    data, headers = written(bodies)
    found = quick.read(data[:-cut], verify=True)
    assert found is None or len(found[0]) < len(headers)
    if found is not None:
        assert [piece.header for piece in record.scan(data[:-cut])] == headers[: len(found[0])]


@given(st.binary(max_size=400))
def test_garbage_is_not(data):
    assert quick.read(data, verify=True) is None


def test_two_epochs_or_numbers_that_go_back_are_not():
    first, second = written([b"a", b"b"])[0], written([b"c"], epoch=8)[0]
    assert quick.read(first + second, verify=False) is None
    assert quick.read(first + first, verify=False) is None


@given(st.lists(st.binary(min_size=9, max_size=9), min_size=1, max_size=50))
def test_checksums_of_rows_are_those_of_zlib(lines):
    block = np.frombuffer(b"".join(lines), np.uint8).reshape(len(lines), 9)
    assert quick._crc32(block).tolist() == [record.zlib.crc32(line) for line in lines]
