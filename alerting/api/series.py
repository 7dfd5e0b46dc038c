"""GET /api/v1/series/{id} and /api/v1/series/{id}/points."""

from typing import Annotated, Final

from fastapi import APIRouter, Depends, Query, Request
from fastapi.responses import Response

from alerting.api import dto
from alerting.api.answers import answer, invalid, view_of
from alerting.api.limits import limited
from alerting.api.problems import documented
from alerting.api.times import from_iso
from alerting.api.view import CentreView, Span
from telemetry.clock import HOUR_NS, SECOND_NS

router: Final = APIRouter(prefix="/api/v1", tags=["series"])
_DEFAULT_NS: Final = 24 * HOUR_NS
_MOST_BUCKETS: Final = 20_000
TIMES: Final = "ISO 8601 with offset, or milliseconds since 1970 UTC; without an offset in the site's timezone."


@router.get("/series/{series}", response_model=dto.Series, responses=documented(404))
async def about(request: Request, series: str) -> Response:
    """A series and the instruments that have measured it, with their zeros and baselines."""
    return answer(view_of(request).series(series))


@router.get(
    "/series/{series}/points",
    response_model=dto.SeriesPoints,
    responses=documented(404, 422, 429, 503),
    dependencies=[Depends(limited)],
)
async def points(
    request: Request,
    series: str,
    begin: Annotated[str | None, Query(alias="from", description=f"{TIMES} A day before the end by default.")] = None,
    end: Annotated[str | None, Query(alias="to", description=f"{TIMES} Now by default.")] = None,
    every: Annotated[int | None, Query(ge=1, le=31 * 86_400, description="Seconds of a bucket; none: raw.")] = None,
) -> Response:
    """Samples from ``from`` up to, and without, ``to``: as they are, or minimum, mean and maximum per bucket."""
    view = view_of(request)
    to_ns = view.now_ns() + 1 if end is None else moment(view, "to", end)
    from_ns = to_ns - _DEFAULT_NS if begin is None else moment(view, "from", begin)
    span = Span(from_ns, to_ns, (every or 0) * SECOND_NS)
    if not from_ns < to_ns:
        raise invalid("to", f"{end!r} is not after {begin!r}, expected a later time")
    if span.every_ns and (to_ns - from_ns) // span.every_ns > _MOST_BUCKETS:
        raise invalid("every", f"more than {_MOST_BUCKETS} buckets, expected wider ones or a shorter span")
    return answer(await view.points(series, span))


def moment(view: CentreView, where: str, text: str) -> int:
    """A time of a request in nanoseconds; raises 422."""
    try:
        found = from_iso(text.replace(" ", "+"), view.timezone)  # a plus sign that was not escaped arrives as a space
    except (ValueError, OverflowError) as exc:
        raise invalid(where, f"{text!r}, expected ISO 8601 such as 2023-07-28T08:00:00+08:00") from exc
    if not abs(found) < 2**62:
        raise invalid(where, f"{text!r}, expected a time between 1824 and 2116")
    return found
