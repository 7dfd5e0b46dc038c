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


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("lines:\n- {name: a, baud: 1, gap_s: .nan}\n", "house.yaml:2: lines[0].gap_s: nan, expected a finite number"),
        ("lines: []\nlimits:\n- -1\n- .inf\n", "house.yaml:4: limits[1]: inf, expected a finite number"),
        (
            "lines: []\nspare:\n  a: {name: a, baud: 1,\n    gap_s: -1e400}\n",
            "house.yaml:4: spare.a.gap_s: -inf, expected",
        ),
    ],
)
def test_a_number_that_is_none_or_endless_is_refused_in_every_file(text: str, complaint: str) -> None:
    with pytest.raises(SettingsError) as caught:
        read(text)
    assert str(caught.value).startswith(complaint)


def test_every_endless_number_is_explained_in_the_order_of_lines(tmp_path: Path) -> None:
    path = tmp_path / "house.yaml"
    path.write_text("lines:\n- {name: a, baud: 1, gap_s: .nan}\nlimits: [.inf, 1]\nsince: 3\n")
    found = [str(one).removeprefix(f"{path}:")[:2] for one in settings.mistakes(path, lambda _: House)]
    assert found == ["2:", "3:", "4:"]


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("lines: []\nsince: a\0b\n", 2),
        ("lines: []\nsince: \a\n", 2),
        ("lines: []\nspare:\n" + "\n".join(" " * depth + "a:" for depth in range(1, 900)), 66),
        ("lines:\n- " + "[" * 1000, 2),
    ],
)
def test_what_is_no_yaml_is_located_too(text: str, line: int) -> None:
    with pytest.raises(SettingsError, match=rf"^house\.yaml:{line}: .*, expected YAML 1\.2") as caught:
        read(text)
    assert "\n" not in str(caught.value)


def test_a_file_in_utf_16_is_located(tmp_path: Path) -> None:
    path = tmp_path / "house.yaml"
    path.write_bytes("lines: []\n".encode("utf-16"))
    with pytest.raises(SettingsError, match=r"house\.yaml:1: byte 0 is not UTF-8, expected a UTF-8 text"):
        settings.load(path, House)


def test_an_unknown_key_is_compared_with_those_of_its_own_place() -> None:
    with pytest.raises(SettingsError) as top:
        read("lines: []\nzzz: 1\nyyy: 2\n")
    assert str(top.value).endswith("unknown key 'zzz', expected one of limits, since, spare")
    with pytest.raises(SettingsError) as below:
        read("lines: []\nspare:\n  a: {name: a, baud: 1, limits: 2}\n")
    assert str(below.value).endswith("spare.a: unknown key 'limits', expected one of gap_s")
