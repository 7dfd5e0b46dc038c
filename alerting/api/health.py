"""GET /api/v1/health."""

from http import HTTPStatus
from typing import Final

from fastapi import APIRouter, Request
from fastapi.responses import Response

from alerting.api import dto
from alerting.api.answers import answer, view_of

router: Final = APIRouter(prefix="/api/v1", tags=["health"])


@router.get(
    "/health", response_model=dto.Health, responses={503: {"model": dto.Health, "description": "A part is down."}}
)
async def health(request: Request) -> Response:
    """How the parts of the centre are; 503 when one is down, with the same body."""
    found = await view_of(request).health()
    down = found.status is dto.Condition.DOWN
    return answer(found, HTTPStatus.SERVICE_UNAVAILABLE if down else HTTPStatus.OK)
