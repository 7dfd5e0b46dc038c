"""CPU, memory and rows delivered of this gateway beside modpoll and thingsboard-gateway, on the same simulated devices.

    python benchmarks/field_peers.py [--devices 100] [--silent 0] [--windows 5] [--window-s 8]

All three poll the same Modbus TCP converter with that many units of 30 registers once a second, one after the other,
and publish through the same mosquitto; only their own process is counted. Each peer is installed from PyPI into an
environment that is thrown away, and set up as kindly as its settings allow: one request for a device (two for
thingsboard-gateway, which reads 16 registers at most at once), no pause between requests, no rate limit, few logs.

What counts as delivered differs: with us, rows that are committed to DuckDB and acknowledged, after a spool on disk;
with modpoll, values published with QoS 0; with thingsboard-gateway, values published with QoS 1 out of memory. The
server that it wants is not here: its one question for limits is answered, its telemetry counted.

With ``--silent`` the last units never answer; all three wait half a second for them. For each value that can't be had
we deliver a MISSING row, which is not counted, and the others nothing.
"""

import argparse
import asyncio
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import aiomqtt

sys.path.insert(0, str(Path(__file__).parents[1]))  # first, since gateway.py beside this file is no package
from benchmarks.gateway import begin, devices, line, memory_mb, watch, watch_gateway
from tests.integration.brokers import mosquitto

_VALUES: Final = 30
_INSTALL_S: Final = 300
_START_S: Final = 60
_LIMITS: Final = {"maxPayloadSize": 65536, "maxInflightMessages": 100, "rateLimits": {}, "gatewayRateLimits": {}}


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """What a peer is run with: its environment, a folder to itself, two ports, and how many units there are."""

    venv: Path
    folder: Path
    modbus: int
    mqtt: int
    units: int

    def program(self, name: str) -> str:
        """A program of its environment."""
        return str(self.venv / "bin" / name)


def modpoll(run: Run) -> list[str]:
    """The command of modpoll, and its CSV file. MQTT 5, since 1.6.0 can't connect with 3.1.1."""
    references = [f"ref,p{at},{at},uint16,r" for at in range(_VALUES)]
    devices = [
        [f"device,dev-{unit},{unit}", f"poll,holding_register,0,{_VALUES},BE_BE", *references]
        for unit in range(1, run.units + 1)
    ]
    path = run.folder / "devices.csv"
    path.write_text("\n".join(row for device in devices for row in device) + "\n")
    asks = [
        "--tcp",
        "127.0.0.1",
        "--tcp-port",
        str(run.modbus),
        "--rate",
        "1",
        "--interval",
        "0",
        "--daemon",
        "--timeout",
        "0.5",
    ]
    tells = ["--mqtt-host", "127.0.0.1", "--mqtt-port", str(run.mqtt), "--mqtt-version", "5.0", "--mqtt-clientid", "mp"]
    return [run.program("modpoll"), "-f", str(path), *asks, *tells, "--loglevel", "ERROR"]


def thingsboard(run: Run) -> list[str]:
    """The command of thingsboard-gateway, and its configuration in ``config``."""
    config = run.folder / "config"
    config.mkdir()
    (run.folder / "logs").mkdir()
    kinds = ("rateLimits", "dpRateLimits", "messagesRateLimits")
    limits = [*kinds, *(f"device{kind[0].upper()}{kind[1:]}" for kind in kinds)]
    server = {
        "host": "127.0.0.1", "port": run.mqtt, "remoteShell": False, "remoteConfiguration": False, "qos": 1,
        "security": {"type": "accessToken", "accessToken": "bench"}, "statistics": {"enable": False},
        "deviceFiltering": {"enable": False, "filterFile": "list.json"}, "maxPayloadSizeBytes": 65536,
        "checkingDeviceActivity": {"checkDeviceInactivity": False}, "reportStrategy": {"type": "ON_RECEIVED"},
        "minPackSendDelayMS": 50, "minPackSizeToSend": 500, **dict.fromkeys(limits, "0:0,"),
    }  # fmt: skip
    whole = {
        "thingsboard": server,
        "storage": {"type": "memory", "read_records_count": 1000, "max_records_count": 100_000},
        "grpc": {"enabled": False},
        "connectors": [{"type": "modbus", "name": "bench", "configuration": "modbus.json"}],
    }
    slaves = [_slave(run.modbus, unit) for unit in range(1, run.units + 1)]
    for name, content in (("tb_gateway", whole), ("modbus", {"master": {"slaves": slaves}}), ("list", {})):
        (config / f"{name}.json").write_text(json.dumps(content))
    (logs,) = run.venv.glob("lib/python*/site-packages/thingsboard_gateway/config/logs.json")
    shutil.copy(logs, config)
    return [run.program("python"), "-c", "from thingsboard_gateway.tb_gateway import main; main()"]


