"""The page about scenarios says what the files say."""

from pathlib import Path

from simulators import document, faults, scenario

PAGE = Path(__file__).parents[2] / "docs" / "reference" / "scenarios.md"


def test_page_is_up_to_date():
    """Otherwise: ``python -m simulators.document > docs/reference/scenarios.md``."""
    assert PAGE.read_text(encoding="utf-8") == document.page()


def test_every_scenario_fault_and_part_of_the_world_is_documented():
    page = document.page()
    assert all(f"\n## {name}\n" in page for name in scenario.names())
    assert all(f"| {kind} | " in page for kind in (*faults.KINDS, "slow"))
    assert all(part.__doc__ and part.__doc__.splitlines()[0] in page for part in document.PARTS)
