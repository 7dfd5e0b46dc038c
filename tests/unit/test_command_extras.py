"""A command of a part that is not installed names the extra that brings it."""

import subprocess
import sys

import pytest

from petrel.extras import missing


@pytest.mark.parametrize(
    ("module", "wanted"),
    [
        ("duckdb", "the extra [centre]"),
        ("influxdb_client.client", "the extra [centre]"),
        ("serial.rs485", "the extra [gateway]"),
        ("paho.mqtt.client", "the extra [gateway] or [centre]"),
        ("aiomqtt", "the extra [gateway] or [centre]"),
        ("pymodbus", "the extra [sim]"),
        ("somewhat", "a whole installation"),
        ("numpy", "a whole installation"),
    ],
)
def test_the_extra_is_named(module, wanted):
    assert missing(module) == f"the package {module.partition('.')[0]!r} is not installed, expected {wanted}"


def test_the_command_says_so():
    start = "import sys; sys.modules['fastapi'] = None; from petrel.cli import app_main; app_main()"
    command = [sys.executable, "-c", start, "up", "--check"]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert (ended.returncode, ended.stdout) == (1, "")
    assert ended.stderr == "petrel: the package 'fastapi' is not installed, expected the extra [centre]\n"
