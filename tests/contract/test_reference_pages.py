"""The generated pages of the reference say what the code says, and leave nothing out."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from alerting.channels import kinds
from alerting.hazards import hazards
from alerting.rules import load_packs
from alerting.settings import parse_centre
from device_profiles import registry
from simulators import scenario
from telemetry.settings import SettingsError
from tools.reference import __main__ as reference
from tools.reference import settings

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("name", reference.PAGES)
def test_every_page_is_up_to_date(name):
    """Otherwise: ``make docs``."""
    assert (reference.FOLDER / name).read_text(encoding="utf-8") == reference.PAGES[name]()


def test_the_tool_names_a_stale_page_and_mends_it(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(reference, "FOLDER", tmp_path)
    monkeypatch.setattr(reference, "PAGES", {"a.md": lambda: "new\n", "b.md": lambda: "same\n"})
    (tmp_path / "a.md").write_text("old\n")
    (tmp_path / "b.md").write_text("same\n")
    monkeypatch.setattr(sys, "argv", ["reference", "--check"])
    assert reference.main() == 1
    assert capsys.readouterr().err.startswith("docs/reference/a.md: not what the code says")
    monkeypatch.setattr(sys, "argv", ["reference"])
    assert reference.main() == 0
    assert (tmp_path / "a.md").read_text() == "new\n"
    assert not reference.stale()


def test_nothing_is_left_out():
    """Every command, device, hazard, rule pack, channel and scenario stands in its page."""
    petrel = Path(sys.executable).parent / "petrel"
    help_ = subprocess.run(
        [petrel, "--help"],
        capture_output=True,
        text=True,
        check=True,
        env=os.environ | {"NO_COLOR": "1", "COLUMNS": "80"},
    ).stdout
    groups = re.findall(r"^│ (\w+) ", help_.partition("Commands")[2], re.MULTILINE)
    assert {"up", "gateway", "alarm"} <= set(groups)
    pages = {name: page() for name, page in reference.PAGES.items()}
    assert all(f"\n## petrel {group}" in pages["petrel.md"] for group in groups)
    assert all(f"\n## {name}\n" in pages["devices.md"] for name in registry.names())
    assert all(f"\n### {name}\n" in pages["rules.md"] for name in hazards())
    assert all(f"\n## {pack.head.id}, {pack.head.edition}\n" in pages["rules.md"] for pack in load_packs().packs)
    assert all(f"kind `{name}`" in pages["settings.md"] for name in kinds())
    assert all(f"\n## {name}\n" in pages["scenarios.md"] for name in scenario.names())


def test_the_page_of_settings_knows_every_key_that_a_file_may_hold(tmp_path):
    """Against the reader itself: it refuses a key that the page does not show, and takes one that it shows."""
    page = settings.page()
    centre = "site: site.yaml\nbroker: mqtt://localhost\nstore: {path: a}\nstate: {path: b}\n"
    (tmp_path / "site.yaml").write_text("")
    for key, value in (("drill", "true"), ("http", "{port: 0}"), ("packs", "[]"), ("channels", "[]")):
        assert f"| `{key}` |" in page
        parse_centre(f"{centre}{key}: {value}\n", tmp_path / "centre.yaml")
    assert "| `colour` |" not in page
    with pytest.raises(SettingsError):
        parse_centre(f"{centre}colour: red\n", tmp_path / "centre.yaml")
