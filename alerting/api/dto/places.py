"""Where we are: the site, its areas and stations, their levels and newest readings."""

from dataclasses import dataclass

from alerting.alarms import Outcome
from alerting.api.dto.plain import Level, QualityName, Text


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
