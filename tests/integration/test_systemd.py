"""What systemd hears on a real NOTIFY_SOCKET of a gateway and a centre, and when it stops hearing it."""

import asyncio
import os
import signal
import socket
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest

from gateway.agent import Gateway
from gateway.settings import compile_gateway, load_gateway
from gateway.spool import sync
from petrel.systemd import Systemd, supervised
from telemetry.clock import SystemClock
from telemetry.progress import Progress, Vigil
from tests.integration.brokers import free_port, nats_server
from tests.integration.gateway_centre import until
from tests.unit.centre_world import write_files

PETREL = Path(sys.executable).with_name("petrel")
GATEWAY = """
site: demo
node: gw-1
broker: mqtt://127.0.0.1:{port}
spool: {{dir: spool}}
stations:
  - {{id: river-1, name: {{zh: 河, en: River}}, kind: river, lat: 25.3, lon: 119.0, town: "350305001"}}
buses:
  - name: line-1
    tcp: {{host: 127.0.0.1, port: {port}}}
    devices: [{{name: probe-1, profile: qdy30a, unit: 1, station: river-1, period_s: 0.1}}]
"""


class Heard:
    """The end of the socket that systemd holds; datagrams are kept with the moment of their arrival."""

    def __init__(self, path: str) -> None:
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(f"\0{path[1:]}" if path.startswith("@") else path)
        self.words: list[tuple[float, dict[str, str]]] = []
        self.thread = threading.Thread(target=self._hear)
        self.thread.start()

    def _hear(self) -> None:
        while data := self.socket.recv(4096):
            words = dict(line.split("=", 1) for line in data.decode().splitlines())
            if words == {"END": "1"}:
                break
            self.words.append((time.monotonic(), words))

    def of(self, name: str) -> list[str]:
        """Every value of a word."""
        return [words[name] for _, words in self.words if name in words]

    def pings(self) -> list[float]:
        """When a ping came."""
        return [at_s for at_s, words in self.words if "WATCHDOG" in words]


@contextmanager
def listening(path: str) -> Iterator[Heard]:
    heard = Heard(path)
    try:
        yield heard
    finally:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as end:
            end.sendto(b"END=1\n", heard.socket.getsockname())
        heard.thread.join()
        heard.socket.close()


@pytest.fixture
def heard(tmp_path):
    with listening(str(tmp_path / "notify")) as one:
        yield one


def gateway_file(folder: Path) -> Path:
    path = folder / "gateway.yaml"
    path.write_text(GATEWAY.format(port=free_port()), encoding="utf-8")
    return path


def watched(folder: Path, micros: int = 400_000) -> dict[str, str]:
    return {"NOTIFY_SOCKET": str(folder / "notify"), "WATCHDOG_USEC": str(micros)}


async def started(*arguments: object, folder: Path) -> asyncio.subprocess.Process:
    quiet = asyncio.subprocess.DEVNULL
    return await asyncio.create_subprocess_exec(
        PETREL, *map(str, arguments), env={**os.environ, **watched(folder)}, stdout=quiet, stderr=quiet
    )


async def test_a_gateway_says_that_it_is_ready_goes_on_and_stops(heard, tmp_path):
    """No broker and no device: the work of a gateway goes on all the same, so systemd must not end it."""
    process = await started("gateway", "run", gateway_file(tmp_path), folder=tmp_path)
    await until(lambda: len(heard.pings()) >= 5, seconds=30)
    process.send_signal(signal.SIGSTOP)  # a process that hangs as a whole
    await asyncio.sleep(0.3)
    pings = len(heard.pings())
    await asyncio.sleep(0.5)
    assert len(heard.pings()) == pings
    process.send_signal(signal.SIGCONT)
    await until(lambda: len(heard.pings()) > pings)
    process.send_signal(signal.SIGTERM)
    assert await process.wait() == 0
    assert [name for _, words in heard.words for name in words if name in ("READY", "STOPPING")] == [
        "READY",
        "STOPPING",
    ]
    assert "rows polled" in heard.of("STATUS")[2]
    assert heard.of("STATUS")[-1] == "stopping"


async def test_a_centre_says_that_it_is_ready_once_the_past_is_taken_up(heard, tmp_path):
    with nats_server(tmp_path) as broker:
        path = write_files(tmp_path, channels="{kind: log, name: log, path: log.jsonl}", broker=broker.url)
        text = path.read_text(encoding="utf-8")
        path.write_text(f"{text}\nhttp: {{port: {free_port()}}}\n" if "http:" not in text else text, encoding="utf-8")
        process = await started("centre", "run", path, folder=tmp_path)
        await until(lambda: len(heard.pings()) >= 5, seconds=30)
        process.send_signal(signal.SIGTERM)
        assert await process.wait() == 0
    assert heard.of("READY") == ["1"]
    assert heard.of("STOPPING") == ["1"]
    assert any("store: takes rows" in one for one in heard.of("STATUS"))


