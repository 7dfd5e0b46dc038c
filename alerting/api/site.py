"""GET /api/v1/site and /site/layers/{name}."""

from dataclasses import replace
from typing import Final

from fastapi import APIRouter, Request
from fastapi.responses import Response

from alerting.api import dto
from alerting.api.answers import JSON, encode, tagged, view_of
from alerting.api.problems import documented

router: Final = APIRouter(tags=["site"])
GEOJSON: Final = "application/geo+json"


@router.get("/api/v1/site", response_model=dto.Site, responses={304: {"description": "Not Modified"}})
async def site(request: Request) -> Response:
    """Where we are: areas, layers, bounds, and data time. The entity tag does not cover the time."""
    found = view_of(request).site()
    return tagged(request, encode(found), JSON, identity=encode(replace(found, now="")))


@router.get(
    "/site/layers/{name}",
    response_class=Response,
    responses={200: {"content": {GEOJSON: {}}}, 304: {"description": "Not Modified"}, **documented(404, 422)},
)
async def layer(request: Request, name: str) -> Response:
    """A map layer of the site file as GeoJSON."""
    return tagged(request, view_of(request).layer(name), GEOJSON)
