"""GET /api/v1/gateways."""

from typing import Final

from fastapi import APIRouter, Request
from fastapi.responses import Response

from alerting.api import dto
from alerting.api.answers import answer, view_of

router: Final = APIRouter(prefix="/api/v1", tags=["gateways"])


@router.get("/gateways", response_model=dto.Gateways)
async def gateways(request: Request) -> Response:
    """The boxes in the field: presence, backlog and devices."""
    return answer(dto.Gateways(items=view_of(request).gateways(), next=None))
