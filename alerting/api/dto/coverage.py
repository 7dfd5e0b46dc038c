"""Coverage now, and completeness and timeliness per day; a share is null where nothing is expected."""

from dataclasses import dataclass

from alerting.api.dto.catalogue import RiskKindName
from alerting.api.dto.plain import Text


@dataclass(frozen=True, slots=True, kw_only=True)
class NetworkCell:
    """Stations of a town, a kind, both, or all: expected (planned, or announced where that is more) to good.

    ``coverage`` (感知网络覆盖率) is reporting / expected. A station reports when one of its series does, and is good
    when all of them are.
    """

    town: str | None
    town_name: Text | None
    kind: str | None
    expected: int
    built: int
    reporting: int
    good: int
    coverage: float | None
    good_share: float | None
    series: int
    series_reporting: int
    series_good: int


@dataclass(frozen=True, slots=True, kw_only=True)
class RiskCell:
    """Risk sources of a kind, a town and a kind, or all: expected (in the register), watched, reporting, good.

    ``coverage`` is reporting / expected: of polluters 重点污染源自动监测覆盖率, of high-risk sites 高风险源监测覆盖率.
    """

    town: str | None
    town_name: Text | None
    kind: RiskKindName | None
    kind_name: Text | None
    expected: int
    watched: int
    reporting: int
    good: int
    coverage: float | None
    good_share: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Network:
    """Stations: all, per town, per kind, and per town and kind."""

    total: NetworkCell
    towns: list[NetworkCell]
    kinds: list[NetworkCell]
    cells: list[NetworkCell]


@dataclass(frozen=True, slots=True, kw_only=True)
class RiskCoverage:
    """Risk sources: all, per kind, and per town and kind."""

    total: RiskCell
    kinds: list[RiskCell]
    cells: list[RiskCell]


@dataclass(frozen=True, slots=True, kw_only=True)
class Coverage:
    """Coverage at a moment; ``sample``: the register is invented to show how it works."""

    at: str
    sample: bool
    network: Network
    risks: RiskCoverage


@dataclass(frozen=True, slots=True, kw_only=True)
class DayShare:
    """One day of a series, a station, a town, a kind or the site: periods due, with a reading, a good one, one in time.

    ``completeness`` is received / expected, ``good_share`` good / expected, ``timeliness`` timely / received.
    """

    day: str
    key: str
    name: Text
    expected: int
    received: int
    good: int
    timely: int
    completeness: float | None
    good_share: float | None
    timeliness: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Completeness:
    """A page of days. Counting began at ``since``; days before that are in no page: nobody counted, so nobody knows.

    ``timely_s``: in time is what was committed within so many seconds of its sample.
    """

    since: str
    timely_s: float
    items: list[DayShare]
    next: str | None
