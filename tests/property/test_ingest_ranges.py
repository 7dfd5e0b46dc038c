"""Ranges and the ledger against plain sets: which batch numbers are committed, in any order of arrival."""

from dataclasses import replace
from itertools import pairwise

from hypothesis import given, settings
from hypothesis import strategies as st

from ingest.store.ledger import Ledger, range_columns, ranges_of
from ingest.store.ranges import Ranges, merged
from tests.unit.ingest_data import batch

spans = st.tuples(st.integers(1, 60), st.integers(0, 8)).map(lambda span: (span[0], span[0] + span[1]))


def numbers(ranges: Ranges) -> set[int]:
    return {number for first, last in ranges for number in range(first, last + 1)}


@settings(deadline=None)
@given(st.lists(spans, max_size=40))
def test_ranges_hold_what_a_set_holds_in_the_fewest_pieces(added):
    ranges, expected = Ranges(), set()
    for first, last in added:
        ranges.add(first, last)
        expected |= set(range(first, last + 1))
        pieces = list(ranges)
        assert numbers(ranges) == expected
        assert all(a[1] + 1 < b[0] for a, b in pairwise(pieces))
    assert {number for number in range(80) if number in ranges} == expected
    assert list(Ranges(ranges)) == list(ranges)


@settings(deadline=None)
@given(st.sets(st.integers(1, 2**63 - 2), max_size=40))
def test_single_numbers_become_the_same_ranges(found):
    ranges = merged(found)
    assert len(ranges) == sum(number - 1 not in found for number in found)
    assert all(number in ranges for number in found)
    assert all(number - 1 in found or number - 1 not in ranges for number in found)


names = st.tuples(st.sampled_from(["demo/gw-1", "demo/gw-2"]), st.integers(1, 2), st.integers(1, 12))


@settings(deadline=None)
@given(st.lists(st.lists(names, max_size=10), max_size=10), st.data())
def test_every_batch_is_fresh_once_also_across_restarts(groups, data):
    ledger, committed, rows = Ledger({}), set(), []
    template = batch(1, [0.0, 0.0])
    for group in groups:
        batches = [replace(template, source=source, epoch=epoch, seq=seq) for source, epoch, seq in group]
        fresh = ledger.fresh(batches)
        for name, new in zip(group, fresh, strict=True):
            assert new == (name not in committed)
            committed.add(name)
        taken = [one for one, new in zip(batches, fresh, strict=True) if new]
        strangers = ledger.strangers(taken)
        found = ranges_of(taken)
        columns = range_columns(ledger.last + 1, found, ledger.sources | strangers)
        ledger.record(ledger.last + 1, found, strangers)
        by_number = {number: name for name, number in ledger.sources.items()}
        for number, source, *rest in zip(*(column.tolist() for column in columns.values()), strict=True):
            rows.append((by_number[source], *rest, number))
        if data.draw(st.booleans(), label="restart"):
            ledger = Ledger(ledger.sources, rows)
    assert {name for name in committed if name in ledger} == committed
