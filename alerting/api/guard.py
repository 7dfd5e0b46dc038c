"""Keeps the interface to this machine and its own page: host names, origins, content types, and closed headers.

A page of the internet can send requests to 127.0.0.1, directly or after rebinding its own name to that address. So a
request must name us by a loopback name, and one that changes something must come from our own page (``Origin``) and
carry JSON, which a foreign page can't send without asking first.
"""

from http import HTTPStatus
from typing import Final
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from alerting.api.problems import problem
from alerting.console import HEADERS
from alerting.settings import is_loopback

_SAFE: Final = frozenset({"GET", "HEAD", "OPTIONS"})
_WRITING: Final = frozenset({"POST", "PUT", "PATCH"})
_LARGEST_BODY: Final = 64 * 1024


class Guard:
    """ASGI middleware: refuses what does not come from here, and puts the closed headers on every answer."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a refusal, or pass on."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def closed(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in HEADERS.items():
                    headers.setdefault(name, value)
            await send(message)

        if refusal := _refusal(scope["method"], Headers(scope=scope)):
            status, detail = refusal
            await problem(status, detail, scope["path"])(scope, receive, closed)
            return
        await self._app(scope, receive, closed)


def _refusal(method: str, headers: Headers) -> tuple[int, str] | None:
    """Why a request is not for us: status and reason."""
    host = headers.get("host", "")
    if not is_loopback(_name(host)):
        return HTTPStatus.MISDIRECTED_REQUEST, f"host {host!r}, expected a loopback name such as 127.0.0.1"
    if method in _SAFE:
        return None
    origin = headers.get("origin")
    if origin is not None and urlsplit(origin).netloc.lower() != host.lower():
        return HTTPStatus.FORBIDDEN, f"origin {origin!r}, expected this server's own page"
    if headers.get("sec-fetch-site", "same-origin") not in ("same-origin", "none"):
        return HTTPStatus.FORBIDDEN, "a page of another site asked for this, expected this server's own page"
    return _body_refusal(headers) if method in _WRITING else None


def _body_refusal(headers: Headers) -> tuple[int, str] | None:
    content_type = headers.get("content-type", "").partition(";")[0].strip().lower()
    if content_type != "application/json":
        return HTTPStatus.UNSUPPORTED_MEDIA_TYPE, f"content-type {content_type!r}, expected application/json"
    length = headers.get("content-length", "")
    if not (length.isascii() and length.isdigit()):
        return HTTPStatus.LENGTH_REQUIRED, "no content-length, expected one"
    if int(length) > _LARGEST_BODY:
        return HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"a body of {length} bytes, expected at most {_LARGEST_BODY}"
    return None


def _name(host: str) -> str:
    """The host without its port."""
    try:
        return urlsplit(f"//{host}").hostname or ""
    except ValueError:
        return ""
