"""Texts and numbers of attributes: what a device holds reads back, and nothing raw reaches a terminal."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from device_profiles import attribute_text
from device_profiles.attribute import Attribute
from device_profiles.attribute_text import TextSpot
from telemetry.plain import MOST, plain

ENCODINGS = ("ascii", "utf-8", "gb18030")
PRINTABLE = st.text(st.characters(exclude_categories=("C", "Z"), max_codepoint=0x9FFF), min_size=1, max_size=20)


def attribute(register: str, **words: object) -> Attribute:
    return Attribute(register=register, **words)  # type: ignore[arg-type]


def held(one: Attribute, said: str) -> bytes:
    patch = attribute_text.encode(one, attribute_text.spot(one.register or ""), said)
    return b"".join(word.to_bytes(2, "big") for word in patch.words)


def read(one: Attribute, data: bytes) -> str | None:
    return attribute_text.decode(one, attribute_text.spot(one.register or ""), data)


@given(PRINTABLE, st.sampled_from(ENCODINGS), st.sampled_from(["", " badc"]))
def test_a_text_reads_back(said, encoding, order):
    one = attribute(f"holding 0x100 string 125{order}", encoding=encoding)
    try:
        said.encode(encoding)
    except UnicodeEncodeError:
        return
    assert read(one, held(one, said)) == said


@given(st.binary(max_size=250), st.sampled_from(ENCODINGS), st.sampled_from(["", " badc"]))
def test_whatever_a_device_sends_is_printable_and_short(data, encoding, order):
    """Control characters, broken encodings, marks that turn the writing round."""
    one = attribute(f"input 0 string 125{order}", encoding=encoding)
    said = read(one, data.ljust(250, b"\0"))
    assert said is None or (said.isprintable() and 0 < len(said) <= MOST)


@given(st.text(), st.integers(1, 200))
def test_plain_text_is_printable_short_and_stays_so(text, most):
    once = plain(text, most)
    assert once.isprintable()
    assert len(once) <= most
    assert plain(once, most) == once
    if text.isprintable() and len(text) <= most:
        assert once == text


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"SN-1\0\0\0\0", "SN-1"),
        (b"SN-1    ", "SN-1"),
        (b"    SN-1", "SN-1"),
        (b"SN-1\xff\xff\xff\xff", "SN-1"),
        (b"SN-1\0old", "SN-1"),
        (b"\xff" * 8, None),
        (b"\0" * 8, None),
        (b" " * 8, None),
        (b"\x1b[31mX\0\0", r"\x1b[31mX"),
        (b"\xc8\xed\xbc\xfe\0\0\0\0", r"\xc8\xed\xbc\xfe"),
    ],
)
def test_padding_is_taken_off_and_the_rest_is_shown(data, said):
    assert read(attribute("holding 0 string 4"), data) == said


@pytest.mark.parametrize(
    ("register", "words", "data", "said"),
    [
        ("holding 3 u16", {}, b"\x00\x67", "103"),
        ("holding 3 u16", {"scale": 0.01}, b"\x00\x67", "1.03"),
        ("holding 3 u16", {"scale": 0.01}, b"\x00\x64", "1.00"),
        ("holding 3 u16", {"missing": (0xFFFF,)}, b"\xff\xff", None),
        ("holding 3 u8 high", {}, b"\x02\x07", "2"),
        ("holding 3 u8 low", {}, b"\x02\x07", "7"),
        ("holding 3 bit 9", {}, b"\x02\x00", "1"),
        ("holding 3 s16", {}, b"\xff\xfe", "-2"),
        ("holding 3 u32 cdab", {}, b"\x00\x01\x00\x02", str(0x00020001)),
        ("holding 8 bcd32", {}, b"\x00\x12\x34\x56", "00123456"),
        ("holding 8 bcd32", {}, b"\x00\x12\x3a\x56", None),
        ("holding 8 f32", {}, b"\x3f\xc0\x00\x00", "1.5"),
        ("holding 8 f32", {}, b"\x7f\xc0\x00\x00", None),
        ("holding 8 u64", {}, b"\xff" * 8, str(2**64 - 1)),
        ("coil 3", {}, b"\x01", "1"),
    ],
)
def test_a_number_is_written_out(register, words, data, said):
    assert read(attribute(register, **words), data) == said


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("holding 0 string", "1 to 125"),
        ("holding 0 string 0", "1 to 125"),
        ("holding 0 string 126", "1 to 125"),
        ("holding 0 string 4 cdab", "badc or nothing"),
        ("holding 0 string 4 badc x", "expected like"),
        ("holding 0xFFFE string 4", "ends at 0x10001"),
        ("coil 3 string 4", "is no register"),
        ("holding 0 text 4", "unknown type 'text'"),
    ],
)
def test_a_place_that_can_not_be_is_refused(text, expected):
    with pytest.raises(ValueError, match=expected):
        attribute_text.spot(text)


def test_a_text_that_does_not_fit_is_refused():
    with pytest.raises(ValueError, match="9 bytes, expected at most 8"):
        held(attribute("holding 0 string 4"), "123456789")
    assert attribute_text.spot("holding 5 string 4 badc") == TextSpot(attribute_text.Table.HOLDING, 5, 4, swapped=True)
