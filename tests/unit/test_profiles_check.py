"""A profile that can't be is refused: one line with file, line, what was found and what was expected."""

import math
import re
from pathlib import Path

import pytest

from device_profiles import convert, model, registry
from device_profiles.check import check
from device_profiles.model import Profile, Table
from telemetry.codes import UNKNOWN
from telemetry.series import Text
from telemetry.settings import SettingsError, parse

GOOD = """\
name: gauge
title: {zh: 水位计, en: Gauge}
source: made up for tests
transports: [rtu]
serial: {baud: 9600}
holes: [holding 0x0010-0x001F]
max_registers: 10
gates:
  signal: {register: holding 0x0009 u16, mask: 0xFF, min: 60}
points:
  - name: level
    quantity: water_level
    unit: mm
    register: holding 0x0001 s32
    missing: [0x7FFFFFFF]
    valid: [-5000, 40000]
    gates: [signal]
  - {name: pulse, quantity: device_state, unit: code, register: coil 3, valid: [0, 1]}
variants:
  old:
    note: older firmware
    points:
      level: {scale: 10}
golden:
  - frame: rtu
    exchange: [{request: 01 03, answer: 01 03}]
    values: {level: 1}
    source: none
"""


def checked(text: str) -> Profile:
    return check(parse(text, Path("gauge.yaml"), Profile))


def test_codes_say_what_they_mean():
    states = checked(GOOD.replace("valid: [0, 1]}", "valid: [0, 1], states: {1: {zh: 开, en: on}}}")).points[1]
    assert [convert.meaning(states, value) for value in (1.0, 0.0, math.nan)] == [Text(zh="开", en="on"), UNKNOWN, None]
    named = "valid: [0, 9], bits: {0: {zh: 甲, en: A}, 2: {zh: 乙, en: B}}}"
    bits = checked(GOOD.replace("coil 3, valid: [0, 1]}", f"holding 3 u8 low, {named}")).points[1]
    said = [convert.meaning(bits, value) for value in (5.0, 4.0, 2.0)]
    assert said == [Text(zh="甲、乙", en="A, B"), Text(zh="乙", en="B"), Text(zh="未知位 1", en="unknown bit 1")]
    assert convert.meaning(checked(GOOD).points[1], 1.0) is None, "no words, no unknown ones"


def test_the_good_one_is_good():
    assert checked(GOOD).points[0].missing == (0x7FFFFFFF,)


