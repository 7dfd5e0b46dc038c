"""Decoding against a slow oracle, and the plan against its promises."""

import math
import struct
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from device_profiles import words
from device_profiles.convert import Linear
from device_profiles.model import Register, Table
from device_profiles.words import TYPES, Order
from edge_agent.decode import Column, Decoder, GateColumn
from edge_agent.plan import TCP_COST, Limits, Span, merge, serial_cost
from telemetry.quality import Cause, Quality


@st.composite
def columns(draw):
    kind = TYPES[draw(st.sampled_from(sorted(TYPES)))]
    table = Table.HOLDING if kind.name != "bit" else draw(st.sampled_from((Table.HOLDING, Table.COIL)))
    register = Register(
        table,
        draw(st.integers(0, 40)),
        kind,
        draw(st.sampled_from(Order)) if kind.size > 1 else Order.ABCD,
        high=draw(st.booleans()),
        bit=draw(st.integers(0, 15)),
    )
    scale, offset = draw(st.sampled_from([(1, 1), (1, 1000), (5, 2), (-1, 10)])), draw(st.sampled_from([0.0, -40.0]))
    missing = draw(st.lists(st.integers(0, 65_535), max_size=2))
    low, high = sorted((draw(st.floats(-1e6, 1e6)), draw(st.floats(-1e6, 1e6))))
    return Column(
        register=register,
        linear=Linear(float(scale[0]), float(scale[1]), offset),
        missing=tuple(map(float, missing)),
        valid=(low, high),
        danger=draw(st.sampled_from(("high", "low", "both", "none"))),
    )


def slowly(column: Column, registers: bytes, coils: int) -> tuple[float, int, int]:
    """One number, read the long way."""
    spot, kind = column.register, column.register.type
    if spot.table is Table.COIL:
        raw = float(coils >> spot.address & 1)
    elif kind.name == "bit":
        raw = float(int.from_bytes(registers[2 * spot.address : 2 * spot.address + 2], "big") >> spot.bit & 1)
    elif kind.size == 1:
        raw = float(struct.unpack_from(">" + kind.code, registers, 2 * spot.address + (not spot.high))[0])
    else:
        raw = float(words.unpack(registers[2 * spot.address : 2 * spot.address + kind.size], kind, spot.order))
    patterns = 2.0 ** (8 * kind.size)
    signed = kind.low < 0 and not kind.is_float
    codes = {code - patterns if signed and kind.high < code < patterns else code for code in column.missing}
    if not math.isfinite(raw) or raw in codes:
        return math.nan, Quality.MISSING, Cause.DEVICE
    value = raw * column.linear.numerator / column.linear.denominator + column.linear.offset
    if not math.isfinite(value):
        return math.nan, Quality.MISSING, Cause.DEVICE
    for outside, end in ((value < column.valid[0], "low"), (value > column.valid[1], "high")):
        if outside:
            return value, Quality.SUSPECT if column.danger in (end, "both") else Quality.BAD, Cause.RANGE
    return value, Quality.UNCHECKED, 0


@given(st.lists(columns(), min_size=1, max_size=12), st.binary(min_size=90, max_size=90), st.integers(0, 2**48 - 1))
def test_decoding_many_columns_at_once_is_decoding_each(taken, registers, coils):
    blocks = [Span(Table.COIL, 0, 48), Span(Table.HOLDING, 0, 45)]
    found = Decoder(blocks, taken).decode([coils.to_bytes(6, "little"), registers])
    for row, column in enumerate(taken):
        value, quality, cause = slowly(column, registers, coils)
        np.testing.assert_equal(found.value[row], value)
        assert (found.quality[row], found.cause[row]) == (quality, cause), column


@given(
    st.lists(st.integers(-1000, 1000).map(lambda tenths: tenths / 10), min_size=2, max_size=5),
    st.integers(0, 65_535),
    st.sampled_from([(1.0, 0.0), (0.01, -40.0)]),
)
def test_a_polynomial_bends_what_scale_and_offset_give(coefficients, word, line):
    """Against exact fractions; the column beside it stays straight."""
    scale, offset = line
    bent = Linear(scale, 1.0, offset, tuple(coefficients))
    register = Register(Table.HOLDING, 0, TYPES["u16"])
    columns = [Column(register=register, linear=bent), Column(register=register, linear=Linear(scale, 1.0, offset))]
    found = Decoder([Span(Table.HOLDING, 0, 1)], columns).decode([struct.pack(">H", word)])
    x = Fraction(word) * Fraction(scale) + Fraction(offset)
    exact = sum(Fraction(one) * x**power for power, one in enumerate(coefficients))
    size = sum(abs(Fraction(one) * x**power) for power, one in enumerate(coefficients))
    assert abs(Fraction(found.value[0]) - exact) <= size * Fraction(1, 10**12)
    assert found.value[1] == word * scale + offset


