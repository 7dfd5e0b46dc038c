"""Counting detectors on Modbus TCP, written from the specification alone, so that what a poll must bring is known here.

Frames: MODBUS Messaging on TCP/IP Implementation Guide V1.0b, 3.1.3; MODBUS Application Protocol V1.1b3, 6.3 and 7.
Registers 0 and 1 hold a counter (most significant first) that every read moves on, register 2 the gas in 0.1 %LEL.
"""

import asyncio
import struct
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import NamedTuple

HEADER = struct.Struct(">HHHB")
READ = struct.Struct(">BHH")
WHOLE = (3, 0, 3)
"""Function, first register, registers: the one request that is answered."""
QUIET, LEAK = 50, 300
LEAK_READS = (1, 1, 24)
"""A leak lasts for one read, so that its alarm hangs on a single row, or over some kills: device by device in turn."""


class Answer(NamedTuple):
    """What a device said when (UTC, ns): ``gas`` in 0.1 %LEL."""

    at_ns: int
    gas: int


@dataclass
class Device:
    """A detector and all that it ever said; the counter of an answer is its place in ``answers``, from 1."""

    station: str
    unit: int
    answers: list[Answer] = field(default_factory=list)
    leak_from: int | None = None
    """The counter of the first answer that tells of the leak."""
    told: asyncio.Event = field(default_factory=asyncio.Event)
    """Whether an answer has told of it."""

    @property
    def leak_reads(self) -> int:
        """How many reads the leak lasts, however long the gateway is away meanwhile."""
        return LEAK_READS[self.unit % len(LEAK_READS)]

    def leak(self) -> None:
        """Gas from the next answer on."""
        self.leak_from = len(self.answers) + 1

    @property
    def leaking(self) -> list[Answer]:
        """The answers that told of the leak."""
        return [] if self.leak_from is None else self.answers[self.leak_from - 1 :][: self.leak_reads]

    @property
    def is_sealed(self) -> bool:
        """Whether there was a leak, and it has been told to its end."""
        return len(self.leaking) == self.leak_reads

    def read(self) -> bytes:
        """The three registers of the next answer."""
        counter = len(self.answers) + 1
        leaking = self.leak_from is not None and self.leak_from <= counter < self.leak_from + self.leak_reads
        self.answers.append(Answer(time.time_ns(), LEAK if leaking else QUIET))
        if leaking:
            self.told.set()
        return struct.pack(">IH", counter, self.answers[-1].gas)


@dataclass
class Plant:
    """The buses of a site: each a TCP port with some devices behind it."""

    buses: list[list[Device]]
    ports: list[int] = field(default_factory=list)
    servers: list[asyncio.Server] = field(default_factory=list)
    lines: set[asyncio.StreamWriter] = field(default_factory=set)

    @property
    def devices(self) -> list[Device]:
        """All of them."""
        return [device for bus in self.buses for device in bus]

    @property
    def spoke_ns(self) -> int:
        """When a device last answered."""
        return max(device.answers[-1].at_ns for device in self.devices if device.answers)

    async def open(self) -> None:
        """Listen."""
        for bus in self.buses:
            units = {device.unit: device for device in bus}
            server = await asyncio.start_server(lambda *line, units=units: self._serve(units, *line), "127.0.0.1", 0)
            self.servers.append(server)
            self.ports.append(server.sockets[0].getsockname()[1])

    def close(self) -> None:
        """Say nothing more."""
        for server in self.servers:
            server.close()
        for line in self.lines:
            line.transport.abort()

    async def _serve(
        self, units: dict[int, Device], reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        self.lines.add(writer)
        with suppress(ConnectionError, asyncio.IncompleteReadError):
            while True:
                transaction, protocol, length, unit = HEADER.unpack(await reader.readexactly(HEADER.size))
                request = READ.unpack(await reader.readexactly(length - 1))
                writer.write(answer(transaction, protocol, unit, request, units[unit]))
        self.lines.discard(writer)
        writer.close()


def answer(transaction: int, protocol: int, unit: int, request: Sequence[int], device: Device) -> bytes:
    """The frame that answers a request; anything but the whole table is an illegal address (exception 2)."""
    if tuple(request) != WHOLE:
        return HEADER.pack(transaction, protocol, 3, unit) + bytes([request[0] | 0x80, 2])
    data = device.read()
    return HEADER.pack(transaction, protocol, 3 + len(data), unit) + bytes([request[0], len(data)]) + data


@asynccontextmanager
async def plant(buses: int, units: int) -> AsyncIterator[Plant]:
    """A plant with so many buses of so many devices each, a station to every device."""
    made = [[Device(f"st-{bus}-{unit}", unit) for unit in range(1, units + 1)] for bus in range(buses)]
    running = Plant(made)
    await running.open()
    try:
        yield running
    finally:
        running.close()