async def test_a_stuck_disk_stops_the_pings_and_its_return_starts_them_again(heard, tmp_path, monkeypatch):
    """A sync that never ends gives no error, and the event loop goes on: only the watchdog can tell."""
    free = threading.Event()
    free.set()
    real = os.fdatasync

    def slow(descriptor: int) -> None:
        free.wait()
        real(descriptor)

    monkeypatch.setattr(os, "fdatasync", slow)
    monkeypatch.setattr(sync, "PATIENCE_S", 0.5)
    gateway = Gateway(compile_gateway(load_gateway(gateway_file(tmp_path))), SystemClock(), np.random.default_rng(1))
    systemd = Systemd(watched(tmp_path, 200_000))
    async with asyncio.TaskGroup() as tasks:
        running = tasks.create_task(
            supervised(gateway.run, progress=gateway.progress, status=gateway.summary, systemd=systemd)
        )
        try:
            await until(lambda: len(heard.pings()) >= 20)
            free.clear()
            await until(lambda: any(one.startswith("spool: no progress") for one in heard.of("STATUS")))
            pings = len(heard.pings())
            await asyncio.sleep(0.5)
            assert len(heard.pings()) == pings
            free.set()
            await until(lambda: len(heard.pings()) > pings)
        finally:
            free.set()
            running.cancel()


async def test_a_stuck_bus_stops_the_pings(heard, tmp_path, monkeypatch):
    monkeypatch.setattr("edge_agent.acquisition._LEAST_PATIENCE_S", 0.0)
    monkeypatch.setattr("edge_agent.acquisition._TRIES", 0)
    gateway = Gateway(compile_gateway(load_gateway(gateway_file(tmp_path))), SystemClock(), np.random.default_rng(1))
    stuck = asyncio.Event()
    bus = gateway._source._buses["line-1"]
    real = bus._moment

    async def moment(agenda):
        if stuck.is_set():
            await asyncio.Event().wait()
        return await real(agenda)

    monkeypatch.setattr(bus, "_moment", moment)
    async with asyncio.TaskGroup() as tasks:
        systemd = Systemd(watched(tmp_path, 200_000))
        work = supervised(gateway.run, progress=gateway.progress, status=gateway.summary, systemd=systemd)
        running = tasks.create_task(work)
        await until(lambda: len(heard.pings()) >= 10)
        stuck.set()
        await until(lambda: any(one.startswith("bus line-1: no progress") for one in heard.of("STATUS")))
        pings = len(heard.pings())
        await asyncio.sleep(0.3)
        assert len(heard.pings()) == pings
        running.cancel()


async def test_a_failure_of_the_work_is_told_as_a_stop(heard, tmp_path):
    async def fails() -> None:
        await asyncio.sleep(0.05)
        raise OSError("gone")

    with pytest.raises(ExceptionGroup):
        await supervised(fails, progress=dict, status=lambda: "well", systemd=Systemd(watched(tmp_path)))
    await until(lambda: heard.of("STOPPING"))


async def test_without_systemd_nothing_is_told_and_nobody_waits(tmp_path):
    done = []

    async def work() -> None:
        done.append(True)

    await supervised(work, progress=dict, status=lambda: "well", systemd=Systemd({}))
    await supervised(work, progress=dict, status=lambda: "", systemd=Systemd({"NOTIFY_SOCKET": str(tmp_path / "no")}))
    assert done == [True, True]


def test_an_abstract_socket_is_found_and_another_process_s_watchdog_is_not_ours():
    name = f"@petrel-test-{os.getpid()}"
    with listening(name) as heard:
        systemd = Systemd({"NOTIFY_SOCKET": name, "WATCHDOG_USEC": "1000000", "WATCHDOG_PID": "1"})
        systemd.tell(READY="1")
        systemd.close()
        assert systemd.watchdog_s is None
    assert heard.of("READY") == ["1"]


def test_only_what_stands_still_for_too_long_is_stuck():
    vigil = Vigil()

    def at(now_s: float, done: int, *, idle: bool = False) -> list[str]:
        return vigil.stuck({"bus a": Progress(done=done, patience_s=10, idle=idle)}, now_s)

    assert at(0, 1) == at(9, 1) == at(10, 1) == []
    assert at(11, 1) == ["bus a: no progress for 11 s, expected some within 10 s"]
    assert at(12, 2) == at(22, 2) == []
    assert at(30, 2, idle=True) == at(39, 2) == []
    assert vigil.stuck({}, 60) == []
    assert at(100, 2) == [], "what comes back is new"
