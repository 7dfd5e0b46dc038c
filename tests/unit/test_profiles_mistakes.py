"""``petrel profile check`` explains every mistake of a file; the schema for editors says yes to what is right."""

import json
import subprocess
import sys
from importlib.resources import files
from pathlib import Path

import jsonschema
import pytest
from ruamel.yaml import YAML

from device_profiles import registry
from device_profiles.schema import schema
from telemetry.settings import SettingsError

PETREL = Path(sys.executable).with_name("petrel")
CATALOG = sorted(Path(str(files("device_profiles") / "catalog")).glob("*.yaml"))
RIGHT = """\
name: right
title: {zh: 试, en: Test}
source: made up for tests
transports: [rtu]
serial: {baud: 9600}
gates:
  open: {register: holding 9 u16, min: 1}
points:
  - name: a
    quantity: water_level
    unit: m
    register: holding 4 u16
    valid: [0, 1]
  - {name: b, quantity: water_level, unit: m, register: holding 5 u16, valid: [0, 1], gates: [open]}
golden:
  - exchange: [{request: 01 03 00 04 00 01 C5 CB, answer: 01 03 02 00 01 79 84}]
    frame: rtu
    values: {a: 1}
    source: none
"""


def lines(tmp_path: Path, text: str) -> list[tuple[int, str]]:
    """The line of each mistake, and what is said."""
    path = tmp_path / "right.yaml"
    path.write_text(text, encoding="utf-8")
    said = [str(one).removeprefix(f"{path}:").partition(": ") for one in registry.mistakes(path)]
    return [(int(line), words) for line, _, words in said]


def test_a_right_file_has_no_mistake(tmp_path):
    assert lines(tmp_path, RIGHT) == []


def test_each_thing_that_makes_no_sense_is_said_with_its_line(tmp_path):
    text = (
        RIGHT.replace("rtu]", "rtu, rtu]")
        .replace("unit: m\n", "unit: furlong\n")
        .replace("u16\n    valid: [0, 1]", "u99\n    valid: [1, 0]")
    )
    text = (
        text.replace("gates: [open]", "gates: [shut]").replace("{a: 1}", "{z: 1}").replace("min: 1", "min: 3, max: 2")
    )
    found = lines(tmp_path, text)
    assert [line for line, _ in found] == [4, 7, 12, 11, 13, 14, 18]
    assert [words.partition(":")[0] for _, words in found] == [
        "transports", "gates.open", "points[0].register", "points[0].unit", "points[0].valid", "points[1].gates[0]",
        "golden[0].values.z",
    ]  # fmt: skip


def test_each_key_and_type_that_can_not_be_is_said_in_the_order_of_lines(tmp_path):
    text = RIGHT.replace("baud: 9600", "baud: fast").replace("unit: m\n", "units: m\n").replace("rtu]", "rtu, usb]")
    assert lines(tmp_path, text.replace("en: Test", "en: Test, fr: x")) == [
        (2, "title: unknown key 'fr', expected none beside en, zh"),
        (4, "transports[1]: 'usb', expected one of 'tcp', 'rtu'"),
        (5, "serial.baud: 'fast', expected int"),
        (9, "points[0]: no 'unit', expected one"),
        (11, "points[0]: unknown key 'units', expected 'unit'"),
    ]


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("holding 4 u16", "holding 4 x16"),
        ("baud: 9600", "baud: 9"),
        ("name: a\n", "name: b\n"),
        ("unit: m\n", ""),
        ("valid: [0, 1]\n", "valid: 7\n"),
        ("{a: 1}", "7"),
        ("name: right", "name: [right"),
        ("name: right", "name: Right\nname: right"),
    ],
)
def test_what_stops_a_start_is_among_the_mistakes(tmp_path, old, new):
    path = tmp_path / "right.yaml"
    path.write_text(RIGHT.replace(old, new, 1), encoding="utf-8")
    with pytest.raises(SettingsError) as refused:
        registry.read.__wrapped__(path)
    assert str(refused.value) in map(str, registry.mistakes(path))


def test_a_hole_that_can_not_be_hides_no_other_mistake(tmp_path):
    found = lines(tmp_path, RIGHT.replace("gates:\n", "holes: [holding 9-x, holding 4]\ngates:\n", 1))
    assert [words.partition(":")[0] for _, words in found] == ["holes[0]", "points[0].register"]


def test_the_command_says_each_in_a_line_and_ends_with_2(tmp_path):
    (tmp_path / "right.yaml").write_text(RIGHT, encoding="utf-8")
    (tmp_path / "wrong.yaml").write_text(RIGHT.replace("[0, 1]", "[1, 0]"), encoding="utf-8")
    command = [PETREL, "profile", "check", tmp_path / "right.yaml", tmp_path / "wrong.yaml"]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert ended.returncode == 2
    assert ended.stdout == f"{tmp_path}/right.yaml: right: 2 points, 1 goldens decoded, all in order\n"
    assert [line.split(": ")[2] for line in ended.stderr.splitlines()] == ["points[0].valid", "points[1].valid"]
    ended = subprocess.run([*command, "--json"], capture_output=True, text=True, timeout=60, check=False)
    assert [len(one["mistakes"]) for one in json.loads(ended.stdout)] == [0, 2]


@pytest.mark.parametrize("path", CATALOG, ids=lambda path: path.stem)
def test_every_profile_is_right_by_the_schema(path):
    jsonschema.Draft202012Validator(schema()).validate(YAML(typ="safe").load(path))


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("unit: m\n", "units: m\n"),
        ("quantity: water_level\n", "quantity: water_levl\n"),
        ("holding 4 u16", "holdin 4 u16"),
        ("holding 4 u16", "holding 4 u99"),
        ("transports: [rtu]", "transports: [usb]"),
        ("valid: [0, 1]\n", "valid: [0]\n"),
        ("source: made up for tests\n", ""),
        ("transports: [rtu]", "transports: [serial]\nprotocol: dlt645"),
    ],
)
def test_the_schema_says_no(old, new):
    validator = jsonschema.Draft202012Validator(schema())
    assert validator.is_valid(YAML(typ="safe").load(RIGHT))
    assert not validator.is_valid(YAML(typ="safe").load(RIGHT.replace(old, new, 1)))


def test_the_schema_is_one_and_explains_itself():
    found = schema()
    jsonschema.Draft202012Validator.check_schema(found)
    points = found["$defs"]["Point"]["properties"]
    assert "address" in points["register"]["description"]
    assert "water_level" in points["quantity"]["enum"]
    printed = subprocess.run([PETREL, "profile", "schema"], capture_output=True, text=True, timeout=60, check=True)
    assert json.loads(printed.stdout) == json.loads(json.dumps(found))
