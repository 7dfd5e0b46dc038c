"""Simulated devices of every other protocol than Modbus on real lines, heard by the gateway in lock step."""

import asyncio
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from itertools import pairwise

import msgspec
import numpy as np
import pytest

from device_profiles import registry
from device_profiles.field_model import FieldProfile
from edge_agent.acquisition import Acquisition
from edge_agent.compile.buses import compile_buses
from edge_agent.drivers.hj212 import frames as hj212
from edge_agent.settings import BusSettings
from petrel.sites.twins import lines, pointed_at
from simulators import devices, faults
from simulators.faults import Spell
from telemetry.clock import HOUR_NS, SECOND_NS, LockstepClock
from telemetry.quality import Cause, Quality
from telemetry.settings import SettingsError, parse

START_NS = 1_795_489_200 * SECOND_NS
PERIOD_NS = 300 * SECOND_NS
ROUNDS = 4
BUSES = """
buses:
  - {name: air, listen: {host: 127.0.0.1, port: 1}, devices: [
      {name: air-1, profile: hj212-air, address: "010000A8900016F000169DC0", station: s, period_s: 300},
      {name: air-2, profile: hj212-air, address: "010000A8900016F000169DC1", station: t, period_s: 300}]}
  - {name: river, listen: {host: 127.0.0.1, port: 2}, devices: [
      {name: river, profile: sl651-river, address: "0012345678", station: s, period_s: 300}]}
  - {name: fire, listen: {host: 127.0.0.1, port: 3}, devices: [
      {name: fire, profile: gb26875-transmitter, address: "000000000379", station: s, period_s: 300}]}
  - {name: buoy, serial: {port: buoy}, devices: [{name: buoy, profile: airmar-wx, station: s, period_s: 300}]}
  - {name: ranger, serial: {port: ranger}, devices: [{name: ranger, profile: maxsonar-wr, station: s, period_s: 300}]}
  - {name: wind, serial: {port: wind}, devices: [{name: wind, profile: wxt530, station: u, period_s: 300}]}
  - {name: soil, serial: {port: soil}, devices: [
      {name: probe, profile: cs451, address: "0", station: p, period_s: 300},
      {name: soil, profile: acclima-tdr, address: "1", station: p, period_s: 300}]}
  - {name: power, serial: {port: power}, devices: [
      {name: power, profile: dlt645-meter, address: "000000000161", station: s, period_s: 300}]}
  - {name: meters, serial: {port: meters}, devices: [
      {name: water, profile: cjt188-water, address: "10:00002020120218", station: w, period_s: 300},
      {name: gas, profile: cjt188-gas, address: "30:78330011223344", station: g, period_s: 300}]}
"""


class Gateway(msgspec.Struct):
    buses: tuple[BusSettings, ...]


def observe(station: str, point: str, quantity: str, time_ns: int) -> float:
    """A world that rises by one a period, five times, and falls back."""
    fixed = {"fire_alarm": 0.0, "component_state": 0.0, "power_factor": 0.5}
    return fixed.get(quantity, 3.0 + (time_ns - START_NS) / PERIOD_NS % 5)


def settings(text: str, folder) -> tuple[BusSettings, ...]:
    return parse(text, folder / "gateway.yaml", Gateway).settings.buses


@asynccontextmanager
async def drill(text: str, folder, broken=faults.none, patience_s=2.0):
    """A gateway with simulated devices; gives the clock, the plans, the acquisition and the batches that came."""
    document = parse(text, folder / "gateway.yaml", Gateway)
    clock, batches = LockstepClock(START_NS), []
    twins = [replace(line, patience_s=patience_s) for line in lines(document.settings.buses)]
    served = devices.serve(twins, observe, clock, folder, broken=broken)
    async with served as endpoints:
        plans = compile_buses(document, "site", pointed_at(document.settings.buses, endpoints))
        acquisition = Acquisition("site/gw", plans, clock, batches.append)
        task = asyncio.create_task(acquisition.run())
        try:
            yield clock, plans, acquisition, batches
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)


