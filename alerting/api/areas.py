"""GET /api/v1/areas."""

from typing import Final

from fastapi import APIRouter, Request
from fastapi.responses import Response

from alerting.api import dto
from alerting.api.answers import answer, view_of

router: Final = APIRouter(prefix="/api/v1", tags=["areas"])


@router.get("/areas", response_model=dto.Areas)
async def areas(request: Request) -> Response:
    """The level of every area per hazard and over all, how sure it is, and why."""
    return answer(dto.Areas(items=view_of(request).areas(), next=None))
