"""What a command prints reaches every terminal: one that knows no Chinese gets escapes, never a traceback."""

import fcntl
import json
import os
import pty
import struct
import subprocess
import sys
import termios
from contextlib import suppress
from pathlib import Path

import pytest

from device_profiles import registry

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


def test_a_name_is_whole_on_a_narrow_terminal():
    """A profile's name that is folded in two can't be copied into a file."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("4H", 40, 80, 0, 0))
    with subprocess.Popen([PETREL, "profile", "list"], stdout=theirs) as listing:
        os.close(theirs)
        said = b""
        with suppress(OSError):  # the end of a pseudo-terminal that nobody holds
            while data := os.read(ours, 4096):
                said += data
        assert listing.wait(60) == 0
    os.close(ours)
    first = {line.split()[0] for line in said.decode().splitlines() if line.strip() and not line.startswith(" ")}
    assert set(registry.names()) <= first
