"""GET /api/v1/catalogue/... and /api/v1/risks: what there is, whose it is, and what watches the risk sources."""

from collections.abc import Callable, Sequence
from itertools import groupby
from typing import Annotated, Any, Final, TypeVar

from fastapi import APIRouter, Depends, Query, Request
from fastapi.responses import Response

from alerting.api import dto, sheets
from alerting.api.answers import answer, page, view_of
from alerting.api.chosen import Chosen, chosen
from alerting.api.dto.catalogue import RiskKindName, WatchState
from alerting.api.limits import limited
from alerting.api.problems import documented
from alerting.api.sheets import CSV, Language
from ingest.catalogue import Entry

T = TypeVar("T")
Filters = Annotated[Chosen, Depends(chosen)]
Limit = Annotated[int, Query(ge=1, le=5_000)]
In = Annotated[Language, Query(alias="lang", description="Language of the first line.")]
Wanted = Annotated[list[RiskKindName] | None, Query(description="Kind of risk source; may be repeated.")]
States = Annotated[list[WatchState] | None, Query(description="How it is watched; may be repeated.")]
_SHEET: Final[dict[int | str, dict[str, Any]]] = {200: {"content": {CSV: {}}}}


router: Final = APIRouter(prefix="/api/v1", tags=["catalogue"], dependencies=[Depends(limited)])


@router.get("/catalogue/owners", response_model=dto.Owners, responses=documented(429))
async def owners(request: Request) -> Response:
    """Departments that own data (信息资源提供方), with contact, and how many stations nobody is said to own."""
    return answer(view_of(request).holdings.owners())


@router.get("/catalogue/quantities", response_model=dto.Quantities, responses=documented(429))
async def quantities(request: Request) -> Response:
    """What can be measured, with its unit and names."""
    return answer(view_of(request).holdings.quantities())


@router.get("/catalogue/stations", response_model=dto.CatalogueStations, responses=documented(422, 429, 503))
async def stations(request: Request, filters: Filters, cursor: str | None = None, limit: Limit = 1_000) -> Response:
    """Stations with owner, sharing (共享属性), update period, the span of rows held and contact; by identity."""
    holdings = view_of(request).holdings
    items, following = _page(
        _by_station(await holdings.chosen(filters)), lambda group: group[0].station.id, cursor, limit
    )
    return answer(dto.CatalogueStations(items=holdings.stations(items, await holdings.held()), next=following))


@router.get("/catalogue/stations.csv", response_class=Response, responses={**_SHEET, **documented(422, 429, 503)})
async def stations_sheet(request: Request, filters: Filters, language: In = "en") -> Response:
    """The same for spreadsheets, all at once."""
    holdings = view_of(request).holdings
    entries, held = await holdings.chosen(filters), await holdings.held()
    return await holdings.limits.run(
        lambda: sheets.sheet(sheets.STATIONS, holdings.stations(_by_station(entries), held), language, "stations")
    )


@router.get("/catalogue/series", response_model=dto.CatalogueSeriesPage, responses=documented(422, 429, 503))
async def series(request: Request, filters: Filters, cursor: str | None = None, limit: Limit = 1_000) -> Response:
    """Series with quantity, unit, owner, sharing, update period and the span of rows held; by station and point."""
    holdings = view_of(request).holdings
    items, following = _page(await holdings.chosen(filters), lambda entry: entry.path, cursor, limit)
    return answer(dto.CatalogueSeriesPage(items=holdings.series(items, await holdings.held()), next=following))


@router.get("/catalogue/series.csv", response_class=Response, responses={**_SHEET, **documented(422, 429, 503)})
async def series_sheet(request: Request, filters: Filters, language: In = "en") -> Response:
    """The same for spreadsheets, all at once."""
    holdings = view_of(request).holdings
    entries, held = await holdings.chosen(filters), await holdings.held()
    return await holdings.limits.run(
        lambda: sheets.sheet(sheets.SERIES, holdings.series(entries, held), language, "series")
    )


@router.get("/risks", response_model=dto.Risks, responses=documented(422, 429))
async def risks(
    request: Request,
    kind: Wanted = None,
    town: Annotated[list[str] | None, Query(description="Code of an area.")] = None,
    state: States = None,
    cursor: str | None = None,
    limit: Limit = 1_000,
) -> Response:
    """The register of risk sources (危险源底账): what watches each, and what does not; by identity."""
    found = sorted(await _risks(request, kind, town, state), key=lambda one: one.id)
    items, following = _page(found, lambda one: one.id, cursor, limit)
    return answer(dto.Risks(items=items, next=following))


@router.get("/risks.csv", response_class=Response, responses={**_SHEET, **documented(422, 429)})
async def risks_sheet(
    request: Request,
    kind: Wanted = None,
    town: Annotated[list[str] | None, Query(description="Code of an area.")] = None,
    state: States = None,
    language: In = "en",
) -> Response:
    """The same for spreadsheets, all at once, in the order of the register."""
    return sheets.sheet(sheets.RISKS, await _risks(request, kind, town, state), language, "risks")


async def _risks(
    request: Request, kind: Sequence[str] | None, town: Sequence[str] | None, state: Sequence[str] | None
) -> list[dto.Risk]:
    return [
        one
        for one in await view_of(request).holdings.risks()
        if (not kind or one.kind in kind) and (not town or one.town in town) and (not state or one.state in state)
    ]


def _by_station(entries: Sequence[Entry]) -> list[list[Entry]]:
    """Series in order of their paths, station by station, in order of the identities."""
    ordered = sorted(entries, key=lambda entry: entry.station.id)
    return [list(group) for _, group in groupby(ordered, key=lambda entry: entry.station.id)]


def _page(items: Sequence[T], key: Callable[[T], str], cursor: str | None, limit: int) -> tuple[list[T], str | None]:
    found, following = page(items, lambda one: (key(one),), None if cursor is None else (cursor,), limit)
    return found, None if following is None else following[0]
