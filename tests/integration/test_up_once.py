"""A drill that is played to its end: from a beginning only, and its figures are its own."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import msgspec
import pytest

from petrel import show
from petrel.drill import Options
from petrel.report import Report
from simulators.scenario import load_scenario

PETREL = Path(sys.executable).with_name("petrel")
MINUTES = """
id: minutes
name: {zh: 几分钟, en: A few minutes}
summary: {zh: 试验。, en: For a test.}
site: xiuyu
start: "2023-07-20T16:00:00+00:00"
hours: 0.2
seed: 1
"""


@pytest.fixture
def scenario(tmp_path: Path) -> Path:
    path = tmp_path / "minutes.yaml"
    path.write_text(MINUTES, encoding="utf-8")
    return path


def once(scenario: Path, data: Path) -> subprocess.CompletedProcess[str]:
    command = [PETREL, "up", "--once", "--json", "--scenario", scenario, "--data", data, "--http", "127.0.0.1:0"]
    return subprocess.run(command, capture_output=True, text=True, timeout=90, check=False)


def test_a_folder_that_holds_a_run_is_refused_and_left_alone(scenario: Path, tmp_path: Path) -> None:
    """P10: two runs at the same data time in one store would report each other's rows and alarms."""
    data = tmp_path / "run"
    first = once(scenario, data)
    assert first.returncode == 0, first.stderr
    report: dict[str, Any] = json.loads(first.stdout)
    assert (report["committed"], report["lost"], report["doubled"]) == (report["polled"], 0, 0)
    kept = {path: path.stat().st_mtime_ns for path in data.rglob("*") if path.is_file()}

    again = once(scenario, data)
    assert (again.returncode, again.stdout) == (1, "")
    assert again.stderr == (
        f"petrel: --data {data}: holds a run (store/), expected a new folder for --once; "
        "name another or delete it, or go on in it without --once\n"
    )
    assert {path: path.stat().st_mtime_ns for path in data.rglob("*") if path.is_file()} == kept


async def test_data_time_waits_for_the_gateway_to_begin(scenario: Path, tmp_path: Path) -> None:
    """Every device is asked every five minutes, each at its own moment: the first five count."""
    first = load_scenario(str(scenario)).settings
    for hours in (1 / 12, 2 / 12):
        (tmp_path / f"{hours}").mkdir()
    short, long = [
        await show.to_the_end(
            Options(
                scenario=msgspec.structs.replace(first, hours=hours),
                data=tmp_path / f"{hours}",
                host="127.0.0.1",
                port=0,
                speed=float("inf"),
            )
        )
        for hours in (1 / 12, 2 / 12)
    ]
    assert short.polled > 0.8 * (long.polled - short.polled) > 0


async def test_the_figures_of_a_run_are_its_own(scenario: Path, tmp_path: Path) -> None:
    """Whatever the store held before: nobody's rows stand in for those that this run lost."""
    options = Options(
        scenario=load_scenario(str(scenario)).settings, data=tmp_path, host="127.0.0.1", port=0, speed=float("inf")
    )
    first = await show.to_the_end(options)
    second = await show.to_the_end(options)
    own = ("polled", "committed", "lost", "doubled", "missing_rows")
    assert figures(second, own) == figures(first, own)
    assert second.polled > 0
    assert (second.committed, second.lost, second.doubled) == (second.polled, 0, 0)


def figures(report: Report, names: tuple[str, ...]) -> list[Any]:
    return [msgspec.structs.asdict(report)[name] for name in names]
