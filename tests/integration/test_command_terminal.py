"""What a command prints reaches every terminal: one that knows no Chinese gets escapes, never a traceback."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

PETREL = Path(sys.executable).with_name("petrel")


def printed(encoding: str, *arguments: str) -> bytes:
    ended = subprocess.run(
        [PETREL, *arguments],
        capture_output=True,
        timeout=60,
        check=False,
        env={**os.environ, "PYTHONIOENCODING": encoding},
    )
    assert (ended.returncode, ended.stderr) == (0, b"")
    return ended.stdout


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "gbk", "utf-8"])
def test_a_table_in_any_encoding(encoding):
    said = printed(encoding, "profile", "list").decode(encoding)
    assert "rs-fsxcs" in said
    assert ("设备" in said) is (encoding in ("gbk", "utf-8"))


def test_machine_output_stays_json_and_loses_nothing():
    plain, full = (json.loads(printed(encoding, "profile", "list", "--json")) for encoding in ("ascii", "utf-8"))
    assert plain == full
