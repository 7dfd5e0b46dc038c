"""How entries of the catalogue, the register and the book of days are told: one function for each kind."""

from bisect import bisect_right
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import date
from typing import Final

import numpy as np

from alerting.api import dto
from alerting.api.covering import plain, share, town_names
from alerting.api.dto.catalogue import WatchState
from alerting.api.times import iso
from alerting.register import RISK_NAMES, SHARING_NAMES, Contact, Register
from alerting.site import Site
from alerting.watching import Watched
from ingest.catalogue import Entry
from ingest.coverage import rates
from ingest.coverage.book import is_measured
from telemetry.batch import I64
from telemetry.quantity import QUANTITIES
from telemetry.series import Text

Held = Callable[[Entry], tuple[int, int] | None]
"""From when to when rows of a series are held, in nanoseconds; None where there are none."""
_STATES: Final[dict[WatchState, Text]] = {
    "unwatched": Text("未监测", "unwatched"),
    "partial": Text("部分监测", "watched in part"),
    "silent": Text("无数据", "no data"),
    "doubtful": Text("数据存疑", "doubtful"),
    "good": Text("正常监测", "watched"),
}
_BY_RATE: Final[dict[int, WatchState]] = {
    rates.ABSENT: "unwatched",
    rates.SILENT: "silent",
    rates.DOUBTFUL: "doubtful",
    rates.WELL: "good",
}


def owners(entries: Iterable[Entry], register: Register) -> dto.Owners:
    """Who owns data, in the order of the register."""
    series, stations = Counter[str | None](), dict[str, str | None]()
    for entry in entries:
        terms = register.share_of(entry.station.id, entry.station.kind)
        stations[entry.station.id] = owner = None if terms is None else terms.owner
        series[owner] += 1
    owned = Counter(stations.values())
    items = [
        dto.Owner(
            id=owner.id,
            name=_text(owner.name),
            code=owner.code,
            contact=_contact(owner.contact),
            stations=owned[owner.id],
            series=series[owner.id],
        )
        for owner in register.owners
    ]
    return dto.Owners(items=items, unowned=owned[None], sample=register.sample, next=None)


def quantities(entries: Iterable[Entry]) -> dto.Quantities:
    """What can be measured, in the order of the vocabulary."""
    series = Counter(entry.series.quantity for entry in entries)
    items = [
        dto.Quantity(
            name=one.name, label=dto.Text(zh=one.zh, en=one.en), unit=one.unit, kind=one.kind.value,
            series=series[one.name],
        )
        for one in QUANTITIES.values()
    ]  # fmt: skip
    return dto.Quantities(items=items, next=None)


def station(entries: Sequence[Entry], register: Register, site: Site, held: Held) -> dto.CatalogueStation:
    """A station from its series, one at least."""
    here = entries[0].station
    spans = [span for entry in entries if (span := held(entry)) is not None]
    terms = register.share_of(here.id, here.kind)
    owner = None if terms is None else next(one for one in register.owners if one.id == terms.owner)
    return dto.CatalogueStation(
        id=here.id,
        name=_text(here.name),
        kind=here.kind,
        town=here.town,
        town_name=plain(town_names(site).get(here.town)),
        lat=here.lat,
        lon=here.lon,
        gateway=entries[0].source,
        terms=terms_of(here.id, here.kind, register),
        contact=None if owner is None else _contact(owner.contact),
        quantities=sorted({entry.series.quantity for entry in entries}),
        series=len(entries),
        update_s=min(entry.series.period_s for entry in entries),
        begin=iso(min(first for first, _ in spans), site.timezone) if spans else None,
        end=iso(max(last for _, last in spans), site.timezone) if spans else None,
        sample=register.sample,
    )


def series(entry: Entry, register: Register, site: Site, held: Held) -> dto.CatalogueSeries:
    """A series."""
    span = held(entry)
    quantity = QUANTITIES.get(entry.series.quantity)
    name = entry.series.quantity
    return dto.CatalogueSeries(
        id=str(entry.id),
        station=entry.station.id,
        station_name=_text(entry.station.name),
        town=entry.station.town,
        point=entry.series.point,
        quantity=name,
        name=dto.Text(zh=name, en=name) if quantity is None else dto.Text(zh=quantity.zh, en=quantity.en),
        unit=entry.series.unit,
        update_s=entry.series.period_s,
        terms=terms_of(entry.station.id, entry.station.kind, register),
        datum=entry.datum,
        derived=not is_measured(entry),
        begin=None if span is None else iso(span[0], site.timezone),
        end=None if span is None else iso(span[1], site.timezone),
    )


