"""The merged plan against every plan there is: all partitions of a few wanted spans, by brute force."""

import pytest
from hypothesis import assume, event, given
from hypothesis import strategies as st

from device_profiles.model import Table
from edge_agent.plan import Limits, LineCost, Span, merge, serial_cost

TABLES = (Table.HOLDING, Table.COIL)
MOST = 6
"""Six spans have 203 partitions."""

spans = st.builds(Span, st.sampled_from(TABLES), st.integers(0, 40), st.integers(1, 4))
wanted = st.sets(spans, min_size=1, max_size=MOST).map(sorted).map(tuple)
costs = st.one_of(
    st.builds(LineCost, st.floats(1e-4, 0.1), st.floats(1e-7, 1e-2)),
    st.sampled_from([9600, 19_200, 115_200]).map(serial_cost),
)


@st.composite
def cases(draw):
    """Spans that a device may be asked for one by one, what it costs, and what it allows."""
    wants = draw(wanted)
    holes = tuple(hole for hole in draw(st.lists(spans, max_size=3)) if not any(overlap(hole, want) for want in wants))
    return wants, draw(costs), Limits(draw(st.integers(4, 30)), holes)


def overlap(one: Span, other: Span) -> bool:
    return one.table is other.table and bool(addresses(one) & addresses(other))


def addresses(span: Span) -> set[int]:
    return set(range(span.address, span.address + span.count))


def partitions(items):
    """Every way to put items into groups."""
    if not items:
        yield []
        return
    first, *rest = items
    for groups in partitions(rest):
        yield [[first], *groups]
        for at in range(len(groups)):
            yield [*groups[:at], [first, *groups[at]], *groups[at + 1 :]]


def asked_s(group, cost: LineCost, limits: Limits) -> float:
    """What one request for a group costs, in seconds; infinite where the device would not have it."""
    places = set().union(*map(addresses, group))
    read = range(min(places), max(places) + 1)
    bits = group[0].table is Table.COIL
    forbidden = set().union(*(addresses(hole) for hole in limits.holes if hole.table is group[0].table))
    if (
        len({span.table for span in group}) > 1
        or forbidden & set(read)
        or (not bits and len(read) > limits.max_registers)
    ):
        return float("inf")
    return cost.request_s + cost.byte_s * len(read) * (1 / 8 if bits else 2)


@given(cases())
def test_no_plan_is_cheaper(case):
    """P19: the sum over the requests equals the least over all partitions."""
    wants, cost, limits = case
    best_s = min(sum(asked_s(group, cost, limits) for group in groups) for groups in partitions(list(wants)))
    plan = merge(wants, cost, limits)
    event(f"{len(plan)} requests for {len(wants)} spans")
    assert sum(asked_s([block], cost, limits) for block in plan) == pytest.approx(best_s)


@given(cases())
def test_a_plan_reads_all_that_is_wanted_and_nothing_that_is_forbidden(case):
    wants, cost, limits = case
    plan = merge(wants, cost, limits)
    assert all(any(block.covers(want) for block in plan) for want in wants)
    assert not any(overlap(block, hole) for block in plan for hole in limits.holes)
    assert all(block.count <= limits.max_registers for block in plan if block.table is Table.HOLDING)


@given(cases(), st.integers(1, 3))
def test_a_wider_permission_never_costs_more(case, more):
    wants, cost, limits = case
    assume(limits.holes)
    strict, free = merge(wants, cost, limits), merge(wants, cost, Limits(limits.max_registers + more))
    assert sum(map(cost.of, free)) <= sum(map(cost.of, strict)) * (1 + 1e-9)
