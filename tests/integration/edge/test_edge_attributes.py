"""What devices say of themselves, read from servers of others: when they are asked, and what a refusal costs."""

import asyncio
from contextlib import asynccontextmanager

import pytest
from pymodbus import ModbusDeviceIdentification
from pymodbus.constants import ExcCodes
from pymodbus.server import ModbusTcpServer
from pymodbus.simulator import DataType, SimData, SimDevice
from structlog.testing import capture_logs

from device_profiles import registry
from simulators.devices import Line, serve
from simulators.field_bus import FieldLine
from simulators.field_twin import FieldUnit
from simulators.twin import Unit
from telemetry.clock import HOUR_NS, SECOND_NS, LockstepClock, SystemClock
from tests.integration.edge.commands import petrel
from tests.integration.edge.independent import built, running
from tests.integration.gateway_centre import until

START_NS = 1_700_000_000 * SECOND_NS
READ = """
attributes:
  serial: {register: holding 0x10 string 8}
  model: {register: holding 0x18 string 4 badc, encoding: gb18030}
  firmware: {register: holding 0x30 u16, scale: 0.01}
"""
IDENTIFIED = """
attributes:
  vendor: {identification: 0}
  revision: {identification: 2}
"""
SAID = {"serial": "SN-1", "model": "雷达", "firmware": "1.03"}
LEVEL = ("level", "holding 0 u16")


def bus(port: int, profile: str, period_s: float = 0.05, timeout_s: float = 0.3) -> str:
    device = f"{{name: dev1, profile: {profile}, unit: 1, station: s1, period_s: {period_s}}}"
    return (
        f"buses:\n  - name: one\n    timeout_s: {timeout_s}\n    tcp: {{host: 127.0.0.1, port: {port}}}\n"
        f"    devices:\n      - {device}\n"
    )


