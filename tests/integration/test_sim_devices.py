"""Twins on real lines: who answers, who stays silent, what is refused, and what faults look like from the other end."""

import asyncio
import math

import msgspec
import numpy as np
import pytest
from pymodbus.client import AsyncModbusSerialClient, AsyncModbusTcpClient
from pymodbus.exceptions import ModbusIOException

from device_profiles import registry
from device_profiles.check import varied
from edge_agent.acquisition import Acquisition
from edge_agent.compile.buses import compile_buses
from edge_agent.settings import BusSettings, DeviceSettings, SerialSettings, TcpSettings
from simulators.devices import Endpoint, Line, SerialEndpoint, TcpEndpoint, serve
from simulators.faults import KINDS, Spell, schedule
from simulators.twin import Unit
from telemetry.clock import MINUTE_NS, LockstepClock
from telemetry.quality import Cause, Quality
from telemetry.series import series_id
from telemetry.settings import Document

START_NS = 1_690_459_200 * 10**9


def unit_of(name, number, profile="qdy30a-pressure", variant=None):
    return Unit(device=name, unit=number, profile=varied(registry.load(profile), variant), station=name, points={})


def by_station(values):
    return lambda station, *_: values.get(station, 1.0)


class Nothing(msgspec.Struct):
    """Settings of a document that was never written."""


def serial_client(endpoint: Endpoint, timeout: float = 0.2) -> AsyncModbusSerialClient:
    assert isinstance(endpoint, SerialEndpoint)
    return AsyncModbusSerialClient(str(endpoint.path), baudrate=115200, timeout=timeout, retries=0)


def tcp_client(endpoint: Endpoint) -> AsyncModbusTcpClient:
    assert isinstance(endpoint, TcpEndpoint)
    return AsyncModbusTcpClient(endpoint.host, port=endpoint.port, timeout=1)


async def pressure(client, unit):
    return (await client.read_holding_registers(4, count=1, device_id=unit)).registers


async def test_units_of_one_line_answer_for_themselves_and_strangers_stay_silent(tmp_path):
    line = Line(bus="a", transport="rtu", units=(unit_of("p1", 1), unit_of("p2", 2)))
    values = by_station({"p1": 100.0, "p2": 200.0})
    async with serve([line], values, LockstepClock(START_NS), tmp_path) as endpoints:
        client = serial_client(endpoints["a"])
        await client.connect()
        assert await pressure(client, 1) == [1000]
        assert await pressure(client, 2) == [2000]
        with pytest.raises(ModbusIOException):
            await pressure(client, 3)
        assert await pressure(client, 1) == [1000]
        client.close()


async def test_port_keeps_its_name_and_outlives_the_gateway(tmp_path):
    """P7: a gateway that closes the port and comes back later finds the same devices."""
    line = Line(bus="a", transport="rtu", units=(unit_of("p1", 1),))
    async with serve([line], by_station({}), LockstepClock(START_NS), tmp_path) as endpoints:
        assert endpoints["a"] == SerialEndpoint(tmp_path / "a")
        for _ in range(3):
            client = serial_client(endpoints["a"])
            await client.connect()
            assert await pressure(client, 1) == [10]
            client.close()
    assert not (tmp_path / "a").is_symlink()


async def test_value_beyond_the_register_is_refused_not_wrapped(tmp_path):
    line = Line(bus="a", transport="rtu", units=(unit_of("p1", 1), unit_of("p2", 2)))
    values = by_station({"p1": 3276.8, "p2": 3276.7})
    async with serve([line], values, LockstepClock(START_NS), tmp_path) as endpoints:
        client = serial_client(endpoints["a"])
        await client.connect()
        refused = await client.read_holding_registers(4, count=1, device_id=1)
        assert refused.isError()
        assert refused.exception_code == 4
        assert await pressure(client, 2) == [32767]
        client.close()


async def test_lost_reading_without_a_code_is_silence(tmp_path):
    line = Line(bus="a", transport="rtu", units=(unit_of("p1", 1), unit_of("p2", 2)))
    async with serve([line], by_station({"p1": math.nan}), LockstepClock(START_NS), tmp_path) as endpoints:
        client = serial_client(endpoints["a"])
        await client.connect()
        with pytest.raises(ModbusIOException):
            await pressure(client, 1)
        assert await pressure(client, 2) == [10]
        client.close()


async def test_lost_signal_of_a_flow_meter_shows_zero_flow_and_no_quality(tmp_path):
    """The defect that the profile's gate is for: no signal reads as a flow of 0."""
    line = Line(bus="a", transport="rtu", units=(unit_of("f", 1, "tuf-2000m"),))

    def observe(station, point, quantity, time_ns):
        return math.nan if quantity == "flow" else 90.0 if quantity == "signal_quality" else 2.0

    async with serve([line], observe, LockstepClock(START_NS), tmp_path) as endpoints:
        client = serial_client(endpoints["a"])
        await client.connect()
        assert (await client.read_holding_registers(0, count=2, device_id=1)).registers == [0, 0]
        assert (await client.read_holding_registers(91, count=1, device_id=1)).registers[0] & 0xFF < 60
        client.close()


async def test_addresses_outside_the_map_are_refused_and_gaps_inside_read_as_something(tmp_path):
    line = Line(bus="a", transport="rtu", units=(unit_of("w", 1, "rs-fsxcs"), unit_of("s", 2, "sen0676")))
    async with serve([line], by_station({}), LockstepClock(START_NS), tmp_path) as endpoints:
        client = serial_client(endpoints["a"])
        await client.connect()
        assert not (await client.read_holding_registers(500, count=16, device_id=1)).isError()
        for unit, first, count in ((1, 500, 17), (1, 499, 2), (2, 6, 1), (2, 1, 8)):
            answer = await client.read_holding_registers(first, count=count, device_id=unit)
            assert answer.isError(), (unit, first)
            assert answer.exception_code == 2
        client.close()


