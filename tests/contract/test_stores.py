"""One contract for every store: the same tests over DuckDB and over a real VictoriaMetrics.

A server keeps 13 decimal digits below the largest value of a block, so values are compared as such.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from itertools import count
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ingest.store.duckdb import DuckDBStore
from ingest.store.protocol import CommitResult, Points, Store, Tally
from ingest.store.server.address import Address
from ingest.store.server.store import ServerStore
from ingest.store.server.victoriametrics import VictoriaMetrics
from telemetry.batch import MILLISECOND_NS, Batch, rows
from telemetry.clock import HOUR_NS, MINUTE_NS, SECOND_NS
from telemetry.quality import Cause, Quality
from tests.contract.store_servers import Metrics, victoria_metrics
from tests.unit.ingest_data import SOURCE, START_NS, batch, ids

NAN = float("nan")
Open = Callable[[], Store]
_measurements = count(1)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Metrics]:
    with victoria_metrics(tmp_path_factory.mktemp("vm")) as server:
        yield server


class Settled(ServerStore):
    """Keeps nothing of the last seconds in memory: what is read is what the server holds."""

    def __init__(self, server: Metrics, path: Path, name: str) -> None:
        self._now_s, self._show = 0.0, server.show
        talk = VictoriaMetrics(Address(url=server.url, measurement=name))
        super().__init__(talk, path, measurement=name, now_ns=lambda: START_NS, now_s=lambda: self._now_s)

    def commit(self, batches: Sequence[Batch]) -> CommitResult:
        found = super().commit(batches)
        self._show()
        self._now_s += 60.0
        super().commit([])
        assert self._delivery.unsettled() == []
        return found


@pytest.fixture(params=["duckdb", "victoriametrics", "victoriametrics alone"])
def reopen(request, tmp_path_factory) -> Open:
    """Open one store again and again; each test has a place of its own."""
    path = tmp_path_factory.mktemp("store") / "store"
    if request.param == "duckdb":
        return lambda: DuckDBStore(path)
    server = request.getfixturevalue("server")
    name = f"m{next(_measurements)}"

    if request.param == "victoriametrics alone":
        return lambda: Settled(server, path, name)

    def on_server() -> Store:
        talk = VictoriaMetrics(Address(url=server.url, measurement=name))
        return ServerStore(talk, path, measurement=name, now_ns=lambda: START_NS)

    return on_server


@pytest.fixture
def store(reopen: Open) -> Iterator[Store]:
    store = reopen()
    yield store
    store.close()


def assert_points(found: Points, expected: Batch) -> None:
    """The rows of a batch in order of series and time."""
    order = np.lexsort((expected.time_ns, expected.series))
    for name in ("series", "time_ns", "quality", "cause"):
        ours, theirs = getattr(found, name), getattr(expected, name)[order]
        assert ours.dtype == theirs.dtype
        np.testing.assert_array_equal(ours, theirs, err_msg=name)
    np.testing.assert_allclose(found.value, expected.value[order], rtol=1e-12)


def everything(store: Store, *batches: Batch) -> Points:
    return store.samples(np.concatenate([one.series for one in batches]), 0, 2**62)


def test_a_batch_is_committed_once_also_when_it_comes_twice_in_a_group_or_later(store):
    first, second = batch(1, [1.0, 2.0]), batch(2, [3.0, 4.0], time_ns=START_NS + SECOND_NS)
    result = store.commit([first, first, second])
    assert (result.number, result.fresh, result.rows) == (1, (True, False, True), 4)
    again = store.commit([second, first])
    assert (again.number, again.fresh, again.rows) == (0, (False, False), 0)
    assert (store.count(), store.distinct_count(), store.last_commit()) == (4, 4, 1)
    assert store.is_committed(SOURCE, 7, 2)
    assert not store.is_committed(SOURCE, 7, 3)
    assert not store.is_committed(SOURCE, 8, 2)


def test_what_is_committed_is_known_after_it_was_opened_again(reopen):
    store = reopen()
    store.commit([batch(1, [1.0, 2.0]), batch(3, [3.0, 4.0], time_ns=START_NS + SECOND_NS)])
    store.save_announcement(SOURCE, "r1", b"one")
    store.close()
    store = reopen()
    assert store.announcements() == [(SOURCE, b"one")]
    second = batch(2, [5.0, 6.0], time_ns=START_NS + 2 * SECOND_NS)
    again = store.commit([batch(1, [1.0, 2.0]), second])
    assert (again.number, again.fresh) == (2, (False, True))
    assert everything(store, second).value.tolist().count(5.0) == 1
    assert (store.count(), store.distinct_count()) == (6, 6)
    store.close()


def test_every_column_comes_back_as_it_was(store):
    """Millisecond times, quality and cause as fields of their own; MISSING has a quality and no value."""
    series = np.repeat(ids("a", "b", "c"), 5)
    time_ns = START_NS + np.tile([0, 1, 2, 1000, 86_400_001], 3) * MILLISECOND_NS
    value = np.array([1.25, -0.001, NAN, 1e-6, 12345.678, 0, NAN, 3.5, 0.1 + 0.2, 7, 250, 5e5, -40, NAN, 8.125])
    quality = np.array([1, 2, 0, 1, 3, 1, 0, 0, 1, 2, 1, 1, 1, 0, 1], np.uint8)
    cause = np.array([0, Cause.RANGE, Cause.COMMS, 0, 65535, 0, 0, 0, 0, 512, 0, 0, 0, 288, 0], np.uint16)
    sent = rows(SOURCE, series, time_ns, value, quality=quality, cause=cause).numbered(7, 1)
    store.commit([sent])
    assert_points(everything(store, sent), sent)


def test_the_later_commit_wins_whichever_value_is_larger(store):
    """On every read; a server by itself keeps whichever of the two it likes."""
    place = int(ids("a")[0])
    for seq, (a, b) in enumerate([(5.0, 3.0), (3.0, 5.0), (4.0, NAN)], start=1):
        store.commit([batch(seq, [a, b])])
        np.testing.assert_array_equal(store.points(place, START_NS, START_NS + 1).value, [a])
        found = everything(store, batch(1, [a, b]))
        assert dict(zip(found.series.tolist(), found.value.tolist(), strict=True))[place] == a
    newest = store.latest(0)
    assert (len(newest), int(np.isnan(newest.value).sum())) == (2, 1)
    assert store.buckets(place, START_NS // MINUTE_NS * MINUTE_NS, START_NS + MINUTE_NS, MINUTE_NS).mean.tolist() == [
        4.0
    ]
    assert store.distinct_count() == 2


def test_a_backlog_that_comes_late_is_found_among_what_came_before(store):
    live = [batch(seq, [float(seq), 0.0], time_ns=START_NS + 100 * seq * SECOND_NS) for seq in range(1, 6)]
    late = [batch(seq, [float(seq), 1.0], time_ns=START_NS + seq * 7 * SECOND_NS) for seq in range(20, 9, -1)]
    for one in live:
        store.commit([one])
    store.commit(late[:5])
    store.commit(late[5:])
    place = int(ids("a")[0])
    expected = sorted((int(one.time_ns[0]), float(one.value[0])) for one in [*live, *late])
    found = store.points(place, 0, 2**62)
    assert list(zip(found.time_ns.tolist(), found.value.tolist(), strict=True)) == expected
    assert (store.count(), store.distinct_count()) == (32, 32)


def test_points_are_a_half_open_span_in_order_of_time(store):
    for seq in (3, 1, 2):
        store.commit([batch(seq, [float(seq), 0.0], time_ns=START_NS + seq * SECOND_NS)])
    place = int(ids("a")[0])
    points = store.points(place, START_NS + SECOND_NS, START_NS + 3 * SECOND_NS)
    assert points.value.tolist() == [1.0, 2.0]
    assert points.time_ns.tolist() == [START_NS + SECOND_NS, START_NS + 2 * SECOND_NS]
    assert store.points(place, START_NS + 1, START_NS + 2**60, most=2).value.tolist() == [1.0, 2.0]
    assert len(store.points(5, 0, 2**62)) == 0


def test_buckets_keep_good_values_apart_from_missing_ones(store):
    start = START_NS // MINUTE_NS * MINUTE_NS
    values = [(0, 1.0, 0), (20, 3.0, Quality.SUSPECT), (40, NAN, 0), (70, NAN, 0), (130, 9.0, Quality.BAD)]
    for seq, (second, value, quality) in enumerate(values, start=1):
        sample = batch(seq, [value], points=("a",), time_ns=start + second * SECOND_NS)
        store.commit([sample.flagged(np.array([quality], np.uint8), np.zeros(1, np.uint16))])
    found = store.buckets(int(ids("a")[0]), start, start + 10 * MINUTE_NS, MINUTE_NS)
    assert found.time_ns.tolist() == [start, start + MINUTE_NS, start + 2 * MINUTE_NS]
    np.testing.assert_array_equal(found.minimum, [1.0, NAN, NAN])
    np.testing.assert_array_equal(found.mean, [2.0, NAN, NAN])
    np.testing.assert_array_equal(found.maximum, [3.0, NAN, NAN])
    assert found.count.tolist() == [2, 0, 0]
    assert found.quality.tolist() == [Quality.MISSING, Quality.MISSING, Quality.BAD]
    assert len(store.buckets(5, start, start + MINUTE_NS, MINUTE_NS).mean) == 0
    with pytest.raises(ValueError, match="expected at least"):
        store.buckets(1, 0, 1, 10)


def test_the_newest_sample_of_each_series_is_by_its_time_and_never_one_whose_time_was_doubted(store):
    store.commit([batch(2, [2.0, NAN], time_ns=START_NS + SECOND_NS)])
    store.commit([batch(1, [1.0, 1.5])])
    future = batch(3, [9.0, 9.0], time_ns=START_NS + 3_600_000 * MILLISECOND_NS)
    store.commit([future.flagged(np.full(2, Quality.SUSPECT, np.uint8), np.full(2, Cause.CLOCK, np.uint16))])
    old = batch(4, [8.0], points=("c",), time_ns=START_NS - 86_400 * SECOND_NS)
    store.commit([old])
    newest = store.latest(0)
    values = dict(zip(newest.series.tolist(), newest.value.tolist(), strict=True))
    assert (values[int(ids("a")[0])], values[int(ids("c")[0])], len(values)) == (2.0, 8.0, 3)
    assert np.isnan(values[int(ids("b")[0])])
    assert len(store.latest(START_NS)) == 2
    assert len(store.latest(START_NS + 2 * SECOND_NS)) == 0


def test_commits_come_back_in_order_for_an_engine_that_missed_them(store):
    flagged = batch(2, [NAN, 4.5], time_ns=START_NS + SECOND_NS)
    flagged = flagged.flagged(np.array([0, 2], np.uint8), np.array([Cause.COMMS, Cause.RANGE], np.uint16))
    other = replace(batch(9, [7.0], points=("z",)), source="demo/gw-2")
    store.commit([batch(1, [1.0, 2.0]), flagged, other])
    for seq in range(3, 6):
        store.commit([batch(seq, [float(seq), 9.0], time_ns=START_NS + seq * SECOND_NS)])
    commits = list(store.rows_after(0))
    assert [(commit.number, commit.stored, len(commit)) for commit in commits] == [
        (1, True, 5), (2, True, 2), (3, True, 2), (4, True, 2),
    ]  # fmt: skip
    first = commits[0].batches
    assert {one.source for one in first} == {SOURCE, "demo/gw-2"}
    np.testing.assert_array_equal(np.concatenate([one.value for one in first]), [1.0, 2.0, NAN, 4.5, 7.0])
    np.testing.assert_array_equal(np.concatenate([one.cause for one in first]), [0, 0, Cause.COMMS, Cause.RANGE, 0])
    assert [commit.number for commit in store.rows_after(1, limit=2)] == [2, 3]
    assert list(store.rows_after(4)) == []
    assert list(store.rows_after(1, limit=0)) == []


def test_recent_rows_are_those_sampled_since_without_those_of_later_commits(store):
    for seq in range(1, 5):
        store.commit([batch(seq, [float(seq), NAN], time_ns=START_NS + seq * 1800 * SECOND_NS)])
    since = START_NS + 2 * 1800 * SECOND_NS
    for upto, expected in ((None, [2.0, 3.0, 4.0]), (3, [2.0, 3.0])):
        found = [one for commit in store.recent(since, upto=upto) for one in commit.batches]
        assert [float(v) for one in found for v in one.value if not np.isnan(v)] == expected
        assert sum(len(one) for one in found) == 2 * len(expected)
        assert all(commit.number <= (upto or 4) for commit in store.recent(since, upto=upto))
    assert sum(len(commit) for commit in store.recent(0)) == 8


def test_hours_are_summed_up_whatever_came_late_or_was_bad(store):
    """Boundaries of hours, a row written again, a bad one, and missing ones; against a loop over the rows."""
    rng, start = np.random.default_rng(3), START_NS // HOUR_NS * HOUR_NS
    points = ("a", "b", "c")
    expected: dict[tuple[int, int], tuple[float, int]] = {}
    for seq in range(1, 40):
        at_ns = start + int(rng.choice([0, 1, 1800, 3599.999, 3600, 7200, 7200.001, 8 * 3600]) * 1000) * MILLISECOND_NS
        value = np.where(rng.random(3) < 0.2, NAN, rng.integers(0, 50, 3) / 4)
        if seq >= 38:  # an hour in which nothing came late, and one is bad
            at_ns, value = start + 9 * HOUR_NS + seq * MINUTE_NS, np.full(3, float(seq))
        sent = batch(seq, value.tolist(), points=points, time_ns=at_ns)
        bad = np.where((rng.random(3) < 0.1) & ~np.isnan(value) | (seq == 39), Quality.BAD, Quality.GOOD).astype(
            np.uint8
        )
        sent = sent.flagged(bad, np.zeros(3, np.uint16))
        store.commit([sent])
        for series, number, quality in zip(sent.series.tolist(), value.tolist(), sent.quality.tolist(), strict=True):
            expected[series, at_ns] = number, quality
    found = store.hours(ids(*points), start, start + 10 * HOUR_NS)
    keys = sorted({(series, at // HOUR_NS * HOUR_NS) for series, at in expected})
    assert list(zip(found.series.tolist(), found.time_ns.tolist(), strict=True)) == keys
    for row, (series, hour) in enumerate(keys):
        held = [v for (one, at), v in expected.items() if one == series and at // HOUR_NS * HOUR_NS == hour]
        good = [number for number, quality in held if quality < Quality.BAD]
        assert found.by_quality[row].tolist() == [sum(q == one for _, q in held) for one in Quality]
        np.testing.assert_allclose(found.mean[row], np.mean(good) if good else NAN, rtol=1e-12)
        np.testing.assert_allclose(found.maximum[row], max(good, default=NAN), rtol=1e-12)
    assert len(store.hours(np.array([5]), start, start + HOUR_NS)) == 0
    assert len(store.hours(ids("a"), start + 1, start + HOUR_NS)) == 0


def test_spans_are_from_the_first_to_the_last_row_of_each_series(store):
    assert len(store.spans().series) == 0
    for seq, at in ((1, 5), (2, 2), (3, 9)):
        store.commit([batch(seq, [NAN, 1.0], time_ns=START_NS + at * SECOND_NS)])
    store.commit([batch(4, [1.0], points=("c",))])
    found = store.spans()
    assert found.series.tolist() == sorted(ids("a", "b", "c").tolist())
    only = {int(ids("c")[0]): (START_NS, START_NS)}
    ends = {int(one): (START_NS + 2 * SECOND_NS, START_NS + 9 * SECOND_NS) for one in ids("a", "b")} | only
    spans = zip(found.series.tolist(), found.first_ns.tolist(), found.last_ns.tolist(), strict=True)
    assert {series: (first, last) for series, first, last in spans} == ends


def test_missing_rows_are_counted(store):
    store.commit([batch(1, [NAN, 1.0]), batch(2, [NAN, NAN], time_ns=START_NS + SECOND_NS)])
    assert (store.count(), store.missing_count()) == (4, 3)


def test_a_tally_is_of_one_gateway_since_a_commit(store):
    other = replace(batch(1, [5.0], points=("z",)), source="demo/gw-2")
    store.commit([batch(1, [1.0, 2.0]), other])
    since = store.last_commit()
    store.commit([batch(2, [NAN, NAN]), batch(3, [3.0, NAN], time_ns=START_NS + SECOND_NS)])
    store.commit([batch(4, [3.0, 4.0], time_ns=START_NS + SECOND_NS)])
    assert store.tally(SOURCE, 0) == Tally(rows=8, distinct=4, missing=3)
    assert store.tally(SOURCE, since) == Tally(rows=6, distinct=4, missing=3)
    assert store.tally("demo/nobody", 0) == Tally(rows=0, distinct=0, missing=0)


def test_the_newest_announcements_are_kept_in_order(store):
    for number in range(20):
        store.save_announcement("demo/gw-1", f"r{number}", f"one {number}".encode())
    store.save_announcement("demo/gw-2", "r", b"other")
    store.save_announcement("demo/gw-1", "r10", b"ten again")
    kept = store.announcements()
    assert len(kept) == 17
    assert kept[-2:] == [("demo/gw-2", b"other"), ("demo/gw-1", b"ten again")]
    assert kept[0] == ("demo/gw-1", b"one 4")


def test_info_says_what_it_is(store):
    store.commit([batch(1, [1.0, 2.0])])
    info = store.info()
    assert (info.rows, info.commits, info.sources) == (2, 1, 1)
    assert info.file_bytes + info.log_bytes > 0


_ROW = st.tuples(st.sampled_from("abc"), st.integers(0, 6), st.sampled_from([NAN, -3.0, 0.0, 1.5, 1000.25]))


@settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(commits=st.lists(st.lists(_ROW, min_size=1, max_size=12), min_size=1, max_size=5))
def test_whatever_the_order_every_read_is_that_of_the_later_commit(tmp_path_factory, server, commits):
    """Against a dictionary that is overwritten in the order of commits, over both stores at once."""
    place, name = tmp_path_factory.mktemp("h"), f"m{next(_measurements)}"
    both: list[Store] = [DuckDBStore(place / "duck"), Settled(server, place / "journal", name)]
    expected: dict[tuple[int, int], float] = {}
    for seq, some in enumerate(commits, start=1):
        series = ids(*(point for point, _, _ in some))
        time_ns = START_NS + np.array([at for _, at, _ in some], np.int64) * MILLISECOND_NS
        sent = rows(SOURCE, series, time_ns, np.array([value for *_, value in some])).numbered(7, seq)
        expected |= dict(zip(zip(series.tolist(), time_ns.tolist(), strict=True), sent.value.tolist(), strict=True))
        for store in both:
            store.commit([sent])
    for store in both:
        found = store.samples(ids("a", "b", "c"), 0, 2**62)
        assert list(zip(found.series.tolist(), found.time_ns.tolist(), strict=True)) == sorted(expected)
        np.testing.assert_array_equal(found.value, [expected[key] for key in sorted(expected)])
        assert store.distinct_count() == len(expected)
        store.close()
