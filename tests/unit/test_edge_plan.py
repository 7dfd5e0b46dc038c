"""The read plan: a hole is read along exactly when that costs less line time than another request."""

import pytest

from device_profiles.model import Table
from edge_agent.plan import TCP_COST, Limits, Span, halves, merge, serial_cost

FREE = Limits(125)


def holding(address: int, count: int = 1) -> Span:
    return Span(Table.HOLDING, address, count)


@pytest.mark.parametrize(("baud", "registers"), [(9600, 12), (19_200, 14), (115_200, 55)])
def test_the_hole_worth_reading_depends_on_the_line(baud, registers):
    """P19: the numbers that are published for 8N1 and 5 ms turnaround, computed and not tabulated."""
    cost = serial_cost(baud)
    near, far = holding(1 + registers), holding(2 + registers)
    assert merge((holding(0), near), cost, FREE) == (holding(0, 2 + registers),)
    assert merge((holding(0), far), cost, FREE) == (holding(0), far)


def test_a_hole_that_must_not_be_read_is_not_read():
    limits = Limits(125, (holding(3, 2),))
    assert merge((holding(0, 3), holding(5)), serial_cost(9600), limits) == (holding(0, 3), holding(5))
    assert merge((holding(0, 3), holding(5)), TCP_COST, limits) == (holding(0, 3), holding(5))


def test_no_request_is_longer_than_the_device_allows():
    wanted = tuple(holding(at) for at in range(20))
    assert sorted(block.count for block in merge(wanted, serial_cost(9600), Limits(8))) == [4, 8, 8]
    many = merge(tuple(holding(at) for at in range(200)), TCP_COST, FREE)
    assert sorted(block.count for block in many) == [75, 125]


def test_tables_are_read_apart_and_bits_are_cheap():
    wanted = (Span(Table.COIL, 0, 1), Span(Table.COIL, 150, 1), holding(0))
    assert merge(wanted, serial_cost(9600), FREE) == (Span(Table.COIL, 0, 151), holding(0))


def test_a_refused_read_is_cut_through_its_largest_hole_and_else_in_the_middle():
    wanted = [holding(0), holding(1), holding(9), holding(10)]
    assert halves(holding(0, 11), wanted) == (holding(0, 2), holding(9, 2))
    assert halves(holding(0, 2), wanted) == (holding(0), holding(1))
    assert halves(holding(9), wanted) == ()
