"""GET /api/v1/events: server-sent events."""

import asyncio
import contextlib
from collections.abc import AsyncGenerator
from typing import Annotated, Final

from fastapi import APIRouter, Header, Request
from fastapi.responses import Response, StreamingResponse
from starlette.types import Message, Receive, Scope, Send

from alerting.api.answers import view_of
from alerting.api.problems import documented
from alerting.api.view import UnavailableError

router: Final = APIRouter(prefix="/api/v1", tags=["events"])
_PATIENCE_S: Final = 30.0
_TYPE: Final = "text/event-stream"


class _EventStream(StreamingResponse):
    """Lets a client go that has taken nothing for a while: its connection must not live for ever."""

    media_type = _TYPE

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def bounded(message: Message) -> None:
            async with asyncio.timeout(_PATIENCE_S):
                await send(message)

        try:
            with contextlib.suppress(TimeoutError):
                await super().__call__(scope, receive, bounded)
        finally:
            if isinstance(self.body_iterator, AsyncGenerator):  # else it would count as a client until it is collected
                await self.body_iterator.aclose()


@router.get(
    "/events",
    response_class=Response,
    responses={200: {"content": {_TYPE: {"schema": {"type": "string"}}}}, **documented(422, 503)},
)
async def events(request: Request, last_event_id: Annotated[str | None, Header()] = None) -> Response:
    """A ``snapshot``, then ``delta`` events with the items that changed, and a ``heartbeat`` every two seconds.

    With ``Last-Event-ID`` the stream goes on where it broke, if that is not too long ago.
    """
    fanout = view_of(request).fanout
    if fanout.full:
        raise UnavailableError(f"{fanout.clients} consoles are connected, expected no more than that")
    return _EventStream(fanout.stream(last_event_id), headers={"cache-control": "no-store"})
