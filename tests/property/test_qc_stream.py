"""The stream against the record: rows in any groups are judged, with what is found afterwards, as all at once."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ingest.qc import qartod
from ingest.qc.control import QualityControl
from ingest.qc.parameters import AttenuatedSignal, FlatLine, RateOfChange, Spike
from ingest.qc.record import Record
from telemetry.clock import SECOND_NS
from telemetry.quality import Cause, Quality
from tests.unit.ingest_data import START_NS, level

NONE = 3e7
values = st.one_of(st.floats(-5, 5, width=16), st.sampled_from([1.0, 1.0, 1.5, float("nan")]))
series_of = st.lists(values, min_size=1, max_size=40)
several = st.lists(st.lists(values, min_size=30, max_size=30), min_size=1, max_size=4)
cutting = st.lists(st.integers(1, 120), max_size=12)


def strict(**changes):
    """Tests that find something in a few samples; 3e7 finds nothing."""
    method = changes.get("method", "differential")
    return [
        RateOfChange(quantity="water_level", per_s=changes.get("per_s", NONE), step=0.0),
        Spike(quantity="water_level", threshold=changes.get("spike", NONE), method=method),
        FlatLine(quantity="water_level", seconds=changes.get("flat", NONE)),
        AttenuatedSignal(quantity="water_level", seconds=changes.get("lull", NONE), least=0.6),
    ]


def judged(found, tests, cuts=(), gaps=None):
    """Causes of samples a minute apart of several series (lists of one length), in groups that end at ``cuts``."""
    control = QualityControl(tests=tests)
    wide = {"valid": (-100.0, 100.0), "period_s": 60.0}
    control.learn([(place, level("a", station=f"s{place}", **wide), 25.0, 119.0) for place in range(len(found))])
    value = np.array(found).T.ravel()
    n, m = len(found[0]), len(found)
    seconds = np.arange(n) * 60 if gaps is None else np.cumsum(gaps)
    time_ns = START_NS + np.repeat(seconds, m) * SECOND_NS
    places = np.tile(np.arange(m, dtype=np.int32), n)
    quality = np.where(np.isnan(value), Quality.MISSING, Quality.UNCHECKED).astype(np.uint8)
    cause = np.zeros(len(value), np.uint16)
    edges = sorted({0, len(value), *(cut for cut in cuts if cut < len(value))})
    at = {(p, t): row for row, (p, t) in enumerate(zip(places.tolist(), time_ns.tolist(), strict=True))}
    for begin, end in pairwise(edges):
        part = slice(begin, end)
        columns = places[part], time_ns[part], value[part], quality[part], cause[part]
        quality[part], cause[part] = control.check(*columns, int(time_ns[-1]))
        for again in control.afterwards():
            rows = [at[key] for key in zip(again.places.tolist(), again.time_ns.tolist(), strict=True)]
            assert max(rows) < begin, "what is in the group itself is flagged before it is written"
            np.testing.assert_array_equal(value[rows], again.value)
            quality[rows], cause[rows] = again.quality, again.cause
    return cause.reshape(n, m).T, quality.reshape(n, m).T


@settings(deadline=None, max_examples=50)
@given(
    st.integers(1, 4).flatmap(lambda m: st.lists(st.lists(values, min_size=30, max_size=30), min_size=m, max_size=m)),
    st.lists(st.integers(1, 120), max_size=12),
    st.lists(st.integers(1, 200), min_size=30, max_size=30),
)
def test_what_is_found_does_not_depend_on_how_rows_are_grouped(found, cuts, gaps):
    tests = strict(per_s=0.05, spike=0.5, flat=180.0, lull=300.0)
    whole, pieces = judged(found, tests, gaps=gaps), judged(found, tests, cuts, gaps)
    np.testing.assert_array_equal(whole[0], pieces[0])
    np.testing.assert_array_equal(whole[1], pieces[1])


quiet = st.lists(st.sampled_from([1.0, 1.1, 1.2, 1.2, 1.2, 5.0]), min_size=40, max_size=40)


@settings(deadline=None, max_examples=50)
@given(st.lists(quiet, min_size=1, max_size=3), cutting)
def test_a_lull_does_not_depend_on_how_rows_are_grouped(found, cuts):
    """Against a loop over periods of five minutes that stand side by side."""
    cause, _ = judged(found, strict(lull=300.0), cuts)
    for values, causes in zip(found, cause.tolist(), strict=True):
        periods = {}
        for minute, value in enumerate(values):
            periods.setdefault((START_NS // SECOND_NS + 60 * minute) // 300, []).append(value)
        calm = {at for at, some in periods.items() if len(some) >= 5 and max(some) - min(some) < 0.6}
        begin = [(START_NS // SECOND_NS + 60 * minute) // 300 for minute in range(len(values))]
        assert [bool(one) for one in causes] == [at - 1 in calm for at in begin]


@pytest.mark.parametrize("method", list(qartod.Spike))
@settings(deadline=None, max_examples=50)
@given(found=series_of, cuts=st.lists(st.integers(1, 40), max_size=8))
def test_spikes_are_those_of_the_record(method, found, cuts):
    """Which equals ioos-qc (test_qc_qartod): only beside a missing sample neither says anything."""
    cause, _ = judged([found], strict(spike=0.75, method=str(method)), cuts)
    record = Record(np.array(found), np.arange(len(found)) * 60_000, np.array([len(found)]))
    flags = qartod.spike(record, 0.75, np.nan, method)
    np.testing.assert_array_equal((cause[0] & Cause.SPIKE) > 0, flags == qartod.Flag.SUSPECT)


@settings(deadline=None, max_examples=50)
@given(st.lists(st.floats(-5, 5, width=16), min_size=1, max_size=40), st.lists(st.integers(1, 40), max_size=8))
def test_rates_are_those_of_the_record(found, cuts):
    cause, _ = judged([found], strict(per_s=1 / 64), cuts)
    record = Record(np.array(found), np.arange(len(found)) * 60_000, np.array([len(found)]))
    flags = qartod.rate_of_change(record, 1 / 64)
    np.testing.assert_array_equal((cause[0] & Cause.RATE) > 0, flags == qartod.Flag.SUSPECT)


@settings(deadline=None, max_examples=50)
@given(st.lists(st.sampled_from([1.0, 1.0, 1.0, 2.0]), min_size=4, max_size=40), cutting)
def test_a_flat_line_is_that_of_the_record_with_the_least_tolerance(found, cuts):
    """The tolerance of QARTOD is strict, so none finds nothing; the least one above none asks for equal values."""
    cause, _ = judged([found], strict(flat=240.0), cuts)
    record = Record(np.array(found), np.arange(len(found)) * 60_000, np.array([len(found)]))
    flags = qartod.flat_line(record, 240.0, np.nan, 1e-9)
    np.testing.assert_array_equal((cause[0] & Cause.FLATLINE) > 0, flags == qartod.Flag.SUSPECT)
