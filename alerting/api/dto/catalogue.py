"""The catalogue of data (数据资源目录): stations, series, owners, quantities; and the register of risk sources."""

from dataclasses import dataclass
from typing import Literal

from alerting.api.dto.plain import Text

SharingName = Literal["unconditional", "conditional", "none"]
"""无条件共享, 有条件共享, 不予共享."""
RiskKindName = Literal["polluter", "high_risk", "reservoir", "protected"]
WatchState = Literal["unwatched", "partial", "silent", "doubtful", "good"]
"""Nothing watches it; not all that must be is watched; nothing comes; what comes is not good; good."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Contact:
    """Whom to ask; empty where nobody is named."""

    name: str
    phone: str
    email: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Owner:
    """A department that owns data, and how many stations and series of it there are."""

    id: str
    name: Text
    code: str | None
    contact: Contact
    stations: int
    series: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Owners:
    """All owners; ``sample``: invented to show how it works; ``unowned``: stations that nobody is said to own."""

    items: list[Owner]
    unowned: int
    sample: bool
    next: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Quantity:
    """What can be measured, its unit, and how its values add up."""

    name: str
    label: Text
    unit: str
    kind: str
    series: int
    """How many series of it are announced."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Quantities:
    """All quantities."""

    items: list[Quantity]
    next: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """Who owns data and how it is shared; null where the register says nothing.

    ``condition``: on what condition it is shared, or for what reason it is not.
    """

    owner: str | None
    owner_name: Text | None
    sharing: SharingName | None
    sharing_name: Text | None
    condition: Text | None
    licence: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class CatalogueStation:
    """A station as others may learn of it. ``update_s``: its shortest period; ``begin`` to ``end``: the rows held."""

    id: str
    name: Text
    kind: str
    town: str
    town_name: Text | None
    lat: float
    lon: float
    gateway: str
    terms: Terms
    contact: Contact | None
    quantities: list[str]
    series: int
    update_s: float
    begin: str | None
    end: str | None
    sample: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class CatalogueStations:
    """A page of stations."""

    items: list[CatalogueStation]
    next: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class CatalogueSeries:
    """A series as others may learn of it; ``derived``: computed from others at the centre."""

    id: str
    station: str
    station_name: Text
    town: str
    point: str
    quantity: str
    name: Text
    unit: str
    update_s: float
    terms: Terms
    datum: str | None
    derived: bool
    begin: str | None
    end: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class CatalogueSeriesPage:
    """A page of series."""

    items: list[CatalogueSeries]
    next: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Watcher:
    """A station that watches a risk source; ``named`` by the register, else near enough and of the right quantity."""

    station: str
    name: Text
    distance_m: float
    named: bool
    series: list[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Risk:
    """A risk source. ``unmet``: quantities that nothing measures; ``unknown``: what the register names in vain."""

    id: str
    name: Text
    kind: RiskKindName
    kind_name: Text
    about: Text | None
    town: str
    town_name: Text | None
    lat: float
    lon: float
    responsible: Text | None
    contact: Contact
    state: WatchState
    state_name: Text
    watchers: list[Watcher]
    unmet: list[str]
    unknown: list[str]
    sample: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Risks:
    """A page of risk sources."""

    items: list[Risk]
    next: str | None
