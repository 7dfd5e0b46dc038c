"""Recorded observations as a world: a CSV file played through the registers of simulated devices.

A recorded value holds from its time on for one period of the recording; where the recording has a gap there is nothing
to be had, and the device shows that as it can (missing code, shut gate, silence). So a gateway that polls once a period
collects every recorded observation exactly once, and a gap as MISSING rows.
"""

import csv
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone
from importlib.util import find_spec
from itertools import islice
from pathlib import Path
from typing import NamedTuple

import numpy as np

from telemetry.batch import F64, I64
from telemetry.clock import HOUR_NS, SECOND_NS
from telemetry.quantity import QUANTITIES
from telemetry.settings import SettingsError
from telemetry.units import conversion

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Column(NamedTuple):
    """A column of a file: its header and the unit of its numbers."""

    header: str
    unit: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """How a file is laid out.

    ``time`` is the header of the times (several headers: joined by a blank), in ``format`` (None: ISO 8601 with
    offset); times without an offset lie ``utc_offset_h`` ahead of UTC. ``skip`` lines stand before the header.
    """

    time: tuple[str, ...]
    columns: Mapping[str, Column]
    period_ns: int = HOUR_NS
    format: str | None = None
    utc_offset_h: float = 0.0
    skip: int = 0
    year: int | None = None
    """Put all times into this year: a typical year is put together from months of several."""


@dataclass(frozen=True, slots=True, eq=False)
class Recording:
    """Times (n,), ascending, and values (n,) by quantity in canonical units; NaN where a cell is empty."""

    time_ns: I64
    period_ns: int
    values: Mapping[str, F64]

    def between(self, first_ns: int, end_ns: int) -> "Recording":
        """The part from a time on up to another (not included)."""
        chosen = (self.time_ns >= first_ns) & (self.time_ns < end_ns)
        return Recording(self.time_ns[chosen], self.period_ns, {q: v[chosen] for q, v in self.values.items()})

    @property
    def end_ns(self) -> int:
        """When the last value ends to hold."""
        return int(self.time_ns[-1]) + self.period_ns


@dataclass(frozen=True, slots=True, eq=False)
class Played:
    """A recording as a device sees it: recorded times are data time plus ``shift_ns``."""

    recording: Recording
    shift_ns: int = 0

    def __call__(self, station: str, point: str, quantity: str, time_ns: int, /) -> float:
        """The value that holds at a moment, NaN in a gap; raises KeyError for a quantity that was not recorded."""
        values, at = self.recording.values[quantity], time_ns + self.shift_ns
        row = int(np.searchsorted(self.recording.time_ns, at, side="right")) - 1
        if row < 0 or at - int(self.recording.time_ns[row]) >= self.recording.period_ns:
            return float("nan")
        return float(values[row])


def read(path: Path, layout: Layout) -> Recording:
    """Read a file; raises SettingsError, one line with file, line, what was found and what was expected."""
    try:
        with path.open(encoding="utf-8-sig", newline="") as lines:
            rows = list(csv.DictReader(islice(lines, layout.skip, None)))
    except (OSError, UnicodeDecodeError, csv.Error) as exc:
        raise SettingsError(f"{path}: {exc}, expected a readable CSV file") from exc
    _check_headers(path, layout, rows)
    times = np.array([_time_ns(path, number, row, layout) for number, row in _numbered(rows, layout)], np.int64)
    values = {quantity: _values(path, rows, column, layout, quantity) for quantity, column in layout.columns.items()}
    late = np.flatnonzero(np.diff(times) <= 0)
    if late.size:
        line = int(late[0]) + layout.skip + 3
        raise SettingsError(f"{path}:{line}: time is not after the one before, expected rising times")
    return Recording(times, layout.period_ns, values)


