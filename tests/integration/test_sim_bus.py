"""``petrel sim bus`` as a process: a bus of several devices that the field tools visit, and that refuses in a line."""

import asyncio
import json
import signal
import socket
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing, nullcontext
from pathlib import Path

import pytest
from pymodbus.client import AsyncModbusSerialClient
from pymodbus.exceptions import ModbusIOException

PETREL = Path(sys.executable).with_name("petrel")
_DEADLINE_S = 20.0
HEAD = """
site: demo
node: gw-1
broker: mqtt://127.0.0.1:1
spool: {dir: spool}
stations:
  - {id: s, name: {zh: 站, en: S}, kind: river, lat: 25.3, lon: 119.1, town: "350305001"}
  - {id: t, name: {zh: 台, en: T}, kind: air, lat: 25.3, lon: 119.1, town: "350305001"}
buses:
"""
LINE = """
  - name: line
    serial: {port: line-1, baud: 19200}
    devices:
      - {name: wx, profile: rs-fsxcs, unit: 2, station: s, period_s: 1}
      - {name: probe, profile: qdy30a, unit: 3, station: s, period_s: 1}
"""
LOGGER = """
  - name: loggers
    listen: {host: 0.0.0.0, port: PORT}
    devices: [{name: air, profile: hj212-air, address: A1, station: t, period_s: 1}]
"""
SDI = """
  - name: sdi
    serial: {port: line-2}
    devices:
      - {name: level, profile: cs451, address: "0", station: s, period_s: 1, points: {level: {name: depth}}}
      - {name: soil, profile: acclima-tdr, address: "1", station: s, period_s: 1}
"""


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


def gateway(folder: Path, *buses: str) -> Path:
    file = folder / "gateway.yaml"
    file.write_text(HEAD + "".join(buses))
    return file


@asynccontextmanager
async def running(file: Path, *arguments: str) -> AsyncIterator[list]:
    """What the command says when it is ready; SIGTERM must end it with code 0, and its ports must be gone."""
    process = await asyncio.create_subprocess_exec(
        PETREL, "sim", "bus", file, *arguments, "--json", stdout=asyncio.subprocess.PIPE
    )
    async with asyncio.timeout(_DEADLINE_S):
        ready = json.loads(await process.stdout.readline())
        try:
            yield ready
        finally:
            process.send_signal(signal.SIGTERM)
            await process.wait()
    assert process.returncode == 0
    assert not [path for path in file.parent.iterdir() if path.is_symlink()]


async def petrel(*arguments: str | Path) -> tuple[int, str]:
    process = await asyncio.create_subprocess_exec(
        PETREL, *arguments, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
    )
    async with asyncio.timeout(_DEADLINE_S):
        said, _ = await process.communicate()
    return process.returncode, said.decode()


async def test_a_scan_finds_the_rate_the_units_and_their_profiles(tmp_path):
    file = gateway(tmp_path, LINE)
    async with running(file) as ready:
        assert [device["address"] for device in ready[0]["devices"]] == ["unit 2", "unit 3"]
        port = ready[0]["serial"]
        _, said = await petrel("bus", "scan", "--serial", port, "--units", "1-3", "--baud", "9600,19200", "--json")
    found = json.loads(said.splitlines()[0])
    assert found["setting"]["baud"] == 19200
    assert [(one["address"], one["fits"][0]["profile"]) for one in found["found"]] == [
        ("unit 2", "rs-fsxcs"),
        ("unit 3", "qdy30a"),
    ]


async def test_devices_are_deaf_at_another_rate(tmp_path):
    """An independent client; it opens the port at both rates, one after the other."""
    async with running(gateway(tmp_path, LINE)) as ready:
        for baud, answers in ((9600, False), (19200, True)):
            client = AsyncModbusSerialClient(ready[0]["serial"], baudrate=baud, timeout=0.5, retries=0)
            assert await client.connect()
            with closing(client), nullcontext() if answers else pytest.raises(ModbusIOException, match="No response"):
                words = (await client.read_holding_registers(4, count=1, device_id=3)).registers
                assert words[0] == pytest.approx(2000, abs=30)  # mm


async def test_a_check_reads_each_device_that_works_and_names_the_dead(tmp_path):
    file = gateway(tmp_path, LINE, LOGGER.replace("PORT", str(free_port())), SDI)
    async with running(file, "--fault", "probe=dead") as ready:
        assert ready[1]["calls"].startswith("127.0.0.1:")
        _, said = await petrel("gateway", "check", file, "--json")
    looks = {look["what"]: look for look in json.loads(said)["looks"]}
    assert {name: looks[f"device {name}"]["state"] for name in ("wx", "air", "level", "soil")} == dict.fromkeys(
        ("wx", "air", "level", "soil"), "ok"
    )
    assert looks["device probe"]["state"] == "finding"
    assert "no answer" in looks["device probe"]["says"]


async def test_a_line_with_seven_bits_and_parity_opens_again_and_again(tmp_path):
    """The kernel refuses 7E1 on a pseudo-terminal that has its rate already: only the first visit would work."""
    async with running(gateway(tmp_path, SDI)) as ready:
        for _ in range(2):
            code, said = await petrel("device", "read", "cs451", "--serial", ready[0]["serial"], "--address", "0")
            assert code == 0, said


def refusal(*arguments: str | Path) -> str:
    ended = subprocess.run([PETREL, "sim", "bus", *arguments], capture_output=True, text=True, timeout=60, check=False)
    assert (ended.returncode in (1, 2), ended.stdout) == (True, "")
    (line,) = ended.stderr.splitlines()
    return line


def test_what_it_refuses(tmp_path):
    file = gateway(tmp_path, LINE)
    assert refusal(file, "--bus", "lan").endswith("--bus 'lan', expected one of line")
    assert "no device 'x', expected one of wx, probe" in refusal(file, "--fault", "x=dead")
    assert "expected wx= and one of dead, garbage" in refusal(file, "--fault", "wx=broken")
    (tmp_path / "line-1").write_text("somebody's")
    assert "exists already, expected a name that is free" in refusal(file)
    real = gateway(tmp_path, LINE.replace("line-1", "/dev/ttyUSB0"))
    assert "is a real one, expected a name for the simulated line, such as line" in refusal(real)
    server = gateway(tmp_path, LINE.replace("serial: {port: line-1,", "serial_server: {host: 127.0.0.1, port: 9,"))
    assert "can't be simulated, expected serial, tcp or listen" in refusal(server)


def test_a_port_that_is_taken(tmp_path):
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        tcp = f"""
  - name: lan
    tcp: {{host: 127.0.0.1, port: {port}}}
    devices: [{{name: midas, profile: midas, station: s, period_s: 1}}]
"""
        assert refusal(gateway(tmp_path, tcp)).endswith(
            f"bus lan: 127.0.0.1 port {port} is taken or not ours, expected a free one"
        )
