"""How long to wait is learned, and never exceeds what the field engineer has set."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_agent.lines.patience import Patience

steps = st.lists(st.one_of(st.none(), st.floats(0, 10)), max_size=40)


@given(steps, st.floats(0.01, 60))
def test_a_wait_is_never_longer_than_the_longest_and_never_nothing(history, most_s):
    patience = Patience(most_s)
    for delay_s in history:
        if delay_s is None:
            patience.silent(1)
        else:
            patience.answered(1, delay_s)
        assert 0 < patience.wait_s(1) <= most_s


@given(steps)
def test_what_one_device_does_is_nothing_to_another(history):
    patience = Patience(1.0)
    for delay_s in history:
        patience.answered("a", delay_s or 0.0)
    assert patience.wait_s("b") == 1.0


def test_the_first_delays_as_rfc_6298_computes_them():
    """Clause 2: after the first delay R the wait is R + 4 R/2; then spread and delay follow with gains 1/4 and 1/8."""
    patience = Patience(10.0)
    patience.answered(1, 0.1)
    assert patience.wait_s(1) == pytest.approx(0.1 + 4 * 0.05)
    patience.answered(1, 0.2)
    spread = 0.75 * 0.05 + 0.25 * abs(0.1 - 0.2)
    assert patience.wait_s(1) == pytest.approx(0.875 * 0.1 + 0.125 * 0.2 + 4 * spread)


def test_silence_doubles_the_wait_until_an_answer_comes():
    patience = Patience(10.0)
    patience.answered(1, 0.1)
    first = patience.wait_s(1)
    patience.silent(1)
    assert patience.wait_s(1) == pytest.approx(2 * first)
    patience.answered(1, 0.1)
    assert patience.wait_s(1) < first
