"""Every profile of the catalogue can be simulated: its twin answers an independent client with the world's values."""

import math
from dataclasses import dataclass, replace

import msgspec
import pytest
from pymodbus.client import AsyncModbusSerialClient, AsyncModbusTcpClient

from device_profiles import model, registry
from device_profiles.attribute import Attribute
from device_profiles.check import varied
from device_profiles.model import Point, Table
from edge_agent.compile.buses import compile_buses
from edge_agent.compiled import TcpPlan
from edge_agent.opened import attributes_of, opened
from edge_agent.settings import BusSettings, DeviceSettings, TcpSettings
from simulators.devices import Line, TcpEndpoint, serve
from simulators.twin import OWN, Choice, Twin, Unit
from telemetry.clock import LockstepClock
from telemetry.quantity import QUANTITIES
from telemetry.settings import Document
from telemetry.units import conversion

NOW_NS = 1_690_500_000_000_000_000
NAMES = [name for name in registry.names() if isinstance(registry.load(name), model.Profile)]
CASES = [(name, variant) for name in NAMES for variant in (None, *registry.load(name).variants)]
IDS = [name if variant is None else f"{name}+{variant}" for name, variant in CASES]


def canonical(point: Point, device_value: float) -> float:
    gain, offset = conversion(point.unit, QUANTITIES[point.quantity].unit)
    return device_value * gain + offset


def wanted(point: Point) -> float:
    """A value that the sensor and its register can show, not at a round number of either; gates stay open."""
    if point.quantity == "signal_quality":
        return 83.0
    holds = model.register(point.register).type
    low, high = max(point.valid[0], holds.low * point.scale), min(point.valid[1], holds.high * point.scale)
    return canonical(point, low + 0.3712345 * (high - low))


@dataclass
class Bench:
    """Observes what the points want, at a station called by the profile."""

    profile: model.Profile

    def __call__(self, station: str, point: str, quantity: str, time_ns: int) -> float:
        assert (station, time_ns) == ("bench", NOW_NS)
        return wanted(next(p for p in self.profile.points if p.name == point and p.quantity == quantity))


def client_of(endpoint):
    if isinstance(endpoint, TcpEndpoint):
        return AsyncModbusTcpClient(endpoint.host, port=endpoint.port, timeout=1, retries=0)
    return AsyncModbusSerialClient(str(endpoint.path), baudrate=115200, timeout=1, retries=0)


async def read(client, point: Point, unit: int) -> float:
    """The device's own value by pymodbus's conversions, which share no code with ours."""
    spot = model.register(point.register)
    ask = {
        Table.HOLDING: client.read_holding_registers,
        Table.INPUT: client.read_input_registers,
        Table.COIL: client.read_coils,
        Table.DISCRETE: client.read_discrete_inputs,
    }[spot.table]
    answer = await ask(spot.address, count=spot.count, device_id=unit)
    assert not answer.isError(), answer
    if spot.table.is_bits:
        return float(answer.bits[0])
    return number(client, spot, answer.registers, point.mask)


