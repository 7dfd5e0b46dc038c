"""Closed days: whatever is closed, merged, let go or opened again, every read is the one that all rows would give."""

from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ingest.store.duckdb import DuckDBStore
from telemetry.batch import MILLISECOND_NS, rows
from telemetry.clock import HOUR_NS, MINUTE_NS
from telemetry.quality import Quality
from tests.unit.ingest_data import SOURCE

DAY_NS = 24 * HOUR_NS
FIRST_NS = 19_566 * DAY_NS  # 2023-07-28
SERIES = np.array([3, 2**62, 77], np.int64)
VALUES = st.sampled_from([0.1, 0.2, 1.25, -7.5, 1e300, 0.1 + 0.2, float("nan"), 12.345])

sample = st.tuples(
    st.integers(0, 2),
    st.integers(0, 3 * 24 * 4 - 1),
    st.integers(0, 1),
    VALUES,
    st.sampled_from([Quality.UNCHECKED, Quality.GOOD, Quality.SUSPECT, Quality.BAD]),
)
step = st.one_of(
    st.lists(sample, min_size=1, max_size=12).map(lambda found: ("commit", found)),
    st.integers(1, 4).map(lambda days: ("upkeep", days)),
    st.just(("reopen", None)),
)


class Oracle:
    """All rows in a dictionary: the later commit's counts."""

    def __init__(self) -> None:
        self.rows: dict[tuple[int, int], tuple[float, int]] = {}

    def of(self, series: int, start: int, stop: int) -> list[tuple[int, float, int]]:
        return sorted((t, v, q) for (s, t), (v, q) in self.rows.items() if s == series and start <= t < stop)

    def buckets(self, series: int, start: int, stop: int, every: int) -> dict[int, tuple]:
        found: dict[int, list] = {}
        for time_ns, value, quality in self.of(series, start, stop):
            found.setdefault(time_ns // every * every, []).append((value, quality))
        return {at: _summed(rows) for at, rows in found.items()}


def _summed(found: list[tuple[float, int]]) -> tuple:
    usable = [value for value, quality in found if quality < Quality.BAD]
    nan = float("nan")
    ends = (min(usable), sum(usable) / len(usable), max(usable)) if usable else (nan, nan, nan)
    return (*ends, len(usable), max(quality for _, quality in found))


def assert_reads(store: DuckDBStore, oracle: Oracle) -> None:
    for series in SERIES.tolist():
        expected = oracle.of(series, 0, 2**62)
        points = store.points(series, 0, 2**62)
        assert points.time_ns.tolist() == [time_ns for time_ns, _, _ in expected]
        np.testing.assert_array_equal(points.value, [value for _, value, _ in expected])
        assert points.quality.tolist() == [quality for _, _, quality in expected]
        begin, end = FIRST_NS + 90 * MINUTE_NS, FIRST_NS + 2 * DAY_NS + 10 * HOUR_NS + 20 * MINUTE_NS
        for start, stop in ((begin, end), (FIRST_NS, FIRST_NS + 3 * DAY_NS)):
            for every in (DAY_NS, 6 * HOUR_NS, HOUR_NS, 15 * MINUTE_NS, 25 * HOUR_NS):
                assert_buckets(store.buckets(series, start, stop, every), oracle.buckets(series, start, stop, every))
    assert store.count() >= store.distinct_count() == len(oracle.rows)
    assert_hours(store, oracle)
    recent = {}
    for commit in store.recent(0):
        for batch in commit.batches:
            for at in range(len(batch)):
                recent[int(batch.series[at]), int(batch.time_ns[at])] = int(batch.quality[at])
    assert recent == {key: quality for key, (_, quality) in oracle.rows.items()}


def assert_buckets(found, expected) -> None:
    assert found.time_ns.tolist() == sorted(expected)
    for name, at in (("minimum", 0), ("mean", 1), ("maximum", 2), ("count", 3), ("quality", 4)):
        ours = getattr(found, name)
        np.testing.assert_allclose(ours.astype(float), [expected[key][at] for key in sorted(expected)], rtol=1e-9)


def assert_hours(store: DuckDBStore, oracle: Oracle) -> None:
    found = store.hours(SERIES, FIRST_NS, FIRST_NS + 3 * DAY_NS)
    for series in SERIES.tolist():
        expected = oracle.buckets(series, FIRST_NS, FIRST_NS + 3 * DAY_NS, HOUR_NS)
        mine = found.series == series
        assert found.time_ns[mine].tolist() == sorted(expected)
        np.testing.assert_allclose(found.mean[mine], [expected[key][1] for key in sorted(expected)], rtol=1e-9)
        assert found.by_quality[mine].sum() == len(oracle.of(series, 0, 2**62))


def commit(store: DuckDBStore, oracle: Oracle, seq: int, found) -> None:
    where, quarter, jitter, value, quality = map(np.array, zip(*found, strict=True))
    time_ns = FIRST_NS + quarter.astype(np.int64) * 15 * MINUTE_NS + jitter.astype(np.int64) * MILLISECOND_NS
    batch = rows(SOURCE, SERIES[where], time_ns, value.astype(float), quality=quality.astype(np.uint8))
    _, last = np.unique(np.stack([batch.series, batch.time_ns])[:, ::-1], axis=1, return_index=True)
    batch = batch.take(np.sort(len(batch) - 1 - last))  # once each in a commit: which of two counts there is chance
    store.commit([batch.numbered(7, seq)])
    for at in range(len(batch)):
        key = int(batch.series[at]), int(batch.time_ns[at])
        oracle.rows[key] = float(batch.value[at]), int(batch.quality[at])


@settings(max_examples=6, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(step, min_size=3, max_size=9))
def test_every_read_is_that_of_all_rows(steps):
    with TemporaryDirectory() as name:
        path, oracle = Path(name) / "store.duckdb", Oracle()
        store = DuckDBStore(path)
        for seq, (kind, what) in enumerate([*steps, ("upkeep", 4)], start=1):
            if kind == "commit":
                commit(store, oracle, seq, what)
            elif kind == "upkeep":
                store.passed(store.last_commit())
                store.upkeep.run(FIRST_NS + what * DAY_NS + 3 * HOUR_NS + seq * HOUR_NS)
            else:
                store.close()
                store = DuckDBStore(path)
        assert_reads(store, oracle)
        store.close()
