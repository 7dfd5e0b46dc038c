"""Peers for the driver: scripted ones that misbehave on purpose, and pymodbus as the independent one."""

import asyncio
import os
import time
import tty
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import asynccontextmanager, suppress

import msgspec
import pytest
from pymodbus.server import ModbusSerialServer, ModbusTcpServer
from pymodbus.simulator import DataType, SimData, SimDevice
from structlog.testing import capture_logs

from device_profiles import model
from edge_agent.acquisition import Acquisition
from edge_agent.compile.buses import compile_buses
from edge_agent.compiled import BusPlan
from edge_agent.drivers.modbus import frames
from edge_agent.settings import BusSettings
from telemetry.batch import Batch
from telemetry.clock import Clock, SystemClock
from telemetry.settings import parse
from tests.integration.edge.followed import Log

Parts = Iterable[tuple[float, bytes]]
"""Bytes to send, each after a wait in seconds."""
Script = Callable[[bytes], Parts]


class Gateway(msgspec.Struct):
    buses: tuple[BusSettings, ...]


PROFILE = """
name: plain
title: {{zh: 试验, en: Test}}
source: made up for tests
transports: [tcp, rtu]
serial: {{baud: 115200}}
{extra}
points:
{points}
golden:
  - {{frame: rtu, exchange: [{{request: "00", answer: "00"}}], values: {{}}, source: none}}
"""


@pytest.fixture
def profile(tmp_path):
    """Write a profile of points ``(name, register)`` and give its file name."""

    def write(*points: tuple[str, str], extra: str = "", name: str = "plain") -> str:
        lines = "\n".join(
            f"  - {{name: {point}, quantity: water_level, unit: m, register: {register},"
            f" valid: [0, {model.register(register).type.high}]}}"
            for point, register in points
        )
        text = PROFILE.format(points=lines, extra=extra).replace("name: plain", f"name: {name}")
        (tmp_path / f"{name}.yaml").write_text(text, encoding="utf-8")
        return f"{name}.yaml"

    return write


@pytest.fixture
def plans(tmp_path):
    """Compile the ``buses`` of a YAML text."""

    def compiled(text: str) -> list[BusPlan]:
        document = parse(text, tmp_path / "gateway.yaml", Gateway)
        return compile_buses(document, "test", document.settings.buses)

    return compiled


class Sunk:
    """A sink that can be waited on."""

    def __init__(self) -> None:
        self.batches: list[Batch] = []
        self._more = asyncio.Event()

    def __call__(self, batch: Batch) -> None:
        self.batches.append(batch)
        self._more.set()

    async def until(self, enough: Callable[[list[Batch]], bool], within_s: float = 8.0) -> list[Batch]:
        async with asyncio.timeout(within_s):
            while not enough(self.batches):
                self._more.clear()
                await self._more.wait()
        return self.batches

    def values(self, series: int) -> list[float]:
        """The values of one series in order of arrival."""
        return [float(v) for batch in self.batches for v in batch.value[batch.series == series]]


@asynccontextmanager
async def _polling(buses: list[BusPlan], clock: Clock | None = None) -> AsyncIterator[tuple[Acquisition, Sunk]]:
    sink = Sunk()
    acquisition = Acquisition("test/gw", buses, clock or SystemClock(), sink)
    task = asyncio.create_task(acquisition.run())
    try:
        yield acquisition, sink
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


@pytest.fixture
def polling():
    """Run an acquisition over bus plans for the length of a ``with``."""
    return _polling


class RtuPeer:
    """The far end of a pseudo-terminal that answers as its script says; requests are kept with their times."""

    def __init__(self, script: Script) -> None:
        self.script = script
        self.requests: list[tuple[float, bytes]] = []
        self.sent: list[float] = []
        self.far, self._near = os.openpty()
        tty.setraw(self._near)
        os.set_blocking(self.far, False)
        self.port = os.ttyname(self._near)
        self._buffer = b""
        self._tasks: set[asyncio.Task[None]] = set()
        asyncio.get_running_loop().add_reader(self.far, self._read)

    def _read(self) -> None:
        self._buffer += os.read(self.far, 4096)
        while len(self._buffer) >= 8:  # every request of these tests is a read: eight bytes
            request, self._buffer = self._buffer[:8], self._buffer[8:]
            self.requests.append((time.monotonic(), request))
            task = asyncio.get_running_loop().create_task(self._send(self.script(request)))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _send(self, parts: Parts) -> None:
        for wait_s, data in parts:
            await asyncio.sleep(wait_s)
            os.write(self.far, data)
            self.sent.append(time.monotonic())

    async def close(self) -> None:
        asyncio.get_running_loop().remove_reader(self.far)
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        os.close(self.far)
        os.close(self._near)


