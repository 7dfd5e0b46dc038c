"""GET /api/v1/alarms, /api/v1/alarms/{id}, and POST /api/v1/alarms/{id}/ack."""

from typing import Annotated, Final

from fastapi import APIRouter, Query, Request
from fastapi.responses import Response
from pydantic import BaseModel, ConfigDict, Field

from alerting.alarms import State
from alerting.api import dto
from alerting.api.answers import answer, invalid, page, view_of
from alerting.api.problems import documented
from alerting.api.times import from_iso
from alerting.api.view import Acknowledgement

router: Final = APIRouter(prefix="/api/v1", tags=["alarms"])
Position = tuple[int, str]
_ERRORS: Final = documented(400, 403, 404, 409, 413, 415, 422, 503)


class Ack(BaseModel):
    """Who acknowledges, which version of the alarm they saw, and what they say."""

    model_config = ConfigDict(extra="forbid", str_strip_whitespace=True)

    version: int = Field(ge=1, strict=True)
    by: str = Field(min_length=1, max_length=80)
    note: str = Field(default="", max_length=500)


@router.get("/alarms", response_model=dto.Alarms, responses=documented(422))
async def alarms(
    request: Request,
    level: Annotated[int, Query(ge=0, le=4, description="At least this level.")] = 0,
    hazard: str | None = None,
    area: Annotated[str | None, Query(description="Code of the area, or identity of the station or pipeline.")] = None,
    state: Annotated[list[State] | None, Query(description="Any of these states.")] = None,
    cursor: str | None = None,
    limit: Annotated[int, Query(ge=1, le=1_000)] = 100,
) -> Response:
    """Alarms, newest change first."""
    found = [
        alarm
        for alarm in view_of(request).alarms()
        if alarm.level >= level
        and hazard in (None, alarm.hazard)
        and area in (None, alarm.town, alarm.subject)
        and (not state or alarm.state in state)
    ]
    items, following = page(found, _position, None if cursor is None else _parsed(cursor), limit)
    return answer(dto.Alarms(items=items, next=None if following is None else f"{-following[0]}.{following[1]}"))


@router.get("/alarms/{identity}", response_model=dto.Alarm, responses=documented(404, 422))
async def alarm(request: Request, identity: str) -> Response:
    """One alarm."""
    return answer(view_of(request).alarm(identity))


@router.post("/alarms/{identity}/ack", response_model=dto.Alarm, responses=_ERRORS)
async def acknowledge(request: Request, identity: str, ack: Ack) -> Response:
    """Acknowledge the version that was seen; 409 when the alarm has changed since."""
    return answer(await view_of(request).acknowledge(identity, Acknowledgement(ack.version, ack.by, ack.note)))


def _position(alarm: dto.Alarm) -> Position:
    return -from_iso(alarm.updated_at, "UTC") // 1_000_000, alarm.id


def _parsed(cursor: str) -> Position:
    moment, _, identity = cursor.partition(".")
    if not (moment.isascii() and moment.isdigit() and len(moment) < 20):
        raise invalid("cursor", f"{cursor!r}, expected the 'next' of an answer")
    return -int(moment), identity
