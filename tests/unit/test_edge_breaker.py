"""The breaker: rarer and rarer, never for ever."""

import numpy as np

from edge_agent.breaker import Breaker
from telemetry.clock import HOUR_NS, SECOND_NS


def breaker(grace: int = 0) -> Breaker:
    return Breaker(SECOND_NS, 60 * SECOND_NS, np.random.default_rng(1), grace)


def probes(one: Breaker, seconds: int) -> list[int]:
    found = []
    for second in range(seconds):
        if one.allows(second * SECOND_NS):
            found.append(second)
            one.fail(second * SECOND_NS)
    return found


def test_tries_become_rarer_up_to_a_minute_and_never_stop():
    """P7, P18."""
    found = probes(breaker(), 3600)
    gaps = np.diff(found)
    assert gaps[0] <= 2
    assert 60 <= gaps.max() <= 68
    assert (gaps[8:] >= 60).all()
    assert found[-1] > 3500


def test_one_failure_of_a_unit_that_works_is_forgiven():
    one = breaker(grace=1)
    one.succeed()
    one.fail(0)
    assert not one.is_open
    one.fail(SECOND_NS)
    assert one.is_open
    one.succeed()
    assert one.allows(SECOND_NS)


def test_a_unit_that_never_worked_gets_no_grace():
    one = breaker(grace=1)
    one.fail(0)
    assert one.is_open


def test_the_caller_can_ask_for_a_longer_wait():
    one = breaker()
    one.fail(0, at_least_ns=90 * SECOND_NS)
    assert not one.allows(89 * SECOND_NS)
    assert one.allows(100 * SECOND_NS)


def test_a_clock_that_is_set_back_does_not_hold_a_unit_for_hours():
    one = breaker()
    one.fail(10 * HOUR_NS)
    assert not one.allows(10 * HOUR_NS)
    assert one.allows(2 * HOUR_NS)
