"""CPU and memory of a gateway that polls Modbus TCP devices once a second, beside a bare pymodbus client.

    python benchmarks/gateway.py [--devices 100 500] [--windows 5] [--window-s 8]

``petrel gateway run`` is a process of its own and the only one that is counted: it polls, decodes, spools to disk,
publishes, and waits for acknowledgements. The devices are another process, the broker (nats-server) a third; this one
ingests into DuckDB and acknowledges. The peer asks the same devices for the same registers at the same rate with
pymodbus's asynchronous client, on the same event loop, and throws the answers away: it shows what asking alone costs.
"""

import argparse
import asyncio
import multiprocessing
import os
import platform
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from multiprocessing.connection import Connection
from pathlib import Path
from statistics import median
from typing import Any, Final, NamedTuple

import numpy as np
import structlog

from petrel.broker import embedded_broker
from petrel.run import run as run_until_done
from telemetry.broker import parse_broker
from telemetry.clock import SystemClock

_VALUES: Final = 30
_SETTLE_S: Final = 6.0
_TICKS: Final = os.sysconf("SC_CLK_TCK")
_ANSWERS: Final = [os.urandom(2 * _VALUES) for _ in range(256)]
_REQUEST: Final = b"\x03" + (0).to_bytes(2, "big") + _VALUES.to_bytes(2, "big")
_REQUEST_BYTES: Final = 12
_SPAWN: Final = multiprocessing.get_context("spawn")


class Use(NamedTuple):
    """What a process used: cores over one window, megabytes resident at its end, and answers or rows a second."""

    cores: float
    rss_mb: float
    rate: float


class Device(asyncio.Protocol):
    """A Modbus TCP server with 30 holding registers, which are other ones at each reading; as many units as answer."""

    def __init__(self, answering: int) -> None:
        self._answering, self._asked, self._rest = answering, id(self), b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Somebody polls."""
        self._transport: Any = transport

    def data_received(self, data: bytes) -> None:
        """Answer all requests that are whole; reads of registers have 12 bytes."""
        data = self._rest + data
        whole = len(data) - len(data) % _REQUEST_BYTES
        self._rest = data[whole:]
        for at in range(0, whole, _REQUEST_BYTES):
            self._answer(data[at : at + _REQUEST_BYTES])

    def _answer(self, request: bytes) -> None:
        if request[6] > self._answering:
            return
        self._asked += 1
        first, count = int.from_bytes(request[8:10], "big"), int.from_bytes(request[10:12], "big")
        values = _ANSWERS[self._asked % 256][2 * first : 2 * (first + count)]
        right = request[7] == 3 and first + count <= _VALUES
        pdu = bytes((3, len(values))) + values if right else bytes((request[7] | 0x80, 2))
        self._transport.write(request[:4] + (len(pdu) + 1).to_bytes(2, "big") + request[6:7] + pdu)


@contextmanager
def devices(n: int, answering: int = 255) -> Iterator[list[int]]:
    """Devices in a process of their own: their ports. Units above ``answering`` never answer."""
    ours, theirs = multiprocessing.Pipe()
    process = _SPAWN.Process(target=_serve, args=(theirs, n, answering))
    process.start()
    try:
        yield ours.recv()
    finally:
        process.terminate()
        process.join(10)


def _serve(pipe: Connection, n: int, answering: int) -> None:
    async def serve() -> None:
        loop = asyncio.get_running_loop()
        servers = [await loop.create_server(lambda: Device(answering), "127.0.0.1", 0) for _ in range(n)]
        pipe.send([server.sockets[0].getsockname()[1] for server in servers])
        await asyncio.Event().wait()

    run_until_done(serve())


def poll_bare(ports: list[int], answers: Any) -> None:
    """The process of the peer: pymodbus, a client for each device, spread over the second."""
    from pymodbus.client import AsyncModbusTcpClient

    async def poll(number: int, port: int) -> None:
        client = AsyncModbusTcpClient("127.0.0.1", port=port)
        await client.connect()
        due_s = time.monotonic() + number / len(ports)
        while True:
            await asyncio.sleep(due_s - time.monotonic())
            answer = await client.read_holding_registers(0, count=_VALUES)
            answers.value += len(answer.registers)
            due_s += 1.0

    async def poll_all() -> None:
        async with asyncio.TaskGroup() as tasks:
            for number, port in enumerate(ports):
                tasks.create_task(poll(number, port))

    run_until_done(poll_all())


def write_profile(folder: Path) -> None:
    """bench.yaml: the profile of the devices."""
    points = "".join(
        f"  - {{name: p{at}, quantity: water_level, unit: mm, register: holding {at} u16, valid: [0, 65535]}}\n"
        for at in range(_VALUES)
    )
    golden = (
        f"request: 00 01 00 00 00 06 01 {_REQUEST.hex(' ')}, answer: 00 01 00 00 00 3F 01 03 3C {bytes(60).hex(' ')}"
    )
    (folder / "bench.yaml").write_text(
        "name: bench\ntitle: {zh: 台架, en: Bench}\nsource: This script.\ntransports: [tcp]\n"
        f"points:\n{points}golden:\n  - frame: tcp\n    exchange: [{{{golden}}}]\n"
        "    values: {p0: 0.0}\n    source: Built by hand.\n",
        encoding="utf-8",
    )


def write_settings(folder: Path, broker: str, ports: list[int], units: int = 1) -> Path:
    """gateway.yaml with a bus for each port and ``units`` devices on it, and their profile."""
    write_profile(folder)
    buses = "".join(
        f"  - name: bus-{n}\n    tcp: {{host: 127.0.0.1, port: {port}}}\n    devices:\n"
        + "".join(
            f"      - {{name: d{n}-{unit}, profile: bench.yaml, unit: {unit}, station: st-{n}-{unit}, period_s: 1}}\n"
            for unit in range(1, units + 1)
        )
        for n, port in enumerate(ports)
    )
    stations = "".join(
        f"  - {{id: st-{n}-{unit}, name: {{zh: 站, en: Station}}, kind: river, lat: 25.2, lon: 119.1, town: t}}\n"
        for n in range(len(ports))
        for unit in range(1, units + 1)
    )
    path = folder / "gateway.yaml"
    text = f"site: bench\nnode: gw\nbroker: {broker}\nspool: {{dir: spool}}\nstations:\n{stations}buses:\n{buses}"
    path.write_text(text, encoding="utf-8")
    return path


def cpu_s(pid: int) -> float:
    """Seconds that all threads of a process have run, in user and kernel mode."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS


