"""A series: what is known of it, the instruments that have measured it, and its samples."""

from dataclasses import dataclass

from alerting.api.dto.plain import QualityName, Text


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
