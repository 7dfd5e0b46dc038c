"""The application: one small router per noun, problem details for every error, and the console at the root."""

from importlib.metadata import PackageNotFoundError, version
from typing import Final

from fastapi import FastAPI
from fastapi.routing import APIRoute
from starlette.exceptions import HTTPException
from starlette.routing import Match
from starlette.types import Receive, Scope, Send

from alerting.api import (
    alarms,
    areas,
    catalogue,
    coverage,
    downloads,
    events,
    gateways,
    health,
    metrics,
    problems,
    series,
    site,
    stations,
    store,
)
from alerting.api.guard import Guard
from alerting.api.view import CentreView
from alerting.console import Pages

ROUTERS: Final = (
    health.router,
    site.router,
    stations.router,
    gateways.router,
    series.router,
    areas.router,
    alarms.router,
    events.router,
    metrics.router,
    catalogue.router,
    coverage.router,
    downloads.router,
    store.router,
)


def create_app(view: CentreView) -> FastAPI:
    """The interface of one centre. The caller binds it to a loopback address (``alerting.settings.check_bind``)."""
    app = FastAPI(
        title="Storm Petrel",
        version=package_version(),
        openapi_url="/api/openapi.json",
        docs_url=None,
        redoc_url=None,
        description="Stations, series, areas, alarms, catalogue and coverage; errors are problem details (RFC 9457).",
    )
    app.state.view = view
    problems.install(app)
    for router in ROUTERS:
        app.include_router(router)
    app.mount("/", _Console(), name="console")
    app.add_middleware(Guard)
    document = app.openapi
    app.openapi = lambda: problems.truthful(document())  # type: ignore[method-assign]  # FastAPI's documented way
    return app


class _Console:
    """The console's files, after every route: so a route under another method must be told from a missing file."""

    def __init__(self) -> None:
        self._routes = [route for router in ROUTERS for route in router.routes if isinstance(route, APIRoute)]
        self._pages = Pages()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        allowed = {
            method
            for route in self._routes
            if route.matches(scope)[0] is Match.PARTIAL
            for method in route.methods or ()
        }
        if allowed:
            allow = ", ".join(sorted(allowed))
            raise HTTPException(405, f"method {scope['method']}, expected {allow}", {"allow": allow})
        await self._pages(scope, receive, send)


def package_version() -> str:
    """The version of this installation, ``0`` where it runs from a bare checkout."""
    try:
        return version("stormpetrel")
    except PackageNotFoundError:
        return "0"
