"""Wind and pressure of a tropical cyclone: the profile of Holland (1980) moved along a best track.

Sources, used as facts:

- Holland, G. J., 1980: An analytic model of the wind and pressure profiles in hurricanes. Mon. Wea. Rev., 108, 1212:
  pressure, gradient wind, and B = Vmax^2 * e * rho / dp, so that the profile reaches the wind of the best track.
- Willoughby, Darling and Rahn, 2006: Parametric representation of the primary hurricane vortex, part II. Mon. Wea.
  Rev., 134, 1102-1120, eq. 7a: Rmax = 46.4 exp(-0.0155 Vmax + 0.0169 latitude), km, Vmax in m/s.
- Gradient to 10 m over the sea: 0.9 (Powell, Vickery and Reinhold, 2003: Reduced drag coefficient for high wind speeds
  in tropical cyclones. Nature, 422, 279-283 and the practice of risk models after it).
- Asymmetry: half of the translation velocity, in proportion to the local wind (the half is common practice, see Lin and
  Chavas, 2012: On hurricane parametric wind and applications in storm surge modeling. J. Geophys. Res., 117, D09120).
- Inflow of 20 degrees, the middle of the usual 10 to 25 degrees: our choice.
"""

from collections.abc import Sequence
from csv import DictReader
from dataclasses import dataclass
from datetime import datetime
from importlib.resources.abc import Traversable
from typing import Final, NamedTuple

import numpy as np

from telemetry.batch import F64, I64
from telemetry.clock import SECOND_NS
from telemetry.units import UNITS

AIR_DENSITY: Final = 1.15
"""kg/m3, of warm moist air at the surface (Holland 1980)."""
SURFACE: Final = 0.9
INFLOW_DEG: Final = 20.0
TRANSLATION_SHARE: Final = 0.5
B_RANGE: Final = (0.8, 2.5)
"""Where the shape parameter is kept: a decaying storm over land has wind left without the pressure to carry it."""
_EARTH_M: Final = 6_371_000.0
_OMEGA: Final = 7.2921e-5
_WEAKEST_HPA: Final = 1.0
"""Least pressure deficit: a dissolved storm is calm, not undefined."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Track:
    """A best track, shapes (n,): UTC, degrees, maximum 10-minute surface wind in m/s, central pressure in hPa."""

    time_ns: I64
    lat: F64
    lon: F64
    wind: F64
    pressure: F64


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Storm:
    """The storm at many moments, shapes (t,): where it is, how it moves (m/s east, north), and its profile."""

    lat: F64
    lon: F64
    u: F64
    v: F64
    centre_hpa: F64
    ambient_hpa: float
    wind: F64
    """Maximum 10-minute surface wind of the best track, m/s."""
    radius_m: F64
    b: F64


class Air(NamedTuple):
    """Wind and pressure at places and moments: 10 m over the open sea, 10-minute means."""

    speed: F64
    from_deg: F64
    pressure_hpa: F64
    distance_m: F64


def read_track(file: Traversable) -> Track:
    """Read a track file (see tracks/README.md); winds that were not analysed become 0."""
    with file.open(encoding="utf-8") as lines:
        rows = list(DictReader(lines))
    return Track(
        time_ns=np.array([_utc_ns(row["time_utc"]) for row in rows], np.int64),
        lat=_column(rows, "lat_deg"),
        lon=_column(rows, "lon_deg"),
        wind=_column(rows, "wind_kt") * UNITS["kt"].gain,
        pressure=_column(rows, "pressure_hpa"),
    )


def follow(track: Track, times_ns: I64, ambient_hpa: float) -> Storm:
    """The storm at moments (t,): linear between fixes, so its velocity is constant from one to the next."""
    at = {name: np.interp(times_ns, track.time_ns, getattr(track, name)) for name in ("lat", "lon", "wind", "pressure")}
    u, v = _velocity(track, times_ns)
    deficit = np.maximum(ambient_hpa - at["pressure"], _WEAKEST_HPA)
    still = np.maximum(at["wind"] - TRANSLATION_SHARE * np.hypot(u, v), 0.0) / SURFACE
    return Storm(
        lat=at["lat"],
        lon=at["lon"],
        u=u,
        v=v,
        centre_hpa=ambient_hpa - deficit,
        ambient_hpa=ambient_hpa,
        wind=at["wind"],
        radius_m=radius_m(at["wind"], at["lat"]),
        b=shape_b(still, deficit),
    )


def radius_m(wind: F64, lat: F64) -> F64:
    """Radius of maximum wind (Willoughby et al. 2006, eq. 7a), (n,), from the maximum wind in m/s and degrees."""
    return 46.4e3 * np.exp(-0.0155 * wind + 0.0169 * np.abs(lat))


def shape_b(gradient_wind: F64, deficit_hpa: F64) -> F64:
    """Holland's B, (n,), from the maximum gradient wind in m/s and the pressure deficit, kept within ``B_RANGE``."""
    return np.clip(gradient_wind**2 * np.e * AIR_DENSITY / (100.0 * deficit_hpa), *B_RANGE)


