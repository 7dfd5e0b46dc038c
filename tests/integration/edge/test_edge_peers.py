"""Against Modbus that others wrote and that shares nothing with ours: libmodbus, and ``modbus-serial`` of npm.

Theirs ask our simulated devices, and our driver asks theirs. (pymodbus: ``test_edge_pymodbus.py``.)
"""

import os
import tty

import numpy as np
import pytest

from device_profiles import registry
from device_profiles.check import varied
from edge_agent.drivers.modbus import frames
from edge_agent.drivers.modbus.driver import Call
from edge_agent.opened import modbus_line
from simulators.devices import Line, serve
from simulators.twin import Unit
from telemetry.clock import LockstepClock
from telemetry.quality import Cause, Quality
from tests.integration.edge.conftest import _bridge
from tests.integration.edge.independent import Mbpoll, built, installed, javascript, running

START_NS = 1_690_459_200 * 10**9
ORDERS = ("abcd", "badc", "cdab", "dcba")
EACH = 32
NUMBERS = {
    "u16": (0, 60001),
    "s16": (1, -12345),
    "u32": (2, 4000000001),
    "s32": (4, -2000000001),
    "f32": (6, -1234.5),
    "u64": (8, 9007199254740991),
    "s64": (12, -4503599627370495),
    "f64": (16, -1234.56789),
    "bcd16": (20, 1234),
    "bcd32": (21, 12345678),
    "bcd64": (23, 1234567890123456),
}
"""Where the server on libmodbus keeps each type, and what it holds."""
BYTES = {"holding 0 u8 high": 60001 >> 8, "holding 0 u8 low": 60001 & 255, "holding 1 s8 low": (-12345 & 255) - 256}
BITS = {
    "coil 1": 1,
    "coil 30": 0,
    "discrete 3": 1,
    "discrete 31": 0,
    "input 7 u16": 1007,
    "input 2 u32": 1002 << 16 | 1003,
}
REFUSED = "holding 200 u16"


@pytest.fixture(scope="module")
def libmodbus(tmp_path_factory):
    return built(tmp_path_factory.mktemp("libmodbus"))


@pytest.fixture(scope="module")
def npm(tmp_path_factory):
    folder = tmp_path_factory.mktemp("npm")
    return installed(folder), folder


@pytest.fixture
async def terminals():
    """Two serial ports with a line between them."""
    (left, ours), (right, theirs) = os.openpty(), os.openpty()
    for end in (ours, theirs):
        tty.setraw(end)
    undo = _bridge(left, right)
    yield os.ttyname(ours), os.ttyname(theirs)
    undo()
    for end in (left, ours, right, theirs):
        os.close(end)


def everything() -> dict[str, float]:
    """Registers of all tables, types and orders of the server on libmodbus, with their values."""
    numbers = {
        f"holding {EACH * at + place} {kind} {order}": value
        for at, order in enumerate(ORDERS)
        for kind, (place, value) in NUMBERS.items()
    }
    return numbers | BYTES | BITS


def bus(end: str, profile: str, unit: int = 1) -> str:
    device = f"{{name: dev, profile: {profile}, unit: {unit}, station: s, period_s: 0.1}}"
    return f"buses: [{{name: one, timeout_s: 2, {end}, devices: [{device}]}}]"


async def polled(plan, polling):
    """Values, qualities and causes of the second poll, and what the device is said to be."""
    async with polling([plan]) as (acquisition, sink):
        batches = await sink.until(lambda got: len(got) >= 2, 20)
    last = batches[1]
    return last.value, last.quality.tolist(), last.cause.tolist(), acquisition.devices()["dev"]


async def holds_everything(end: str, profile, plans, polling) -> None:
    wanted = everything()
    registers = {f"p{at}": register for at, register in enumerate((*wanted, REFUSED))}
    (plan,) = plans(bus(end, profile(*registers.items())))
    value, quality, cause, state = await polled(plan, polling)
    assert dict(zip(wanted, value[:-1].tolist(), strict=True)) == wanted
    assert np.isnan(value[-1])
    assert (quality[-1], cause[-1]) == (Quality.MISSING, Cause.DEVICE)
    assert "refuses holding 0x00c8" in state


async def writes_are_echoed_and_kept(plan) -> None:
    """Functions 5, 6, 15 and 16, and what a read finds afterwards."""
    line = modbus_line(plan.line, 2.0)
    await line.connect()
    try:
        for write in (
            frames.Write(1, frames.WRITE_COIL, 0, (1,)),
            frames.Write(1, frames.WRITE_COILS, 4, (1, 1, 0, 1, 0, 0, 0, 0, 1, 0)),
            frames.Write(1, frames.WRITE_REGISTER, 0, (0xBEEF,)),
            frames.Write(1, frames.WRITE_REGISTERS, 1, (1, 2, 65535)),
        ):
            assert await line.transact(Call.of(write)) == b""
        bits = await line.transact(Call.of(frames.Read(1, frames.READ_COILS, 0, 14)))
        assert frames.unpack_bits(bits, 14) == (1, 1, 0, 1, 1, 1, 0, 1, 0, 0, 0, 0, 1, 0)
        words = await line.transact(Call.of(frames.Read(1, frames.READ_HOLDING, 0, 4)))
        assert words.hex() == "beef00010002ffff"
        with pytest.raises(frames.ExceptionAnswerError, match="address"):
            await line.transact(Call.of(frames.Write(1, frames.WRITE_REGISTER, 300, (0,))))
    finally:
        line.close()


