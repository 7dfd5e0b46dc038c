"""Every error as problem details (RFC 9457): what, where, and what was expected."""

from http import HTTPStatus
from typing import Any, Final

import msgspec
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import Response
from starlette.exceptions import HTTPException

from alerting.api import dto
from alerting.api.view import StaleError, UnavailableError, UnknownError

MEDIA_TYPE: Final = "application/problem+json"
_STATUS: Final[dict[type[Exception], HTTPStatus]] = {
    UnknownError: HTTPStatus.NOT_FOUND,
    StaleError: HTTPStatus.CONFLICT,
    UnavailableError: HTTPStatus.SERVICE_UNAVAILABLE,
}


def documented(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """What a route says of its errors in the OpenAPI document."""
    return {
        status: {"model": dto.Problem, "description": HTTPStatus(status).phrase, "content": {MEDIA_TYPE: {}}}
        for status in statuses
    }


def truthful(openapi: dict[str, Any]) -> dict[str, Any]:
    """The OpenAPI document with the schemas of errors under the media type that they are sent with."""
    for operations in openapi["paths"].values():
        for operation in operations.values():
            for answer in operation["responses"].values():
                content = answer.get("content", {})
                if MEDIA_TYPE in content:
                    content[MEDIA_TYPE] = content.pop("application/json")
    return openapi


def problem(
    status: int,
    detail: str,
    instance: str,
    *,
    errors: list[dict[str, Any]] | None = None,
    headers: dict[str, str] | None = None,
) -> Response:
    """An answer that says what went wrong."""
    body = dto.Problem(
        type="about:blank",
        title=HTTPStatus(status).phrase,
        status=status,
        detail=detail,
        instance=instance,
        errors=errors,
    )
    return Response(msgspec.json.encode(body), status, headers, MEDIA_TYPE)


def install(app: FastAPI) -> None:
    """Give every error of an application this form."""
    app.add_exception_handler(HTTPException, _http)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(HTTPStatus.INTERNAL_SERVER_ERROR, _internal)
    for kind in _STATUS:
        app.add_exception_handler(kind, _ours)


async def _http(request: Request, exc: Exception) -> Response:
    status, detail, headers = HTTPStatus.INTERNAL_SERVER_ERROR.value, str(exc), None
    if isinstance(exc, HTTPException):
        status, detail, headers = exc.status_code, exc.detail, dict(exc.headers or {})
    return problem(status, detail, request.url.path, headers=headers)


async def _invalid(request: Request, exc: Exception) -> Response:
    found = exc.errors() if isinstance(exc, RequestValidationError) else []
    errors = [{"in": ".".join(map(str, one["loc"])), "problem": one["msg"]} for one in found]
    detail = "; ".join(f"{one['in']}: {one['problem']}" for one in errors)
    return problem(HTTPStatus.UNPROCESSABLE_ENTITY, detail, request.url.path, errors=errors)


async def _internal(request: Request, _exc: Exception) -> Response:
    return problem(HTTPStatus.INTERNAL_SERVER_ERROR, "a mistake of the server; it is in its log", request.url.path)


async def _ours(request: Request, exc: Exception) -> Response:
    status = next(status for kind, status in _STATUS.items() if isinstance(exc, kind))
    return problem(status, str(exc.args[0]), request.url.path)
