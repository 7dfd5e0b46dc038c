"""Recorded observations, all the way from a serial line into the store: each exactly once, and gaps as MISSING rows.

What must stand in the store is read here from the files themselves, with nothing but the csv module.
"""

import asyncio
import csv
import importlib.util
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest

from edge_agent.columns import PointSettings
from simulators import recorded
from simulators.recorded import Column, Layout
from simulators.samples import SAMPLES
from telemetry.quality import Cause, Quality
from tests.integration.recorded_way import Part, StoreFile, away, live, store_file

HALIFAX = Path(__file__).parents[3] / "shared" / "data" / "sealevel" / "halifax_490_2003_slev.csv"
HOUR = timedelta(hours=1)
PATIENT_S = 5.0
"""For devices that always answer: a loaded machine must not make a MISSING row that the recording does not have."""
SILENT_S = 0.5
"""For the gauge, which has no other way than silence to say that it has nothing: each gap costs this twice."""
PARTS = 4

WEATHER = {
    # point: quantity, header, resolution of the register
    "wind-speed": ("wind_speed", "Wspd (m/s)", 0.01),
    "wind-direction": ("wind_direction", "Wdir (degrees)", 1.0),
    "humidity": ("relative_humidity", "RHum (%)", 0.1),
    "temperature": ("air_temperature", "Dry-bulb (C)", 0.1),
    "pressure": ("air_pressure", "Pressure (mbar)", 1.0),
    "illuminance": ("illuminance", "GH illum (lx)", 1.0),
    "solar": ("solar_irradiance", "GHI (W/m^2)", 1.0),
}


def wheel(package: str, *parts: str) -> Path:
    return Path(importlib.util.find_spec(package).origin).parent.joinpath(*parts)


def table(path: Path, skip: int) -> list[dict[str, str]]:
    return list(csv.DictReader(path.read_text(encoding="utf-8").splitlines()[skip:]))


