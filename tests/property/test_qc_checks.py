"""Quality control against an independent oracle (ioos-qc 3.0.0) and against loops, on random input."""

import warnings
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ingest.qc.checks import flat_line, gross_range, rate_of_change
from ingest.qc.control import QualityControl
from ingest.qc.memory import Memory
from telemetry.clock import SECOND_NS
from telemetry.quality import QARTOD, Cause, Quality
from tests.unit.ingest_data import START_NS, level

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # whatever the oracle's own dependencies complain about
    qartod = pytest.importorskip("ioos_qc.qartod")

values = st.one_of(st.floats(-20, 20, width=32), st.sampled_from([0.0, 10.0, float("nan")]))


@settings(deadline=None)
@given(st.lists(values, min_size=1, max_size=50), st.floats(-10, 0, width=32), st.floats(0, 10, width=32))
def test_gross_range_agrees_with_qartod(readings, low, high):
    value = np.array(readings)
    n = len(value)
    quality, cause = gross_range(value, np.full(n, low), np.full(n, high), np.zeros(n, np.bool_), np.zeros(n, np.bool_))
    quality = np.where(np.isnan(value), Quality.MISSING, np.maximum(quality, Quality.GOOD))
    expected = qartod.gross_range_test(value, (low, high))
    assert [QARTOD[Quality(flag)] for flag in quality] == expected.tolist()
    assert ((cause == Cause.RANGE) == (expected == 4)).all()


@settings(deadline=None)
@given(st.lists(values, min_size=1, max_size=50), st.sampled_from(["low", "high", "both", "none"]))
def test_out_of_range_towards_danger_is_suspect_and_never_bad(readings, danger):
    value = np.array(readings)
    n = len(value)
    low, high = np.full(n, danger in ("low", "both")), np.full(n, danger in ("high", "both"))
    quality, _ = gross_range(value, np.full(n, -5.0), np.full(n, 5.0), low, high)
    for reading, flag in zip(readings, quality.tolist(), strict=True):
        dangerous = (reading > 5 and danger in ("high", "both")) or (reading < -5 and danger in ("low", "both"))
        outside = reading > 5 or reading < -5
        assert flag == (Quality.SUSPECT if dangerous else Quality.BAD if outside else Quality.UNCHECKED)


@settings(deadline=None)
@given(
    st.lists(st.tuples(st.floats(-20, 20, width=32), st.integers(1, 600)), min_size=1, max_size=50),
    st.sampled_from([0.001, 0.05, 1.0]),
)
def test_rate_of_change_agrees_with_qartod(steps, rate):
    value = np.array([reading for reading, _ in steps])
    time_ns = START_NS + np.cumsum([seconds for _, seconds in steps]) * SECOND_NS
    n = len(value)
    before = Memory().compare(
        np.zeros(n, np.int32), time_ns, value, np.ones(n, np.bool_), np.full(1, np.inf), np.arange(n)
    )
    assert np.isnan(before.before[0])
    quality, _ = rate_of_change(time_ns, value, before.before_ns, before.before, np.full(n, rate), np.zeros(n))
    expected = qartod.rate_of_change_test(value, time_ns.astype("datetime64[ns]"), rate)
    exact = np.abs(np.diff(value)) == rate * np.diff(time_ns) / 1e9  # either rounding is right on the limit itself
    agree = np.maximum(quality, Quality.GOOD) == np.where(expected == 3, Quality.SUSPECT, Quality.GOOD)
    assert (agree[1:] | exact).all()
    assert agree[0]


rows = st.lists(
    st.tuples(st.integers(0, 4), st.integers(0, 40), st.sampled_from([1.0, 1.0, 2.0, 3.5]), st.booleans()), max_size=60
)


@settings(deadline=None)
@given(rows, st.lists(st.integers(0, 60), max_size=3), st.sampled_from([5.0, np.inf]))
def test_neighbours_are_those_that_a_loop_finds(rows, cuts, gap_s):
    memory, last = Memory(), {}
    edges = sorted({0, len(rows), *(cut for cut in cuts if cut < len(rows))})
    for start, stop in pairwise(edges):
        group = rows[start:stop]
        places = np.array([row[0] for row in group], np.int32)
        time_ns = np.array([row[1] for row in group], np.int64) * SECOND_NS
        value = np.array([row[2] for row in group])
        trusted = np.array([row[3] for row in group])
        found = memory.compare(places, time_ns, value, trusted, np.full(5, gap_s * 1e9), np.arange(len(group)))
        before_ns, before, since_ns = time_ns.copy(), np.full(len(group), np.nan), time_ns.copy()
        before_ns[found.rows], before[found.rows], since_ns[found.rows] = found.before_ns, found.before, found.since_ns
        expected = by_loop(group, last, gap_s)
        np.testing.assert_array_equal(before, [row[1] for row in expected])
        comparable = ~np.isnan(before)
        np.testing.assert_array_equal(
            before_ns[comparable], np.array([row[0] for row in expected])[comparable] * SECOND_NS
        )
        np.testing.assert_array_equal(since_ns, [row[2] * SECOND_NS for row in expected])


