"""How much of a serial line's time polls use, and what one dead unit of 32 costs the others.

    python benchmarks/line_use.py [--seconds 8] [--repeats 3]

The devices are a process of their own at the far end of a pseudo-terminal, which has no speed: so they keep it. An
answer begins when the request would have left the line and the turnaround is over, and comes in blocks of 16 bytes,
each when its last character would have.

Possible is what the line allows: for each exchange its request and answer in characters, the stated turnaround, and one
silent interval (MODBUS over Serial Line V1.02, 2.5.1.1). A bus of 32 units with 30 registers each is asked so often
that it is never idle.
"""

import argparse
import asyncio
import multiprocessing
import os
import platform
import struct
import sys
import tempfile
import time
import tty
from collections.abc import Sequence
from multiprocessing.connection import Connection
from pathlib import Path
from statistics import median
from typing import Final, NamedTuple

import msgspec
import numpy as np
import structlog

from edge_agent.acquisition import Acquisition
from edge_agent.compile.buses import compile_buses
from edge_agent.compiled import AnyBusPlan
from edge_agent.settings import BusSettings, DeviceSettings, SerialSettings
from petrel.run import run as run_until_done
from telemetry.batch import I64, Batch
from telemetry.clock import SystemClock
from telemetry.settings import Document

_UNITS: Final = 32
_REGISTERS: Final = 30
_TURNAROUND_S: Final = 5e-3
_BLOCK: Final = 16
_BITS: Final = 10
_REQUEST_BYTES, _ANSWER_BYTES = 8, 5 + 2 * _REGISTERS
_SETTLE_S: Final = 3.0
_SPAWN: Final = multiprocessing.get_context("spawn")
_PROFILE: Final = """
name: meter
title: {{zh: 试验, en: Test}}
source: made up for this benchmark
transports: [rtu]
serial: {{baud: 9600}}
points:
{points}
golden:
  - {{frame: rtu, exchange: [{{request: "00", answer: "00"}}], values: {{}}, source: none}}
"""


class Gateway(msgspec.Struct):
    """As much of a gateway's settings as the bus needs."""

    buses: tuple[BusSettings, ...]


class Case(NamedTuple):
    """A line and who is dead on it."""

    baud: int
    dead: frozenset[int] = frozenset()

    @property
    def character_s(self) -> float:
        """One character of ten bits."""
        return _BITS / self.baud

    @property
    def silence_s(self) -> float:
        """Between frames; fixed above 19200 baud."""
        return 1.75e-3 if self.baud > 19_200 else 3.5 * self.character_s

    @property
    def exchange_s(self) -> float:
        """What one request with its answer takes at least."""
        return (_REQUEST_BYTES + _ANSWER_BYTES) * self.character_s + _TURNAROUND_S + self.silence_s


def crc(frame: bytes) -> bytes:
    """Of a Modbus frame; the devices share nothing with the driver."""
    value = 0xFFFF
    for byte in frame:
        value ^= byte
        for _ in range(8):
            value = (value >> 1) ^ 0xA001 if value & 1 else value >> 1
    return struct.pack("<H", value)


class Line:
    """The far end: all units of one line."""

    def __init__(self, case: Case, far: int) -> None:
        self._case, self._far = case, far
        body = bytes(range(2 * _REGISTERS))
        frames = {unit: bytes((unit, 3, len(body))) + body for unit in range(1, _UNITS + 1)}
        self._answers = {unit: frame + crc(frame) for unit, frame in frames.items() if unit not in case.dead}

    def heard(self) -> None:
        """A request: answer it in its time."""
        request = os.read(self._far, 256)
        answer = self._answers.get(request[0])
        if len(request) != _REQUEST_BYTES or answer is None:
            return
        case, loop = self._case, asyncio.get_running_loop()
        begins = loop.time() + _REQUEST_BYTES * case.character_s + _TURNAROUND_S
        for at in range(0, len(answer), _BLOCK):
            block = answer[at : at + _BLOCK]
            loop.call_at(begins + (at + len(block)) * case.character_s, os.write, self._far, block)


