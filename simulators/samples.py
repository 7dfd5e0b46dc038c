"""Recordings that come in the wheels of other packages, and how to read them."""

from collections.abc import Callable
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Final

from simulators.recorded import Column, Layout
from telemetry.settings import SettingsError
from telemetry.span import HOUR_NS


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """A file, its layout, and a device of the catalogue that measures the like."""

    path: Callable[[], Path]
    """Raises SettingsError where the package is not installed."""
    layout: Layout
    profile: str


def _wheel(package: str, *parts: str) -> Callable[[], Path]:
    """A file in an installed package, which is not imported for it."""

    def path() -> Path:
        spec = find_spec(package)
        if spec is None or not spec.submodule_search_locations:
            raise SettingsError(f"package {package} is not installed, expected it for its recorded data")
        return Path(spec.submodule_search_locations[0]).joinpath(*parts)

    return path


_STATION_YEAR: Final = Layout(
    time=("Date (MM/DD/YYYY)", "Time (HH:MM)"),
    columns={
        "wind-speed": Column("Wspd (m/s)", "m/s", "wind_speed"),
        "wind-direction": Column("Wdir (degrees)", "deg", "wind_direction"),
        "humidity": Column("RHum (%)", "%", "relative_humidity"),
        "temperature": Column("Dry-bulb (C)", "degC", "air_temperature"),
        "pressure": Column("Pressure (mbar)", "hPa", "air_pressure"),
        "illuminance": Column("GH illum (lx)", "lx", "illuminance"),
        "solar": Column("GHI (W/m^2)", "W/m2", "solar_irradiance"),
    },
    period_ns=HOUR_NS,
    format="%m/%d/%Y %H:%M",
    utc_offset_h=-5.0,
    skip=1,
    year=1990,
)
_WATER_MAIN: Final = Layout(
    time=("Time",), columns={"flow": Column("Water flow [l/s]", "L/s", "flow")}, period_ns=HOUR_NS
)

SAMPLES: Final = {
    # A typical year (TMY3, US National Renewable Energy Laboratory) of 8760 hours at Greensboro, North Carolina.
    # Illuminance is played as its header has it (lx), though a noon of 1055 can only mean hundreds of lux.
    "station-year": Sample(path=_wheel("pvlib", "data", "723170TYA.CSV"), layout=_STATION_YEAR, profile="rs-fsxcs"),
    # Two months of hourly flow in a water main, with gaps (given by Tecnojest s.r.l., Italy).
    "water-main": Sample(path=_wheel("river", "datasets", "water-flow.csv"), layout=_WATER_MAIN, profile="tuf-2000m"),
}