async def test_values_are_those_of_the_moment_of_the_read(tmp_path):
    clock = LockstepClock(START_NS)
    line = Line(bus="b", transport="tcp", units=(unit_of("m", 1, "midas"),))

    def observe(station, point, quantity, time_ns):
        return (time_ns - START_NS) / MINUTE_NS

    async with serve([line], observe, clock, tmp_path) as endpoints:
        client = tcp_client(endpoints["b"])
        await client.connect()
        for minute in (0, 5):
            async with asyncio.TaskGroup() as tasks:
                sleeper = tasks.create_task(clock.sleep_until(START_NS + minute * MINUTE_NS))
                runner = tasks.create_task(clock.run())
                await sleeper
                runner.cancel()
            words = (await client.read_holding_registers(2, count=2, device_id=1)).registers
            assert client.convert_from_registers(words, client.DATATYPE.FLOAT32, word_order="little") == minute
        client.close()


async def test_taken_port_is_told(tmp_path):
    line = Line(bus="b", transport="tcp", units=(unit_of("m", 1, "midas"),))
    async with serve([line], by_station({}), LockstepClock(START_NS), tmp_path) as endpoints:
        taken = endpoints["b"]
        assert isinstance(taken, TcpEndpoint)
        again = Line(bus="c", transport="tcp", units=line.units, port=taken.port)
        with pytest.raises(OSError, match=r"port .* is taken"):
            async with serve([again], by_station({}), LockstepClock(START_NS), tmp_path):
                pass


def gateway_bus(endpoint, profile, devices):
    listed = tuple(
        DeviceSettings(name=name, profile=profile, unit=number, station=name, period_s=60) for name, number in devices
    )
    if isinstance(endpoint, TcpEndpoint):
        tcp = TcpSettings(host=endpoint.host, port=endpoint.port)
        return BusSettings(name="bus", devices=listed, tcp=tcp, timeout_s=0.3)
    serial = SerialSettings(port=str(endpoint.path), baud=115200)
    return BusSettings(name="bus", devices=listed, serial=serial, timeout_s=0.3)


async def collect(bus, folder, clock, until_ns):
    document = Document(folder / "gateway.yaml", Nothing(), {})
    batches = []
    acquisition = Acquisition("site/node", compile_buses(document, "site", [bus]), clock, batches.append)
    async with asyncio.TaskGroup() as tasks:
        poller = tasks.create_task(acquisition.run())
        await clock.run(until_ns)
        poller.cancel()
    return batches


@pytest.mark.parametrize("kind", [*KINDS, "slow"])
@pytest.mark.parametrize("transport", ["rtu", "tcp"])
async def test_fault_of_a_device_is_missing_rows_and_never_a_value(kind, transport, tmp_path):
    """P16, P21: nothing that a faulty device sends becomes a reading, and it recovers by itself."""
    if (kind, transport) == ("wrong_values", "tcp"):
        pytest.skip("Modbus TCP leaves checksums to TCP: a bit that turns in the device itself can't be seen")
    clock = LockstepClock(START_NS)
    profile = "midas" if transport == "tcp" else "qdy30a-pressure"
    quantity = "combustible_gas" if transport == "tcp" else "pipe_pressure"
    point = "gas" if transport == "tcp" else "pressure"
    units = (unit_of("sick", 1, profile), unit_of("well", 2, profile))
    spell = Spell("sick", kind, START_NS + 3 * MINUTE_NS, START_NS + 6 * MINUTE_NS)
    observe = by_station({"sick": 40.0, "well": 50.0})
    line = Line(bus="a", transport=transport, units=units)
    async with serve([line], observe, clock, tmp_path, broken=schedule([spell]), seed=3) as endpoints:
        bus = gateway_bus(endpoints["a"], profile, [("sick", 1), ("well", 2)])
        batches = await collect(bus, tmp_path, clock, START_NS + 14 * MINUTE_NS - 1)
    rows = np.concatenate([np.stack([b.series, b.time_ns, b.quality, b.cause], 1) for b in batches])
    value = np.concatenate([b.value for b in batches])
    for name, shown in (("sick", 40.0), ("well", 50.0)):
        mine = rows[:, 0] == series_id("site", name, point, quantity)
        ill = mine & (rows[:, 1] >= spell.begins_ns) & (rows[:, 1] < spell.ends_ns)
        assert np.nanmax(np.abs(value[mine] - shown)) < 1e-6
        if name == "sick":
            assert ill.sum() == 3
            assert (rows[ill, 2] == Quality.MISSING).all()
            assert (rows[ill, 3] == Cause.COMMS).all()
        assert mine.sum() == 14
        assert not np.isnan(value[mine & (rows[:, 1] > spell.ends_ns + 2 * MINUTE_NS)]).any()


def test_faults_are_scheduled_by_device_and_moment():
    broken = schedule([Spell("a", "dead", 10, 20), Spell("b", "garbage", 0, 5)])
    assert [broken("a", t) for t in (9, 10, 19, 20)] == [None, "dead", "dead", None]
    assert broken("b", 4) == "garbage"
    with pytest.raises(ValueError, match="no fault 'lazy', expected slow, dead"):
        schedule([Spell("a", "lazy", 0, 1)])