def by_loop(group, last, gap_s):
    """(time before, value before, since) of each row: sorted by series, time and arrival, one after another."""
    known = dict(last)
    expected = [(row[1], float("nan"), row[1]) for row in group]
    for at in sorted(range(len(group)), key=lambda at: (group[at][0], group[at][1], at)):
        place, second, value, trusted = group[at]
        if not trusted or (place in known and second <= known[place][0]):
            continue
        if place in last:
            before_s, before, since = last[place]
            same = value == before and second - before_s <= gap_s
            since = since if same else second
            expected[at] = (before_s, before, since)
        else:
            since = second
        last[place] = (second, value, since)
    return expected


def test_a_flat_line_is_one_that_lasted():
    since_ns = np.array([0, 0, 5]) * SECOND_NS
    quality, cause = flat_line(np.array([9, 10, 10]) * SECOND_NS, since_ns, np.full(3, 10e9))
    assert quality.tolist() == [Quality.UNCHECKED, Quality.SUSPECT, Quality.UNCHECKED]
    assert cause.tolist() == [0, Cause.FLATLINE, 0]


def test_groups_larger_than_a_block_are_judged_like_small_ones():
    rng = np.random.default_rng(5)
    n, series = 60_000, 700
    places = rng.integers(0, series, n).astype(np.int32)
    time_ns = START_NS + np.arange(n) * SECOND_NS
    value = np.round(rng.normal(5, 2, n), 1)
    verdicts = []
    for size in (n, 1000):
        control = QualityControl()
        control.limits.put([(place, level("a")) for place in range(series)])
        parts = [
            control.check(
                places[at : at + size],
                time_ns[at : at + size],
                value[at : at + size],
                np.zeros(min(size, n - at), np.uint8),
                np.zeros(min(size, n - at), np.uint16),
                int(time_ns[-1]),
            )
            for at in range(0, n, size)
        ]
        verdicts.append([np.concatenate(columns) for columns in zip(*parts, strict=True)])
    for whole, pieces in zip(*verdicts, strict=True):
        np.testing.assert_array_equal(whole, pieces)
    assert set(np.unique(verdicts[0][0])) == {Quality.GOOD, Quality.SUSPECT, Quality.BAD}


@settings(deadline=None)
@given(
    st.lists(st.tuples(st.integers(1, 5000), st.sampled_from([1.0, 1.0, 1.0, 3.5, 9.0, float("nan")])), min_size=2),
    st.data(),
)
def test_a_restart_in_the_middle_changes_no_verdict(steps, data):
    """Rows that are stored are what the next ones are compared with: a jump or a flat line over a restart is seen."""
    time_ns = START_NS + np.cumsum([step for step, _ in steps]) * SECOND_NS
    value = np.array([reading for _, reading in steps])
    quality = np.where(np.isnan(value), Quality.MISSING, Quality.UNCHECKED).astype(np.uint8)
    places, cause = np.zeros(len(value), np.int32), np.zeros(len(value), np.uint16)
    cut = data.draw(st.integers(1, len(value) - 1))

    def control():
        fresh = QualityControl()
        fresh.limits.put([(0, level("tide", quantity="sea_level", valid=(-6.0, 12.0)))])
        return fresh

    def checked(by, rows):
        return by.check(places[rows], time_ns[rows], value[rows], quality[rows], cause[rows], int(time_ns[-1]))

    whole = checked(control(), slice(None))
    after = control()
    after.warm(places[:cut], time_ns[:cut], value[:cut], whole[0][:cut], whole[1][:cut])
    assert [column.tolist() for column in checked(after, slice(cut, None))] == [
        column[cut:].tolist() for column in whole
    ]
    assert after.memory_ns >= 3 * 3600 * SECOND_NS


@pytest.mark.parametrize("value", [1.1e12, -1.1e12, 3.4e38, 1.7e308])
def test_what_no_instrument_can_read_is_bad_in_any_direction(value):
    everywhere = np.ones(1, np.bool_)
    quality, cause = gross_range(np.array([value]), np.zeros(1), np.ones(1), everywhere, everywhere)
    assert (quality.tolist(), cause.tolist()) == ([Quality.BAD], [Cause.RANGE])
