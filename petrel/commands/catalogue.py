"""``petrel catalogue``: what a running centre has, whose it is, what watches the risk sources, and rows of it."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import msgspec
import typer

from petrel.commands.alarm import DEFAULT_CENTRE, Centre, Json
from petrel.commands.output import print_json, print_table, received
from petrel.errors import CommandError
from telemetry.quantity import QUANTITIES
from telemetry.series import Text

if TYPE_CHECKING:
    from petrel.desk import Query

app = typer.Typer(
    no_args_is_help=True, help="The catalogue of a running centre: stations, series, owners, risk sources."
)
Several = list[str] | None
Station = Annotated[Several, typer.Option(help="Id of a station; may be given repeatedly, as all of these.")]
Town = Annotated[Several, typer.Option(help="Code of an area.")]
Kind = Annotated[Several, typer.Option(help="Kind of stations, e.g. weather.")]
QuantityOption = Annotated[Several, typer.Option(help="Quantity, e.g. water_level.")]
Sharing = Annotated[Several, typer.Option(help="unconditional, conditional or none.")]
_SAMPLE: Final = "示例数据 sample data: the register is invented"
_LISTS: Final = {"stations": "catalogue/stations", "series": "catalogue/series", "risks": "risks"}


class Terms(msgspec.Struct, frozen=True):
    """Whose data are, and how they are shared."""

    owner_name: Text | None
    sharing_name: Text | None


class CatalogueStation(msgspec.Struct, frozen=True):
    """A station in the catalogue."""

    id: str
    name: Text
    terms: Terms
    series: int
    update_s: float
    begin: str | None
    end: str | None
    sample: bool


class CatalogueSeries(msgspec.Struct, frozen=True):
    """A series in the catalogue."""

    id: str
    station: str
    point: str
    name: Text
    unit: str
    update_s: float
    terms: Terms
    begin: str | None
    end: str | None


class Watcher(msgspec.Struct, frozen=True):
    """What watches a risk source."""

    station: str


class Risk(msgspec.Struct, frozen=True):
    """A risk source."""

    id: str
    name: Text
    kind_name: Text
    town_name: Text | None
    state_name: Text
    watchers: tuple[Watcher, ...]
    unmet: tuple[str, ...]
    unknown: tuple[str, ...]
    sample: bool


class Owner(msgspec.Struct, frozen=True):
    """A department."""

    id: str
    name: Text
    stations: int
    series: int


class Owners(msgspec.Struct, frozen=True):
    """The departments."""

    items: tuple[msgspec.Raw, ...]
    unowned: int
    sample: bool


@app.command()
def stations(
    centre: Centre = DEFAULT_CENTRE,
    station: Station = None,
    town: Town = None,
    kind: Kind = None,
    quantity: QuantityOption = None,
    sharing: Sharing = None,
    json: Json = False,
) -> None:
    """List stations: owner, sharing (共享属性), update period, and from when to when rows are held."""
    query = _query(station=station, town=town, kind=kind, quantity=quantity, sharing=sharing)
    found = _all("stations", centre, query)
    if json:
        print_json(found)
        return
    rows = [msgspec.json.decode(raw, type=CatalogueStation) for raw in found]
    print_table(
        ("station", "name", "owner", "sharing", "every", "held"),
        [
            (one.id, _both(one.name), *_terms(one.terms), _period(one.update_s), _span(one.begin, one.end))
            for one in rows
        ],
        title=_SAMPLE if any(one.sample for one in rows) else None,
    )


@app.command()
def series(
    centre: Centre = DEFAULT_CENTRE,
    station: Station = None,
    town: Town = None,
    kind: Kind = None,
    quantity: QuantityOption = None,
    sharing: Sharing = None,
    json: Json = False,
) -> None:
    """List series: quantity, unit, sharing, update period, and from when to when rows are held."""
    query = _query(station=station, town=town, kind=kind, quantity=quantity, sharing=sharing)
    found = _all("series", centre, query)
    if json:
        print_json(found)
        return
    rows = [msgspec.json.decode(raw, type=CatalogueSeries) for raw in found]
    print_table(
        ("series", "quantity", "unit", "sharing", "every", "held"),
        [
            (
                f"{one.station}/{one.point}\n{one.id}",
                _both(one.name),
                one.unit,
                _terms(one.terms)[1],
                _period(one.update_s),
                _span(one.begin, one.end),
            )
            for one in rows
        ],
    )


@app.command()
def owners(centre: Centre = DEFAULT_CENTRE, json: Json = False) -> None:
    """List the departments that own data, and how much is theirs."""
    from petrel.desk import desk

    with desk(centre) as open_desk:
        found = open_desk.read("/api/v1/catalogue/owners", {}, Owners)
    if json:
        print_json(found.items)
        return
    rows = [msgspec.json.decode(raw, type=Owner) for raw in found.items]
    lines = [(one.id, _both(one.name), str(one.stations), str(one.series)) for one in rows]
    lines += [("-", "nobody\n未登记", str(found.unowned), "")] if found.unowned else []
    print_table(("owner", "name", "stations", "series"), lines, title=_SAMPLE if found.sample else None)


@app.command()
def risks(
    centre: Centre = DEFAULT_CENTRE,
    kind: Annotated[Several, typer.Option(help="polluter, high_risk, reservoir or protected; may be repeated.")] = None,
    town: Town = None,
    state: Annotated[
        Several, typer.Option(help="unwatched, partial, silent, doubtful or good; may be repeated.")
    ] = None,
    json: Json = False,
) -> None:
    """List the register of risk sources (危险源底账): what watches each, and which nothing watches."""
    found = _all("risks", centre, _query(kind=kind, town=town, state=state))
    if json:
        print_json(found)
        return
    rows = [msgspec.json.decode(raw, type=Risk) for raw in found]
    print_table(
        ("risk source", "name", "kind", "state", "watched by"),
        [(one.id, _both(one.name), _both(one.kind_name), _both(one.state_name), _watch(one)) for one in rows],
        title=_SAMPLE if any(one.sample for one in rows) else None,
    )


@app.command()
def download(
    file: Annotated[Path, typer.Argument(help="Where to: a name that ends in .csv or .parquet; - is CSV to stdout.")],
    centre: Centre = DEFAULT_CENTRE,
    station: Station = None,
    town: Town = None,
    kind: Kind = None,
    quantity: QuantityOption = None,
    sharing: Sharing = None,
    begin: Annotated[str | None, typer.Option("--from", help="ISO 8601; a day before the end by default.")] = None,
    end: Annotated[str | None, typer.Option("--to", help="ISO 8601; now by default.")] = None,
) -> None:
    """Download rows with unit, quality and QARTOD flag, as the centre streams them."""
    from petrel.desk import desk

    suffix = ".csv" if str(file) == "-" else file.suffix
    if suffix not in (".csv", ".parquet"):
        raise CommandError(f"{file}: expected a name that ends in .csv or .parquet", code=2)
    query = _query(station=station, town=town, kind=kind, quantity=quantity, sharing=sharing)
    query = {**query, **{key: value for key, value in (("from", begin), ("to", end)) if value is not None}}
    with desk(centre) as open_desk, received() as told:
        if str(file) == "-":
            open_desk.keep("/api/v1/rows.csv", query, sys.stdout.buffer, told)
            return
        part = file.with_name(f"{file.name}.part")
        try:
            with part.open("wb") as into:
                open_desk.keep(f"/api/v1/rows{suffix}", query, into, told)
            part.replace(file)
        except OSError as exc:
            raise CommandError(f"{file}: {exc.strerror}, expected a file that can be written") from exc
        finally:
            part.unlink(missing_ok=True)


def _all(name: str, centre: str, query: "Query") -> list[msgspec.Raw]:
    from petrel.desk import desk

    with desk(centre) as open_desk:
        return open_desk.everything(f"/api/v1/{_LISTS[name]}", {**query, "limit": 1_000})


def _query(**chosen: Several) -> "dict[str, str | int | list[str]]":
    return {key: value for key, value in chosen.items() if value}


def _both(text: Text | None) -> str:
    return "" if text is None else f"{text.en}\n{text.zh}"


def _terms(terms: Terms) -> tuple[str, str]:
    return _both(terms.owner_name) or "-", _both(terms.sharing_name) or "-"


def _watch(risk: Risk) -> str:
    lines = [one.station for one in risk.watchers]
    lines += [f"no {_named(one)}" for one in risk.unmet] + [f"not announced: {one}" for one in risk.unknown]
    return "\n".join(lines) or "nothing 无"


def _named(quantity: str) -> str:
    known = QUANTITIES.get(quantity)
    return quantity if known is None else f"{known.en.lower()} {known.zh}"


def _period(seconds: float) -> str:
    for unit, length in (("h", 3600), ("min", 60)):
        if seconds >= length and seconds % length == 0:
            return f"{seconds / length:g} {unit}"
    return f"{seconds:g} s"


def _span(begin: str | None, end: str | None) -> str:
    return "-" if begin is None or end is None else f"{begin[:10]}\n{end[:16].replace('T', ' ')}"
