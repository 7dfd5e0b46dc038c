"""How answers are written: JSON of the DTOs, entity tags, and pages of lists."""

from collections.abc import Callable, Sequence
from hashlib import blake2b
from typing import Any, Final, TypeVar

import msgspec
from fastapi import Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import Response

from alerting.api.view import CentreView

T = TypeVar("T")
JSON: Final = "application/json"
_ENCODER: Final = msgspec.json.Encoder(order="deterministic")


def encode(answer: Any) -> bytes:
    """The JSON of a DTO, in one line."""
    return _ENCODER.encode(answer)


def answer(body: Any, status: int = 200) -> Response:
    """An answer with a DTO; the encoder writes it straight, the response model stands in the OpenAPI document only."""
    return Response(encode(body), status, media_type=JSON)


def tagged(request: Request, body: bytes, media_type: str, *, identity: bytes | None = None) -> Response:
    """An answer with an entity tag, or 304 where the client has it; ``identity`` is what the tag covers."""
    tag = f'W/"{blake2b(body if identity is None else identity, digest_size=12).hexdigest()}"'
    known = (one.strip() for one in request.headers.get("if-none-match", "").split(","))
    if tag in known:
        return Response(status_code=304, headers={"etag": tag})
    return Response(body, media_type=media_type, headers={"etag": tag})


def view_of(request: Request) -> CentreView:
    """The centre behind an application."""
    view: CentreView = request.app.state.view
    return view


def page(
    items: Sequence[T], position: Callable[[T], tuple[Any, ...]], after: tuple[Any, ...] | None, limit: int
) -> tuple[list[T], tuple[Any, ...] | None]:
    """The items whose position comes after a cursor, ``limit`` at most, and the cursor of the page after them.

    ``items`` are in ascending order of their positions, so that items which move between two pages are at worst seen
    twice, and never hide others.
    """
    rest = [item for item in items if after is None or position(item) > after]
    return rest[:limit], position(rest[limit - 1]) if len(rest) > limit else None


def invalid(where: str, problem: str) -> RequestValidationError:
    """An argument that can't be used: 422 with its place."""
    return RequestValidationError([{"loc": ("query", where), "msg": problem}])