class Meter:
    """Unit 1 on a pymodbus server: its words, and which registers were read, each read as first and one past it."""

    def __init__(self) -> None:
        self.words = [0] * 0x40
        self.words[0], self.words[0x30] = 7, 103
        self.write(0x10, b"SN-1")
        self.write(0x18, b"".join(pair[::-1] for pair in (b"\xc0\xd7", b"\xb4\xef", b"  ", b"  ")))
        self.reads: list[tuple[int, int]] = []
        self.refused: set[int] = set()

    def write(self, at: int, data: bytes) -> None:
        for offset in range(0, len(data), 2):
            self.words[at + offset // 2] = int.from_bytes(data[offset : offset + 2], "big")

    @property
    def beyond(self) -> list[tuple[int, int]]:
        """Reads of anything but the point."""
        return [read for read in self.reads if read != (0, 1)]

    async def act(self, function, first, address, count, registers, written):
        self.reads.append((address, address + count))
        if self.refused & set(range(address, address + count)):
            return ExcCodes.ILLEGAL_ADDRESS
        registers[:] = self.words
        return None

    @asynccontextmanager
    async def serving(self, port: int = 0, identity: ModbusDeviceIdentification | None = None):
        registers = [SimData(0, values=list(self.words), datatype=DataType.REGISTERS)]
        bits = [SimData(0, values=[False], datatype=DataType.BITS)]
        device = SimDevice(1, simdata=(bits, bits, registers, registers), action=self.act)
        server = ModbusTcpServer([device], address=("127.0.0.1", port), identity=identity)
        assert await server.listen()
        try:
            yield server.transport.sockets[0].getsockname()[1]
        finally:
            await server.shutdown()


async def test_attributes_are_read_once_and_not_with_each_poll(profile, plans, polling):
    """As few requests as the line's cost makes sensible, beside polls that go on."""
    meter = Meter()
    async with meter.serving() as port:
        plan = plans(bus(port, profile(LEVEL, extra=READ)))
        async with polling(plan) as (acquisition, sink):
            assert acquisition.attributes() == {}, "not asked yet is not nothing to say"
            await until(acquisition.attributes)
            polled = len(sink.batches)
            await sink.until(lambda batches: len(batches) > polled + 10)
            assert acquisition.attributes() == {"dev1": SAID}
            assert acquisition.devices() == {"dev1": "ok"}
    assert meter.beyond == [(0x10, 0x31)]


async def test_holes_and_the_largest_read_are_respected(profile, plans, polling):
    meter = Meter()
    extra = f"{READ}max_registers: 8\nholes: [holding 0x1C-0x2F]\n"
    async with meter.serving() as port, polling(plans(bus(port, profile(LEVEL, extra=extra)))) as (acquisition, _):
        await until(acquisition.attributes)
    assert acquisition.attributes() == {"dev1": SAID}
    assert meter.beyond == [(0x10, 0x18), (0x18, 0x1C), (0x30, 0x31)]


async def test_a_device_that_comes_back_is_asked_again(profile, plans, polling):
    """Somebody may have put another one into its place."""
    meter, name = Meter(), profile(LEVEL, extra=READ)
    async with meter.serving() as port:
        pass
    async with polling(plans(bus(port, name))) as (acquisition, _):
        for serial in ("SN-1", "SN-2"):
            meter.write(0x10, serial.encode())
            async with meter.serving(port):
                await until(lambda serial=serial: acquisition.attributes().get("dev1", {}).get("serial") == serial)
            await until(lambda: acquisition.devices()["dev1"] != "ok")
        assert acquisition.attributes()["dev1"]["serial"] == "SN-2", "what is gone for a moment is not forgotten"
    assert len(meter.beyond) == 2


async def test_a_day_later_it_is_asked_again(profile, plans, polling):
    meter, clock = Meter(), LockstepClock(START_NS)
    async with meter.serving() as port:
        plan = plans(bus(port, profile(LEVEL, extra=READ), period_s=3600))
        async with polling(plan, clock) as (acquisition, sink), asyncio.timeout(20):
            await clock.run(START_NS + 23 * HOUR_NS)
            assert (len(meter.beyond), len(sink.batches)) == (1, 23)
            meter.write(0x10, b"SN-9")
            await clock.run(START_NS + 26 * HOUR_NS)
            assert acquisition.attributes()["dev1"]["serial"] == "SN-9"
    assert len(meter.beyond) == 2


async def test_a_refusal_costs_what_is_refused_and_is_said_once(profile, plans, polling):
    """P2: the rest is read, the device is well, and nobody asks again with each poll."""
    meter = Meter()
    meter.refused = {0x18}
    with capture_logs() as told:
        async with meter.serving() as port:
            plan = plans(bus(port, profile(LEVEL, extra=READ)))
            async with polling(plan) as (acquisition, sink):
                await until(acquisition.attributes)
                polled, asked = len(sink.batches), len(meter.beyond)
                await sink.until(lambda batches: len(batches) > polled + 10)
                assert acquisition.devices() == {"dev1": "ok"}
                assert len(meter.beyond) == asked
    assert acquisition.attributes() == {"dev1": {"serial": "SN-1", "firmware": "1.03"}}
    lines = [line for line in told if line["event"] == "device does not say its attributes"]
    assert [(line["device"], line["model"]) for line in lines] == [
        ("dev1", "device answered exception 2 (address)"),
    ]


async def test_a_device_identifies_itself(profile, plans, polling):
    """Function 43/14, as pymodbus speaks it; what it sends that can't be shown is shown as escapes."""
    name = {"VendorName": "Acme\x1b[31m", "ProductCode": "P-7", "MajorMinorRevision": "1.2"}
    meter = Meter()
    async with meter.serving(identity=ModbusDeviceIdentification(info_name=name)) as port:
        plan = plans(bus(port, profile(LEVEL, extra=IDENTIFIED)))
        async with polling(plan) as (acquisition, _):
            await until(acquisition.attributes)
            assert acquisition.attributes() == {"dev1": {"vendor": r"Acme\x1b[31m", "revision": "1.2"}}


async def test_a_converter_that_hangs_up_after_each_answer_is_opened_again(profile, plans, polling):
    """And is not asked who it is with each of its connections."""
    answers = []

    async def serve(reader, writer):
        try:
            request = await reader.readexactly(7)
            pdu = await reader.readexactly(request[5] - 1)
            data = b"\x04AB-1" if pdu[2] == 0x10 else b"\x02\0\7"
            writer.write(request[:4] + bytes((0, 2 + len(data))) + request[6:] + b"\3" + data)
            answers.append(pdu)
        except (asyncio.IncompleteReadError, ConnectionError, asyncio.CancelledError):
            return
        finally:
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    extra = "attributes:\n  serial: {register: holding 0x10 string 2}\nmax_registers: 2\n"
    async with server, polling(plans(bus(port, profile(LEVEL, extra=extra)))) as (acquisition, sink):
        await until(acquisition.attributes)
        seen = len(sink.batches)
        await sink.until(lambda batches: len(batches) > seen + 10)
        assert acquisition.attributes() == {"dev1": {"serial": "AB-1"}}
        assert acquisition.devices() == {"dev1": "ok"}
    assert len([pdu for pdu in answers if pdu[2] == 0x10]) == 1


async def test_devices_on_one_serial_line_identify_themselves(profile, plans, polling, tmp_path):
    """Frames of a length that nobody knows beforehand, on a line where nothing else says whose they are."""
    name = profile(LEVEL, extra=IDENTIFIED)
    known = registry.read(tmp_path / name)
    said = {n: {"vendor": "Acme", "revision": f"{n}." * n} for n in (1, 2, 3)}
    units = tuple(
        Unit(device=f"dev{n}", unit=n, profile=known, station=f"s{n}", points={}, attributes=said[n]) for n in said
    )
    line = Line(bus="port", transport="rtu", units=units)
    async with serve([line], lambda *_: 7.0, SystemClock(), tmp_path) as ends:
        devices = "".join(
            f"      - {{name: dev{n}, profile: {name}, unit: {n}, station: s{n}, period_s: 0.2}}\n" for n in said
        )
        plan = plans(f"buses:\n  - name: one\n    serial: {{port: {ends['port']}}}\n    devices:\n{devices}")
        async with polling(plan) as (acquisition, _):
            await until(lambda: len(acquisition.attributes()) == 3)
            assert acquisition.attributes() == {f"dev{n}": words for n, words in said.items()}
            assert set(acquisition.devices().values()) == {"ok"}
            assert acquisition.stats()["one"].line.garbled == 0


async def test_an_sdi12_sensor_on_a_bus_says_who_it_is(plans, polling, tmp_path):
    """Its twin does; nothing in its profile asks for it."""
    unit = FieldUnit(
        device="dev1", address="0", profile=registry.load("cs451"), station="s1", points={}, period_ns=SECOND_NS
    )
    line = FieldLine(bus="port", way="serial", units=(unit,))
    async with serve([line], lambda *_: 1.0, SystemClock(), tmp_path) as ends:
        text = f"buses:\n  - name: one\n    timeout_s: 1.0\n    serial: {{port: {ends['port']}}}\n    devices:\n"
        text += "      - {name: dev1, profile: cs451, address: '0', station: s1, period_s: 1.0}\n"
        async with polling(plans(text)) as (acquisition, _):
            await until(acquisition.attributes)
            said = acquisition.attributes()["dev1"]
            assert {
                "vendor": "PETREL",
                "model": "TWIN",
                "MC3": "2 values in 0 s",
                "MC3.2": "TW degC",
            }.items() <= said.items()
            assert "differs" not in said
            assert acquisition.devices() == {"dev1": "ok"}


@pytest.mark.parametrize("order", ["", " badc"])
async def test_a_text_on_libmodbus_which_knows_no_identification(profile, plans, polling, tmp_path, order):
    """The same text, high byte first or swapped; the refusal of function 43 takes nothing away."""
    place = 32 + 27 if order else 27
    extra = f"attributes:\n  serial: {{register: holding {place} string 5{order}}}\n  vendor: {{identification: 0}}\n"
    with capture_logs() as told:
        async with running(built(tmp_path), "tcp") as ready:
            port = int(ready.split()[1])
            # It answers a function that it does not know half a second late.
            plan = plans(bus(port, profile(("level", "input 0 u16"), extra=extra), timeout_s=2.0))
            async with polling(plan) as (acquisition, sink):
                await until(acquisition.attributes)
                await sink.until(lambda batches: len(batches) > 3)
                assert acquisition.devices() == {"dev1": "ok"}
    assert acquisition.attributes() == {"dev1": {"serial": "LM-2026-7"}}
    assert [line["vendor"] for line in told if "vendor" in line] == ["device answered exception 1 (function)"]


@pytest.mark.parametrize("hangs_up", [False, True])
async def test_silence_is_tried_twice_and_then_left(profile, plans, polling, hangs_up):
    """A device that answers its points and nothing else, or hangs up when it is asked for more (P18)."""
    asked = []

    async def serve(reader, writer):
        try:
            while request := await reader.readexactly(7):
                pdu = await reader.readexactly(request[5] - 1)
                if pdu[0] != 43:
                    writer.write(request[:4] + b"\0\5" + request[6:] + b"\3\2\0\7")
                    continue
                asked.append(pdu)
                if hangs_up:
                    return
        except (asyncio.IncompleteReadError, ConnectionError, asyncio.CancelledError):
            return
        finally:
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    with capture_logs() as told:
        plan = plans(bus(port, profile(LEVEL, extra=IDENTIFIED), timeout_s=0.05))
        async with server, polling(plan) as (acquisition, sink):
            await until(acquisition.attributes)
            seen = len(sink.batches)
            await sink.until(lambda batches: len(batches) > seen + 10)
            assert acquisition.devices() == {"dev1": "ok"}
            assert acquisition.attributes() == {"dev1": {}}
    assert asked == [b"\x2b\x0e\x01\x00"] * (4 if hangs_up else 2)
    assert len([line for line in told if line["event"] == "device does not say its attributes"]) == 1


async def test_a_tool_shows_them(tmp_path):
    """``petrel device read`` in the words of the device, and as JSON."""
    meter = Meter()
    meter.refused = {0x30}
    meter.write(0x10, b"SN\x1b[2J")
    profile = tmp_path / "meter.yaml"
    profile.write_text(PROFILE + READ, encoding="utf-8")
    async with meter.serving() as port:
        shown = await petrel("device", "read", profile, "--tcp", f"127.0.0.1:{port}")
        found = await petrel("device", "read", profile, "--tcp", f"127.0.0.1:{port}", "--json")
    assert (shown.code, found.code) == (0, 0)
    assert shown.out.splitlines()[-3:] == [
        r"serial: SN\x1b[2J",
        "model: 雷达",
        "firmware: not given, device answered exception 2 (address)",
    ]
    assert found.json["attributes"] == {"serial": r"SN\x1b[2J", "model": "雷达"}
    assert found.json["refuses"] == {"firmware": "device answered exception 2 (address)"}


PROFILE = """
name: meter
title: {zh: 试验, en: Test}
source: made up for tests
transports: [tcp]
points:
  - {name: level, quantity: water_level, unit: m, register: holding 0 u16, valid: [0, 1000]}
golden:
  - {frame: tcp, exchange: [{request: "00", answer: "00"}], values: {}, source: none}
"""
