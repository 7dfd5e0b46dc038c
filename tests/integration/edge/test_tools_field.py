"""The field tools on devices of other protocols, and beside a gateway that runs; simulated devices on real lines."""

import asyncio
import json
import signal
from contextlib import asynccontextmanager

import pytest

from device_profiles import registry
from simulators.devices import serve
from simulators.field_bus import FieldLine
from simulators.field_twin import FieldUnit
from telemetry.clock import SECOND_NS, SystemClock
from tests.integration.edge.commands import PETREL, petrel
from tests.integration.edge.test_tools_bus import GATEWAY
from tests.integration.gateway_centre import until

METER, LOGGER = "000000000161", "A1B2C3D4E5F60718"


def flat(station: str, point: str, quantity: str, time_ns: int) -> float:
    """A world in which everything is 3."""
    return 3.0


@asynccontextmanager
async def simulated(folder, profile: str, address: str, way: str, period_s: float = 1.0):
    """One device; gives its line, or where it calls."""
    unit = FieldUnit(
        device="one", address=address, profile=registry.load(profile), station="here", points={},
        period_ns=int(period_s * SECOND_NS),
    )  # fmt: skip
    async with serve([FieldLine(bus="line", way=way, units=(unit,))], flat, SystemClock(), folder) as endpoints:
        yield str(endpoints["line"])


@pytest.fixture
def gateway(tmp_path):
    """Write a gateway with one device, and give its file."""

    def write(line: str, profile: str, address: str) -> str:
        device = f"      - {{name: one, profile: {profile}, address: {address!r}, station: here, period_s: 60}}"
        path = tmp_path / "gateway.yaml"
        path.write_text(GATEWAY.format(line=line, devices=device), encoding="utf-8")
        return str(path)

    return write


async def test_a_meter_is_found_read_and_traced(tmp_path, gateway):
    """Without Modbus: the meter is asked who it is, its profile fits, and its frames are kept as they are."""
    async with simulated(tmp_path, "dlt645-meter", METER, "serial") as port:
        scanned = await petrel(
            "bus", "scan", "--serial", port, "--protocol", "dlt645", "--baud", 115200, "--timeout", 1, "--json"
        )
        read = await petrel(
            "device", "read", "dlt645-meter", "--serial", port, "--address", METER, "--baud", 115200, "--json"
        )
        traced = await petrel("bus", "trace", gateway(f"serial: {{port: {port}, baud: 115200}}", "dlt645-meter", METER))
        benched = await petrel(
            "bus",
            "bench",
            gateway(f"serial: {{port: {port}, baud: 115200}}", "dlt645-meter", METER),
            "--json",
            "--seconds",
            0.5,
        )
    (found,) = scanned.json["found"]
    assert found["address"] == METER
    assert [fit["profile"] for fit in found["fits"]] == ["dlt645-meter"]
    assert read.code == 0, read.err
    values = {one["point"]: one["value"] for one in read.json["values"]}
    assert len(values) > 3
    assert all(value == pytest.approx(3.0, rel=0.01) for value in values.values())
    assert traced.code == 0
    assert "68 61 01 00 00 00 00 68 11" in traced.out
    assert "== one: " in traced.out
    assert benched.json["requests"] > 0
    assert benched.json["use"] > 0


async def test_a_logger_is_heard_recorded_and_called_again(tmp_path, gateway):
    """What a logger sent is called in again from its recording; nobody acknowledged it on the way."""
    recording = tmp_path / "line.jsonl"
    async with simulated(tmp_path, "hj212-air", LOGGER, "listen") as where:
        host, port = where.split(":")
        line = f"listen: {{host: {host}, port: {port}}}"
        traced = await petrel(
            "bus", "trace", gateway(line, "hj212-air", LOGGER), "--out", recording, "--json", "--wait", 20
        )
    assert traced.code == 0, traced.err
    frames = [json.loads(one) for one in traced.out.splitlines()]
    assert frames[0]["way"] == "in"
    assert frames[0]["says"].startswith("##")
    assert all(one.get("way") != "out" for one in frames)
    reading = asyncio.create_task(
        petrel("device", "read", "hj212-air", "--listen", where, "--address", LOGGER, "--wait", 20, "--json")
    )
    while not reading.done():  # until somebody listens
        called = await petrel("sim", "replay", recording, "--call", where, "--speed", 10)
        assert called.code == 0 or "Connection refused, expected a gateway that listens" in called.refusal
    ended = await reading
    assert ended.code == 0, ended.err
    first = next(one for one in frames if "values" in one)
    assert [one["value"] for one in ended.json["values"]] == [one["value"] for one in first["values"]]


async def test_a_gateway_that_runs_is_asked_about_its_devices(pymodbus_tcp, tmp_path, profile):
    """Its ports are its own: a second master would spoil its readings."""
    _, port = await pymodbus_tcp(1)
    name = profile(("level", "holding 4 u16"))
    path = tmp_path / "gateway.yaml"
    devices = f"      - {{name: dev1, profile: {name}, unit: 1, station: here, period_s: 0.2}}"
    path.write_text(GATEWAY.format(line=f"tcp: {{host: 127.0.0.1, port: {port}}}", devices=devices), encoding="utf-8")
    running = await asyncio.create_subprocess_exec(
        PETREL, "gateway", "run", path, stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.DEVNULL
    )
    try:
        await until(lambda: (tmp_path / "spool" / "status.json").exists())
        ended = await petrel("gateway", "check", path, "--json")
    finally:
        running.send_signal(signal.SIGTERM)
        await running.wait()
    looks = {look["what"]: look for look in ended.json["looks"]}
    assert looks["gateway"]["says"] == f"running, process {running.pid}"
    assert "device dev1" in looks
    assert "delivery" in looks
    assert not any("in use" in one for one in ended.json["findings"])


async def test_a_scan_that_is_interrupted_tells_what_it_found(rtu_peer, answering):
    peer = rtu_peer(lambda request: [(0, answering(request))] if request[0] == 1 else [])
    process = await asyncio.create_subprocess_exec(
        PETREL, "bus", "scan", "--serial", peer.port, "--units", "1-200", "--no-profiles", "--json",
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    await until(lambda: len(peer.requests) >= 3)
    process.send_signal(signal.SIGINT)
    out, err = await process.communicate()
    assert process.returncode == 0, err
    found = json.loads(out)
    assert [(one["unit"], one["fits"]) for one in found["found"]] == [(1, [])]
    assert "it ended after" in found["not_tried"][0]
