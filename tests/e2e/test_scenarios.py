"""Whole drills through the command line: nothing lost, nothing doubled, the right alarms and no other."""

import json
import subprocess
import sys
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from simulators.scenario import Expect, load_scenario

PETREL = Path(sys.executable).parent / "petrel"
LONGEST_S = 400
P50_MS, P99_MS = 100, 1_000
"""Device's answer to webhook, on a machine that has other work; docs/benchmarks.md says what an idle one takes."""


def play(scenario: str) -> dict[str, Any]:
    command = [PETREL, "up", "--once", "--json", "--scenario", scenario, "--http", "127.0.0.1:0"]
    done = subprocess.run(command, capture_output=True, timeout=LONGEST_S, check=False, text=True)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def expected(one: Expect, alarm: dict[str, Any]) -> bool:
    raised = datetime.fromisoformat(alarm["raised_at"])
    return (
        (one.hazard, one.subject, one.outcome, one.level)
        == (alarm["hazard"], alarm["subject"], alarm["outcome"], alarm["level"])
        and datetime.fromisoformat(one.after) <= raised <= datetime.fromisoformat(one.before)
        and one.cleared == (alarm["cleared_at"] is not None)
    )


@pytest.mark.timeout(LONGEST_S + 20)
@pytest.mark.parametrize(("name", "some_missing"), [("doksuri-2023", True), ("quiet", False)])
def test_a_scenario_raises_what_its_truth_demands_and_loses_nothing(name: str, some_missing: bool) -> None:
    report = play(name)
    assert report["polled"] > 10_000
    assert report["committed"] == report["polled"]
    assert (report["lost"], report["doubled"]) == (0, 0)
    assert (report["missing_rows"] > 0) is some_missing
    assert report["repeated_deliveries"] == 0
    alarms, left = report["alarms"], list(load_scenario(name).settings.expect)
    for alarm in alarms:
        found = next((one for one in left if expected(one, alarm)), None)
        assert found is not None, f"not expected: {alarm}"
        left.remove(found)
    assert not left, f"missing: {left}"
    latency_ms = report["latency_ms"]
    if alarms:
        assert 0 < latency_ms["p50"] <= P50_MS
        assert latency_ms["p50"] <= latency_ms["p99"] <= P99_MS
    else:
        assert latency_ms == {"p50": None, "p99": None}