MISTAKES = [
    ("holding 0x0001 s32", "holding 0xFFFF s32", 14, "ends at 0x10000, expected 2 address(es) within"),
    ("holding 0x0001 s32", "holding 0x10000 s32", 14, "address 0x10000, expected 0x0000 to 0xFFFF"),
    ("holding 0x0001 s32", "holding one s32", 14, "'one' is no address, expected a number"),
    ("holding 0x0001 s32", "holding 0x0001 s33", 14, "unknown type 's33', expected one of u8, s8, u16"),
    ("holding 0x0001 s32", "holding 0x0001 s32 abdc", 14, "is no register, expected like 'holding 0x0010 s32 cdab'"),
    ("holding 0x0001 s32", "holding 0x0001 u8", 14, "is no register, expected like"),
    ("holding 0x0001 s32", "holding 0x0001 bit 16", 14, "is no register, expected like"),
    ("    gates: [signal]", "    polynomial: [2]", 17, "[2.0], expected two numbers or more"),
    (
        "    gates: [signal]",
        "    polynomial: [2, 1, 0]",
        17,
        "[2.0, 1.0, 0.0], expected two numbers or more, the last one not 0",
    ),
    ("    gates: [signal]", "    polynomial: [2, 1]\n    modulus: 5", 17, "polynomial of a totaliser, expected scale"),
    (
        "    gates: [signal]",
        "    states: {1: {zh: 甲, en: A}}",
        17,
        "states of water_level, expected a quantity that is a code",
    ),
    ("valid: [0, 1]}", "valid: [0, 1], bits: {64: {zh: 甲, en: A}}}", 18, "64, expected 0 to 63"),
    (
        "valid: [0, 1]}",
        "valid: [0, 1], bits: {1: {zh: 甲, en: A}}, states: {1: {zh: 甲, en: A}}}",
        18,
        "expected one of them",
    ),
    ("holding 0x0001 s32", "register 0x0001 s32", 14, "'register 0x0001 s32' is no register, expected like"),
    ("holding 0x0001 s32", "holding 0x000F s32", 14, "stands in the hole 'holding 0x0010-0x001F', expected registers"),
    ("max_registers: 10", "max_registers: 1", 14, "2 registers, expected at most max_registers 1"),
    ("max_registers: 10", "max_registers: 126", 7, "126, expected 1 to 125"),
    ("unit: mm", "unit: inch", 13, "unknown unit 'inch', expected one of"),
    ("unit: mm", "unit: kPa", 13, "no conversion from 'kPa' to 'm', expected one of"),
    ("quantity: water_level", "quantity: stage", 12, "unknown quantity 'stage', expected one of"),
    ("name: pulse", "name: level", 18, "'level' stands here twice, expected one of its own"),
    ("name: pulse", "name: Pulse 1", 18, "'Pulse 1' is no name, expected one of its own"),
    ("missing: [0x7FFFFFFF]", "missing: [0x100000000]", 15, "4.29497e+09 in s32, expected -2.14748e+09 to 4.29497e+09"),
    ("missing: [0x7FFFFFFF]", "missing: [-1, 0.5]", 15, "0.5 in s32, expected a whole number"),
    ("holding 0x0001 s32", "holding 0x0001 u16", 15, "2.14748e+09 in u16, expected 0 to 65535"),
    ("valid: [0, 1]}", "valid: [0, 1], missing: [2]}", 18, "2 in bit, expected 0 to 1"),
    ("valid: [-5000, 40000]", "valid: [-5000, 4e9]", 16, "in s32, expected within -2.14748e+09 to 2.14748e+09 mm"),
    (
        "coil 3, valid: [0, 1]}",
        "holding 3 u16, mask: 0xF0, valid: [0, 16]}",
        18,
        "u16 under mask 0xF0, expected within 0 to 15",
    ),
    ("{scale: 10}", "{scale: 1e-6}", 23, "expected within -2147.48 to 2147.48 mm"),
    ("unit: mm", "unit: mm\n    offset: 1e400", 14, "inf, expected a finite number"),
    ("unit: mm", "unit: mm\n    scale: .nan", 14, "nan, expected a finite number"),
    ("valid: [-5000, 40000]", "valid: [40000, -5000]", 16, "[40000.0, -5000.0], expected [low, high] with low < high"),
    ("gates: [signal]", "gates: [echo]", 17, "unknown gate 'echo', expected one of: signal"),
    ("mask: 0xFF", "mask: 0x10000", 9, "0x10000, expected 0x1 to 0xFFFF"),
    ("min: 60}", "min: 60, max: 5}", 9, "min 60.0 above max 5.0, expected min <= max"),
    ("      level: {scale: 10}", "      stage: {scale: 10}", 23, "unknown point 'stage', expected one of level, pulse"),
    ("      level: {scale: 10}", "      level: {unit: ppm}", 23, "no conversion from 'ppm' to 'm'"),
    ("{scale: 10}", "{scale: 0}", 23, "0, expected a number that keeps the reading"),
    ("serial: {baud: 9600}\n", "", 4, "rtu without serial, expected serial with the baud rate"),
    ("baud: 9600", "baud: 5", 5, "5, expected 300 to 1000000"),
    ("holding 0x0010-0x001F", "holding 0x1F-0x10", 6, "runs from 31 to 16, expected rising addresses"),
    ("request: 01 03,", "request: 01 0x3,", 26, "'01 0x3', expected hexadecimal bytes"),
    ("values: {level: 1}", "values: {stage: 1}", 27, "unknown point, expected one of level, pulse"),
    ("transports: [rtu]", "transports: [rtu, can]", 4, "'can', expected one of 'tcp', 'rtu'"),
    ("unit: mm", "unit: mm\n    danger: up", 14, "'up', expected one of 'high', 'low', 'both', 'none'"),
    ("serial: {baud: 9600}", "serial: {baud: 9600, parity: X}", 5, "'X', expected one of 'N', 'E', 'O'"),
    ("    missing:", "    mising:", 15, "unknown key 'mising', expected 'missing'"),
]


@pytest.mark.parametrize(("old", "new", "line", "text"), MISTAKES, ids=[new.strip() for _, new, _, _ in MISTAKES])
def test_a_mistake_is_one_line_with_its_place(old, new, line, text):
    assert old in GOOD
    with pytest.raises(SettingsError) as caught:
        checked(GOOD.replace(old, new))
    message = str(caught.value)
    assert "\n" not in message
    assert message.startswith(f"gauge.yaml:{line}: "), message
    assert text in message


def test_two_files_may_not_claim_one_name(tmp_path):
    for name in ("a", "b"):
        (tmp_path / f"{name}.yaml").write_text(GOOD, encoding="utf-8")
    with pytest.raises(SettingsError, match=r"b.yaml: name: 'gauge' is taken by .*a.yaml, expected a name of its own"):
        registry._index([tmp_path / "a.yaml", tmp_path / "b.yaml"])


def test_an_unknown_name_says_which_there_are():
    with pytest.raises(SettingsError, match=r"unknown profile 'radar', expected one of .*midas, .* or a .yaml file"):
        registry.load("radar")


