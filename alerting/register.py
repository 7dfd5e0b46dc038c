"""The register beside the site file: who owns what and shares it how, which risk sources there are, what is planned.

Sharing follows the Chinese catalogues of government information resources (政务信息资源共享管理暂行办法, State Council
[2016] 51, articles 9 and 10): unconditional, conditional (the condition is said), not shared (the reason is said).
"""

from collections.abc import Collection, Iterator, Sequence
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, Final

import msgspec

from telemetry.quantity import QUANTITIES
from telemetry.series import Text
from telemetry.settings import Document, Step, load
from telemetry.topics import is_name


class Sharing(StrEnum):
    """How data may be handed on to other departments (共享类型)."""

    UNCONDITIONAL = "unconditional"
    CONDITIONAL = "conditional"
    NONE = "none"


SHARING_NAMES: Final = {
    Sharing.UNCONDITIONAL: Text("无条件共享", "shared unconditionally"),
    Sharing.CONDITIONAL: Text("有条件共享", "shared on conditions"),
    Sharing.NONE: Text("不予共享", "not shared"),
}


class RiskKind(StrEnum):
    """What a risk source is."""

    POLLUTER = "polluter"
    HIGH_RISK = "high_risk"
    RESERVOIR = "reservoir"
    PROTECTED = "protected"


RISK_NAMES: Final = {
    RiskKind.POLLUTER: Text("重点污染源", "key polluter"),
    RiskKind.HIGH_RISK: Text("高风险源", "high-risk site"),
    RiskKind.RESERVOIR: Text("水库", "reservoir"),
    RiskKind.PROTECTED: Text("防护目标", "protected object"),
}


