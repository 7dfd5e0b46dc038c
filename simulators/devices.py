"""Simulated devices on real sockets and real pseudo-terminals; those that speak Modbus by pymodbus's servers.

pymodbus is the peer on purpose: it shares no code with our driver. Values are computed at the moment of the read, from
the world at the clock's data time. A unit that is not on a line stays silent there, as on RS-485. Devices of other
protocols stand in ``simulators.field_bus``.
"""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final, Literal, NamedTuple, cast

import numpy as np
from pymodbus.server import ModbusSerialServer, ModbusTcpServer
from pymodbus.server.base import ModbusBaseServer

from simulators import faults, field_bus
from simulators.bench import Bench
from simulators.bus import Bus
from simulators.field_bus import FieldLine
from simulators.pty import SerialLine, connect
from simulators.twin import Observe, Unit
from telemetry.clock import Clock

_LOOPBACK: Final = "127.0.0.1"


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """The devices of one bus: a serial line, or a TCP port (0: any free one) of an address of this machine.

    On a serial line with a ``baud`` they are deaf at every other rate.
    """

    bus: str
    transport: Literal["tcp", "rtu"]
    units: tuple[Unit, ...]
    port: int = 0
    host: str = _LOOPBACK
    baud: int | None = None


class TcpEndpoint(NamedTuple):
    """Where a bus answers."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"{self.host}:{self.port}"


class SerialEndpoint(NamedTuple):
    """The name of a serial port; stable, though the terminal behind it is not."""

    path: Path

    def __str__(self) -> str:
        return str(self.path)


Endpoint = TcpEndpoint | SerialEndpoint


@asynccontextmanager
async def serve(
    lines: Sequence[Line | FieldLine],
    observe: Observe,
    clock: Clock,
    folder: Path,
    *,
    broken: faults.Faults = faults.none,
    seed: int = 0,
) -> AsyncIterator[Mapping[str, Endpoint]]:
    """Run all devices; gives the endpoint of each bus by name. Serial ports appear in ``folder`` under the bus's name.

    The endpoint of devices that call is where a gateway must listen for them. Raises OSError when a port is taken.
    """
    async with AsyncExitStack() as stack:
        endpoints: dict[str, Endpoint] = {}
        for number, line in enumerate(lines):
            bench = Bench(observe=observe, clock=clock, broken=broken, rng=np.random.default_rng([seed, number]))
            opened = _field(line, bench, folder) if isinstance(line, FieldLine) else _modbus(line, bench, folder)
            endpoints[line.bus] = await stack.enter_async_context(opened)
        yield endpoints


@asynccontextmanager
async def _field(line: FieldLine, bench: Bench, folder: Path) -> AsyncIterator[Endpoint]:
    async with field_bus.serve(line, bench, folder / line.bus) as end:
        yield SerialEndpoint(end) if isinstance(end, Path) else TcpEndpoint(*end)


def _modbus(line: Line, bench: Bench, folder: Path) -> AbstractAsyncContextManager[Endpoint]:
    tcp = line.transport == "tcp"
    bus = Bus(line.units, bench.observe, bench.clock, bench.broken, bench.rng, tcp=tcp)
    return _tcp(line, bus) if tcp else _rtu(line, bus, folder)


@asynccontextmanager
async def _tcp(line: Line, bus: Bus) -> AsyncIterator[Endpoint]:
    server = ModbusTcpServer(
        bus.devices(), address=(line.host, line.port), trace_packet=bus.trace, custom_pdu=bus.pdus()
    )
    bus.late = partial(_send, server)
    if not await server.listen():
        raise OSError(f"bus {line.bus}: {line.host} port {line.port} is taken or not ours, expected a free one")
    try:
        listener = cast("asyncio.Server", server.transport)
        yield TcpEndpoint(*listener.sockets[0].getsockname()[:2])
    finally:
        await server.shutdown()  # type: ignore[no-untyped-call]  # pymodbus leaves it out


@asynccontextmanager
async def _rtu(line: Line, bus: Bus, folder: Path) -> AsyncIterator[Endpoint]:
    wire = SerialLine(folder / line.bus, line.baud)
    server = ModbusSerialServer(bus.devices(), port=str(wire.path), trace_packet=bus.trace, custom_pdu=bus.pdus())
    bus.late = partial(_send, server)
    # pymodbus opens ports by name, and the far end of a pseudo-terminal has none: give it the end itself.
    server.call_create = partial(connect, wire, server.handle_new_connection)
    try:
        await server.listen()
        yield SerialEndpoint(wire.path)
    finally:
        await server.shutdown()  # type: ignore[no-untyped-call]  # pymodbus leaves it out
        wire.close()


def _send(server: ModbusBaseServer, packet: bytes) -> None:
    """Send a packet to whoever is connected."""
    for handler in server.active_connections.values():
        if handler.transport is not None:
            handler.send(packet)