def pressure_hpa(r_m: F64, centre_hpa: F64, ambient_hpa: float, radius: F64, b: F64) -> F64:
    """Surface pressure at distance ``r_m`` from the centre (Holland 1980, eq. 4); shapes broadcast."""
    return centre_hpa + (ambient_hpa - centre_hpa) * np.exp(-((radius / np.maximum(r_m, 1.0)) ** b))


def gradient_wind(r_m: F64, deficit_hpa: F64, radius: F64, b: F64, lat: F64) -> F64:
    """Gradient wind in m/s (Holland 1980, eq. 5); shapes broadcast."""
    ratio = (radius / np.maximum(r_m, 1.0)) ** b
    turn = r_m * np.abs(2.0 * _OMEGA * np.sin(np.deg2rad(lat))) / 2.0
    return np.sqrt(ratio * b * 100.0 * deficit_hpa / AIR_DENSITY * np.exp(-ratio) + turn**2) - turn


def air(storm: Storm, lat: float, lon: float) -> Air:
    """Wind and pressure at one place at all moments of the storm, shapes (t,)."""
    east, north = _offset_m(storm, lat, lon)
    r = np.hypot(east, north)
    deficit = storm.ambient_hpa - storm.centre_hpa
    speed = SURFACE * gradient_wind(r, deficit, storm.radius_m, storm.b, storm.lat)
    peak = SURFACE * gradient_wind(storm.radius_m, deficit, storm.radius_m, storm.b, storm.lat)
    turn = np.arctan2(north, east) + np.pi / 2 + np.deg2rad(INFLOW_DEG)
    share = TRANSLATION_SHARE * speed / np.maximum(peak, 0.1)
    u, v = speed * np.cos(turn) + share * storm.u, speed * np.sin(turn) + share * storm.v
    pressure = pressure_hpa(r, storm.centre_hpa, storm.ambient_hpa, storm.radius_m, storm.b)
    return Air(np.hypot(u, v), np.rad2deg(np.arctan2(-u, -v)) % 360.0, pressure, r)


def _offset_m(storm: Storm, lat: float, lon: float) -> tuple[F64, F64]:
    """Metres east and north of the storm's centre, on a plane that touches the earth halfway: good to 1 % at 500 km."""
    middle = np.deg2rad((storm.lat + lat) / 2)
    return np.deg2rad(lon - storm.lon) * np.cos(middle) * _EARTH_M, np.deg2rad(lat - storm.lat) * _EARTH_M


def _velocity(track: Track, times_ns: I64) -> tuple[F64, F64]:
    leg = np.clip(np.searchsorted(track.time_ns, times_ns, side="right") - 1, 0, len(track.time_ns) - 2)
    seconds = np.diff(track.time_ns)[leg] / SECOND_NS
    middle = np.deg2rad((track.lat[leg] + track.lat[leg + 1]) / 2)
    east = np.deg2rad(np.diff(track.lon)[leg]) * np.cos(middle) * _EARTH_M
    return east / seconds, np.deg2rad(np.diff(track.lat)[leg]) * _EARTH_M / seconds


def _utc_ns(text: str) -> int:
    return int(datetime.fromisoformat(text).timestamp()) * SECOND_NS


def _column(rows: Sequence[dict[str, str]], name: str) -> F64:
    return np.array([float(row[name] or 0.0) for row in rows])