class Contact(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Whom to ask."""

    name: str = ""
    phone: str = ""
    email: str = ""


class Owner(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A department that owns data (信息资源提供方)."""

    id: str
    """Lower-case letters, digits and hyphens."""
    name: Text
    code: str | None = None
    """Its unified social credit code, or what else the bureau's catalogue calls it by."""
    contact: Contact = Contact()


class Share(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Who owns the data of some stations, and how it is shared; the first entry that names a station counts."""

    stations: tuple[str, ...] = ()
    """Ids of stations; beside ``kinds``, both count; with neither, every station that no entry before names."""
    kinds: tuple[str, ...] = ()
    """Kinds of stations, e.g. ``weather``."""
    owner: str
    """Id of one of ``owners``."""
    sharing: Sharing
    """``unconditional`` (无条件共享), ``conditional`` (有条件共享) or ``none`` (不予共享)."""
    condition: Text | None = None
    """On what condition it is shared, or for what reason it is not: required for these two."""
    licence: str | None = None
    """Under which licence, where there is one."""


class WatchedBy(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What watches a risk source: a station, or one point or one quantity of it."""

    station: str
    point: str | None = None
    quantity: str | None = None


class Risk(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An entry of the register of risk sources (危险源底账).

    Watched by what ``watched_by`` names, and by every station in ``within_m`` that measures one of ``quantities``.
    Where ``quantities`` are said, each of them must be watched: one without a series leaves it watched in part.
    """

    id: str
    """Lower-case letters, digits and hyphens."""
    name: Text
    kind: RiskKind
    """``polluter`` (重点污染源), ``high_risk`` (高风险源), ``reservoir`` (水库) or ``protected`` (防护目标)."""
    about: Text | None = None
    """What it holds or does, and what it threatens."""
    town: str
    """Code of the area."""
    lat: Annotated[float, msgspec.Meta(ge=-90, le=90)]
    """WGS-84 degrees."""
    lon: Annotated[float, msgspec.Meta(ge=-180, le=180)]
    """WGS-84 degrees."""
    responsible: Text | None = None
    """Who answers for it."""
    contact: Contact = Contact()
    watched_by: tuple[WatchedBy, ...] = ()
    within_m: Annotated[float, msgspec.Meta(gt=0, le=100_000)] | None = None
    """Metres within which a station counts; needs ``quantities``, since not everything near by watches it."""
    quantities: tuple[str, ...] = ()
    """What must be watched."""


class Planned(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How many stations of a kind a town should have (应建), for the coverage of the network."""

    town: str
    """Code of the area."""
    kind: str
    """Kind of stations, e.g. ``weather``."""
    stations: Annotated[int, msgspec.Meta(ge=1, le=100_000)]


class Register(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Owners, sharing, risk sources and the planned network. ``sample``: invented, and shown so (示例)."""

    sample: bool = False
    """Whether this is sample data, invented to show how it works."""
    owners: tuple[Owner, ...] = ()
    shares: tuple[Share, ...] = ()
    """A station that none names has no owner, and is shown so."""
    risks: tuple[Risk, ...] = ()
    planned: tuple[Planned, ...] = ()
    """Where nothing is planned, what is announced is what is expected."""

    def share_of(self, station: str, kind: str) -> Share | None:
        """What is said of the data of a station; None where nothing is."""
        for share in self.shares:
            if station in share.stations or kind in share.kinds or not (share.stations or share.kinds):
                return share
        return None


def load_register(path: Path, towns: Collection[str]) -> Document[Register]:
    """Read and check a register, whose towns are among those of its site; raises telemetry.settings.SettingsError."""
    document = load(path, Register)
    for where, problem in _mistakes(document.settings, towns):
        raise document.error(where, problem)
    return document


Mistake = tuple[Sequence[Step], str]


def _mistakes(register: Register, towns: Collection[str]) -> Iterator[Mistake]:
    yield from _names("owners", [owner.id for owner in register.owners])
    yield from _names("risks", [risk.id for risk in register.risks])
    owners = {owner.id for owner in register.owners}
    for index, share in enumerate(register.shares):
        yield from _share(("shares", index), share, owners)
    for index, risk in enumerate(register.risks):
        yield from _risk(("risks", index), risk, towns)
    cells: set[tuple[str, str]] = set()
    for index, planned in enumerate(register.planned):
        yield from _planned(("planned", index), planned, towns, cells)
        cells.add((planned.town, planned.kind))


def _names(section: str, names: Sequence[str]) -> Iterator[Mistake]:
    seen: set[str] = set()
    for index, name in enumerate(names):
        if not is_name(name):
            yield (section, index, "id"), f"{name!r}, expected lower-case letters, digits and hyphens, 63 at most"
        if name in seen:
            yield (section, index, "id"), f"{name!r} stands here twice, expected it once"
        seen.add(name)


def _share(where: tuple[Step, ...], share: Share, owners: Collection[str]) -> Iterator[Mistake]:
    if share.owner not in owners:
        yield (*where, "owner"), f"no owner {share.owner!r}, expected the id of one of 'owners'"
    if share.sharing is not Sharing.UNCONDITIONAL and share.condition is None:
        said = "the condition" if share.sharing is Sharing.CONDITIONAL else "the reason"
        yield (*where, "condition"), f"nothing for sharing {share.sharing.value!r}, expected {said}"


def _risk(where: tuple[Step, ...], risk: Risk, towns: Collection[str]) -> Iterator[Mistake]:
    if risk.town not in towns:
        yield (*where, "town"), f"no area {risk.town!r}, expected one of the codes of 'areas' in the site file"
    for index, quantity in enumerate(risk.quantities):
        if quantity not in QUANTITIES:
            yield (*where, "quantities", index), f"no quantity {quantity!r}, expected one that telemetry knows"
    if risk.within_m is not None and not risk.quantities:
        yield (*where, "within_m"), "without 'quantities', expected what near stations must measure to count as a watch"
    for index, watch in enumerate(risk.watched_by):
        if watch.quantity is not None and watch.quantity not in QUANTITIES:
            there = (*where, "watched_by", index, "quantity")
            yield there, f"no quantity {watch.quantity!r}, expected one that telemetry knows"


def _planned(
    where: tuple[Step, ...], planned: Planned, towns: Collection[str], before: Collection[Any]
) -> Iterator[Mistake]:
    if planned.town not in towns:
        yield (*where, "town"), f"no area {planned.town!r}, expected one of the codes of 'areas' in the site file"
    if (planned.town, planned.kind) in before:
        yield where, f"{planned.kind!r} of {planned.town} stands here twice, expected it once"


EMPTY: Final = Register()
"""Of a site that names no register."""
