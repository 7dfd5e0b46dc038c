"""Code words: what a number says, and each vocabulary told once."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from telemetry.codes import NONE, UNKNOWN, Codes, shared
from telemetry.series import Text

WELL, FAULTY = Text(zh="正常", en="well"), Text(zh="故障", en="faulty")
STATES = Codes(series=(1,), states={0: WELL, 3: FAULTY})
BITS = Codes(series=(2,), bits={0: WELL, 5: FAULTY})


@pytest.mark.parametrize(
    ("codes", "value", "expected"),
    [
        (STATES, 3.0, FAULTY),
        (STATES, 0.0, WELL),
        (STATES, 1.0, UNKNOWN),
        (STATES, -3.0, UNKNOWN),
        (STATES, 2.5, UNKNOWN),
        (STATES, math.nan, UNKNOWN),
        (STATES, math.inf, UNKNOWN),
        (STATES, 1e300, UNKNOWN),
        (BITS, 0.0, NONE),
        (BITS, 33.0, Text(zh="正常、故障", en="well, faulty")),
        (BITS, 34.0, Text(zh="未知位 1、故障", en="unknown bit 1, faulty")),
    ],
)
def test_a_number_says_what_its_word_is_or_that_it_has_none(codes, value, expected):
    assert codes.meaning(value) == expected


@given(st.floats() | st.integers(0, 2**64).map(float))
def test_no_number_breaks_it(value):
    for codes in (STATES, BITS, Codes()):
        said = codes.meaning(value)
        assert said.zh
        assert said.en


def test_a_vocabulary_is_told_once_with_all_its_series():
    same = [Codes(series=(number,), states=dict(STATES.states)) for number in range(5_000)]
    found = shared([*same, BITS, Codes(series=(7,), bits=dict(BITS.bits))])
    assert [(one.states, one.bits) for one in found] == [(STATES.states, {}), ({}, BITS.bits)]
    assert [one.series for one in found] == [tuple(range(5_000)), (2, 7)]
    assert shared([]) == ()
