"""Configuration files: every mistake is one line with file, line, what was found and what was expected."""

from pathlib import Path

import msgspec
import pytest

from telemetry import settings
from telemetry.settings import SettingsError


class Line(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A serial line."""

    name: str
    baud: int
    gap_s: float = 1.0


class House(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A file with a list, a mapping and a pair."""

    lines: tuple[Line, ...]
    spare: dict[str, Line] = {}
    limits: tuple[float, float] | None = None
    since: str = ""


def read(text: str) -> settings.Document[House]:
    return settings.parse(text, Path("house.yaml"), House)


def test_reads_numbers_texts_and_times_as_they_stand() -> None:
    house = read(
        "lines: [{name: '7', baud: 0x2580, gap_s: 2.5}]\nlimits: [-1, 2.5]\nsince: 2026-03-01T00:00:00+08:00\n"
    ).settings
    assert house.lines == (Line("7", 9600, 2.5),)
    assert house.limits == (-1.0, 2.5)
    assert house.since == "2026-03-01T00:00:00+08:00"


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("lines:\n- name: a\n  buad: 9600\n", "house.yaml:3: lines[0]: unknown key 'buad', expected 'baud'"),
        ("lines:\n- name: a\n  baud: fast\n", "house.yaml:3: lines[0].baud: 'fast', expected int"),
        ("lines:\n- name: a\n", "house.yaml:2: lines[0]: no 'baud', expected one"),
        ("lines: []\nspare:\n  a: {name: a, baud: 1}\n  b: {name: b, baud: x}\n", "house.yaml:4: spare.b.baud: "),
        ("lines: []\nlines: []\n", "house.yaml:2: found duplicate key"),
        ("lines: [\n", "house.yaml:2: "),
        ("- 1\n", "house.yaml:1: file: a list, expected a mapping"),
        ("", "house.yaml:1: file: nothing, expected a mapping"),
        ("lines: []\nhouse: 1\n", "house.yaml:2: file: unknown key 'house', expected one of limits, since, spare"),
    ],
)
def test_a_mistake_is_located(text: str, complaint: str) -> None:
    with pytest.raises(SettingsError) as caught:
        read(text)
    assert str(caught.value).startswith(complaint)
    assert "\n" not in str(caught.value)


def test_a_mistake_found_by_comparison_names_its_line() -> None:
    document = read("lines:\n- {name: a, baud: 1}\n- name: a\n  baud: 1\n")
    complaint = str(document.error(("lines", 1, "name"), "'a' is taken by line 2, expected a name of its own"))
    assert complaint.startswith("house.yaml:3: lines[1].name: 'a' is taken")


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="No such file or directory, expected a readable file"):
        settings.load(tmp_path / "none.yaml", House)


def test_a_file_that_is_not_text(tmp_path: Path) -> None:
    (tmp_path / "latin.yaml").write_bytes(b"lines: []\nsince: caf\xe9\n")
    with pytest.raises(SettingsError, match="byte 20 is not UTF-8"):
        settings.load(tmp_path / "latin.yaml", House)


def test_secrets_come_from_the_environment_or_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert settings.secret("PETREL_TEST_KEY") is None
    monkeypatch.setenv("PETREL_TEST_KEY", "one")
    assert settings.secret("PETREL_TEST_KEY") == "one"
    (tmp_path / "key").write_text("two\n")
    monkeypatch.setenv("PETREL_TEST_KEY_FILE", str(tmp_path / "key"))
    assert settings.secret("PETREL_TEST_KEY") == "two"
