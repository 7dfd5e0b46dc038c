"""Which series a request is about: the filters that catalogue, completeness and downloads share."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Annotated, Final

from fastapi import Query

from alerting.api.answers import invalid
from alerting.register import Register, Sharing
from ingest.catalogue import Entry
from telemetry.quantity import QUANTITIES

_MOST: Final = 1_000
Several = list[str]


@dataclass(frozen=True, slots=True)
class Chosen:
    """Filters by name; those that are not there choose all, several values of one choose any of them."""

    values: Mapping[str, frozenset[str]]

    def of(self, entries: Iterable[Entry], register: Register) -> list[Entry]:
        """The chosen ones of some entries."""
        if not self.values:
            return list(entries)
        tests = [(_READ[name], values) for name, values in self.values.items()]
        return [entry for entry in entries if all(read(entry, register) in values for read, values in tests)]


def chosen(
    series: Annotated[
        Several | None, Query(description="Identity of a series; may be repeated, as all of these.")
    ] = None,
    station: Annotated[Several | None, Query(description="Id of a station.")] = None,
    town: Annotated[Several | None, Query(description="Code of an area.")] = None,
    kind: Annotated[Several | None, Query(description="Kind of stations, e.g. `weather`.")] = None,
    quantity: Annotated[Several | None, Query(description="Quantity, e.g. `water_level`.")] = None,
    owner: Annotated[Several | None, Query(description="Id of an owner.")] = None,
    sharing: Annotated[Several | None, Query(description="`unconditional`, `conditional` or `none`.")] = None,
) -> Chosen:
    """The filters of a request; raises 422 for what can't be meant."""
    for name in quantity or ():
        if name not in QUANTITIES:
            raise invalid("quantity", f"no quantity {name!r}, expected one of /api/v1/catalogue/quantities")
    for name in sharing or ():
        if name not in [one.value for one in Sharing]:
            raise invalid("sharing", f"{name!r}, expected one of {', '.join(one.value for one in Sharing)}")
    asked = {
        "series": series, "station": station, "town": town, "kind": kind, "quantity": quantity, "owner": owner,
        "sharing": sharing,
    }  # fmt: skip
    for name, values in asked.items():
        if len(values or ()) > _MOST:
            raise invalid(name, f"{len(values or ())} of them, expected at most {_MOST}")
    return Chosen({name: frozenset(values) for name, values in asked.items() if values})


def _owner(entry: Entry, register: Register) -> str | None:
    share = register.share_of(entry.station.id, entry.station.kind)
    return None if share is None else share.owner


def _sharing(entry: Entry, register: Register) -> str | None:
    share = register.share_of(entry.station.id, entry.station.kind)
    return None if share is None else share.sharing.value


_READ: Final[dict[str, Callable[[Entry, Register], str | None]]] = {
    "series": lambda entry, _: str(entry.id),
    "station": lambda entry, _: entry.station.id,
    "town": lambda entry, _: entry.station.town,
    "kind": lambda entry, _: entry.station.kind,
    "quantity": lambda entry, _: entry.series.quantity,
    "owner": _owner,
    "sharing": _sharing,
}