def serve(pipe: Connection, case: Case) -> None:
    """The process of the devices: tells the port."""

    async def forever() -> None:
        far, near = os.openpty()
        tty.setraw(near)
        asyncio.get_running_loop().add_reader(far, Line(case, far).heard)
        pipe.send(os.ttyname(near))
        await asyncio.Event().wait()

    run_until_done(forever())


class Count:
    """A sink that counts polls by unit: those that brought readings."""

    def __init__(self, plan: AnyBusPlan) -> None:
        self._unit = {int(device.ids[0]): number for number, device in enumerate(plan.devices)}
        self.polls = np.zeros(_UNITS, np.int64)

    def __call__(self, batch: Batch) -> None:
        """Take what one bus read at a moment."""
        for series, value in zip(batch.series.tolist(), batch.value.tolist(), strict=True):
            if series in self._unit and value == value:
                self.polls[self._unit[series]] += 1


def bus(port: str, case: Case, folder: Path) -> AnyBusPlan:
    """A bus of all units, each due so often that the line is never idle."""
    points = "\n".join(
        f"  - {{name: p{at}, quantity: water_level, unit: m, register: holding {at} u16, valid: [0, 65535]}}"
        for at in range(_REGISTERS)
    )
    (folder / "meter.yaml").write_text(_PROFILE.format(points=points), encoding="utf-8")
    period_s = 0.9 * _UNITS * case.exchange_s
    devices = tuple(
        DeviceSettings(name=f"u{unit}", profile="meter.yaml", unit=unit, station=f"s{unit}", period_s=period_s)
        for unit in range(1, _UNITS + 1)
    )
    settings = Gateway(
        (BusSettings(name="line", serial=SerialSettings(port=port, baud=case.baud), timeout_s=0.3, devices=devices),)
    )
    return compile_buses(Document(folder / "gateway.yaml", settings, {}), "bench", settings.buses)[0]


async def measure(plan: AnyBusPlan, seconds: float) -> tuple[I64, float]:
    """Polls of each unit that brought readings, and the seconds that they took."""
    count = Count(plan)
    acquisition = Acquisition("bench/gw", [plan], SystemClock(), count)
    async with asyncio.TaskGroup() as tasks:
        running = tasks.create_task(acquisition.run())
        await asyncio.sleep(_SETTLE_S)
        before, begun = count.polls.copy(), time.monotonic()
        await asyncio.sleep(seconds)
        polls, took = count.polls - before, time.monotonic() - begun
        running.cancel()
    return polls, took


def run(case: Case, seconds: float, folder: Path) -> tuple[I64, float]:
    """One measurement with fresh devices."""
    ours, theirs = _SPAWN.Pipe()
    process = _SPAWN.Process(target=serve, args=(theirs, case), daemon=True)
    process.start()
    try:
        found = run_until_done(measure(bus(ours.recv(), case, folder), seconds))
    finally:
        process.terminate()
        process.join()
    if found is None:
        sys.exit("interrupted")
    return found


def spread(values: Sequence[float]) -> str:
    """Median, least and most, in per cent."""
    return f"{median(values):6.1%} ({min(values):.1%}-{max(values):.1%})"


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=8.0)
    parser.add_argument("--repeats", type=int, default=3)
    options = parser.parse_args()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(50))
    machine = f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}"
    print(f"{machine}, load {os.getloadavg()[0]:.1f}")
    print(f"{_UNITS} units, {_REGISTERS} registers each, turnaround {1000 * _TURNAROUND_S:g} ms\n")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for baud in (9_600, 19_200, 115_200):
            case = Case(baud)
            uses = []
            for _ in range(options.repeats):
                polls, took = run(case, options.seconds, folder)
                uses.append(polls.sum() * case.exchange_s / took)
            print(f"line use at {baud:6d} baud, of what is possible:  {spread(uses)}")
        alive = [unit - 1 for unit in range(1, _UNITS + 1) if unit != 7]
        losses = []
        for _ in range(options.repeats):
            healthy, took = run(Case(19_200), options.seconds, folder)
            rest, took_too = run(Case(19_200, frozenset({7})), options.seconds, folder)
            losses.append(1 - (rest[alive].sum() / took_too) / (healthy[alive].sum() / took))
        print(f"healthy units lose by one dead of {_UNITS} at 19200:   {spread(losses)}")


if __name__ == "__main__":
    main()
