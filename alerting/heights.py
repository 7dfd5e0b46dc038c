"""What the site says of heights and tides: its datum, how high others lie above it, and the constants of its gauges."""

from collections.abc import Iterator, Sequence
from datetime import date
from pathlib import Path

import msgspec

from ingest.derived.surroundings import Surroundings
from ingest.derived.tide import Constants, unknown
from telemetry.settings import SettingsError, Step, load


class Datum(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How high a datum lies above the site's, in m; below it is negative."""

    name: str
    """As deployments and thresholds call it."""
    height: float
    surveyor: str
    """Who says so."""
    date: str
    """The day of that: ``2026-01-31``."""


Mistake = tuple[Sequence[Step], str]


def mistakes(datum: str | None, datums: Sequence[Datum], tides: Sequence[str], folder: Path) -> Iterator[Mistake]:
    """What is wrong with these parts of a site file."""
    names = [datum, *(one.name for one in datums)]
    for index, one in enumerate(datums):
        if one.name in names[: index + 1]:
            yield ("datums", index, "name"), f"{one.name!r} stands here twice, expected it once"
        try:
            date.fromisoformat(one.date)
        except ValueError:
            yield ("datums", index, "date"), f"{one.date!r}, expected a day such as 2026-01-31"
    if datums and datum is None:
        yield ("datums",), "heights above nothing, expected 'datum' beside them"
    for index, file in enumerate(tides):
        path = Path(file)
        if path.is_absolute() or ".." in path.parts or not (folder / path).is_file():
            yield ("tides", index), f"no file {file!r}, expected a file in the folder of the site file"


def load_constants(path: Path) -> Constants:
    """Read and check the harmonic constants of one gauge; raises telemetry.settings.SettingsError."""
    document = load(path, Constants)
    if name := unknown(document.settings):
        raise document.error(("constituents",), f"{name!r} is unknown or stands here twice, expected names such as M2")
    return document.settings


def surroundings(
    timezone: str, datum: str | None, datums: Sequence[Datum], tides: Sequence[str], folder: Path
) -> Surroundings:
    """The same as what is derived must know; raises telemetry.settings.SettingsError."""
    constants = {}
    for file in tides:
        found = load_constants(folder / file)
        if (found.station, found.point) in constants:
            raise SettingsError(
                f"{folder / file}: {found.station}/{found.point} has constants already, expected one file"
            )
        constants[found.station, found.point] = found
    return Surroundings(
        timezone=timezone, datum=datum, datums={one.name: one.height for one in datums}, tides=constants
    )