@pytest.fixture
async def rtu_peer():
    """Make scripted serial peers."""
    peers: list[RtuPeer] = []

    def make(script: Script) -> RtuPeer:
        peers.append(RtuPeer(script))
        return peers[-1]

    yield make
    for peer in peers:
        await peer.close()


@pytest.fixture
async def tcp_peer():
    """Make scripted TCP peers: ``await tcp_peer(script)`` gives the port. The script sees whole requests of a size."""
    servers: list[asyncio.Server] = []

    async def make(script: Script, port: int = 0, size: int = 12) -> int:
        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            try:
                while request := await reader.readexactly(size):
                    for wait_s, data in script(request):
                        await asyncio.sleep(wait_s)
                        writer.write(data)
                        await writer.drain()
            except (asyncio.IncompleteReadError, ConnectionError, asyncio.CancelledError):
                return
            finally:
                writer.close()

        servers.append(await asyncio.start_server(serve, "127.0.0.1", port))
        return servers[-1].sockets[0].getsockname()[1]

    yield make
    for server in servers:
        server.close()


@pytest.fixture
async def converter():
    """Serve what a coroutine does with a connection: gives the port."""
    callers: set[asyncio.Task[None]] = set()
    servers: list[asyncio.Server] = []

    async def make(serve) -> int:
        async def one(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            callers.add(asyncio.current_task())
            with suppress(OSError, asyncio.IncompleteReadError):
                await serve(reader, writer)
            writer.close()

        servers.append(await asyncio.start_server(one, "127.0.0.1", 0))
        return servers[-1].sockets[0].getsockname()[1]

    yield make
    for server in servers:
        server.close()
    await asyncio.gather(*callers)


@pytest.fixture
def answering():
    """The right RTU answer to a read request: register ``a`` of unit ``u`` holds ``100 * u + a``."""

    def answer(request: bytes) -> bytes:
        unit, pdu = frames.unwrap_rtu(request)
        call = frames.decode_request(unit, pdu)
        words = [100 * unit + at & 0xFFFF for at in range(call.address, call.address + call.count)]
        payload = b"".join(word.to_bytes(2, "big") for word in words)
        return frames.wrap_rtu(unit, frames.encode_answer(call, payload))

    return answer


def sim_device(unit: int) -> SimDevice:
    """Registers 0 to 9 hold ``100 * unit + address`` in both register tables, odd coils and inputs 0 to 15 are on."""
    registers = [100 * unit + at for at in range(10)]
    bits = [bool(at % 2) for at in range(16)]
    return SimDevice(
        unit,
        simdata=(
            [SimData(0, values=bits, datatype=DataType.BITS)],
            [SimData(0, values=bits, datatype=DataType.BITS)],
            [SimData(0, values=registers, datatype=DataType.REGISTERS)],
            [SimData(0, values=registers, datatype=DataType.REGISTERS)],
        ),
    )


@pytest.fixture
async def pymodbus_tcp():
    """Make pymodbus TCP servers for some units: gives the server and its port."""
    servers: list[ModbusTcpServer] = []

    async def make(*units: int, port: int = 0) -> tuple[ModbusTcpServer, int]:
        server = ModbusTcpServer([sim_device(unit) for unit in units], address=("127.0.0.1", port))
        assert await server.listen()
        servers.append(server)
        return server, server.transport.sockets[0].getsockname()[1]

    yield make
    for server in servers:
        await server.shutdown()


def _bridge(left: int, right: int) -> Callable[[], None]:
    """Carry bytes between the masters of two pseudo-terminals."""
    loop = asyncio.get_running_loop()
    for here, there in ((left, right), (right, left)):
        os.set_blocking(here, False)
        loop.add_reader(here, lambda here=here, there=there: os.write(there, os.read(here, 4096)))

    def undo() -> None:
        loop.remove_reader(left)
        loop.remove_reader(right)

    return undo


@pytest.fixture
async def pymodbus_rtu():
    """Make a pymodbus serial server for some units behind a pair of pseudo-terminals: gives the name of our port."""
    undo: list[Callable[[], Awaitable[None] | None]] = []

    async def make(*units: int) -> str:
        (left, ours), (right, theirs) = os.openpty(), os.openpty()
        for end in (ours, theirs):
            tty.setraw(end)
        stop = _bridge(left, right)
        server = ModbusSerialServer([sim_device(unit) for unit in units], port=os.ttyname(theirs), baudrate=115200)
        await server.listen()

        async def close() -> None:
            await server.shutdown()
            stop()
            for end in (left, ours, right, theirs):
                os.close(end)

        undo.append(close)
        return os.ttyname(ours)

    yield make
    for one in undo:
        await one()


@pytest.fixture
async def log():
    """Follow an acquisition."""
    opened = []
    with capture_logs() as told:
        yield lambda plans: opened.append(Log(plans, told)) or opened[-1]
        for one in opened:
            await one.close()