def terms_of(station: str, kind: str, register: Register) -> dto.Terms:
    """Who owns the data of a station, and how it is shared."""
    share = register.share_of(station, kind)
    if share is None:
        return dto.Terms(owner=None, owner_name=None, sharing=None, sharing_name=None, condition=None, licence=None)
    return dto.Terms(
        owner=share.owner,
        owner_name=plain(next(one.name for one in register.owners if one.id == share.owner)),
        sharing=share.sharing.value,
        sharing_name=_text(SHARING_NAMES[share.sharing]),
        condition=plain(share.condition),
        licence=share.licence,
    )


def risk(watched: Watched, state: int, register: Register, site: Site, *, partly: bool) -> dto.Risk:
    """A risk source and what watches it."""
    found = watched.risk
    told: WatchState = "partial" if partly else _BY_RATE[state]
    return dto.Risk(
        id=found.id,
        name=_text(found.name),
        kind=found.kind.value,
        kind_name=_text(RISK_NAMES[found.kind]),
        about=plain(found.about),
        town=found.town,
        town_name=plain(town_names(site).get(found.town)),
        lat=found.lat,
        lon=found.lon,
        responsible=plain(found.responsible),
        contact=_contact(found.contact),
        state=told,
        state_name=_text(_STATES[told]),
        watchers=[
            dto.Watcher(
                station=one.station.id,
                name=_text(one.station.name),
                distance_m=round(one.distance_m, 1),
                named=one.named,
                series=[str(entry.id) for entry in one.entries],
            )
            for one in watched.watchers
        ],
        unmet=list(watched.unmet),
        unknown=list(watched.unknown),
        sample=register.sample,
    )


def day_shares(
    day: date, entries: Sequence[Entry], counts: I64, *, by: str, site: Site, after: str
) -> Iterator[dto.DayShare]:
    """One day of some series, counts (n, 4) as in ``ingest.coverage.day.Counts``, summed by group; keys after one."""
    names = town_names(site)
    groups = [_group(entry, by, site, names) for entry in entries]
    keys = sorted(dict(groups))
    at = {key: index for index, key in enumerate(keys)}
    member = np.array([at[key] for key, _ in groups], np.int64)
    summed = np.zeros((len(keys), 4), np.int64)
    np.add.at(summed, member, counts)
    called = dict(groups)
    begin = bisect_right(keys, after)
    for key, row in zip(keys[begin:], summed[begin:].tolist(), strict=True):
        yield _day_share(day, key, called[key], *row)


def _group(entry: Entry, by: str, site: Site, towns: Mapping[str, Text]) -> tuple[str, Text]:
    """The key and the name of the group that a series belongs to."""
    here = entry.station
    if by == "station":
        return here.id, here.name
    if by == "town":
        return here.town, towns.get(here.town, Text(here.town, here.town))
    if by == "kind":
        return here.kind, Text(here.kind, here.kind)
    if by == "site":
        return site.id, site.name
    quantity = QUANTITIES[entry.series.quantity]
    return entry.path, Text(f"{here.name.zh} {quantity.zh}", f"{here.name.en} {quantity.en}")


def _day_share(day: date, key: str, name: Text, expected: int, received: int, good: int, timely: int) -> dto.DayShare:
    return dto.DayShare(
        day=day.isoformat(),
        key=key,
        name=_text(name),
        expected=expected,
        received=received,
        good=good,
        timely=timely,
        completeness=share(received, expected),
        good_share=share(good, expected),
        timeliness=share(timely, received),
    )


def _text(text: Text) -> dto.Text:
    return dto.Text(zh=text.zh, en=text.en)


def _contact(contact: Contact) -> dto.Contact:
    return dto.Contact(name=contact.name, phone=contact.phone, email=contact.email)
