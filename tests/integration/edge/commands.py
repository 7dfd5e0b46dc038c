"""``petrel`` as a process beside the devices of a test."""

import asyncio
import json
import sys
from pathlib import Path
from typing import Any, NamedTuple

PETREL = Path(sys.executable).with_name("petrel")
_LONGEST_S = 30.0


class Ended(NamedTuple):
    """How a command ended."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """The one document on stdout."""
        return json.loads(self.out)

    @property
    def refusal(self) -> str:
        """The one line on stderr."""
        (line,) = self.err.splitlines()
        return line.removeprefix("petrel: ")


async def petrel(*arguments: object) -> Ended:
    """Run a command to its end."""
    process = await asyncio.create_subprocess_exec(
        PETREL, *map(str, arguments), stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
    )
    async with asyncio.timeout(_LONGEST_S):
        out, err = await process.communicate()
    return Ended(process.returncode, out.decode(), err.decode())