def test_registers_are_read_as_they_are_written():
    spot = model.register("input 0x0010 f64 dcba")
    assert (spot.table, spot.address, spot.count, spot.order) == (Table.INPUT, 16, 4, "dcba")
    assert model.register("holding 7 u8 high").places == (0,)
    assert model.register("holding 7 u8 low").places == (1,)
    assert model.register("holding 7 u32 cdab").places == (2, 3, 0, 1)
    assert model.register("coil 12").count == 1


OUTPUT = """\
outputs:
  - {name: siren, register: coil 3, read_back: discrete 3, pulse_s: 60}
  - {name: volume, register: holding 7 u16, range: [0, 30]}
"""


def test_outputs_are_part_of_a_profile():
    siren, volume = checked(GOOD + OUTPUT).outputs
    assert (siren.range, siren.safe, siren.pulse_s) == ((0, 1), 0, 60)
    assert volume.read_back is None


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("coil 3", "discrete 3", "'discrete 3' can't be written alone, expected a coil"),
        ("holding 7 u16", "holding 7 bit 4", "can't be written alone"),
        ("holding 7 u16", "holding 7 u8 low", "can't be written alone"),
        ("discrete 3", "discrete x", "'x' is no address"),
        ("range: [0, 30]", "range: [0, 70000]", "does not fit u16"),
        ("range: [0, 30]", "range: [0, 0.5]", "0.5, expected a whole number"),
        ("range: [0, 30]", "range: [5, 30]", "safe 0 outside of range 5 to 30"),
        ("pulse_s: 60", "pulse_s: 3601", "pulse_s 3601, expected more than 0 and at most 3600"),
        ("pulse_s: 60", "settle_s: 61", "settle_s 61, expected 0 to 60"),
        ("pulse_s: 60", "range: [0, 2]", "2 in a coil, expected 0 or 1"),
        ("name: volume", "name: siren", "'siren', expected a name of its own"),
    ],
)
def test_an_output_that_can_not_be_is_refused(old, new, message):
    assert old in OUTPUT
    with pytest.raises(SettingsError, match=r"gauge\.yaml:3[0-9]: outputs") as caught:
        checked(GOOD + OUTPUT.replace(old, new))
    assert message in str(caught.value)


def test_a_profile_without_a_golden_frame_can_be_used_to_record_one(tmp_path):
    """Only the check demands it: on site the first frame is yet to come."""
    file = tmp_path / "gauge.yaml"
    file.write_text(GOOD[: GOOD.index("golden:")] + "golden: []\n", encoding="utf-8")
    assert registry.read(file).name == "gauge"
    (mistake,) = registry.mistakes(file)
    assert "golden: no frame, expected at least one" in str(mistake)


ATTRIBUTED = GOOD.replace("golden:\n", "attributes:\n  serial: {register: holding 0x0100 string 8}\ngolden:\n")
WRONG_ATTRIBUTES = [
    ("holding 0x0100 string 8", "holding 0x0100 string", "is no text, expected like 'holding 0x0100 string 16'"),
    ("holding 0x0100 string 8", "holding 0x0100 string 126", "is no text"),
    ("holding 0x0100 string 8", "holding 0x0100 strung 8", "unknown type 'strung'"),
    ("holding 0x0100 string 8", "holding 0x0100 string 11", "11 registers, expected at most max_registers 10"),
    ("holding 0x0100 string 8", "holding 0x000C string 8", "stands in the hole 'holding 0x0010-0x001F'"),
    ("string 8}", "string 8, scale: 0.1}", "scale of a text"),
    ("string 8}", "string 8, missing: [1]}", "missing of a text"),
    ("string 8}", "string 8, encoding: latin-1}", "latin-1"),
    ("string 8}", "u16, encoding: utf-8}", "encoding of u16"),
    ("string 8}", "u16, scale: 0}", "scale 0"),
    ("string 8}", "u16, missing: [65536]}", "missing 65536 in u16"),
    ("string 8}", "string 8, identification: 1}", "both register and identification, expected one"),
    ("register: holding 0x0100 string 8", "note: nowhere", "neither register and identification"),
    ("register: holding 0x0100 string 8", "identification: 7", "object 7, expected 0 to 6 or 0x80 to 0xFF"),
    ("  serial: {register", "  Serial No: {register", "'Serial No', expected a name"),
    ("values: {level: 1}", "values: {}\n    attributes: {model: x}", "unknown attribute, expected one of serial"),
]


@pytest.mark.parametrize(("old", "new", "expected"), WRONG_ATTRIBUTES)
def test_an_attribute_that_can_not_be_is_one_line(old, new, expected):
    assert checked(ATTRIBUTED).attributes["serial"].register == "holding 0x0100 string 8"
    with pytest.raises(SettingsError, match=re.escape(expected)):
        checked(ATTRIBUTED.replace(old, new))
