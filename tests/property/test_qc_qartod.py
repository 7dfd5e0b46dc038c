"""The tests of QARTOD give the flags of ioos-qc on any record of many series, and where they do not, it is its defect.

Times are whole seconds and at least one apart, but where a test says otherwise: ioos-qc counts in whole seconds.
"""

import warnings

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from ioos_qc import qartod as ioos

from ingest.qc import qartod
from ingest.qc.qartod import Flag, Spike, Spread
from ingest.qc.record import Record

NAN, INF = np.nan, np.inf
# Quarters, so that sums are exact and a threshold is met or not, on both sides alike.
VALUES = st.one_of(st.integers(-40, 40).map(lambda n: n / 4), st.sampled_from([NAN, NAN, INF, -INF, 1e300, 0.0]))
STEPS = st.sampled_from([1, 60, 60, 60, 61, 600, 7200, 7201])
THRESHOLDS = st.sampled_from([0.1, 0.25, 0.3, 1.0, 2.7, 50.0])


@st.composite
def series(draw, least=1):
    n = draw(st.integers(least, 12))
    steps = draw(st.lists(STEPS, min_size=n - 1, max_size=n - 1))
    start = draw(st.integers(0, 2 * 10**9))
    seconds = np.cumsum([start, *steps])
    return draw(st.lists(VALUES, min_size=n, max_size=n)), seconds


def records(least=1):
    return st.lists(series(least), min_size=1, max_size=5)


def record(parts):
    value = np.concatenate([np.array(values, np.float64) for values, _ in parts])
    seconds = np.concatenate([times for _, times in parts])
    return Record(value, seconds.astype(np.int64) * 1000, np.array([len(values) for values, _ in parts]))


def finite(parts, most=1e301):
    """The same without what is infinite, or greater."""
    return [([one if abs(one) < most else NAN for one in values], times) for values, times in parts]


def theirs(parts, test):
    """What ioos-qc says of each series by itself."""
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        found = [test(np.array(values), times.astype("datetime64[s]")) for values, times in parts]
    return np.concatenate([np.asarray(flags) for flags in found]).tolist()


@given(records(), st.sampled_from([(-5, 5, NAN, NAN), (-5, 5, -2.25, 2.25), (0, 9, 0, 9)]))
def test_gross_range(parts, limits):
    fail_low, fail_high, low, high = limits
    spans = {"fail_span": (fail_low, fail_high)} | ({} if np.isnan(low) else {"suspect_span": (low, high)})
    found = qartod.gross_range(record(parts), *map(np.float64, limits))
    assert found.tolist() == theirs(parts, lambda value, _: ioos.gross_range_test(value, **spans))


def test_gross_range_refuses_what_ioos_refuses():
    with pytest.raises(ValueError, match="suspect"):
        qartod.gross_range(record([([1.0], np.array([0]))]), *map(np.float64, (0, 5, -1, 4)))
    with pytest.raises(ValueError, match="Suspect"):
        ioos.gross_range_test([1.0], (0, 5), (-1, 4))


@given(records(least=2), THRESHOLDS, THRESHOLDS, st.sampled_from(list(Spike)))
def test_spike(parts, suspect, fail, method):
    found = qartod.spike(record(parts), suspect, fail, method)
    assert found.tolist() == theirs(parts, lambda value, _: ioos.spike_test(value, suspect, fail, method.value))


@given(records(), THRESHOLDS, st.one_of(st.none(), THRESHOLDS))
def test_rate_of_change(parts, suspect, fail):
    parts = finite(parts)
    found = qartod.rate_of_change(record(parts), suspect / 60, NAN if fail is None else fail / 60)
    wanted = theirs(
        parts,
        lambda value, time: ioos.rate_of_change_test(value, time, suspect / 60, None if fail is None else fail / 60),
    )
    assert found.tolist() == wanted


@given(records(least=3), st.sampled_from([30, 60, 120, 150, 600]), st.sampled_from([60, 300, 3600]), THRESHOLDS)
def test_flat_line(parts, suspect_s, fail_s, tolerance):
    found = qartod.flat_line(record(parts), suspect_s, fail_s, tolerance)
    wanted = theirs(parts, lambda value, time: ioos.flat_line_test(value, time, suspect_s, fail_s, tolerance))
    assert found.tolist() == wanted


