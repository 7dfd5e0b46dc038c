"""A small coast with everything that the engine watches, and readings of it, for the tests of the engine."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cache

import numpy as np

from alerting.alarms import Event
from alerting.engine import Engine
from alerting.rules import load_packs
from alerting.site import Area, End, Levels, Pipeline, Site, Threshold, Typhoon
from ingest.commit import Commit
from telemetry.batch import Batch, rows
from telemetry.clock import MINUTE_NS, SECOND_NS
from telemetry.quality import Quality
from telemetry.series import Series, Station, Text, series_id
from telemetry.span import moment_ns

SITE = "xiuyu"
packs = cache(load_packs)
"""The rule packs, read once."""
T0 = moment_ns("2023-07-28T00:00+08:00")
TYPHOON = Typhoon(
    id="doksuri",
    name=Text("杜苏芮", "Doksuri"),
    begins="2023-07-27T00:00+08:00",
    ends="2023-07-29T00:00+08:00",
    source="a test",
)
POINTS = (
    ("tide", "sea-level", "sea_level", "m"),
    ("river", "stage", "water_level", "m"),
    ("mast", "wind", "wind_speed", "m/s"),
    ("mast", "gust", "wind_gust", "m/s"),
    ("mast", "rain", "rain_total", "mm"),
    ("tank", "lel-1", "combustible_gas", "%LEL"),
    ("tank", "lel-2", "combustible_gas", "%LEL"),
    ("tank", "h2s", "hydrogen_sulfide", "ppm"),
    ("head", "flow", "flow", "m3/h"),
    ("head", "pressure", "pipe_pressure", "kPa"),
    ("end", "flow", "flow", "m3/h"),
    ("end", "pressure", "pipe_pressure", "kPa"),
)
NAMES = {
    "tide": Text("石门澳", "Shimen'ao"),
    "river": Text("木兰溪", "Mulan River"),
    "mast": Text("湄洲岛", "Meizhou"),
    "tank": Text("储罐区", "Tank farm"),
    "head": Text("首站", "Head"),
    "end": Text("末站", "End"),
}
TOWNS = {"tide": "A", "river": "B", "mast": "A", "tank": "B", "head": "A", "end": "B"}
SOURCES = {
    "tide": "xiuyu/gw1",
    "river": "xiuyu/gw1",
    "mast": "xiuyu/gw1",
    "tank": "xiuyu/gw2",
    "head": "xiuyu/gw2",
    "end": "xiuyu/gw2",
}


@dataclass(frozen=True, slots=True)
class Thing:
    """A catalogue entry."""

    id: int
    source: str
    station: Station
    series: Series
    drill: bool = False
    datum: str | None = None
    is_derived: bool = False


@dataclass
class Catalogue:
    """A catalogue made by hand."""

    things: list[Thing]
    revision: int = 1

    def entries(self) -> Iterable[Thing]:
        return tuple(self.things)


def key(point: str) -> int:
    """The identity of ``station/point``."""
    station, name = point.split("/")
    quantity = next(q for s, p, q, _ in POINTS if (s, p) == (station, name))
    return series_id(SITE, station, name, quantity)


def things(*, period_s: float = 60.0, only: Iterable[str] | None = None, drill: bool = False) -> list[Thing]:
    """Entries of some stations (all by default)."""
    stations = {
        name: Station(id=name, name=text, kind="x", lat=25.0, lon=119.0, town=TOWNS[name])
        for name, text in NAMES.items()
    }
    chosen = set(NAMES if only is None else only)
    return [
        Thing(
            key(f"{station}/{point}"),
            SOURCES[station],
            stations[station],
            Series(
                station=station,
                point=point,
                quantity=quantity,
                unit=unit,
                valid=(-1e6, 1e6),
                period_s=period_s,
            ),
            drill,
        )
        for station, point, quantity, unit in POINTS
        if station in chosen
    ]


def site(*, thresholds: bool = True, typhoon: bool = True) -> Site:
    """Three areas: A at the sea, B inland, C without any sensor."""
    surveyed = {"datum": "1985", "surveyor": "a test", "date": "2020-01-01", "illustrative": True}
    return Site(
        id=SITE,
        name=Text("秀屿", "Xiuyu"),
        bounds=(118.0, 24.0, 120.0, 26.0),
        areas=tuple(Area(code=code, name=Text(code, code)) for code in "ABC"),
        thresholds=(
            Threshold(
                station="tide",
                point="sea-level",
                quantity="sea_level",
                scheme="warn_tide",
                values=Levels(blue=3.2, yellow=3.5, orange=3.8, red=4.1),
                **surveyed,
            ),
            Threshold(
                station="river",
                point="stage",
                quantity="water_level",
                scheme="flood_stage",
                near_margin=0.5,
                values=Levels(yellow=6.0, orange=7.2),
                **surveyed,
            ),
        )
        if thresholds
        else (),
        pipelines=(
            Pipeline(
                id="line-1",
                name=Text("一号线", "Line 1"),
                inlet=End(station="head"),
                outlet=End(station="end"),
                length_m=5000.0,
                towns=("A", "B"),
            ),
        ),
        typhoons=(TYPHOON,) if typhoon else (),
    )


def reading(
    values: Mapping[str, float | None],
    minute: float,
    *,
    quality: Quality = Quality.GOOD,
    answered_ns: int = 0,
) -> list[Batch]:
    """Rows of one moment, a batch per gateway; None is a failed poll."""
    found = []
    for source in dict.fromkeys(SOURCES[point.split("/")[0]] for point in values):
        mine = {p: v for p, v in values.items() if SOURCES[p.split("/")[0]] == source}
        number = np.array([np.nan if v is None else v for v in mine.values()])
        found.append(
            rows(
                source,
                np.array([key(point) for point in mine], np.int64),
                np.full(len(mine), T0 + round(minute * 60) * SECOND_NS, np.int64),
                number,
                quality=np.full(len(mine), quality, np.uint8),
                answered_ns=answered_ns,
            )
        )
    return found


def commit(number: int, *batches: Batch) -> Commit:
    """A commit of batches."""
    return Commit(number=number, batches=batches, stored=True)


@dataclass
class Desk:
    """An engine with a log, and one line to feed it."""

    engine: Engine
    log: list[Event] = field(default_factory=list)
    commits: list[Commit] = field(default_factory=list)

    def feed(
        self,
        minute: float,
        values: Mapping[str, float | None],
        *,
        quality: Quality = Quality.GOOD,
        answered_ns: int = 0,
    ) -> list[Event]:
        """Evaluate the rows of one moment."""
        return self.take(
            commit(len(self.commits) + 1, *reading(values, minute, quality=quality, answered_ns=answered_ns))
        )

    def take(self, one: Commit) -> list[Event]:
        """Evaluate a commit."""
        self.commits.append(one)
        events = self.engine.evaluate(one)
        self.log += events
        return events

    def tick(self, minute: float) -> list[Event]:
        """Let time pass."""
        events = self.engine.tick(T0 + round(minute * 60) * SECOND_NS)
        self.log += events
        return events

    def told(self, hazard: str) -> list[tuple[float, str, int]]:
        """What the log says of one hazard: minute, kind, level."""
        return [((e.time_ns - T0) / MINUTE_NS, str(e.kind), e.level) for e in self.log if e.hazard == hazard]


def desk(*, only: Iterable[str] | None = None, period_s: float = 60.0, drill: bool = False, **place: bool) -> Desk:
    """A desk over some stations."""
    engine = Engine(site(**place), packs())
    engine.announce(Catalogue(things(only=only, period_s=period_s, drill=drill)))
    return Desk(engine)