@dataclass(frozen=True)
class Truth:
    """What was observed of one quantity, by UTC time."""

    observed: dict[datetime, float]

    def hours(self) -> list[datetime]:
        """Every hour from the first observation to the last."""
        first, last = min(self.observed), max(self.observed)
        return [first + number * HOUR for number in range((last - first) // HOUR + 1)]


def station_year(header: str) -> Truth:
    """8760 hours; a typical year has months of several years, so its hours are counted from the first of January.

    The first row is for 01:00 at 5 h behind UTC.
    """
    rows = table(wheel("pvlib", "data", "723170TYA.CSV"), 1)
    assert [row["Time (HH:MM)"] for row in rows[:24]] == [f"{hour:02}:00" for hour in range(1, 25)]
    return Truth({datetime(1990, 1, 1, 6, tzinfo=UTC) + at * HOUR: float(row[header]) for at, row in enumerate(rows)})


def water_main() -> Truth:
    """Litres a second; in m3/h, they are 3.6 times as many."""
    rows = table(wheel("river", "datasets", "water-flow.csv"), 0)
    return Truth({datetime.fromisoformat(r["Time"]).astimezone(UTC): float(r["Water flow [l/s]"]) * 3.6 for r in rows})


def halifax() -> Truth:
    rows = table(HALIFAX, 7)
    when = [datetime.strptime(row["Obs_date"] + " +0000", "%Y/%m/%d %H:%M %z") for row in rows]
    return Truth(dict(zip(when, (float(row["SLEV(metres)"]) for row in rows), strict=True)))


def weather_station() -> Part:
    sample = SAMPLES["station-year"]
    return Part(
        station="greensboro",
        recording=recorded.read(sample.path(), sample.layout),
        profile="rs-fsxcs",
        points={name: PointSettings() for name in WEATHER},
        timeout_s=PATIENT_S,
    )


def flow_meter() -> Part:
    sample = SAMPLES["water-main"]
    return Part(
        station="main",
        recording=recorded.read(sample.path(), sample.layout),
        profile="tuf-2000m",
        points={"flow": PointSettings()},
        timeout_s=PATIENT_S,
    )


def tide_gauge() -> Part:
    """The gauge shows what the gateway will bring to chart datum by taking a metre off."""
    layout = Layout(
        time=("Obs_date",),
        columns={"level": Column("SLEV(metres)", "m", "sea_level")},
        format="%Y/%m/%d %H:%M",
        utc_offset_h=0.0,
        skip=7,
    )
    return Part(
        station="halifax",
        recording=recorded.read(HALIFAX, layout),
        profile="sen0676",
        points={"level": PointSettings(quantity="sea_level", offset=-1.0)},
        timeout_s=SILENT_S,
    )


@pytest.fixture(scope="module")
def stores(tmp_path_factory):
    """The closed stores of both ways, live and away.

    The time of a serial line is mostly silence: everything is played side by side, and the years are cut in parts.
    """
    folders = [tmp_path_factory.mktemp(name) for name in ("live", "away")]
    years = weather_station().split(PARTS) + (tide_gauge().split(PARTS) if HALIFAX.is_file() else [])

    async def play() -> list[Path]:
        return await asyncio.gather(live(flow_meter(), folders[0]), away(years, folders[1]))

    with pytest.MonkeyPatch.context() as patch:
        # A line learns to give prompt devices 50 ms; a machine that runs other things too may take longer.
        patch.setattr("edge_agent.lines.patience._SHORTEST_S", PATIENT_S)
        return asyncio.run(play())


@pytest.fixture
def water(stores):
    """What came in lock step: each hour was in the store before the next was polled."""
    with store_file(stores[0]) as stored:
        yield stored


@pytest.fixture
def years(stores):
    """What came while the centre was away: the gateways kept it in their spools, and in the end it took it all."""
    with store_file(stores[1]) as stored:
        yield stored


def in_parts(station: str) -> list[str]:
    return [f"{station}-{number}" for number in range(PARTS)]


def check(stored: StoreFile, truth: Truth, series: tuple[list[str], str, str], resolution: float, gap: Cause) -> int:
    """One row an hour at its very time; observed hours hold the value, all others are MISSING for the right cause.

    Quality control may doubt a value (a temperature that stands still for hours), and changes none.
    """
    rows, hours = stored.series(*series), truth.hours()
    assert rows.time_ns.tolist() == [round(hour.timestamp()) * 10**9 for hour in hours]
    expected = np.array([truth.observed.get(hour, np.nan) for hour in hours])
    is_gap = np.isnan(expected)
    assert (np.isnan(rows.value) == is_gap).all()
    assert np.abs(rows.value - expected)[~is_gap].max() <= resolution / 2 * 1.000001
    assert np.isin(rows.quality[~is_gap], (Quality.GOOD, Quality.SUSPECT)).all()
    assert (rows.quality[is_gap] == Quality.MISSING).all()
    assert (rows.cause[is_gap] == gap).all()
    return int(is_gap.sum())


def test_station_year_through_a_weather_station(years):
    """All 8760 hours of seven quantities, frost and calm among them."""
    stations = in_parts("greensboro")
    for point, (quantity, header, resolution) in WEATHER.items():
        series = (stations, point, quantity)
        assert check(years, station_year(header), series, resolution, Cause.COMMS) == 0
    assert years.count(stations) == 8760 * len(WEATHER)


def test_water_main_through_a_flow_meter(water):
    """In its gaps the meter has no signal and shows 0; the gate makes that MISSING, never "no flow"."""
    truth = water_main()
    assert len(truth.observed) == 1268
    gaps = check(water, truth, (["main"], "flow", "flow"), 2e-4, Cause.DEVICE)
    assert gaps == 111
    assert water.count(["main"]) == 1268 + gaps


@pytest.mark.skipif(not HALIFAX.is_file(), reason="the tide gauge's year is not on this machine")
def test_tide_gauge_through_a_radar(years):
    """6667 hours, Hurricane Juan among them; in the gaps the gauge is silent."""
    truth = halifax()
    assert max(truth.observed.values()) == 2.84
    stations = in_parts("halifax")
    gaps = check(years, truth, (stations, "level", "sea_level"), 0.001, Cause.COMMS)
    assert years.count(stations) == len(truth.observed) + gaps == 6667 + gaps
