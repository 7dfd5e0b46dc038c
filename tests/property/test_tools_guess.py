"""However a number is written near the declared place, a guess with the display finds it; pure, no line."""

import struct

from hypothesis import given
from hypothesis import strategies as st

from device_profiles.model import Point, Table
from device_profiles.words import TYPES, Order, pack
from edge_agent.plan import Span
from gateway.tools.guess import Shown, rank
from telemetry.units import conversion

KINDS = ("u16", "s16", "u32", "s32", "f32", "f64", "u64", "s64", "bcd16", "bcd32")
POINT = Point(
    name="level", quantity="water_level", unit="m", valid=(-1000.0, 1000.0), register="holding 8 u16", scale=0.01
)


@given(
    st.sampled_from(KINDS),
    st.sampled_from(list(Order)),
    st.sampled_from([-1, 0, 1]),
    st.integers(0, 9999),
    st.binary(min_size=12, max_size=12),
)
def test_what_the_display_shows_is_found_however_it_is_written(name, order, shift, number, noise):
    kind = TYPES[name]
    if kind.size == 2 and order in (Order.CDAB, Order.DCBA):
        order = Order.ABCD
    written = number / 100 if kind.is_float else number
    data = bytearray(noise)
    at = 2 * (1 + shift)
    if at + kind.size > len(data):
        return
    data[at : at + kind.size] = pack(written, kind, order)
    found = rank({Span(Table.HOLDING, 7, 6): bytes(data)}, POINT, Shown(text=f"{number / 100:.2f}"))
    suffix = "" if order is Order.ABCD else f" {order}"
    place = f"holding 0x{8 + shift:04X}"
    same_size = {f"{place} {other}{suffix}" for other in KINDS if TYPES[other].size == kind.size}
    matches = [one for one in found if one.fits == "display"]
    assert any(one.register in same_size and abs(one.value - number / 100) < 1e-4 for one in matches)
    assert all(one.fits == "display" for one in found[: len(matches)]), "the best come first"


@given(st.binary(min_size=12, max_size=12), st.decimals(-100, 100, places=2))
def test_nothing_is_called_a_match_that_is_none(data, number):
    shown = Shown(text=f"{number:.2f}")
    for one in rank({Span(Table.HOLDING, 7, 6): data}, POINT, shown):
        if one.shows_unit:
            gain, shift = conversion("m", one.shows_unit)
            assert one.declared
            assert abs(one.value * gain + shift - float(number)) <= 0.00500001
            continue
        assert (abs(one.value - float(number)) <= 0.00500001) == (one.fits == "display")


def test_a_display_in_another_unit_is_no_wrong_scale():
    """A probe in millimetres whose display says metres: to divide by a thousand would lose a factor in the store."""
    probe = Point(
        name="level", quantity="water_level", unit="mm", valid=(0.0, 20_000.0), register="holding 8 s16", scale=1.0
    )
    data = struct.pack(">6H", 0, 2005, 0, 0, 0, 0)
    best, *_ = rank({Span(Table.HOLDING, 7, 6): data}, probe, Shown(text="2.0"))
    assert (best.fits, best.declared, best.shows_unit, best.value) == ("display", True, "m", 2005)


def test_without_a_display_the_declared_way_goes_first_when_it_is_in_range():
    data = struct.pack(">6H", 0, 342, 0, 0, 0, 0)
    best, *others = rank({Span(Table.HOLDING, 7, 6): data}, POINT, None)
    assert (best.register, best.value, best.declared) == ("holding 0x0008 u16", 3.42, True)
    assert all(one.fits == "range" for one in others)
