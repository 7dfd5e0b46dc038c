"""GET /api/v1/stations."""

from typing import Annotated, Final

from fastapi import APIRouter, Query, Request
from fastapi.responses import Response

from alerting.api import dto
from alerting.api.answers import answer, page, view_of
from alerting.api.problems import documented

router: Final = APIRouter(prefix="/api/v1", tags=["stations"])


@router.get("/stations", response_model=dto.Stations, responses=documented(422))
async def stations(
    request: Request, cursor: str | None = None, limit: Annotated[int, Query(ge=1, le=5_000)] = 1_000
) -> Response:
    """Stations with their newest readings, quality and age, by identity."""
    after = None if cursor is None else (cursor,)
    items, following = page(view_of(request).stations(), lambda station: (station.id,), after, limit)
    return answer(dto.Stations(items=items, next=None if following is None else following[0]))
