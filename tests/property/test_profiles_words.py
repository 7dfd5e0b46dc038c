"""Words: every number comes back out of its registers, in every type and order."""

import math
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pymodbus.client.mixin import ModbusClientMixin

from device_profiles import words
from device_profiles.words import TYPES, Order

WIDE = [name for name, kind in TYPES.items() if kind.size >= 2]


@st.composite
def numbers(draw):
    kind = TYPES[draw(st.sampled_from(sorted(TYPES)))]
    order = draw(st.sampled_from(Order)) if kind.size > 1 else Order.ABCD
    if kind.is_float:
        return kind, order, draw(st.floats(allow_nan=False, allow_infinity=False, width=8 * kind.size))
    return kind, order, draw(st.integers(int(kind.low), int(kind.high)))


@given(numbers())
def test_a_number_survives_its_registers(case):
    kind, order, number = case
    data = words.pack(number, kind, order)
    assert len(data) == kind.size
    assert words.unpack(data, kind, order) == number


@given(st.integers(0, 2**32 - 1))
def test_the_four_orders_are_four_ways_to_write_one_number(number):
    a, b, c, d = struct.pack(">I", number)
    expected = {Order.ABCD: (a, b, c, d), Order.BADC: (b, a, d, c), Order.CDAB: (c, d, a, b), Order.DCBA: (d, c, b, a)}
    for order, data in expected.items():
        assert words.pack(number, TYPES["u32"], order) == bytes(data)


@given(st.floats(width=32, allow_nan=False, allow_infinity=False), st.sampled_from(["big", "little"]))
def test_pymodbus_agrees_on_floats_and_word_orders(number, word_order):
    types = ModbusClientMixin.DATATYPE
    registers = ModbusClientMixin.convert_to_registers(number, types.FLOAT32, word_order=word_order)
    data = b"".join(word.to_bytes(2, "big") for word in registers)
    assert words.pack(number, TYPES["f32"], Order.ABCD if word_order == "big" else Order.CDAB) == data


PYMODBUS = {"u": "UINT", "s": "INT", "f": "FLOAT"}
SIXTY_FOUR = ("u32", "s32", "f32", "u64", "s64", "f64")


@given(st.sampled_from(SIXTY_FOUR), st.binary(min_size=8, max_size=8), st.sampled_from(Order))
def test_pymodbus_reads_the_same_number_in_every_order_and_width(name, data, order):
    """Its converter knows the order of words; that of the bytes in a word is swapped by hand here."""
    kind = TYPES[name]
    registers = [int.from_bytes(data[at : at + 2], "big") for at in range(0, kind.size, 2)]
    found = words.unpack(data[: kind.size], kind, order)
    if order in (Order.BADC, Order.DCBA):
        registers = [(word & 0xFF) << 8 | word >> 8 for word in registers]
    word_order = "little" if order in (Order.CDAB, Order.DCBA) else "big"
    datatype = ModbusClientMixin.DATATYPE[PYMODBUS[name[0]] + name[1:]]
    expected = ModbusClientMixin.convert_from_registers(registers, datatype, word_order=word_order)
    assert found == expected or (math.isnan(found) and math.isnan(expected))


@given(st.sampled_from(SIXTY_FOUR), st.data(), st.sampled_from(Order))
def test_pymodbus_writes_the_same_registers_in_every_order_and_width(name, data, order):
    kind = TYPES[name]
    if kind.is_float:
        number = data.draw(st.floats(width=8 * kind.size, allow_nan=False, allow_infinity=False))
    else:
        number = data.draw(st.integers(int(kind.low), int(kind.high)))
    word_order = "little" if order in (Order.CDAB, Order.DCBA) else "big"
    datatype = ModbusClientMixin.DATATYPE[PYMODBUS[name[0]] + name[1:]]
    registers = ModbusClientMixin.convert_to_registers(number, datatype, word_order=word_order)
    endian = "little" if order in (Order.BADC, Order.DCBA) else "big"
    assert words.pack(number, kind, order) == b"".join(word.to_bytes(2, endian) for word in registers)


@given(st.integers(0, 10**16 - 1), st.sampled_from(Order))
def test_sixteen_decimal_digits_are_what_they_spell(number, order):
    data = words.pack(number, TYPES["bcd64"], order)
    assert words.unpack(data, TYPES["bcd64"], order) == number
    assert words.pack(number, TYPES["bcd64"]).hex() == f"{number:016d}"


@given(st.sampled_from(WIDE), st.binary(min_size=8, max_size=8), st.sampled_from(Order))
def test_any_registers_give_a_number_or_nan(name, data, order):
    kind = TYPES[name]
    number = words.unpack(data[: kind.size], kind, order)
    if not kind.is_float and not math.isnan(number):
        assert kind.low <= number <= kind.high


UNFIT = [("u16", 65_536), ("u16", -1), ("s8", 128), ("bcd16", 10_000), ("u32", math.nan)]


@pytest.mark.parametrize(("name", "number"), UNFIT)
def test_what_does_not_fit_is_refused(name, number):
    with pytest.raises(ValueError, match=f"does not fit {name}"):
        words.pack(number, TYPES[name])


def test_a_nibble_that_is_no_digit_is_no_number():
    assert math.isnan(words.unpack(b"\x12\x3a", TYPES["bcd16"]))
    assert words.unpack(b"\x12\x34", TYPES["bcd16"]) == 1234
