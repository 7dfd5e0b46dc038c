"""Recorded observations as a world: a CSV file played through the registers of simulated devices.

A recorded value holds from its time on for one period of the recording; where the recording has a gap there is nothing
to be had, and the device shows that as it can (missing code, shut gate, silence). So a gateway that polls once a period
collects every recorded observation exactly once, and a gap as MISSING rows.
"""

import csv
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone
from itertools import islice
from pathlib import Path
from typing import Final, NamedTuple

import numpy as np

from telemetry.batch import F64, I64
from telemetry.quantity import QUANTITIES
from telemetry.settings import SettingsError
from telemetry.units import conversion

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND_NS: Final = 1_000


class Column(NamedTuple):
    """A column of a file: its header, the unit of its numbers, and what they are."""

    header: str
    unit: str
    quantity: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """How a file is laid out; ``columns`` by the name of the point that shows them.

    ``time`` is the header of the times (several headers: joined by a blank), in ``format`` (None: ISO 8601); times
    without an offset lie ``utc_offset_h`` ahead of UTC. ``skip`` lines stand before the header. A cell that is empty or
    says one of ``missing`` is a gap. ``period_ns`` is how long a value holds (None: the smallest step of the times).
    """

    time: tuple[str, ...]
    columns: Mapping[str, Column]
    period_ns: int | None = None
    format: str | None = None
    utc_offset_h: float | None = None
    skip: int = 0
    missing: frozenset[str] = frozenset()
    year: int | None = None
    """Put all times into this year: a typical year is put together from months of several."""


@dataclass(frozen=True, slots=True, eq=False)
class Recording:
    """Times (n,), ascending, and values (n,) by point in canonical units, NaN where a cell is empty.

    ``lines`` (n,) says where in the file each time stands.
    """

    time_ns: I64
    period_ns: int
    values: Mapping[str, F64]
    lines: I64

    @property
    def end_ns(self) -> int:
        """When the last value ends to hold."""
        return int(self.time_ns[-1]) + self.period_ns


def as_recorded(time_ns: int) -> int:
    """Data time as recorded time: the recording plays at the times of its own."""
    return time_ns


@dataclass(frozen=True, slots=True, eq=False)
class Played:
    """A recording as a device sees it; ``head`` gives the recorded time of a moment of data time."""

    recording: Recording
    head: Callable[[int], int] = as_recorded

    def __call__(self, station: str, point: str, quantity: str, time_ns: int, /) -> float:
        """The value that holds at a moment, NaN in a gap; raises KeyError for a point that was not recorded."""
        values, times, at = self.recording.values[point], self.recording.time_ns, self.head(time_ns)
        row = int(times.searchsorted(at, side="right")) - 1
        if row < 0 or at - int(times[row]) >= self.recording.period_ns:
            return math.nan
        return float(values[row])


def headers(path: Path, skip: int = 0) -> tuple[str, ...]:
    """The headers of a file below so many lines; raises SettingsError."""
    found, _ = _table(path, skip)
    return found


def read(path: Path, layout: Layout) -> Recording:
    """Read a file; raises SettingsError, one line with file, line, what was found and what was expected."""
    known, rows = _table(path, layout.skip)
    for header in (*layout.time, *(column.header for column in layout.columns.values())):
        if header not in known:
            raise SettingsError(f"{path}:{layout.skip + 1}: no column {header!r}, expected one of {', '.join(known)}")
    if not rows:
        raise SettingsError(f"{path}: no rows, expected some below a header")
    times = np.array([_time_ns(path, row, layout) for row in rows], np.int64)
    lines = np.array([row.line for row in rows], np.int64)
    late = np.flatnonzero(np.diff(times) <= 0)
    if late.size:
        line = lines[late[0] + 1]
        raise SettingsError(f"{path}:{line}: time is not after the one before, expected rising times")
    values = {point: _values(path, rows, column, layout.missing) for point, column in layout.columns.items()}
    return Recording(times, layout.period_ns or _step_ns(path, times), values, lines)


class _Row(NamedTuple):
    """A row of a file and where it stands."""

    line: int
    cells: dict[str, str]


def _table(path: Path, skip: int) -> tuple[tuple[str, ...], list[_Row]]:
    """The headers and the rows of a file; blank lines are no rows. Raises SettingsError.

    A cell too many or too few may be a decimal comma, or a line that was cut: nobody knows which cells are right. Empty
    ones too many are commas at the end of a line, which some archives write and which leave no doubt.
    """
    try:
        with path.open(encoding="utf-8-sig", newline="") as lines:
            reader = csv.reader(islice(lines, skip, None))
            table = [(reader.line_num + skip, cells) for cells in reader if cells]
    except (OSError, UnicodeDecodeError, csv.Error) as exc:
        reason = exc.strerror if isinstance(exc, OSError) else exc
        raise SettingsError(f"{path}: {reason}, expected a readable CSV file") from exc
    if not table:
        raise SettingsError(f"{path}:{skip + 1}: nothing, expected a header with the names of the columns")
    (_, known), *rows = table
    for line, cells in rows:
        if len(cells) < len(known) or any(cells[len(known) :]):
            raise SettingsError(f"{path}:{line}: {len(cells)} cells, expected {len(known)} as in the header")
    return tuple(known), [_Row(line, dict(zip(known, cells, strict=False))) for line, cells in rows]


def _time_ns(path: Path, row: _Row, layout: Layout) -> int:
    text = " ".join(row.cells[header] for header in layout.time)
    try:
        return moment_ns(text, layout)
    except ValueError as exc:
        raise SettingsError(f"{path}:{row.line}: time {text!r}, expected {exc}") from exc


def moment_ns(text: str, layout: Layout) -> int:
    """A time as a file writes it, in UTC nanoseconds; raises ValueError that says what was expected.

    24:00 ends a day, and the last day of a year stays in it.
    """
    midnight = text.endswith(" 24:00")
    moment = _parsed(f"{text[:-5]}00:00" if midnight else text, layout.format)
    if moment.tzinfo is None:
        if layout.utc_offset_h is None:
            raise ValueError("one with its offset from UTC, or to be told the offset")
        moment = moment.replace(tzinfo=timezone(timedelta(hours=layout.utc_offset_h)))
    if layout.year is not None:
        moment = moment.replace(year=layout.year)
    moment += timedelta(days=1) if midnight else timedelta()
    return (moment - _EPOCH) // timedelta(microseconds=1) * _MICROSECOND_NS


def _parsed(text: str, format_: str | None) -> datetime:
    try:
        return datetime.fromisoformat(text) if format_ is None else datetime.strptime(text, format_)  # noqa: DTZ007
    except ValueError as exc:
        raise ValueError(format_ or "ISO 8601") from exc


def _step_ns(path: Path, times: I64) -> int:
    if len(times) < 2:
        raise SettingsError(f"{path}: one time only, expected two, or to be told how long a value holds")
    return int(np.diff(times).min())


def _values(path: Path, rows: list[_Row], column: Column, missing: frozenset[str]) -> F64:
    gain, offset = conversion(column.unit, QUANTITIES[column.quantity].unit)
    return np.array([_number(path, row, column.header, missing) for row in rows]) * gain + offset


def _number(path: Path, row: _Row, header: str, missing: frozenset[str]) -> float:
    text = row.cells[header].strip()
    if not text or text in missing:
        return math.nan
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not math.isfinite(number):
        raise SettingsError(f"{path}:{row.line}: {header} {text!r}, expected a number or nothing")
    return number
