"""The JSON of the interface, in one place (and ``field``): the OpenAPI document is made of these, so are the answers.

Times are ISO 8601 with offset in the site's timezone, series identities text (63 bits exceed JavaScript's numbers),
values in the canonical unit of their quantity, and null means that there is none.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Literal

from alerting.alarms import Outcome, State, SubjectKind
from alerting.api.field import Gateway as Gateway

Level = Literal[0, 1, 2, 3, 4]
"""0 normal, 1 blue, 2 yellow, 3 orange, 4 red."""
QualityName = Literal["UNCHECKED", "GOOD", "SUSPECT", "BAD", "MISSING"]


class Condition(StrEnum):
    """How a part of the centre is."""

    OK = "ok"
    DEGRADED = "degraded"
    DOWN = "down"


@dataclass(frozen=True, slots=True, kw_only=True)
class Text:
    """A text for people."""

    zh: str
    en: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SiteArea:
    """A township-level unit; its place is null where it is unknown."""

    code: str
    name: Text
    managed_by: Text | None
    lon: float | None
    lat: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Layer:
    """A map layer; ``sketch``: indicative, not an official boundary."""

    id: str
    url: str
    crs: str
    attribution: Text
    sketch: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    """Where we are; ``now`` is data time and ``speed`` how many seconds of it pass in a real one."""

    id: str
    name: Text
    timezone: str
    drill: bool
    speed: float | None
    now: str
    areas: list[SiteArea]
    layers: list[Layer]
    bounds: tuple[float, float, float, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class Threshold:
    """A level of a rule on a series."""

    level: Level
    value: float
    op: str
    name: Text
    hazard: str
    rule: str
    edition: str
    source: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """The newest sample of a series; ``stale``: older than three of its periods."""

    series: str
    point: str
    quantity: str
    name: Text
    unit: str
    value: float | None
    quality: QualityName
    cause: list[str]
    time: str | None
    age_s: float | None
    stale: bool
    valid: tuple[float | None, float | None]
    thresholds: list[Threshold]
    meaning: Text | None
    """What the number means where it is a code with words; ``unknown code`` for one that has none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HazardLevel:
    """One hazard in one area or at one station, and the open alarms behind its level."""

    outcome: Outcome
    level: Level
    alarms: list[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Station:
    """A place with instruments: the level of its hazards, and its readings."""

    id: str
    name: Text
    kind: str
    lat: float
    lon: float
    town: str
    gateway: str
    drill: bool
    outcome: Outcome
    level: Level
    hazards: dict[str, HazardLevel]
    readings: list[Reading]


@dataclass(frozen=True, slots=True, kw_only=True)
class Stations:
    """A page of stations."""

    items: list[Station]
    next: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Gateways:
    """All gateways."""

    items: list[Gateway]
    next: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class RawPoints:
    """Samples: milliseconds since 1970 UTC, values, qualities."""

    time: list[int]
    value: list[float | None]
    quality: list[QualityName]


@dataclass(frozen=True, slots=True, kw_only=True)
class BucketPoints:
    """Samples summed up: beginnings of the buckets in milliseconds since 1970 UTC, and the worst quality in each."""

    time: list[int]
    min: list[float | None]
    mean: list[float | None]
    max: list[float | None]
    count: list[int]
    quality: list[QualityName]


@dataclass(frozen=True, slots=True, kw_only=True)
class SeriesPoints:
    """Samples of one series. ``truncated``: there are more; ask for buckets, or go on with ``next`` as ``from``.

    Of a code, ``states`` are the words by number, or ``bits`` those by bit (0 the lowest).
    """

    series: str
    unit: str
    points: RawPoints | BucketPoints
    truncated: bool
    next: int | None
    states: dict[str, Text]
    bits: dict[str, Text]


@dataclass(frozen=True, slots=True, kw_only=True)
class Zero:
    """Where a gauge's zero lies: ``height`` above ``datum`` in the unit of the series, by whom and on which day."""

    height: float
    datum: str
    surveyor: str
    date: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Deployment:
    """An instrument that measured a series from ``since``; ``baseline``: what its counter showed then."""

    since: str
    serial: str
    by: str
    note: str
    zero: Zero | None
    baseline: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Series:
    """What is known of a series; ``deployments`` oldest first, the last one measures it now.

    Of a code, ``states`` are the words by number, or ``bits`` those by bit.
    """

    id: str
    station: str
    point: str
    quantity: str
    name: Text
    unit: str
    gateway: str
    device: str
    period_s: float
    valid: tuple[float | None, float | None]
    modulus: float | None
    active: bool
    datum: str | None
    states: dict[str, Text]
    bits: dict[str, Text]
    deployments: list[Deployment]


@dataclass(frozen=True, slots=True, kw_only=True)
class Area:
    """The level of an area over all hazards, and why; its outcome is normal only where all of them are.

    ``confidence``: the share of what is watched here that is known, 0 to 1; null where nothing is watched.
    """

    code: str
    name: Text
    level: Level
    outcome: Outcome
    hazards: dict[str, HazardLevel]
    confidence: float | None
    explanation: Text


@dataclass(frozen=True, slots=True, kw_only=True)
class Areas:
    """All areas."""

    items: list[Area]
    next: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Alarm:
    """A sensor alarm: what, where, since when, on which reading, under which rule, and who has seen it."""

    id: str
    version: int
    hazard: str
    hazard_name: Text
    level: Level
    peak_level: Level
    outcome: Outcome
    state: State
    subject_kind: SubjectKind
    subject: str
    subject_name: Text
    town: str
    raised_at: str
    updated_at: str
    cleared_at: str | None
    acknowledged_by: str | None
    acknowledged_at: str | None
    series: list[str]
    value: float | None
    threshold: float | None
    unit: str
    quality: str
    text: Text
    rule: str
    edition: str
    source: str
    note: str
    drill: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Alarms:
    """A page of alarms, newest change first; ``next`` is the cursor of the page after it."""

    items: list[Alarm]
    next: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """How one part of the centre is: in one line, and in figures."""

    status: Condition
    detail: str
    figures: dict[str, float | int | str | None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Health:
    """How the centre is: ``down`` as soon as one part is. ``lag_ms``: real time from commit to evaluation."""

    status: Condition
    parts: dict[str, Part]
    versions: dict[str, str]
    lag_ms: float | None
    queues: dict[str, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Picture:
    """Everything that the console shows: the data of ``event: snapshot``; a ``delta`` holds what changed of it."""

    site: Site
    stations: list[Station]
    areas: list[Area]
    alarms: list[Alarm]
    gateways: list[Gateway]


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """What went wrong (RFC 9457)."""

    type: str
    title: str
    status: int
    detail: str
    instance: str
    errors: list[dict[str, Any]] | None = None
