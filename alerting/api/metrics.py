"""GET /metrics, for Prometheus."""

from typing import Final

from fastapi import APIRouter, Request
from fastapi.responses import Response
from prometheus_client import CONTENT_TYPE_LATEST

from alerting.api.answers import view_of

router: Final = APIRouter(tags=["metrics"])


@router.get("/metrics", response_class=Response, responses={200: {"content": {"text/plain": {}}}})
async def metrics(request: Request) -> Response:
    """Rows, commits, lag, depth of the outbox, alarms by level."""
    return Response(await view_of(request).metrics(), headers={"content-type": CONTENT_TYPE_LATEST})
