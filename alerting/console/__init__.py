"""The duty officer's page: static files and the headers that keep it closed to the outside."""

from pathlib import Path
from typing import Final

from starlette.responses import Response
from starlette.staticfiles import StaticFiles
from starlette.types import Scope

STATIC: Final = Path(__file__).parent / "static"
"""index.html, css, ES modules; ``vendor/`` in it is made by ``tools/vendor.py``."""

CONTENT_SECURITY_POLICY: Final = "; ".join(
    (
        "default-src 'self'",
        "worker-src 'self'",
        "object-src 'none'",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
    )
)
"""Nothing but our own origin: no inline script or style, no data: or blob: address."""

HEADERS: Final = {
    "Content-Security-Policy": CONTENT_SECURITY_POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cache-Control": "no-cache",
}
"""``no-cache`` means "ask again": files carry an ETag, so an unchanged page costs a 304."""

_MEDIA_TYPES: Final = {
    # Module scripts and module workers are refused under any other type, and the tables of hosts differ.
    ".mjs": "text/javascript",
    ".js": "text/javascript",
    ".geojson": "application/geo+json",
}


class Pages(StaticFiles):
    """Serves the console below the path it is mounted at (``/``), with its headers on every answer."""

    def __init__(self, directory: Path = STATIC) -> None:
        """Serve ``directory``; a missing one is an error at start, not at the first request."""
        super().__init__(directory=directory, html=True)

    async def get_response(self, path: str, scope: Scope) -> Response:
        """Answer one file, with the type that browsers accept and the headers of this page."""
        response = await super().get_response(path, scope)
        media_type = _MEDIA_TYPES.get(Path(path).suffix)
        if media_type is not None:
            response.headers["Content-Type"] = media_type
        response.headers.update(HEADERS)
        return response