@given(
    records(least=2),
    st.sampled_from([1.03, 0.51, 3.3]),
    st.sampled_from([60, 61, 180, 7200]),
    st.integers(1, 3),
    st.sampled_from(list(Spread)),
)
def test_attenuated_signal(parts, suspect, period_s, least, spread):
    parts = finite(parts, 1e6)
    found = qartod.attenuated_signal(record(parts), suspect, suspect / 2, period_s, least, spread)
    wanted = theirs(
        parts,
        lambda value, time: ioos.attenuated_signal_test(
            value, time, suspect, suspect / 2, test_period=period_s, min_obs=least, check_type=spread.value
        ),
    )
    assert found.tolist() == wanted


@given(records(), st.sampled_from([(1, 3), (6, 12), (7, 7)]))
def test_climatology(parts, months):
    """A later member wins where two hold; months without one are unknown."""
    first, last = months
    limits = np.full((12, 4), NAN)
    limits[first - 1 : last] = (-8, -3, 3, 8)
    limits[2] = (NAN, 0, 1, NAN)
    members = [
        {"vspan": (-3, 3), "fspan": (-8, 8), "tspan": (first, last), "period": "month"},
        {"vspan": (0, 1), "tspan": (3, 3), "period": "month"},
    ]
    one = record(parts)
    found = qartod.climatology(one, np.broadcast_to(limits, (len(parts), 12, 4)))
    wanted = np.array(
        theirs(parts, lambda value, time: ioos.climatology_test(members, value, time, np.full(len(value), NAN)))
    )
    assert found[~one.missing].tolist() == wanted[~one.missing].tolist()
    assert set(found[one.missing]) <= {Flag.MISSING}


@given(records(least=2), st.sampled_from([0.01, 1.0, 2.0, 2.0003]))
def test_time_gap(parts, hours):
    found = qartod.time_gap(record(parts), hours)
    assert found.tolist() == theirs(parts, lambda _, time: ioos.time_gap_test(time, hours))


@given(st.lists(st.lists(st.sampled_from(list(Flag)), min_size=4, max_size=4), min_size=1, max_size=5))
def test_the_worst_of_several(flags):
    columns = [np.array(column, np.uint8) for column in flags]
    assert qartod.aggregate(*columns).tolist() == ioos.qartod_compare(columns).tolist()


@given(records(), st.data())
def test_a_series_is_judged_as_if_it_were_alone(parts, data):
    """Also with a parameter of its own each."""
    thresholds = np.array([data.draw(THRESHOLDS) for _ in parts])
    tests = (
        lambda one, t: qartod.spike(one, t, 2 * t),
        lambda one, t: qartod.rate_of_change(one, t / 60, t),
        lambda one, t: qartod.flat_line(one, 60 * t, 600 * t, t),
        lambda one, t: qartod.attenuated_signal(one, t, t / 3, 600 * t),
        lambda one, t: qartod.time_gap(one, t),
    )
    for test in tests:
        alone = [test(record([part]), thresholds[at : at + 1]) for at, part in enumerate(parts)]
        assert test(record(parts), thresholds).tolist() == np.concatenate(alone).tolist()


def test_a_day_of_noise_in_minutes():
    """Long windows; each series stands still for a while, and each has gaps."""
    rng, seconds = np.random.default_rng(1), 60 * np.arange(300)
    parts = [(rng.normal(0, scale, 300), seconds + 7 * at) for at, scale in enumerate((0.1, 1.0, 10.0))]
    for values, _ in parts:
        values[100:170] = values[100]
        values[rng.random(300) < 0.05] = NAN
    one = record(parts)
    for suspect_s, fail_s in ((600, 3600), (1800, 4300)):
        wanted = theirs(parts, lambda v, t, s=suspect_s, f=fail_s: ioos.flat_line_test(v, t, s, f, 0.05))
        assert qartod.flat_line(one, suspect_s, fail_s, 0.05).tolist() == wanted
    for period_s, least in ((420, 5), (1800, 20), (7200, 1)):
        options = {"test_period": period_s, "min_obs": least}
        wanted = theirs(parts, lambda v, t, o=options: ioos.attenuated_signal_test(v, t, 0.9, 0.09, **o))
        assert qartod.attenuated_signal(one, 0.9, 0.09, period_s, least).tolist() == wanted


