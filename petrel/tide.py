"""Harmonic constants of a tide gauge from its own record, through UTide (Codiga, 2011)."""

import csv
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from itertools import count
from pathlib import Path
from typing import Final, NamedTuple
from zoneinfo import ZoneInfo

import msgspec
import numpy as np

from ingest.derived.tide import Constants, Constituent, predict
from petrel.errors import CommandError
from telemetry.batch import F64, I64, U8
from telemetry.quality import Quality
from telemetry.span import HOUR_NS, moment_ns

MOST_SAMPLES: Final = 20_000
"""Of more, each n-th is taken: an hour's samples say little of the tide that one of them does not."""
_SHORTEST_DAYS: Final = 15.0
"""Half a month separates M2 from S2; a month N2, half a year K2 and P1, a year the seasons."""
_FEWEST: Final = 200
_DIGITS: Final = 6


class Record(NamedTuple):
    """Usable samples in order of time: nanoseconds UTC and metres, (n,) each."""

    time_ns: I64
    height: F64


@dataclass(frozen=True, slots=True, kw_only=True)
class Fit:
    """Constants with the constituents whose signal stands out, all that were looked for, and what was left over."""

    constants: Constants
    found: tuple[Constituent, ...]
    record: Record
    residual: F64
    days: float


def from_csv(path: Path, timezone: str, station: str, point: str) -> Record:
    """A recording: columns ``time`` and ``value`` (others of the name are looked at), or time and height in each line.

    Times without an offset are of ``timezone``. Lines before the first one with a time are the head of the file.
    """
    zone = ZoneInfo(timezone)
    try:
        with path.open(encoding="utf-8-sig", newline="") as lines:
            rows = list(_rows(csv.reader(lines), zone, {"station": station, "point": point}))
    except OSError as exc:
        raise CommandError(f"{path}: {exc.strerror}, expected a readable CSV file", code=2) from exc
    except (UnicodeDecodeError, csv.Error) as exc:
        raise CommandError(f"{path}: {exc}, expected CSV in UTF-8", code=2) from exc
    if not rows:
        raise CommandError(f"{path}: no line with a time and a height, expected for example 2023-07-28T08:00,3.62")
    return _ordered(np.array([at for at, _ in rows], np.int64), np.array([height for _, height in rows]))


def from_rows(time_ns: I64, height: F64, quality: I64 | U8) -> Record:
    """What a store or a centre gave, without what is doubtful."""
    return _ordered(time_ns[quality <= Quality.GOOD], height[quality <= Quality.GOOD])


def between(record: Record, begin_ns: int, end_ns: int) -> Record:
    """The part of a record from a moment up to, and without, another."""
    chosen = (record.time_ns >= begin_ns) & (record.time_ns < end_ns)
    return Record(record.time_ns[chosen], record.height[chosen])


def days_of(record: Record) -> str:
    """The first and the last day of a record."""
    if not len(record.time_ns):
        return "empty"
    first, last = (str(record.time_ns[at].astype("datetime64[ns]").astype("datetime64[D]")) for at in (0, -1))
    return f"{first} to {last}"


def fit(record: Record, named: Constants, least_snr: float) -> Fit:
    """Fit the constants that ``named`` has the names of; raises CommandError where the record is too short."""
    days = float(record.time_ns[-1] - record.time_ns[0]) / HOUR_NS / 24 if len(record.time_ns) else 0.0
    if days < _SHORTEST_DAYS or len(record.time_ns) < _FEWEST:
        raise CommandError(
            f"{len(record.time_ns)} samples over {days:.1f} days, "
            f"expected {_FEWEST} or more over {_SHORTEST_DAYS:g} days"
        )
    found, mean = _solved(record, named.latitude)
    kept = tuple(one for one in found if (one.snr or 0.0) >= least_snr)
    constants = msgspec.structs.replace(named, mean=mean, constituents=kept)
    residual = record.height - predict(constants, record.time_ns)
    rms = round(float(np.sqrt(np.mean(residual**2))), _DIGITS)
    constants = msgspec.structs.replace(constants, rms=rms)
    return Fit(constants=constants, found=found, record=record, residual=residual, days=days)


def as_yaml(constants: Constants) -> str:
    """The file of constants that the site file names under ``tides``."""
    head = [
        "# Harmonic constants: amplitudes in m, Greenwich phase lags in degrees, nodal corrections for each moment.",
        f"station: {_quoted(constants.station)}",
        f"point: {_quoted(constants.point)}",
        f"latitude: {constants.latitude}",
        f"datum: {_quoted(constants.datum)}",
        f"mean: {constants.mean}",
        f"rms: {constants.rms}",
        f"source: {_quoted(constants.source)}",
        *(["illustrative: true"] if constants.illustrative else []),
        "constituents:",
    ]
    lines = [
        f"- {{name: {_quoted(one.name)}, amplitude: {one.amplitude}, phase: {one.phase}, snr: {one.snr}}}"
        for one in constants.constituents
    ]
    return "\n".join([*head, *lines]) + "\n"


def _solved(record: Record, latitude: float) -> tuple[tuple[Constituent, ...], float]:
    """Every constituent that the length of the record can separate, greatest first, and the mean."""
    import utide  # type: ignore[import-untyped]  # ships no types; scipy behind it takes a second to import

    step = -(-len(record.time_ns) // MOST_SAMPLES)
    moments = record.time_ns[::step].astype("datetime64[ns]")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of pandas and numpy, about how UTide calls them
        solved = utide.solve(
            moments, record.height[::step], lat=latitude, trend=False, method="ols", conf_int="linear", verbose=False
        )
    noise = (solved.A_ci / 1.96) ** 2
    ratio = solved.A**2 / np.maximum(noise, np.finfo(float).tiny)
    found = [
        Constituent(
            name=str(name),
            amplitude=round(float(amplitude), _DIGITS),
            phase=round(float(phase), 4),
            snr=round(min(float(snr), 1e12), 1),
        )
        for name, amplitude, phase, snr in zip(solved.name, solved.A, solved.g, ratio, strict=True)
    ]
    return tuple(sorted(found, key=lambda one: -one.amplitude)), round(float(solved.mean), _DIGITS)


def _rows(lines: Iterator[list[str]], zone: ZoneInfo, wanted: dict[str, str]) -> Iterator[tuple[int, float]]:
    places, columns = (0, 1), dict[str, int]()
    for number, cells in zip(count(1), lines, strict=False):
        if "time" in cells and "value" in cells:
            columns = {name: at for at, name in enumerate(cells)}
            places = columns["time"], columns["value"]
            continue
        if any(cells[at] != wanted[name] for name, at in columns.items() if name in wanted and at < len(cells)):
            continue
        if max(places) < len(cells) and (moment := _moment(cells[places[0]], zone)) is not None:
            yield moment, _height(cells[places[1]], number)


def _moment(text: str, zone: ZoneInfo) -> int | None:
    try:
        moment = datetime.fromisoformat(text.strip().replace("/", "-"))
    except ValueError:
        return None
    return moment_ns((moment if moment.tzinfo else moment.replace(tzinfo=zone)).isoformat())


def _height(text: str, line: int) -> float:
    try:
        return float(text) if text.strip() else float("nan")
    except ValueError as exc:
        raise CommandError(f"line {line}: height {text!r}, expected a number in m", code=2) from exc


def _ordered(time_ns: I64, height: F64) -> Record:
    known = np.isfinite(height)
    moments, first = np.unique(time_ns[known], return_index=True)
    return Record(moments, height[known][first])


def _quoted(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'
