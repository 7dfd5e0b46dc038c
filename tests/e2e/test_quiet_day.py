"""A whole drill through the command line, as a person would run it: nothing lost, nothing doubled, nobody called."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

PETREL = Path(sys.executable).parent / "petrel"


@pytest.mark.timeout(240)
def test_a_quiet_day_loses_nothing_and_calls_nobody() -> None:
    done = subprocess.run(
        [PETREL, "up", "--once", "--json", "--scenario", "quiet", "--http", "127.0.0.1:0"],
        capture_output=True,
        timeout=230,
        check=False,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    assert report["polled"] > 1000
    assert report["committed"] == report["polled"]
    assert (report["lost"], report["doubled"]) == (0, 0)
    assert report["alarms"] == []