def only(bus: str, old: str = "", new: str = "") -> str:
    """The settings of one bus, with other words in them."""
    part = BUSES[BUSES.index(f"  - {{name: {bus},") :]
    text = "buses:\n" + part.split("\n  - ")[0] + "\n"
    assert old in text
    return text.replace(old, new) if old else text


def rows(batches) -> list[tuple[int, int, float, int, int]]:
    columns = ((b.series, b.time_ns, b.value, b.quality, b.cause) for b in batches)
    return [(int(s), int(t), float(v), int(q), int(c)) for five in columns for s, t, v, q, c in zip(*five, strict=True)]


async def test_every_protocol_is_read_at_its_moments_in_lock_step(tmp_path):
    """Nothing is lost, nothing comes twice, and every reading is of the moment that it says."""
    spoken = {registry.load(d.profile).protocol for bus in settings(BUSES, tmp_path) for d in bus.devices}
    assert spoken == {p.protocol for p in map(registry.load, registry.names()) if isinstance(p, FieldProfile)}
    async with drill(BUSES, tmp_path) as (clock, plans, acquisition, batches):
        async with asyncio.timeout(30):
            await clock.run(START_NS + ROUNDS * PERIOD_NS)
        assert set(acquisition.devices().values()) == {"ok"}
    found = rows(batches)
    assert len({row[:2] for row in found}) == len(found)
    for device in (device for plan in plans for device in plan.devices):
        for column, series in enumerate(device.series):
            if series.period_s > 300:
                continue
            own = [row for row in found if row[0] == device.ids[column]]
            assert len(own) in (ROUNDS - 1, ROUNDS), series
            assert all(later - earlier == PERIOD_NS for (_, earlier, *_), (_, later, *_) in pairwise(own))
            for _, time_ns, value, quality, _ in own:
                assert quality != Quality.MISSING, series
                if series.quantity != "device_state":
                    expected = observe(series.station, series.point, series.quantity, time_ns)
                    step = 0.51 if series.quantity == "wind_direction" else 0.06
                    assert value == pytest.approx(expected, abs=step), series


@pytest.mark.parametrize("bus", ["buoy", "ranger"])
async def test_who_talks_on_a_line_holds_data_time_until_the_gateway_has_read_it(tmp_path, bus):
    """Nobody answers there: a row of a later moment than its value would be a lie."""
    async with drill(only(bus), tmp_path) as (clock, plans, _, batches):
        async with asyncio.timeout(30):
            await clock.run(START_NS + 100 * PERIOD_NS)
    (device,) = plans[0].devices
    own = [row for row in rows(batches) if row[0] == device.ids[0]]
    assert [row[1] for row in own] == [START_NS + at * PERIOD_NS for at in range(1, 101)]
    quantity = device.series[0].quantity
    wrong = [t for _, t, value, *_ in own if value != pytest.approx(observe("s", "", quantity, t), abs=0.01)]
    assert not wrong


