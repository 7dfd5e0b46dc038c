"""Programs of others that speak Modbus: libmodbus in C, ``mbpoll`` upon it, ``modbus-serial`` in JavaScript."""

import asyncio
import json
import re
import shutil
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from tools.vendor import VendorError, npm_command

HERE = Path(__file__).parent / "peers"
HEADER = Path("/usr/include/modbus/modbus.h")
LIMIT_S = 60
NPM_OPTIONS = ("--omit=optional", "--ignore-scripts", "--no-audit", "--no-fund", "--no-update-notifier")
VALUE = re.compile(r"^\[(\d+)\]:\s+(\S+)", re.MULTILINE)


def built(folder: Path) -> Path:
    """The server on libmodbus, compiled."""
    compiler = shutil.which("gcc") or shutil.which("cc")
    if compiler is None or not HEADER.exists():
        pytest.skip("no C compiler, or no libmodbus-dev (see tools/system_packages.py)")
    program = folder / "libmodbus_server"
    source = HERE / "libmodbus_server.c"
    subprocess.run(
        [compiler, "-Wall", "-Wextra", "-Werror", "-o", program, source, "-lmodbus"], check=True, timeout=LIMIT_S
    )
    return program


def installed(folder: Path) -> str:
    """``modbus-serial`` in a folder, as its lock pins it; the node that runs it."""
    try:
        command, environment = npm_command()
    except VendorError as exc:
        pytest.skip(str(exc))
    for path in HERE.glob("*.js*"):
        shutil.copy(path, folder)
    try:
        subprocess.run(
            [*command, "ci", *NPM_OPTIONS],
            cwd=folder,
            env=environment,
            check=True,
            capture_output=True,
            timeout=LIMIT_S,
        )
    except (subprocess.CalledProcessError, subprocess.TimeoutExpired) as exc:
        said = (exc.stderr or b"").decode()
        assert "EINTEGRITY" not in said, said
        pytest.skip(f"modbus-serial can't be had from the npm registry: {said[-200:] or exc}")
    node = shutil.which("node", path=environment["PATH"])
    assert node is not None
    return node


@asynccontextmanager
async def running(*command: str | Path, cwd: Path | None = None) -> AsyncIterator[str]:
    """A server for the length of a ``with``: the first line that it says."""
    process = await asyncio.create_subprocess_exec(*command, cwd=cwd, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    try:
        async with asyncio.timeout(LIMIT_S):
            yield (await process.stdout.readline()).decode().strip()
    finally:
        process.kill()
        await process.communicate()


async def said(*command: str | Path, cwd: Path | None = None) -> str:
    """All that a program says before it ends, on both outputs."""
    process = await asyncio.create_subprocess_exec(
        *command, cwd=cwd, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )
    async with asyncio.timeout(LIMIT_S):
        output, _ = await process.communicate()
    return output.decode()


class Mbpoll:
    """Debian's ``mbpoll``, asking once; ``end`` are its arguments for the line."""

    def __init__(self, *end: str) -> None:
        if shutil.which("mbpoll") is None:
            pytest.skip("no mbpoll (see tools/system_packages.py)")
        self._end = end

    async def read(self, unit: int, kind: str, address: int, count: int = 1) -> list[float]:
        """The values that it shows."""
        return [float(value) for _, value in VALUE.findall(await self.say(unit, kind, address, count))]

    async def say(self, unit: int, kind: str, address: int, count: int = 1, *values: int) -> str:
        """What it says when it reads, or writes the values."""
        *options, device = self._end
        what = ("-a", str(unit), "-t", kind, "-0", "-r", str(address), "-1", "-o", "2")
        how_many = () if values else ("-c", str(count))
        return await said("mbpoll", *options, *what, *how_many, device, *map(str, values))


async def javascript(node: str, folder: Path, port: int, *asks: tuple[int, str, int, int]) -> list[object]:
    """What modbus-serial is answered, for each (unit, call, address, count)."""
    words = [str(word) for ask in asks for word in ask]
    return [json.loads(line) for line in (await said(node, "client.js", str(port), *words, cwd=folder)).splitlines()]