@pytest.mark.parametrize("threshold", [0.25, 1.0])
def test_what_meets_a_threshold_exactly_is_judged_alike(threshold):
    parts = [([0.0, 0.25, 1.25, 1.0, 1.0, 2.0, 1.75, NAN, 1.75, 2.0], 60 * np.arange(10))]
    one = record(parts)
    wanted = theirs(parts, lambda v, t: ioos.rate_of_change_test(v, t, threshold / 60))
    assert qartod.rate_of_change(one, threshold / 60).tolist() == wanted
    wanted = theirs(parts, lambda v, t: ioos.flat_line_test(v, t, 60, 120, threshold))
    assert qartod.flat_line(one, 60, 120, threshold).tolist() == wanted
    options = {"test_period": 120, "check_type": "range"}
    wanted = theirs(parts, lambda v, t: ioos.attenuated_signal_test(v, t, threshold, threshold / 4, **options))
    assert qartod.attenuated_signal(one, threshold, threshold / 4, 120, 1, Spread.RANGE).tolist() == wanted


class TestDefects:
    """Where ioos-qc 3.0.0 is wrong; each is what it does and what we say instead."""

    def test_what_follows_the_infinite_is_suspect(self):
        """It is missing, and what follows a missing one is not judged by either."""
        value, seconds = [INF, 0.0], np.array([0, 60])
        assert theirs([(value, seconds)], lambda v, t: ioos.rate_of_change_test(v, t, 1.0)) == [9, 3]
        assert qartod.rate_of_change(record([(value, seconds)]), 1.0).tolist() == [9, 1]

    def test_a_step_of_less_than_a_second_is_judged_as_if_it_took_one(self):
        value, ms = np.array([0.0, 0.8, 1.6]), np.array([0, 500, 1000])
        assert ioos.rate_of_change_test(value, ms.astype("datetime64[ms]"), 1.0).tolist() == [1, 1, 1]
        assert qartod.rate_of_change(Record(value, ms, np.array([3])), 1.0).tolist() == [1, 3, 3]

    def test_a_step_is_cut_to_whole_seconds(self):
        value, ms = np.array([0.0, 1.2, 2.4]), np.array([0, 1500, 3000])
        assert ioos.rate_of_change_test(value, ms.astype("datetime64[ms]"), 1.0).tolist() == [1, 3, 3]
        assert qartod.rate_of_change(Record(value, ms, np.array([3])), 1.0).tolist() == [1, 1, 1]

    def test_nothing_measured_is_good_in_a_short_series(self):
        value, seconds = [NAN, 1.0], np.array([0, 60])
        assert theirs([(value, seconds)], lambda v, t: ioos.flat_line_test(v, t, 60, 120, 0.1)) == [1, 1]
        assert qartod.flat_line(record([(value, seconds)]), 60, 120, 0.1).tolist() == [9, 1]

    def test_nothing_measured_is_good_in_a_season(self):
        value, seconds = [1.0, NAN], np.array([0, 60])
        member = {"vspan": (0, 2), "tspan": (1, 12), "period": "month"}
        with_them = theirs([(value, seconds)], lambda v, t: ioos.climatology_test([member], v, t, np.full(2, NAN)))
        assert with_them == [1, 1]
        limits = np.broadcast_to(np.array([NAN, 0, 2, NAN]), (1, 12, 4))
        assert qartod.climatology(record([(value, seconds)]), limits).tolist() == [1, 9]

    def test_a_single_sample_can_not_be_judged(self):
        one = record([([1.0], np.array([0]))])
        with pytest.raises(IndexError):
            ioos.time_gap_test(np.array([0], "datetime64[s]"), 2)
        assert qartod.time_gap(one, 2).tolist() == [Flag.UNKNOWN]
        assert qartod.spike(one, 1.0, 2.0).tolist() == [Flag.UNKNOWN]


def test_a_record_that_does_not_fit_together_is_refused():
    with pytest.raises(ValueError, match="expected as many of each"):
        Record(np.zeros(3), np.zeros(3, np.int64), np.array([2]))
    with pytest.raises(ValueError, match="no series without samples"):
        Record(np.zeros(2), np.zeros(2, np.int64), np.array([2, 0]))
