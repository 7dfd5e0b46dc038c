"""The site file: where we are, who manages what, which levels are dangerous here, and what connects to what."""

from collections.abc import Iterator, Sequence
from datetime import date
from pathlib import Path
from typing import Any, Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import msgspec

from alerting import heights
from alerting.heights import Datum
from alerting.register import EMPTY, Register, load_register
from ingest.qc.parameters import AnyTest, mistakes
from telemetry.quantity import QUANTITIES
from telemetry.series import Text
from telemetry.settings import Document, Step, load
from telemetry.span import moment_ns

SCHEMES: Final = {"warn_tide": "sea_level", "flood_stage": "water_level"}
"""What rule packs know a gauge's levels by, each with the quantity that it is about."""
LEVELS: Final = ("blue", "yellow", "orange", "red")
LEVEL_NAMES: Final = (
    Text("正常", "normal"),
    Text("蓝色", "blue"),
    Text("黄色", "yellow"),
    Text("橙色", "orange"),
    Text("红色", "red"),
)
"""Names of the levels 0 to 4."""
_KNOWN_CRS: Final = ("EPSG:4326", "EPSG:4490")


class Area(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A township-level unit: the place of its seat in WGS-84 degrees (null: unknown), and who manages it."""

    code: str
    """The official code, as text."""
    name: Text
    managed_by: Text | None = None
    """Who is warned, where it is not the district."""
    lon: float | None = None
    lat: float | None = None


class Layer(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A map layer in a GeoJSON file beside the site file. ``sketch``: indicative only, not an official boundary."""

    id: str
    file: str
    """In the folder of the site file."""
    crs: str
    """``EPSG:4326`` or ``EPSG:4490``."""
    attribution: Text
    sketch: bool = False


class Levels(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Four values, ascending in severity; null is unconfigured, never a guess."""

    blue: float | None = None
    yellow: float | None = None
    orange: float | None = None
    red: float | None = None

    def ladder(self) -> tuple[float | None, ...]:
        """Blue, yellow, orange, red."""
        return self.blue, self.yellow, self.orange, self.red


class Threshold(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The levels of one gauge under a scheme that rule packs name, in the canonical unit of the quantity.

    Schemes: ``warn_tide`` (GB/T 17839: four warning tides), ``flood_stage`` (yellow: warning stage, orange: guaranteed
    stage, red: highest on record; blue is yellow less ``near_margin`` unless given). ``illustrative`` values serve
    demonstrations and tests; they are no surveyed levels and every text that uses them says so.
    """

    station: str
    point: str
    quantity: str
    scheme: str
    """``warn_tide`` or ``flood_stage``."""
    values: Levels = Levels()
    near_margin: float | None = None
    """In the unit of the quantity, more than 0."""
    datum: str
    """What the values count from."""
    surveyor: str
    """Who says so."""
    date: str
    """Since when: a day such as ``2026-01-31``."""
    illustrative: bool

    def ladder(self) -> tuple[float | None, ...]:
        """Blue, yellow, orange, red, with blue derived from the near margin where it is not given."""
        blue, yellow, orange, red = self.values.ladder()
        if blue is None and yellow is not None and self.near_margin is not None:
            blue = round(yellow - self.near_margin, 6)
        return blue, yellow, orange, red


class End(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One end of a pipeline; the points may be left out where the station has one of the kind."""

    station: str
    flow: str | None = None
    pressure: str | None = None


class Pipeline(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A pipeline between two stations, and the areas that it endangers."""

    id: str
    name: Text
    inlet: End
    outlet: End
    length_m: float
    towns: tuple[str, ...] = ()
    """Codes of areas."""


class Typhoon(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A statement of the duty desk: from ``begins`` to ``ends`` (ISO 8601 with offset) wind here is typhoon wind.

    The national rules for typhoons need it (a sensor cannot tell), and those for gales exclude such wind.
    """

    id: str
    name: Text
    begins: str
    ends: str
    source: str


class Site(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One site. ``bounds`` are west, south, east, north in WGS-84 degrees."""

    id: str
    """As in gateway.yaml."""
    name: Text
    timezone: str = "Asia/Shanghai"
    bounds: tuple[float, float, float, float]
    areas: tuple[Area, ...]
    """Township-level units."""
    layers: tuple[Layer, ...] = ()
    thresholds: tuple[Threshold, ...] = ()
    """A gauge without any is shown as unconfigured."""
    pipelines: tuple[Pipeline, ...] = ()
    typhoons: tuple[Typhoon, ...] = ()
    datum: str | None = None
    """What derived sea levels count from; absent: none is reduced."""
    datums: tuple[Datum, ...] = ()
    """Other datums that gauges count from."""
    tides: tuple[str, ...] = ()
    """Files of harmonic constants (``petrel tide fit``) beside the site file, one for each gauge that has them."""
    quality: tuple[AnyTest, ...] = ()
    """Tests of quality control of this site, beside the built-in ones and before them."""
    register: str | None = None
    """The register in the folder of the site file: owners, sharing, risk sources, planned stations."""


def load_site(path: Path) -> Document[Site]:
    """Read and check a site file; raises telemetry.settings.SettingsError."""
    document = load(path, Site)
    for where, problem in _mistakes(document.settings, path.parent):
        raise document.error(where, problem)
    register_of(document)
    return document


def register_of(document: Document[Site]) -> Register:
    """Read and check the register of a site, an empty one where there is none; raises SettingsError."""
    site = document.settings
    if site.register is None:
        return EMPTY
    return load_register(document.path.parent / site.register, {area.code for area in site.areas}).settings


Mistake = tuple[Sequence[Step], str]


def _mistakes(site: Site, folder: Path) -> Iterator[Mistake]:
    yield from _place(site)
    yield from heights.mistakes(site.datum, site.datums, site.tides, folder)
    if site.register is not None:
        yield from _beside(("register",), site.register, folder)
    yield from _twice("areas", [area.code for area in site.areas])
    yield from _twice("layers", [layer.id for layer in site.layers])
    yield from _twice("pipelines", [pipeline.id for pipeline in site.pipelines])
    yield from _twice("typhoons", [typhoon.id for typhoon in site.typhoons])
    yield from _twice("thresholds", [(t.station, t.point, t.quantity, t.scheme) for t in site.thresholds])
    for index, area in enumerate(site.areas):
        yield from _area(("areas", index), area)
    for index, layer in enumerate(site.layers):
        yield from _layer(("layers", index), layer, folder)
    for index, threshold in enumerate(site.thresholds):
        yield from _threshold(("thresholds", index), threshold)
    for index, test in enumerate(site.quality):
        yield from ((("quality", index, key), problem) for key, problem in mistakes(test))
    for index, typhoon in enumerate(site.typhoons):
        yield from _typhoon(("typhoons", index), typhoon)
    for index, pipeline in enumerate(site.pipelines):
        yield from _pipeline(("pipelines", index), pipeline, {area.code for area in site.areas})


def _place(site: Site) -> Iterator[Mistake]:
    west, south, east, north = site.bounds
    if not (-180 <= west < east <= 180 and -90 <= south < north <= 90):
        yield ("bounds",), f"{list(site.bounds)}, expected west, south, east, north in degrees"
    try:
        ZoneInfo(site.timezone)
    except (ZoneInfoNotFoundError, ValueError):
        yield ("timezone",), f"{site.timezone!r}, expected a name such as 'Asia/Shanghai'"


def _twice(section: str, names: Sequence[Any]) -> Iterator[Mistake]:
    for index, name in enumerate(names):
        if name in names[:index]:
            yield (section, index), f"{name!r} stands here twice, expected it once"


def _area(where: tuple[Step, ...], area: Area) -> Iterator[Mistake]:
    for key, most in (("lon", 180), ("lat", 90)):
        if not -most <= (getattr(area, key) or 0.0) <= most:
            yield (*where, key), f"{getattr(area, key)}, expected -{most} to {most} degrees (WGS 84)"
    if (area.lon is None) != (area.lat is None):
        yield where, "one of lon and lat, expected both or neither"


def _layer(where: tuple[Step, ...], layer: Layer, folder: Path) -> Iterator[Mistake]:
    if layer.crs not in _KNOWN_CRS:
        yield (*where, "crs"), f"{layer.crs!r}, expected one of {', '.join(_KNOWN_CRS)}"
    yield from _beside((*where, "file"), layer.file, folder)


def _beside(where: tuple[Step, ...], file: str, folder: Path) -> Iterator[Mistake]:
    path = Path(file)
    if path.is_absolute() or ".." in path.parts or not (folder / path).is_file():
        yield where, f"no file {file!r}, expected a file in the folder of the site file"


def _threshold(where: tuple[Step, ...], threshold: Threshold) -> Iterator[Mistake]:
    about = SCHEMES.get(threshold.scheme)
    if threshold.quantity not in QUANTITIES:
        yield (*where, "quantity"), f"no quantity {threshold.quantity!r}, expected one that telemetry knows"
    if about is None:
        yield (*where, "scheme"), f"no scheme {threshold.scheme!r}, expected one of {', '.join(SCHEMES)}"
    elif threshold.quantity != about:
        yield (*where, "quantity"), f"{threshold.quantity!r} under {threshold.scheme}, expected {about!r}"
    yield from _day((*where, "date"), threshold.date)
    values = [value for value in threshold.ladder() if value is not None]
    if values != sorted(values):
        yield (*where, "values"), f"{values}, expected values that do not fall from blue to red"
    if threshold.near_margin is not None and not threshold.near_margin > 0:
        yield (*where, "near_margin"), f"{threshold.near_margin}, expected more than 0"


def _day(where: tuple[Step, ...], text: str) -> Iterator[Mistake]:
    try:
        date.fromisoformat(text)
    except ValueError:
        yield where, f"{text!r}, expected a day such as 2026-01-31"


def _typhoon(where: tuple[Step, ...], typhoon: Typhoon) -> Iterator[Mistake]:
    for key in ("begins", "ends"):
        try:
            moment_ns(getattr(typhoon, key))
        except ValueError as exc:
            yield (*where, key), str(exc)
            return
    if moment_ns(typhoon.begins) >= moment_ns(typhoon.ends):
        yield (*where, "ends"), f"{typhoon.ends} is not after {typhoon.begins}, expected a later time"


def _pipeline(where: tuple[Step, ...], pipeline: Pipeline, towns: set[str]) -> Iterator[Mistake]:
    if not pipeline.length_m > 0:
        yield (*where, "length_m"), f"{pipeline.length_m}, expected more than 0"
    for index, town in enumerate(pipeline.towns):
        if town not in towns:
            yield (*where, "towns", index), f"no area {town!r}, expected one of the codes of 'areas'"
