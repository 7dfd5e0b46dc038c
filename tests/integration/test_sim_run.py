"""``petrel sim run`` as a process: independent clients read it, it says where it is, ends well, refuses in a line."""

import asyncio
import csv
import importlib.util
import json
import signal
import socket
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from pymodbus.client import AsyncModbusSerialClient, AsyncModbusTcpClient
from pymodbus.exceptions import ModbusIOException

PETREL = Path(sys.executable).parent / "petrel"
_DEADLINE_S = 20.0


async def start(*arguments: str | Path) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        PETREL, "sim", "run", *map(str, arguments), stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
    )


@asynccontextmanager
async def running(*arguments: str | Path) -> AsyncIterator[dict]:
    """What the command says when it is ready; ends it with SIGTERM, upon which it must end with code 0 in silence."""
    process = await start(*arguments, "--json")
    async with asyncio.timeout(_DEADLINE_S):
        ready = json.loads(await process.stdout.readline())
        try:
            yield ready
        finally:
            process.send_signal(signal.SIGTERM)
            rest = await process.communicate()
    assert (process.returncode, *rest) == (0, b"", b"")


async def ended(*arguments: str | Path) -> tuple[int, str, str]:
    process = await start(*arguments)
    async with asyncio.timeout(_DEADLINE_S):
        said, complained = await process.communicate()
    return process.returncode, said.decode(), complained.decode()


@asynccontextmanager
async def client(ready: dict):
    if "tcp" in ready:
        host, port = ready["tcp"].split(":")
        found = AsyncModbusTcpClient(host, port=int(port), timeout=2, retries=0)
    else:
        found = AsyncModbusSerialClient(ready["serial"], baudrate=115200, timeout=0.5, retries=0)
    assert await found.connect()
    try:
        yield found
    finally:
        found.close()


def water_main(hour: str) -> float:
    """What was recorded in an hour, as the file writes the hour; L/s."""
    path = Path(importlib.util.find_spec("river").origin).parent / "datasets" / "water-flow.csv"
    with path.open(encoding="utf-8") as lines:
        return next(float(row["Water flow [l/s]"]) for row in csv.DictReader(lines) if row["Time"] == hour)


async def flow(found, unit=1) -> float:
    words = (await found.read_holding_registers(0, count=2, device_id=unit)).registers
    return found.convert_from_registers(words, found.DATATYPE.FLOAT32, word_order="little")


async def has_signal(found, unit=1) -> bool:
    return (await found.read_holding_registers(91, count=1, device_id=unit)).registers[0] & 0xFF >= 60


@pytest.mark.parametrize("where", [("--tcp", "127.0.0.1:0"), ()], ids=["tcp", "serial"])
async def test_independent_client_reads_what_was_recorded(where):
    async with running("water-main", "--from", "2022-04-01T07:30:00+02:00", "--unit", "7", *where) as ready:
        assert ready["points"] == ["flow"]
        async with client(ready) as found:
            expected = water_main("2022-04-01T07:00:00+02:00") * 3.6
            assert await flow(found, unit=7) == pytest.approx(expected, rel=1e-6)
            assert await has_signal(found, unit=7)
            with pytest.raises(ModbusIOException):
                await flow(found, unit=1)


async def test_recorded_values_follow_each_other_at_the_speed_and_a_gap_shuts_the_gate(tmp_path):
    """Three hours in three seconds, the second of them empty: no signal then, which is not "no flow"."""
    data = tmp_path / "flow.csv"
    data.write_text("time,flow\n2026-01-01T00:00:00Z,10.5\n2026-01-01T01:00:00Z,\n2026-01-01T02:00:00Z,20.25\n")
    seen = []
    arguments = (data, "--profile", "tuf-2000m", "--tcp", "127.0.0.1:0", "--speed", "3600", "--loop")
    async with running(*arguments) as ready, client(ready) as found, asyncio.timeout(_DEADLINE_S):
        while len(seen) < 5:
            before, value, after = await has_signal(found), await flow(found), await has_signal(found)
            if before is after and (value, after) not in seen[-1:]:
                seen.append((value, after))
    first = seen.index((10.5, True))
    assert seen[first : first + 3] == [(10.5, True), (0.0, False), (20.25, True)]


async def test_serial_line_has_the_name_that_was_asked_for_and_gives_it_back(tmp_path):
    name = tmp_path / "gauge"
    async with running("water-main", "--serial", name) as ready:
        assert ready["serial"] == str(name)
        assert str(name.readlink()).startswith("/dev/pts/")
    assert not name.is_symlink()


async def test_recording_ends_and_so_does_the_command(tmp_path):
    data = tmp_path / "level.csv"
    data.write_text("when;is;ignored\ntime,level\n2026-01-01T00:00:00Z,1000\n2026-01-01T01:00:00Z,1001\n")
    code, said, complained = await ended(data, "--profile", "sen0676", "--skip", "1", "--speed", "7200")
    assert (code, complained) == (0, "")
    assert said.splitlines()[-1] == "the recording is over"
    assert "sen0676 unit 1 shows level" in said


async def test_check_says_what_would_happen_and_starts_nothing(tmp_path):
    name = tmp_path / "gauge"
    code, said, complained = await ended("station-year", "--serial", name, "--check")
    assert (code, complained) == (0, "")
    assert "8760 times, played from 1990-01-01T01:00:00-05:00 to 1991-01-01T01:00:00-05:00" in said
    assert "nothing was started" in said
    assert not name.is_symlink()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("{data}", "--profile", "qdy30a"), "data.csv:3: level 33 m is 33000 in 'holding 0x0004 s16', expected -32768"),
        (("{data}", "--profile", "qdy30a", "--variant", "feet"), "has no variant 'feet', expected one of: cm-tenths, "),
        (("{data}", "--profile", "radar"), "unknown profile 'radar', expected one of "),
        (("water-main", "--tcp", "127.0.0.1:{taken}"), "is taken or not ours, expected a free one"),
    ],
)
async def test_mistake_is_one_line_and_code_2(arguments, said, tmp_path):
    """A value that does not fit its register is among them: it would be another value, and that is worse than none."""
    data = tmp_path / "data.csv"
    data.write_text("time,level\n2026-01-01T00:00:00Z,1000\n2026-01-01T01:00:00Z,33000\n")
    with socket.create_server(("127.0.0.1", 0)) as taken:
        words = [word.format(data=data, taken=taken.getsockname()[1]) for word in arguments]
        code, out, complained = await ended(*words)
    assert (code, out) == (2, "")
    assert complained.count("\n") == 1
    assert said in complained
    assert data.read_text().endswith("33000\n")