async def test_hours_are_means_and_come_with_the_moment_at_which_they_began(tmp_path):
    async with drill(only("air"), tmp_path) as (clock, plans, _, batches):
        async with asyncio.timeout(30):
            await clock.run(START_NS + 2 * HOUR_NS)
    device = plans[0].devices[0]
    hour = next(i for i, one in enumerate(device.series) if one.point == "pm25-hour")
    own = [row for row in rows(batches) if row[0] == device.ids[hour]]
    begun = [START_NS // HOUR_NS * HOUR_NS + at * HOUR_NS for at in range(2)]
    assert [row[1] for row in own] == begun
    for _, time_ns, value, _, _ in own:
        moments = time_ns + (np.arange(12) + 1) * PERIOD_NS
        assert value == pytest.approx(np.mean([observe("s", "pm25", "pm25", int(t)) for t in moments]), abs=1e-3)


@pytest.mark.parametrize("bus", ["air", "river", "buoy", "power"])
async def test_a_dead_device_is_missing_and_a_sound_one_beside_it_is_not(tmp_path, bus):
    device = settings(only(bus), tmp_path)[0].devices[0].name
    broken = faults.schedule([Spell(device, "dead", START_NS, START_NS + 10 * HOUR_NS)])
    text = only(bus, "devices", "timeout_s: 0.1, devices")
    async with drill(text, tmp_path, broken) as (clock, plans, _, batches):
        async with asyncio.timeout(30):
            await clock.run(START_NS + ROUNDS * PERIOD_NS)
    dead, *others = plans[0].devices
    for one in plans[0].devices:
        often = {int(i) for i, series in zip(one.ids, one.series, strict=True) if series.period_s == 300}
        own = [row for row in rows(batches) if row[0] in often]
        assert own
        assert {row[4] == Cause.COMMS for row in own} == {one is dead}
    assert bool(others) is (bus == "air")


@pytest.mark.parametrize("kind", ["garbage", "truncated", "wrong_values", "wrong_unit"])
@pytest.mark.parametrize("bus", ["air", "river", "fire", "buoy", "soil", "power", "meters", "wind"])
async def test_what_a_fault_sends_is_never_a_number(tmp_path, bus, kind):
    """P21: a frame that is wrong in any way is refused, and the next sound one counts.

    A line of text without a checksum can't tell a wrong digit, so that is left out.
    """
    if (bus, kind) == ("wind", "wrong_values"):
        pytest.skip("a line without a checksum can't tell")
    device, ends_ns = settings(only(bus), tmp_path)[0].devices[0].name, START_NS + PERIOD_NS + SECOND_NS
    broken = faults.schedule([Spell(device, kind, START_NS, ends_ns)])
    text = only(bus, "devices", "timeout_s: 0.1, devices")
    async with drill(text, tmp_path, broken) as (clock, plans, acquisition, batches):
        async with asyncio.timeout(30):
            await clock.run(START_NS + 2 * PERIOD_NS)
        line = acquisition.stats()[bus].line
    assert line.garbled + line.refusals + line.timeouts
    plan = plans[0].devices[0]
    own = {int(i) for i, series in zip(plan.ids, plan.series, strict=True) if series.period_s == 300}
    found = [row for row in rows(batches) if row[0] in own]
    assert {row[3] == Quality.MISSING for row in found if row[1] < ends_ns} == {True}
    assert {row[3] == Quality.MISSING for row in found if row[1] > ends_ns} == {False}


async def test_a_logger_repeats_what_nobody_confirms(tmp_path):
    """HJ 212: the same message until its 9014 comes, and then no more."""
    heard: list[bytes] = []

    async def centre(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(asyncio.IncompleteReadError):
            while data := await reader.readuntil(b"\r\n"):
                heard.append(data)
                if len(heard) > 1:
                    writer.write(hj212.encode(hj212.answer(hj212.decode(data))))
        writer.close()

    clock = LockstepClock(START_NS)
    twins = lines(settings(only("air"), tmp_path))
    async with devices.serve([replace(twins[0], patience_s=0.05)], observe, clock, tmp_path) as endpoints:
        server = await asyncio.start_server(centre, *endpoints["air"])
        async with asyncio.timeout(20):
            await clock.run(START_NS + PERIOD_NS)
        server.close()
    firsts = [data for data in heard if b"9DC0" in data]
    assert len(heard) == 3
    assert len(set(firsts)) == 1


def test_a_device_that_is_called_over_tcp_can_not_be_simulated(tmp_path):
    text = only("buoy").replace("serial: {port: buoy}", "tcp: {host: 127.0.0.1, port: 1}")
    with pytest.raises(SettingsError, match=r"bus buoy: .* expected serial or listen"):
        lines(settings(text, tmp_path))


async def test_the_choices_of_a_site_reach_the_twin(tmp_path):
    """The device shows the value less the zero of the site, so the gateway reads the world again."""
    text = only("river", "300}", "300, points: {level: {offset: 2.5, name: stage}, rain: {skip: true}}}")
    async with drill(text, tmp_path) as (clock, plans, _, batches):
        async with asyncio.timeout(20):
            await clock.run(START_NS + PERIOD_NS)
    (device,) = plans[0].devices
    assert [series.point for series in device.series] == ["stage", "battery"]
    assert [row[2] for row in rows(batches) if row[0] == device.ids[0]] == [4.0]
