"""GET /api/v1/coverage and /api/v1/completeness: what reports now, and how much came on which day."""

from collections.abc import Iterator
from datetime import date
from itertools import islice
from typing import Annotated, Final, Literal

from fastapi import APIRouter, Depends, Query, Request
from fastapi.responses import Response

from alerting.api import dto, sheets
from alerting.api.answers import answer, invalid, view_of
from alerting.api.catalogue import Filters, In, Limit
from alerting.api.chosen import Chosen
from alerting.api.holdings import Days
from alerting.api.limits import limited
from alerting.api.problems import documented
from alerting.api.sheets import CSV
from ingest.coverage.slots import day_of

router: Final = APIRouter(prefix="/api/v1", tags=["coverage"], dependencies=[Depends(limited)])
_MOST_DAYS: Final = 400
_MOST_LINES: Final = 200_000
_YEARS: Final = range(1970, 2200)
Group = Literal["series", "station", "town", "kind", "site"]
Day = Annotated[str | None, Query(description="A day such as 2023-07-28 in the site's timezone; today by default.")]
By = Annotated[Group, Query(description="What the counts are summed by.")]


@router.get("/coverage", response_model=dto.Coverage, responses=documented(429))
async def coverage(request: Request) -> Response:
    """Coverage now (感知网络覆盖率, 重点污染源自动监测覆盖率, 高风险源监测覆盖率) per town and kind.

    Unknown is never covered: a station or source of which nothing is known is expected, and does not report.
    """
    return answer(await view_of(request).holdings.coverage())


@router.get("/completeness", response_model=dto.Completeness, responses=documented(422, 429))
async def completeness(
    request: Request,
    filters: Filters,
    first: Annotated[str | None, Query(alias="from", description="First day; `to` by default.")] = None,
    last: Annotated[Day, Query(alias="to")] = None,
    by: By = "station",
    cursor: str | None = None,
    limit: Limit = 1_000,
) -> Response:
    """Periods due per day, and those with a reading, a good one, one in time; of today, what should have come by now.

    Expected comes from the announced period (a minute at least). Counted at the commit, in the book of days.
    """
    holdings, days, after = view_of(request).holdings, _days(request, first, last, by), _after(cursor)
    found = await holdings.limits.run(lambda: _lines(request, days, filters, after, limit + 1))
    more = len(found) > limit
    return answer(
        dto.Completeness(
            since=holdings.counting_since(),
            timely_s=holdings.days.timely_ms / 1000,
            items=found[:limit],
            next=f"{found[limit - 1].day}~{found[limit - 1].key}" if more else None,
        )
    )


@router.get(
    "/completeness.csv", response_class=Response, responses={200: {"content": {CSV: {}}}, **documented(422, 429)}
)
async def completeness_sheet(
    request: Request,
    filters: Filters,
    first: Annotated[str | None, Query(alias="from", description="First day; `to` by default.")] = None,
    last: Annotated[Day, Query(alias="to")] = None,
    by: By = "station",
    language: In = "en",
) -> Response:
    """The same for spreadsheets, all at once; 200,000 lines at most."""
    holdings, days = view_of(request).holdings, _days(request, first, last, by)
    found = await holdings.limits.run(lambda: _lines(request, days, filters, None, _MOST_LINES + 1))
    if len(found) > _MOST_LINES:
        raise invalid("from", f"more than {_MOST_LINES} lines, expected fewer days or wider groups")
    return sheets.sheet(sheets.DAYS, found, language, "completeness")


def _lines(
    request: Request, days: Days, filters: Chosen, after: tuple[str, str] | None, most: int
) -> list[dto.DayShare]:
    found: Iterator[dto.DayShare] = view_of(request).holdings.completeness(days, filters, after)
    return list(islice(found, most))


def _days(request: Request, first: str | None, last: str | None, by: Group) -> Days:
    today = day_of(view_of(request).now_ns() // 1_000_000, view_of(request).holdings.days.zone)
    end = today if last is None else _day("to", last)
    begin = end if first is None else _day("from", first)
    if begin > end:
        raise invalid("to", f"{end} is before {begin}, expected a later day")
    if (end - begin).days >= _MOST_DAYS:
        raise invalid("from", f"{(end - begin).days + 1} days, expected at most {_MOST_DAYS}")
    return Days(begin, end, by)


def _after(cursor: str | None) -> tuple[str, str] | None:
    if cursor is None:
        return None
    day, _, key = cursor.partition("~")
    return _day("cursor", day).isoformat(), key


def _day(where: str, text: str) -> date:
    try:
        found = date.fromisoformat(text)
    except ValueError as exc:
        raise invalid(where, f"{text!r}, expected a day such as 2023-07-28") from exc
    if found.year not in _YEARS:
        raise invalid(where, f"{text!r}, expected a day from {_YEARS[0]} to {_YEARS[-1]}")
    return found
