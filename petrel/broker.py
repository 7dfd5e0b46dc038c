"""The embedded broker: nats-server (MQTT 3.1.1) as a child process that ends with us.

It serves ``petrel up`` and the tests. In the field use any broker; delivery does not depend on its persistence.
"""

import asyncio
import contextlib
import ctypes
import shutil
import signal
import socket
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

from petrel.errors import CommandError

_READY_S: Final = 15.0
_STOP_S: Final = 5.0
_MAX_PAYLOAD: Final = 1024 * 1024
_CONFIG: Final = """\
server_name: "storm-petrel"
host: "127.0.0.1"
port: -1
max_payload: {max_payload}
jetstream {{ store_dir: "{store}", max_file_store: 1073741824 }}
mqtt {{ host: "127.0.0.1", port: {port} }}
"""


class BrokerError(CommandError):
    """There is no broker to work with: one line with the cause and what to do."""


@asynccontextmanager
async def embedded_broker(directory: Path, port: int = 0) -> AsyncIterator[str]:
    """Run a broker on loopback for the length of a block; yields its URL, e.g. ``mqtt://127.0.0.1:1883``.

    ``directory`` keeps its retained messages over restarts. Port 0 takes a free one. Raises BrokerError when the
    server is not installed, the port is taken, or it is not ready in time.
    """
    port = port or free_port()
    process = await _start(directory, port)
    try:
        await _ready(process, port, directory / "nats.log")
        yield f"mqtt://127.0.0.1:{port}"
    finally:
        await _stop(process)


def free_port() -> int:
    """A TCP port on loopback that nobody listens on at this moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def server_path() -> Path:
    """Where the wheel put the server; raises BrokerError when it is not installed."""
    beside = Path(sys.executable).parent / "nats-server"
    found = beside if beside.exists() else shutil.which("nats-server")
    if not found:
        raise BrokerError("nats-server is not installed, expected the extra [sim]; or name a broker with --broker URL")
    return Path(found)


async def _start(directory: Path, port: int) -> asyncio.subprocess.Process:
    config = _configure(directory, port)
    with (directory / "nats.log").open("wb") as log:
        return await asyncio.create_subprocess_exec(
            server_path(), "-c", config, stdin=asyncio.subprocess.DEVNULL, stdout=log, stderr=log,
            preexec_fn=_die_with_parent,
        )  # fmt: skip


def _configure(directory: Path, port: int) -> Path:
    directory.mkdir(parents=True, exist_ok=True)
    config = directory / "nats.conf"
    config.write_text(_CONFIG.format(port=port, store=directory / "jetstream", max_payload=_MAX_PAYLOAD))
    return config


def _die_with_parent() -> None:
    """Ask the kernel (prctl PR_SET_PDEATHSIG = 1) to end the child when we are killed without a chance to stop it."""
    ctypes.CDLL(None).prctl(1, signal.SIGTERM)


async def _ready(process: asyncio.subprocess.Process, port: int, log: Path) -> None:
    deadline = asyncio.get_running_loop().time() + _READY_S
    while asyncio.get_running_loop().time() < deadline and process.returncode is None:
        with contextlib.suppress(OSError):
            _, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.close()
            return
        await asyncio.sleep(0.02)
    raise BrokerError(f"nats-server is not ready on 127.0.0.1:{port}: {_last_words(log)}")


def _last_words(log: Path) -> str:
    return (log.read_text(errors="replace").strip().splitlines() or ["it said nothing"])[-1]


async def _stop(process: asyncio.subprocess.Process) -> None:
    if process.returncode is not None:
        return
    process.terminate()
    try:
        async with asyncio.timeout(_STOP_S):
            await process.wait()
    except TimeoutError:
        process.kill()
        await process.wait()
