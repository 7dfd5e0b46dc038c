"""``petrel profile check`` tries what makes sense: golden frames and messages must decode to the values of the file."""

from importlib.resources import files
from pathlib import Path

import numpy as np
import pytest

from device_profiles import model, registry
from device_profiles.model import Table
from edge_agent import golden
from edge_agent.decode import Column, Decoder
from edge_agent.plan import Span
from petrel.commands import profile
from telemetry.quality import Quality
from tests.unit.test_profiles_mistakes import RIGHT

CATALOG = Path(str(files("device_profiles") / "catalog"))
CS451_VALUES = r"      - {asked: 'ascii:0D0!', sent: 'ascii:0+17.6813+18.25MZc\r\n'}"
TCP = "exchange: [{request: 00 07 00 00 00 06 01 03 00 04 00 01, answer: 00 07 00 00 00 05 01 03 02 00 01}]\n"


def said(tmp_path: Path, text: str) -> list[str]:
    """What the command would say of a file, without its path."""
    path = tmp_path / "right.yaml"
    path.write_text(text, encoding="utf-8")
    assert registry.mistakes(path) == []
    return [str(one).removeprefix(f"{path}:") for one in golden.mistakes(registry.placed(path))]


def other(name: str, old: str, new: str) -> str:
    """The file of a profile of the catalogue with a change."""
    text = (CATALOG / f"{name}.yaml").read_text(encoding="utf-8")
    assert old in text
    return text.replace(old, new, 1)


def test_what_comes_out_is_in_order(tmp_path):
    assert said(tmp_path, RIGHT) == []
    over_tcp = RIGHT.replace("frame: rtu", "frame: tcp").replace(
        RIGHT[RIGHT.index("exchange:") : RIGHT.index("    frame")], TCP
    )
    assert said(tmp_path, over_tcp) == []
    assert said(tmp_path, over_tcp.replace("answer: 00 07", "answer: 00 08"))[0].startswith(
        "16: golden[0].exchange[0].answer"
    )


@pytest.mark.parametrize(
    ("old", "new", "mistake"),
    [
        ("79 84", "79 85", "golden[0].exchange[0].answer: frame 01 03 02 00 01 79 85 with CRC 8579, expected 8479"),
        ("C5 CB", "C5 CA", "golden[0].exchange[0].request: frame 01 03 00 04 00 01 c5 ca with CRC"),
        ("values: {a: 1}", "values: {a: 1.5}", "golden[0].values.a: 1 comes out of the golden, expected 1.5"),
        ("values: {a: 1}", "values: {a: null}", "golden[0].values.a: 1 comes out of the golden, expected null"),
        ("values: {a: 1}", "values: {a: 1, b: 3}", "golden[0].values.b: nothing comes out of the golden, expected 3"),
        ("register: holding 4 u16", "register: input 4 u16", "golden[0].values.a: nothing comes out"),
        ("    unit: m\n", "    unit: m\n    missing: [1]\n", "golden[0].values.a: null comes out of the golden"),
    ],
)  # fmt: skip
def test_frames_of_modbus_that_do_not_come_out(tmp_path, old, new, mistake):
    (found,) = said(tmp_path, RIGHT.replace(old, new, 1))
    line, _, words = found.partition(": ")
    assert int(line) in (16, 18, 19)
    assert words.startswith(mistake)


@pytest.mark.parametrize(
    ("name", "old", "new", "mistake"),
    [
        ("cs451", "MZc", "MZd", "golden[0].messages[1].sent: "),
        ("cs451", "0MC3!", "0MC4!", "golden[0].messages[0].asked: "),
        ("cs451", "level: 1.8029905", "level: 1.9", "golden[0].values.level: 1.80299045 comes out"),
        ("cs451", CS451_VALUES, "", "golden[0].messages: we ask"),
        ("hj212-outfall", "7700", "7701", "golden[0].messages[0].sent: "),
        ("hj212-outfall", "DEC1", "DEC2", "golden[0].messages[0].reply: we reply"),
        ("hj212-outfall", 'time: "2026-11-24T08:30', 'time: "2026-11-24T08:31', "golden[0].time: "),
        ("hj212-outfall", "ph: 7.31", "ph: 7.32", "golden[0].values.ph: 7.31 comes out of the golden, expected 7.32"),
        ("dlt645-meter", '  - address: "000000000161"\n    m', "  - m", "golden[0].address: none, expected"),
        ("dlt645-meter", "33 8A 16", "33 8B 16", "golden[0].messages[0].sent: "),
    ],
)  # fmt: skip
def test_messages_of_other_protocols_that_do_not_come_out(tmp_path, name, old, new, mistake):
    found = [one.partition(": ")[2] for one in said(tmp_path, other(name, old, new))]
    assert found
    assert found[0].startswith(mistake)


def test_the_command_decodes(tmp_path, capsys):
    path = tmp_path / "right.yaml"
    path.write_text(RIGHT.replace("79 84", "79 85"), encoding="utf-8")
    with pytest.raises(profile.typer.Exit) as ended:
        profile.check([path])
    assert ended.value.exit_code == 2
    assert capsys.readouterr().err.startswith(f"petrel: {path}:16: golden[0].exchange[0].answer: ")


def test_a_missing_code_that_f32_can_only_hold_nearly_is_found():
    column = Column(register=model.register("holding 0 f32"), missing=(-999.9,))
    found = Decoder([Span(Table.HOLDING, 0, 2)], [column]).decode([np.array(-999.9, ">f4").tobytes()])
    assert found.quality[0] == Quality.MISSING


ATTRIBUTED = """
name: right
title: {zh: 试验, en: Test}
source: made up for tests
transports: [tcp]
points:
  - {name: a, quantity: water_level, unit: m, register: holding 4 u16, valid: [0, 9]}
attributes:
  serial: {register: holding 8 string 2}
  vendor: {identification: 0}
  model: {identification: 5}
golden:
  - frame: tcp
    exchange:
      - {request: 00 01 00 00 00 06 01 03 00 08 00 02, answer: 00 01 00 00 00 07 01 03 04 41 2D 37 00}
      - request: 00 02 00 00 00 05 01 2B 0E 02 00
        answer: 00 02 00 00 00 0E 01 2B 0E 02 02 00 00 01 00 04 41 63 6D 65
    values: {}
    attributes: {serial: A-7, vendor: Acme}
    source: made up for tests
"""


def test_attributes_come_out_of_goldens_too(tmp_path):
    assert said(tmp_path, ATTRIBUTED) == []


@pytest.mark.parametrize(
    ("old", "new", "mistake"),
    [
        ("serial: A-7", "serial: A-8", "attributes.serial: 'A-7' comes out of the golden, expected 'A-8'"),
        ("serial: A-7", "serial: null", "attributes.serial: 'A-7' comes out of the golden, expected None"),
        ("vendor: Acme}", "model: M}", "attributes.model: nothing comes out of the golden, expected 'M'"),
        ("00 04 41 63 6D 65", "00 05 41 63 6D 65", "exchange[1].answer: identification of 13 bytes, expected 1 whole"),
        ("2B 0E 02 02", "2B 0D 02 02", "exchange[1].answer: answer 2b 0d 02"),
        ("2B 0E 02 00\n", "2B 0D 02 00\n", "exchange[1].request: request 2b 0d 02 00, expected 2b 0e"),
    ],
)
def test_a_golden_that_says_otherwise_is_told(tmp_path, old, new, mistake):
    assert old in ATTRIBUTED
    (found,) = said(tmp_path, ATTRIBUTED.replace(old, new, 1))
    assert mistake in found