def number(client, spot: model.Register, words: list[int], mask: int | None) -> float:
    if spot.type.name == "bit":
        return float(words[0] >> spot.bit & 1)
    if spot.type.size == 1:
        return float(words[0] >> 8 if spot.high else words[0] & 0xFF)
    if mask is not None:
        return float((words[0] & mask) // (mask & -mask))
    kinds = {"u": "UINT", "s": "INT", "f": "FLOAT"}
    kind = client.DATATYPE[kinds[spot.type.name[0]] + spot.type.name[1:]]
    assert spot.order in ("abcd", "cdab"), "teach this test the byte-swapped orders first"
    return float(client.convert_from_registers(words, kind, word_order="big" if spot.order == "abcd" else "little"))


@pytest.mark.parametrize(("name", "variant"), CASES, ids=IDS)
async def test_twin_shows_the_world_within_the_resolution_of_its_registers(name, variant, tmp_path):
    profile = varied(registry.load(name), variant)
    unit = Unit(device="one", unit=7, profile=profile, station="bench", points={})
    line = Line(bus="bus", transport=profile.transports[0], units=(unit,))
    async with serve([line], Bench(profile), LockstepClock(NOW_NS), tmp_path) as endpoints:
        client = client_of(endpoints["bus"])
        assert await client.connect()
        for point in profile.points:
            found = await read(client, point, 7)
            if point.quantity in OWN:
                assert point.valid[0] <= found <= point.valid[1]
                continue
            step = abs(canonical(point, point.scale) - canonical(point, 0.0))
            floating = model.register(point.register).type.is_float
            shown = canonical(point, found * point.scale + point.offset)
            near = abs(wanted(point)) * 1e-6 if floating else 0.5000001 * step
            assert shown == pytest.approx(wanted(point), abs=near), point.name
        client.close()


@pytest.mark.parametrize(("name", "variant"), CASES, ids=IDS)
def test_twin_keeps_its_gates_open_for_sound_values_and_shuts_them_for_lost_ones(name, variant):
    profile = varied(registry.load(name), variant)
    unit = Unit(device="one", unit=7, profile=profile, station="bench", points={})
    twin = Twin(unit)
    assert all(gate_is_open(profile, gate, twin.memory(Bench(profile), NOW_NS)) for gate in profile.gates)
    for point in profile.points:
        if point.gates and not point.missing:
            lost = twin.memory(without(profile, point.name), NOW_NS)
            assert not all(gate_is_open(profile, gate, lost) for gate in point.gates)


def without(profile, name):
    bench = Bench(profile)
    return lambda station, point, quantity, t: math.nan if point == name else bench(station, point, quantity, t)


def gate_is_open(profile, name, memory) -> bool:
    gate = profile.gates[name]
    spot = model.register(gate.register)
    word = memory.get((spot.table, spot.address), 0)
    field = word if gate.mask is None else (word & gate.mask) // (gate.mask & -gate.mask)
    return gate.min <= field <= gate.max


@pytest.mark.parametrize(
    "name", [name for name in NAMES if any(p.quantity not in OWN for p in registry.load(name).points)]
)
def test_the_choices_of_a_site_reach_the_twin(name):
    """Another name and a zero: the world is asked under the site's name, the device shows the value less the zero."""
    profile = registry.load(name)
    point = next(one for one in profile.points if one.quantity not in OWN)
    asked = []

    def observe(station, name, quantity, time_ns):
        asked.append(name)
        found = next((p for p in profile.points if p.name == name), point)
        return wanted(found) + (1.0 if name == "other" else 0.0)

    plain = Twin(Unit(device="d", unit=1, profile=profile, station="bench", points={}))
    chosen = Twin(
        Unit(
            device="d", unit=1, profile=profile, station="bench", points={point.name: Choice(name="other", offset=1.0)}
        )
    )
    assert chosen.memory(observe, NOW_NS) == plain.memory(observe, NOW_NS)
    assert "other" in asked


OUTPUTS = [(name, output) for name in NAMES for output in registry.load(name).outputs]


@pytest.mark.parametrize(("name", "output"), OUTPUTS, ids=[f"{name}-{output.name}" for name, output in OUTPUTS])
async def test_an_output_of_a_twin_stays_as_it_was_set(name, output, tmp_path):
    profile = registry.load(name)
    unit = Unit(device="one", unit=7, profile=profile, station="bench", points={})
    line = Line(bus="bus", transport=profile.transports[0], units=(unit,))
    spot, shown = model.register(output.register), model.register(output.read_back or output.register)
    assert (spot.count, spot.type.name) in ((1, "bit"), (1, "u16")), "teach this test wider outputs first"
    async with serve([line], Bench(profile), LockstepClock(NOW_NS), tmp_path) as endpoints:
        client = client_of(endpoints["bus"])
        assert await client.connect()
        write = client.write_coil if spot.table is Table.COIL else client.write_register
        read = {Table.COIL: client.read_coils, Table.DISCRETE: client.read_discrete_inputs}.get(
            shown.table, client.read_holding_registers
        )
        for value in (int(output.range[1]), int(output.safe)):
            assert not (await write(spot.address, value, device_id=7)).isError()
            answer = await read(shown.address, count=1, device_id=7)
            assert (answer.bits[0] if shown.table.is_bits else answer.registers[0]) == value
        client.close()


@pytest.mark.parametrize("name", [name for name in NAMES if registry.load(name).attributes])
async def test_a_twin_says_of_itself_what_it_is_given_or_invents_it(name, tmp_path):
    """Read by our own driver; pymodbus reads texts and identifications below."""
    profile = registry.load(name)
    reach = BusSettings(
        name="bus",
        tcp=TcpSettings(host="127.0.0.1", port=1),
        devices=(DeviceSettings(name="one", profile=name, station="bench", period_s=1.0, unit=7),),
    )
    (plan,) = compile_buses(Document(tmp_path / "x", None, {}), "test", [reach])
    unit = Unit(device="one", unit=7, profile=profile, station="bench", points={}, attributes={"serial": "12345"})
    line = Line(bus="bus", transport="tcp", units=(unit,))
    async with serve([line], Bench(profile), LockstepClock(NOW_NS), tmp_path) as endpoints:
        there, (device,) = opened(replace(plan, line=TcpPlan(*endpoints["bus"])))
        await there.connect()
        (said,) = attributes_of(replace(plan, line=TcpPlan(*endpoints["bus"])), there).values()
        await said.read()
        there.close()
    assert said.found.keys() == profile.attributes.keys()
    assert (said.found["serial"], said.problems) == ("12345", {})
    assert device.plan.name == "one"


async def test_a_twin_of_any_profile_says_texts_and_identifies_itself(tmp_path):
    """As pymodbus reads them; two units of one server are two devices."""
    midas = registry.load("midas")
    given = {
        "serial": Attribute(register="holding 0x20 string 4 badc"),
        "model": Attribute(identification=5),
        "vendor": Attribute(identification=0),
    }
    profile = msgspec.structs.replace(midas, attributes=given)
    units = tuple(
        Unit(device=f"dev{n}", unit=n, profile=profile, station="bench", points={}, attributes={"model": f"M-{n}"})
        for n in (1, 2)
    )
    line = Line(
        bus="bus", transport="tcp", units=(*units, Unit(device="x", unit=3, profile=midas, station="s", points={}))
    )
    async with serve([line], Bench(profile), LockstepClock(NOW_NS), tmp_path) as endpoints:
        client = client_of(endpoints["bus"])
        assert await client.connect()
        serials = set()
        for n in (1, 2):
            words = (await client.read_holding_registers(0x20, count=4, device_id=n)).registers
            serials.add(b"".join(word.to_bytes(2, "little") for word in words))
            answer = await client.read_device_information(read_code=2, object_id=0, device_id=n)
            assert answer.information == {0: b"midas", 5: f"M-{n}".encode()}
            assert (await client.read_device_information(read_code=1, device_id=n)).information == {0: b"midas"}
        assert len(serials) == 2
        assert all(serial.decode().isalnum() for serial in serials)
        refused = await client.read_device_information(read_code=1, device_id=3)
        assert (refused.isError(), refused.exception_code) == (True, 1)
        client.close()