def station_year() -> Recording:
    """A station year of 8760 hours at Greensboro, from the wheel of pvlib (TMY3, US National Renewable Energy Lab).

    Illuminance is played as its header has it (lx), though a noon of 1055 can only mean hundreds of lux.
    """
    columns = {
        "wind_speed": Column("Wspd (m/s)", "m/s"),
        "wind_direction": Column("Wdir (degrees)", "deg"),
        "relative_humidity": Column("RHum (%)", "%"),
        "air_temperature": Column("Dry-bulb (C)", "degC"),
        "air_pressure": Column("Pressure (mbar)", "hPa"),
        "illuminance": Column("GH illum (lx)", "lx"),
        "solar_irradiance": Column("GHI (W/m^2)", "W/m2"),
    }
    layout = Layout(
        time=("Date (MM/DD/YYYY)", "Time (HH:MM)"),
        columns=columns,
        format="%m/%d/%Y %H:%M",
        utc_offset_h=-5.0,
        skip=1,
        year=1990,
    )
    return read(_wheel("pvlib", "data", "723170TYA.CSV"), layout)


def pipeline_branch() -> Recording:
    """Two months of hourly flow in a water main, from the wheel of river (given by Tecnojest s.r.l., Italy)."""
    layout = Layout(time=("Time",), columns={"flow": Column("Water flow [l/s]", "L/s")})
    return read(_wheel("river", "datasets", "water-flow.csv"), layout)


def tide_gauge(path: Path) -> Recording:
    """A year of hourly sea level over chart datum, in the format of Canada's Marine Environmental Data Section."""
    layout = Layout(
        time=("Obs_date",), columns={"sea_level": Column("SLEV(metres)", "m")}, format="%Y/%m/%d %H:%M", skip=7
    )
    return read(path, layout)


def _wheel(package: str, *parts: str) -> Path:
    """A file in an installed package, which is not imported for it; raises SettingsError where it is not installed."""
    spec = find_spec(package)
    if spec is None or not spec.submodule_search_locations:
        raise SettingsError(f"package {package} is not installed, expected it for its recorded data")
    return Path(spec.submodule_search_locations[0]).joinpath(*parts)


def _check_headers(path: Path, layout: Layout, rows: list[dict[str, str]]) -> None:
    if not rows:
        raise SettingsError(f"{path}: no rows, expected some below a header")
    for header in (*layout.time, *(column.header for column in layout.columns.values())):
        if header not in rows[0]:
            known = ", ".join(str(name) for name in rows[0])
            raise SettingsError(f"{path}:{layout.skip + 1}: no column {header!r}, expected one of {known}")


def _numbered(rows: list[dict[str, str]], layout: Layout) -> Iterable[tuple[int, dict[str, str]]]:
    return enumerate(rows, start=layout.skip + 2)


def _time_ns(path: Path, number: int, row: dict[str, str], layout: Layout) -> int:
    text = " ".join(row[header] or "" for header in layout.time)
    try:
        moment = _moment(text, layout)
    except ValueError as exc:
        expected = layout.format or "ISO 8601 with offset"
        raise SettingsError(f"{path}:{number}: time {text!r}, expected {expected}") from exc
    return (moment - _EPOCH) // timedelta(seconds=1) * SECOND_NS


def _moment(text: str, layout: Layout) -> datetime:
    """A time as it is written; 24:00 ends a day, and the last day of a year stays in it."""
    midnight = text.endswith(" 24:00")
    plain = f"{text[:-5]}00:00" if midnight else text
    moment = datetime.fromisoformat(plain) if layout.format is None else datetime.strptime(plain, layout.format)  # noqa: DTZ007
    if moment.tzinfo is None:
        if layout.format is None:
            raise ValueError("no offset")
        moment = moment.replace(tzinfo=timezone(timedelta(hours=layout.utc_offset_h)))
    if layout.year is not None:
        moment = moment.replace(year=layout.year)
    return moment + timedelta(days=1) if midnight else moment


def _values(path: Path, rows: list[dict[str, str]], column: Column, layout: Layout, quantity: str) -> F64:
    gain, offset = conversion(column.unit, QUANTITIES[quantity].unit)
    found = np.array([_number(path, number, row, column.header) for number, row in _numbered(rows, layout)])
    return found * gain + offset


def _number(path: Path, number: int, row: dict[str, str], header: str) -> float:
    text = (row[header] or "").strip()
    try:
        return float(text) if text else float("nan")
    except ValueError as exc:
        raise SettingsError(f"{path}:{number}: {header} {text!r}, expected a number or nothing") from exc