def memory_mb(pid: int, what: str) -> float:
    """``VmRSS`` (resident now) or ``VmHWM`` (the most ever)."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(what)) * 1024 / 1e6


async def watch(pid: int, counted: Callable[[], int], options: argparse.Namespace) -> list[Use]:
    """The windows of a process that has settled."""
    await asyncio.sleep(_SETTLE_S)
    found = []
    for _ in range(options.windows):
        begun_s, used_s, before = time.monotonic(), cpu_s(pid), counted()
        await asyncio.sleep(options.window_s)
        seconds = time.monotonic() - begun_s
        found.append(Use((cpu_s(pid) - used_s) / seconds, memory_mb(pid, "VmRSS"), (counted() - before) / seconds))
    return found


async def watch_gateway(
    folder: Path, broker: str, ports: list[int], options: argparse.Namespace, units: int = 1
) -> str:
    """Ingest and the gateway for the length of the windows; a line of the table."""
    from ingest.service import Ingest  # here, so that the peer's process does not load it
    from ingest.store.duckdb import DuckDBStore

    async def on_commit(_: object) -> None:
        return

    store = DuckDBStore(folder / "store.duckdb")
    path = write_settings(folder, broker, ports, units)
    rng = np.random.default_rng()
    ingest = Ingest(store, parse_broker(broker), SystemClock(), on_commit, site="bench", drill=False, rng=rng)
    async with asyncio.TaskGroup() as tasks:
        running = tasks.create_task(ingest.run())
        await ingest.subscriber.connected.wait()
        with gateway(path) as pid:
            uses = await watch(pid, lambda: ingest.stats.rows - store.missing_count(), options)
            peak_mb = memory_mb(pid, "VmHWM")
        running.cancel()
    missing = store.missing_count()
    store.close()
    return line(f"petrel gateway run ({missing} readings missing)", units * len(ports), uses, peak_mb)


@contextmanager
def gateway(path: Path) -> Iterator[int]:
    """``petrel gateway run``: its process id."""
    command = [str(Path(sys.executable).with_name("petrel")), "gateway", "run", str(path)]
    with (path.parent / "gateway.log").open("wb") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log)
    try:
        yield process.pid
        if process.poll() is not None:
            raise RuntimeError(f"the gateway ended: {(path.parent / 'gateway.log').read_text()[-500:]}")
    finally:
        process.terminate()
        process.wait(10)


async def watch_peer(ports: list[int], options: argparse.Namespace) -> str:
    """The peer for the length of the windows; a line of the table."""
    answers = _SPAWN.Value("q", 0)
    process = _SPAWN.Process(target=poll_bare, args=(ports, answers))
    process.start()
    try:
        assert process.pid is not None
        uses = await watch(process.pid, lambda: int(answers.value), options)
        return line("bare pymodbus client", len(ports), uses, memory_mb(process.pid, "VmHWM"))
    finally:
        process.kill()  # its client swallows the cancellation that a polite end would be
        process.join()


def line(what: str, devices: int, uses: list[Use], peak_mb: float) -> str:
    """Median (least to most) of the windows."""

    def spread(values: list[float], digits: int) -> str:
        return f"{median(values):.{digits}f} ({min(values):.{digits}f}-{max(values):.{digits}f})"

    cores, rss_mb, rate = (list(column) for column in zip(*uses, strict=True))
    return f"| {what} | {devices} | {spread(cores, 3)} | {spread(rss_mb, 1)} | {peak_mb:.1f} | {spread(rate, 0)} |"


async def measure(n: int, options: argparse.Namespace) -> None:
    """Print the two lines of one size."""
    with devices(n) as ports:
        with tempfile.TemporaryDirectory() as temporary:
            folder = Path(temporary)
            async with embedded_broker(folder / "broker") as broker:
                print(await watch_gateway(folder, broker, ports, options), flush=True)
        print(await watch_peer(ports, options), flush=True)


def begin(parser: argparse.ArgumentParser) -> argparse.Namespace:
    """Read the options, those of the windows too, and print the head of the table."""
    parser.add_argument("--windows", type=int, default=5)
    parser.add_argument("--window-s", type=float, default=8.0)
    options = parser.parse_args()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(40))
    print(
        f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}, "
        f"{time.strftime('%Y-%m-%d')}, load {os.getloadavg()[0]:.1f}; {_VALUES} values a device at 1 s; "
        f"{options.windows} windows of {options.window_s:g} s: median (least-most)\n"
    )
    print("| what | devices | cores | RSS MB | peak MB | values/s |\n|---|---:|---|---|---:|---|", flush=True)
    return options


def main() -> None:
    """Measure, and print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--devices", type=int, nargs="+", default=[100, 500])
    options = begin(parser)
    for n in options.devices:
        asyncio.run(measure(n, options))


if __name__ == "__main__":
    main()
