"""Recorded observations on serial lines: each collected exactly once, equal within the register; gaps are MISSING."""

import asyncio
from pathlib import Path

import msgspec
import numpy as np
import pytest

from device_profiles import registry
from edge_agent.acquisition import Acquisition
from edge_agent.columns import PointSettings
from edge_agent.settings import BusSettings, DeviceSettings, SerialSettings, compile_buses
from petrel.sites.twins import lines, pointed_at
from simulators import recorded
from simulators.devices import serve
from simulators.recorded import Played, Recording
from telemetry.clock import HOUR_NS, LockstepClock
from telemetry.quality import Quality
from telemetry.series import series_id
from telemetry.settings import Document

HALIFAX = Path(__file__).parents[3] / "shared" / "data" / "sealevel" / "halifax_490_2003_slev.csv"
TIMEOUT_S = 0.8
"""Long enough for a loaded machine: a late answer would be a MISSING row that the recording does not have."""


class Nothing(msgspec.Struct):
    """Settings of a document that was never written."""


def skipping(profile: str, keep: dict[str, PointSettings]) -> dict[str, PointSettings]:
    """Only some points of a profile: what was not recorded is not read."""
    points = registry.load(profile).points
    return {point.name: keep.get(point.name, PointSettings(skip=True)) for point in points}


async def collected(recording: Recording, device: DeviceSettings, folder: Path):
    """Play a recording to its end on a serial line in lock step; the batches that its gateway would keep."""
    start_ns = int(recording.time_ns[0])
    clock = LockstepClock(start_ns)
    bus = BusSettings(
        name="line", devices=(device,), serial=SerialSettings(port="replaced", baud=115200), timeout_s=TIMEOUT_S
    )
    batches = []
    async with serve(lines([bus]), Played(recording), clock, folder) as endpoints:
        document = Document(folder / "gateway.yaml", Nothing(), {})
        plans = compile_buses(document, "site", pointed_at([bus], endpoints))
        acquisition = Acquisition("site/node", plans, clock, batches.append)
        async with asyncio.TaskGroup() as tasks:
            poller = tasks.create_task(acquisition.run())
            await clock.run(recording.end_ns - 1)
            poller.cancel()
    return batches


def column(batches, station, point, quantity):
    """All rows of one series: time, value, quality, in the order of collection."""
    key = series_id("site", station, point, quantity)
    parts = [(b.time_ns[b.series == key], b.value[b.series == key], b.quality[b.series == key]) for b in batches]
    return tuple(np.concatenate(part) for part in zip(*parts, strict=True))


def check(batches, recording, station, point, quantity, resolution):
    """Every recorded value once and in order, every hour without one MISSING, nothing else."""
    time_ns, value, quality = column(batches, station, point, quantity)
    hours = np.arange(recording.time_ns[0], recording.end_ns, HOUR_NS)
    assert len(time_ns) == len(hours)
    assert (time_ns // HOUR_NS * HOUR_NS == hours).all()
    is_gap = ~np.isin(hours, recording.time_ns)
    assert (quality[is_gap] == Quality.MISSING).all()
    assert np.isnan(value[is_gap]).all()
    assert (quality[~is_gap] == Quality.UNCHECKED).all()
    assert np.abs(value[~is_gap] - recording.values[quantity]).max() <= resolution / 2 * 1.000001
    return int(is_gap.sum())


WEATHER = {
    "wind-speed": ("wind_speed", 0.01),
    "wind-direction": ("wind_direction", 1.0),
    "humidity": ("relative_humidity", 0.1),
    "temperature": ("air_temperature", 0.1),
    "pressure": ("air_pressure", 1.0),
    "illuminance": ("illuminance", 1.0),
    "solar": ("solar_irradiance", 1.0),
}


async def play_station_year(folder, first_h, hours):
    year = recorded.station_year()
    start = int(year.time_ns[0]) + first_h * HOUR_NS
    part = year.between(start, start + hours * HOUR_NS)
    assert len(part.time_ns) == hours
    device = DeviceSettings(
        name="wx",
        profile="rs-fsxcs",
        station="greensboro",
        period_s=3600,
        points=skipping("rs-fsxcs", {name: PointSettings() for name in WEATHER}),
    )
    batches = await collected(part, device, folder)
    for point, (quantity, resolution) in WEATHER.items():
        assert check(batches, part, "greensboro", point, quantity, resolution) == 0
    assert sum(map(len, batches)) == hours * len(WEATHER)


async def test_station_year_through_a_weather_station(tmp_path):
    """Two months, January and February: frost is in them. The whole year is below."""
    await play_station_year(tmp_path, 0, 59 * 24)


@pytest.mark.slow
async def test_whole_station_year_through_a_weather_station(tmp_path):
    await play_station_year(tmp_path, 0, 8760)


async def test_pipeline_through_a_flow_meter(tmp_path):
    """All 1268 observations; in the ten gaps the meter has no signal, shows 0, and its gate makes that MISSING."""
    branch = recorded.pipeline_branch()
    device = DeviceSettings(
        name="ft",
        profile="tuf-2000m",
        station="branch",
        period_s=3600,
        points=skipping("tuf-2000m", {"flow": PointSettings()}),
    )
    batches = await collected(branch, device, tmp_path)
    gaps = check(batches, branch, "branch", "flow", "flow", 2e-4)
    assert len(branch.time_ns) == 1268
    assert gaps == 111


@pytest.mark.skipif(not HALIFAX.is_file(), reason="the tide gauge's year is not on this machine")
@pytest.mark.parametrize(
    ("first", "end", "gaps"),
    [("2003-09-01", "2003-10-04", 0), ("2003-07-13", "2003-07-17", 4)],
    ids=["Hurricane Juan", "two gaps, in which the gauge is silent"],
)
async def test_tide_gauge_through_a_radar(first, end, gaps, tmp_path):
    year = recorded.tide_gauge(HALIFAX)
    part = year.between(*(int(np.datetime64(day, "ns").astype(np.int64)) for day in (first, end)))
    level = PointSettings(quantity="sea_level", offset=-1.0)
    device = DeviceSettings(
        name="radar",
        profile="sen0676",
        station="halifax",
        period_s=3600,
        points=skipping("sen0676", {"level": level}),
    )
    batches = await collected(part, device, tmp_path)
    assert check(batches, part, "halifax", "level", "sea_level", 0.001) == gaps