def _slave(port: int, unit: int) -> dict[str, object]:
    register = {"tag": "p${address}_${unitId}", "type": "16uint", "functionCode": 3, "objectsCount": 1}
    return {
        "host": "127.0.0.1", "port": port, "type": "tcp", "method": "socket", "unitId": unit, "pollPeriod": 1000,
        "deviceName": f"dev-{unit}", "deviceType": "default", "timeout": 0.5, "byteOrder": "BIG", "wordOrder": "BIG",
        "retries": 0, "attributes": [], "attributeUpdates": [], "rpc": [],
        "timeseries": [{**register, "address": f"0-{_VALUES - 1}"}],
    }  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Peer:
    """A program of others: what pip installs for it, how it is started, and what a message of it holds."""

    name: str
    packages: tuple[str, ...]
    command: Callable[[Run], list[str]]
    topic: str
    values: Callable[[Any], int]


PEERS: Final = (
    Peer(name="modpoll 1.6.0", packages=("modpoll==1.6.0",), command=modpoll, topic="modpoll/", values=len),
    # What its connector would install by itself at its first start is installed before.
    Peer(
        name="thingsboard-gateway 3.8.5",
        packages=("thingsboard-gateway==3.8.5", "pymodbus==3.9.2", "pyserial", "pyserial-asyncio"),
        command=thingsboard,
        topic="v1/gateway/telemetry",
        values=lambda message: sum(len(one["values"]) for rows in message.values() for one in rows),
    ),
)


class Delivered:
    """Values that a peer has published."""

    def __init__(self, peer: Peer) -> None:
        self.values, self.begun = 0, asyncio.Event()
        self._peer = peer

    async def count(self, port: int) -> None:
        """Count for ever, and answer the one question that thingsboard-gateway waits for."""
        async with aiomqtt.Client("127.0.0.1", port) as client:
            await client.subscribe("#")
            async for message in client.messages:
                topic = str(message.topic)
                if "/rpc/request/" in topic:
                    await client.publish(topic.replace("request", "response"), json.dumps(_LIMITS))
                elif topic.startswith(self._peer.topic):
                    self.values += self._peer.values(json.loads(bytes(message.payload)))
                    self.begun.set()


def install(peer: Peer, venv: Path) -> None:
    """Make its environment; raises CalledProcessError or TimeoutExpired."""
    pip = [str(venv / "bin" / "python"), "-m", "pip", "install", "-q", "--disable-pip-version-check", *peer.packages]
    for command in ([sys.executable, "-m", "venv", str(venv)], pip):
        subprocess.run(command, check=True, capture_output=True, timeout=_INSTALL_S)


@contextmanager
def running(peer: Peer, run: Run) -> Iterator[int]:
    """A peer for the length of a ``with``: its process id."""
    environment = os.environ | {"TB_GW_CONFIG_DIR": str(run.folder / "config")}
    with (run.folder / "log").open("wb") as log:
        process = subprocess.Popen(
            peer.command(run), cwd=run.folder, env=environment, stdin=subprocess.DEVNULL, stdout=log, stderr=log
        )
    try:
        yield process.pid
    finally:
        process.kill()
        process.wait()


async def watch_peer(peer: Peer, run: Run, options: argparse.Namespace) -> str:
    """A peer for the length of the windows; a line of the table."""
    delivered = Delivered(peer)
    async with asyncio.TaskGroup() as tasks:
        counting = tasks.create_task(delivered.count(run.mqtt))
        try:
            with running(peer, run) as pid:
                async with asyncio.timeout(_START_S):
                    await delivered.begun.wait()
                uses = await watch(pid, lambda: delivered.values, options)
                return line(peer.name, run.units, uses, memory_mb(pid, "VmHWM"))
        except TimeoutError:
            return f"{peer.name} delivers nothing here: {(run.folder / 'log').read_text()[-500:]}"
        finally:
            counting.cancel()


async def tried(peer: Peer, mqtt: int, modbus: int, options: argparse.Namespace) -> str:
    """Install and watch a peer, or say why that can't be done here."""
    with tempfile.TemporaryDirectory() as temporary:
        home = Path(temporary)
        run = Run(venv=home / "venv", folder=home / "run", modbus=modbus, mqtt=mqtt, units=options.devices)
        run.folder.mkdir()
        try:
            await asyncio.to_thread(install, peer, run.venv)
        except (subprocess.CalledProcessError, subprocess.TimeoutExpired) as exc:
            return f"{peer.name} can't be installed here: {(exc.stderr or b'').decode()[-500:] or exc}"
        return await watch_peer(peer, run, options)


async def measure(options: argparse.Namespace) -> None:
    """Print a line for each."""
    answering = options.devices - options.silent
    with tempfile.TemporaryDirectory() as home, mosquitto(Path(home)) as broker, devices(1, answering) as ports:
        print(await watch_gateway(Path(home), broker.url, ports, options, options.devices), flush=True)
        for peer in PEERS:
            print(await tried(peer, broker.port, ports[0], options), flush=True)


def main() -> None:
    """Measure, and print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--devices", type=int, default=100, help="units on the converter, 247 at most")
    parser.add_argument("--silent", type=int, default=0, help="of them, those that never answer")
    asyncio.run(measure(begin(parser)))


if __name__ == "__main__":
    main()