@given(st.floats(0, 60), st.sampled_from([(0.0, 0.0, 1.38), (0.5, 2.0, 0.0, 0.01), (100.0, -1.5)]))
def test_a_simulated_device_finds_the_raw_number_of_a_polynomial(raw, coefficients):
    bent = Linear(1.0, 10.0, 0.0, coefficients)
    assert bent.raw(bent.value(raw)) == pytest.approx(raw, abs=1e-6)


def test_sixteen_decimal_digits_lose_none():
    """Packed in nibbles they take more bits than a float holds, so they must not pass through one."""
    column = Column(register=Register(Table.HOLDING, 0, TYPES["bcd64"], Order.CDAB))
    data = struct.pack(">4H", 0x4567, 0x0123, 0x9007, 0x0000)
    assert Decoder([Span(Table.HOLDING, 0, 4)], [column]).decode([data]).value[0] == 9007_0123_4567
    spoilt = struct.pack(">4H", 0x456A, 0x0123, 0x9007, 0x0000)
    assert math.isnan(Decoder([Span(Table.HOLDING, 0, 4)], [column]).decode([spoilt]).value[0])


def test_a_number_too_large_for_its_unit_is_missing():
    column = Column(register=Register(Table.HOLDING, 0, TYPES["f64"]), linear=Linear(1000.0, 1.0, 0.0))
    found = Decoder([Span(Table.HOLDING, 0, 4)], [column]).decode([struct.pack(">d", 1e307)])
    assert math.isnan(found.value[0])
    assert (found.quality[0], found.cause[0]) == (Quality.MISSING, Cause.DEVICE)


@settings(max_examples=30)
@given(st.lists(columns(), min_size=1, max_size=12), st.sampled_from([Cause.COMMS, Cause.DEVICE]))
def test_what_was_not_read_is_missing_with_its_cause(taken, why):
    found = Decoder([Span(Table.COIL, 0, 48), Span(Table.HOLDING, 0, 45)], taken).decode([why, why])
    assert np.isnan(found.value).all()
    assert (found.quality == Quality.MISSING).all()
    assert ((found.cause & why) != 0).all()


@given(st.integers(0, 65_535), st.integers(0, 65_535))
def test_a_gate_shuts_outside_its_bounds_only(reading, gate):
    taken = Column(register=Register(Table.HOLDING, 0, TYPES["u16"]), gates=(0,))
    looked = Column(register=Register(Table.HOLDING, 1, TYPES["u16"]), mask=0x00FF)
    blocks = [Span(Table.HOLDING, 0, 2)]
    shut = GateColumn(column=looked, low=60, high=math.inf, verdict=Quality.MISSING, cause=Cause.DEVICE)
    found = Decoder(blocks, [taken], [shut]).decode([struct.pack(">HH", reading, gate)])
    if gate & 0xFF >= 60:
        assert found.value[0] == reading
        assert found.cause[0] == 0
    else:
        assert math.isnan(found.value[0])
        assert (found.quality[0], found.cause[0]) == (Quality.MISSING, Cause.DEVICE)


SPANS = st.lists(
    st.builds(Span, st.sampled_from((Table.HOLDING, Table.INPUT)), st.integers(0, 400), st.integers(1, 4)),
    min_size=1,
    max_size=15,
)
HOLES = st.lists(st.builds(Span, st.just(Table.HOLDING), st.integers(0, 400), st.integers(1, 30)), max_size=3)


@given(
    SPANS,
    HOLES,
    st.sampled_from([serial_cost(1200), serial_cost(9600), serial_cost(115_200), TCP_COST]),
    st.integers(4, 125),
)
def test_a_plan_reads_everything_wanted_and_nothing_forbidden(wanted, holes, cost, most):
    limits = Limits(most, tuple(holes))
    plan = merge(tuple(wanted), cost, limits)
    assert all(any(block.covers(span) for block in plan) for span in wanted)
    for block in plan:
        if block not in wanted:
            assert limits.allow(block)
    apart = sum(cost.of(span) for span in set(wanted))
    assert sum(map(cost.of, plan)) <= apart + 1e-12