async def test_libmodbus_over_tcp_in_every_table_type_and_order(libmodbus, profile, plans, polling):
    """P2: the register that it refuses is MISSING, and takes none of the others along."""
    async with running(libmodbus, "tcp") as ready:
        end = f"tcp: {{host: 127.0.0.1, port: {ready.removeprefix('ready ')}}}"
        await holds_everything(end, profile, plans, polling)
        (plan,) = plans(bus(end, profile(("a", "holding 0 u16"))))
        await writes_are_echoed_and_kept(plan)


async def test_libmodbus_over_a_serial_line_in_every_table_type_and_order(
    libmodbus, terminals, profile, plans, polling
):
    ours, theirs = terminals
    async with running(libmodbus, "rtu", theirs):
        end = f"serial: {{port: {ours}, baud: 115200}}"
        await holds_everything(end, profile, plans, polling)
        (plan,) = plans(bus(end, profile(("a", "holding 0 u16"))))
        await writes_are_echoed_and_kept(plan)


@pytest.fixture
def simulated(profile, tmp_path):
    """Run a flow meter, a weather station, a relay and two contacts on one bus."""
    contacts = tmp_path / profile(("open", "discrete 0"), ("closed", "discrete 1"))

    def run(transport):
        profiles = [*map(registry.load, ("tuf-2000m", "elsner-p03", "waveshare-relay-d")), registry.read(contacts)]
        units = tuple(
            Unit(device=one.name, unit=at, profile=varied(one, None), station=one.name, points={})
            for at, one in enumerate(profiles, 1)
        )
        return serve([Line(bus="bus", transport=transport, units=units)], seen, LockstepClock(START_NS), tmp_path)

    return run


def seen(_station, point, *_):
    return {"velocity": -1.25, "temperature": -5.5, "wind-speed": 12.3, "closed": 1.0}.get(point, 0.0)


@pytest.mark.parametrize("transport", ["tcp", "rtu"])
async def test_mbpoll_reads_and_switches_simulated_devices(transport, simulated):
    async with simulated(transport) as endpoints:
        where = endpoints["bus"]
        tcp = ("-m", "tcp", "-p", str(where.port), where.host) if transport == "tcp" else ()
        mbpoll = Mbpoll(*(tcp or ("-m", "rtu", "-b", "115200", "-P", "none", str(where.path))))
        assert await mbpoll.read(1, "4:float", 4) == [-1.25]
        assert (await mbpoll.read(2, "3", 5)) == [123]
        assert await mbpoll.read(4, "1", 0, 2) == [0, 1]
        assert "Written 1" in await mbpoll.say(3, "0", 2, 1, 1)
        assert await mbpoll.read(3, "0", 0, 4) == [0, 0, 1, 0]
        assert "Illegal data address" in await mbpoll.say(2, "3", 0x3000)


async def test_modbus_serial_reads_simulated_devices(npm, simulated):
    node, folder = npm
    async with simulated("tcp") as endpoints:
        answers = await javascript(
            node,
            folder,
            endpoints["bus"].port,
            (2, "readInputRegisters", 5, 1),
            (2, "readInputRegisters", 0, 1),
            (1, "readHoldingRegisters", 4, 2),
            (4, "readDiscreteInputs", 0, 2),
            (3, "readCoils", 0, 3),
            (2, "readInputRegisters", 0x3000, 1),
        )
    float_words = np.array([-1.25], ">f4").view(">u2")[::-1].tolist()
    assert answers == [[123], [65536 - 55], float_words, [False, True], [False, False, False], {"code": 2}]


async def test_modbus_serial_is_read_in_every_table(npm, profile, plans, polling):
    node, folder = npm
    registers = {"holding 0 u16": 700, "holding 9 u32": 709 << 16 | 710, "input 3 s16": 703, "coil 1": 1, "coil 4": 0}
    registers |= {"discrete 9": 1, "discrete 10": 0}
    async with running(node, "server.js", cwd=folder) as port:
        points = {f"p{at}": register for at, register in enumerate((*registers, "holding 60 u16"))}
        text = bus(f"tcp: {{host: 127.0.0.1, port: {port}}}", profile(*points.items()), unit=7)
        value, _, cause, state = await polled(*plans(text), polling)
    assert dict(zip(registers, value[:-1].tolist(), strict=True)) == registers
    assert np.isnan(value[-1])
    assert cause[-1] == Cause.DEVICE
    assert "refuses holding 0x003c" in state
