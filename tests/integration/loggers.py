"""A data logger of HJ 212 that shares nothing with our frames, gateways that hear it, and what a power cut leaves.

The logger does what data loggers do: it numbers its reports, sends one after another, sends again what nobody
acknowledged, and forgets what somebody did.
"""

import asyncio
import os
import shutil
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import numpy as np
import pytest

from gateway.agent import Gateway
from gateway.settings import compile_gateway, load_gateway
from gateway.spool import Limits, Spool
from gateway.timekeeping import Machine
from gateway.timing import Timing
from telemetry.clock import SystemClock
from telemetry.wire import decode_batch
from tests.integration.brokers import free_port
from tests.unit.gateway_batches import HandClock, drain

SOURCE = "park/gw-1"
PROFILE = """
name: logger
title: {zh: 试验, en: Test}
source: made up for tests
protocol: hj212
transports: [listen, serial]
serial: {baud: 9600}
points:
  - {name: pm25, quantity: pm25, unit: ug/m3, field: 2011/a34004-Rtd, valid: [0, 1.0e+9]}
golden:
  - {messages: [{sent: "ascii:##"}], values: {}, source: none}
"""
SETTINGS = """
site: park
node: gw-1
broker: mqtt://127.0.0.1:{broker}
spool: {{dir: spool}}
stations:
  - {{id: gate, name: {{zh: 门, en: Gate}}, kind: air, lat: 25.2, lon: 119.1, town: '1001'}}
buses:
  - name: loggers
    {line}
    devices:
      - {{name: air, profile: logger.yaml, address: ABC, station: gate, period_s: 600}}
"""
EAGER = Timing(reconnect_s=(0.02, 0.2), resend_s=0.5, deadline_s=1.0)


def crc(data: bytes) -> int:
    """HJ 212-2017 annex A, written from its description: not our driver's."""
    value = 0xFFFF
    for byte in data:
        value = (value >> 8) ^ byte
        for _ in range(8):
            value = (value >> 1) ^ 0xA001 if value & 1 else value >> 1
    return value


def message(value: str, at: datetime, mn: str = "ABC", code: str = "2011", flag: int = 5) -> bytes:
    """A report of PM2.5 as a data logger sends it, in the time of Beijing."""
    when = at.astimezone(timezone(timedelta(hours=8))).strftime("%Y%m%d%H%M%S")
    kind = "Rtd" if code == "2011" else "Avg"
    text = (
        f"QN={when}000;ST=22;CN={code};PW=123456;MN={mn};Flag={flag};"
        f"CP=&&DataTime={when};a34004-{kind}={value},a34004-Flag=N&&"
    ).encode()
    return b"##%04d%b%04X\r\n" % (len(text), text, crc(text))


def settings(folder: Path, *, broker: int | None = None, line: str | None = None) -> int:
    """Write ``gateway.yaml`` and its profile; the port on which it is going to listen."""
    port = free_port()
    line = line or f"listen: {{host: 127.0.0.1, port: {port}}}"
    (folder / "logger.yaml").write_text(PROFILE, encoding="utf-8")
    text = SETTINGS.format(broker=broker or free_port(), line=line)
    (folder / "gateway.yaml").write_text(text, encoding="utf-8")
    return port


@asynccontextmanager
async def gateway(folder: Path, machine: Machine | None = None) -> AsyncIterator[Gateway]:
    """The gateway of ``gateway.yaml`` for the length of a block."""
    plan = compile_gateway(load_gateway(folder / "gateway.yaml"))
    made = Gateway(plan, SystemClock(), np.random.default_rng(1), timing=EAGER, machine=machine)
    async with asyncio.TaskGroup() as tasks:
        task = tasks.create_task(made.run())
        try:
            yield made
        finally:
            task.cancel()


class Logger:
    """Reports 1, 2, 3 ... over a connection that it opens again whenever it is lost."""

    def __init__(self, port: int, first: int = 1, patience_s: float = 0.5) -> None:
        self.number, self.acknowledged = first, set[int]()
        self._port, self._patience_s = port, patience_s
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        while self._streams is None:
            try:
                self._streams = await asyncio.open_connection("127.0.0.1", self._port)
            except OSError:
                await asyncio.sleep(0.01)
        return self._streams

    async def hang_up(self) -> None:
        streams, self._streams = self._streams, None
        if streams is not None:
            streams[1].close()
            with suppress(OSError):
                await streams[1].wait_closed()

    async def send(self) -> None:
        """Send the report whose turn it is."""
        _, writer = await self.connect()
        writer.write(message(str(self.number), datetime.now(UTC)))
        await writer.drain()

    async def acknowledgement(self) -> bytes:
        """The next one; empty when the gateway hung up."""
        reader, _ = await self.connect()
        with suppress(asyncio.IncompleteReadError):
            return await reader.readuntil(b"\r\n")
        return b""

    async def report(self) -> None:
        """Send the report until it is acknowledged, and go on to the next one."""
        while self.number not in self.acknowledged:
            with suppress(OSError, TimeoutError):
                async with asyncio.timeout(self._patience_s):
                    await self.send()
                    if await self.acknowledgement():
                        self.acknowledged.add(self.number)
                        break
            await self.hang_up()
        self.number += 1


def kept(folder: Path) -> set[int]:
    """The reports in a spool that nobody has open."""
    spool = Spool.open(folder, Limits(), HandClock())
    try:
        batches = [decode_batch(spool.read(entry), SOURCE)[0] for entry in drain(spool)]
    finally:
        spool.close()
    return {int(value) for batch in batches for value in batch.value}


class Disk:
    """What survives a power cut, by the very calls that promise it: ``fdatasync`` of a file, ``fsync`` of a folder.

    ``hold`` lets no sync end until ``release``; ``begun`` counts those that were begun.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.begun = 0
        self._free = threading.Event()
        self._free.set()
        self._data, self._folder = os.fdatasync, os.fsync
        self._unnamed: dict[str, bytes] = {}

    def hold(self) -> None:
        self._free.clear()

    def release(self) -> None:
        self._free.set()

    def fdatasync(self, descriptor: int) -> None:
        path, size = Path(f"/proc/self/fd/{descriptor}").readlink(), os.fstat(descriptor).st_size
        self.begun += 1
        assert self._free.wait(20.0), "held for ever"
        self._data(descriptor)
        data = path.read_bytes()[:size]
        copy = self.folder / path.name
        if copy.exists():
            copy.write_bytes(data)
        else:
            self._unnamed[path.name] = data

    def fsync(self, descriptor: int) -> None:
        self._folder(descriptor)
        for name, data in self._unnamed.items():
            (self.folder / name).write_bytes(data)
        self._unnamed.clear()

    def after_a_power_cut(self, trial: Path) -> set[int]:
        """The reports in what would be found if the power went now."""
        shutil.rmtree(trial, ignore_errors=True)
        shutil.copytree(self.folder, trial)
        return kept(trial)


@contextmanager
def watched_disk(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Disk]:
    """Keep a copy of what is synced, in ``folder``."""
    folder.mkdir()
    disk = Disk(folder)
    with monkeypatch.context() as patched:
        patched.setattr(os, "fdatasync", disk.fdatasync)
        patched.setattr(os, "fsync", disk.fsync)
        try:
            yield disk
        finally:
            disk.release()
