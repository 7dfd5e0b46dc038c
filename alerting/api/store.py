"""GET /api/v1/store, /api/v1/store/check and /api/v1/store/backup: what ``petrel store`` asks a running centre."""

import asyncio
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import asdict
from typing import Any, Final

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse, Response, StreamingResponse

from alerting.api.answers import view_of
from alerting.api.limits import client_of
from alerting.api.problems import documented
from alerting.api.sheets import attached
from alerting.api.view import UnavailableError
from ingest.store.backup import snapshot, tar, tar_bytes
from ingest.store.duckdb import DuckDBStore
from ingest.store.protocol import StoreError

router: Final = APIRouter(prefix="/api/v1", tags=["store"])
_TAR: Final = "application/x-tar"
_STREAM: Final[dict[int | str, dict[str, Any]]] = {200: {"content": {_TAR: {}}}, **documented(429, 503)}


@router.get("/store", responses=documented(503))
async def about(request: Request) -> Response:
    """What the store is, how much it holds, and what is wrong with its closed days."""
    store = view_of(request).holdings.store
    try:
        info = await asyncio.to_thread(store.info)
    except StoreError as exc:
        raise UnavailableError(str(exc)) from exc
    troubles = store.troubles() if isinstance(store, DuckDBStore) else []
    days = len(store.days.by_day) if isinstance(store, DuckDBStore) else 0
    return JSONResponse({**asdict(info), "days": days, "troubles": troubles})


@router.get("/store/check", responses=documented(429, 503))
async def check(request: Request) -> Response:
    """Everything looked at, which reads every file of a closed day: a line for each thing that is wrong."""
    store = _embedded(request)
    view_of(request).holdings.limits.download(client_of(request))
    try:
        return JSONResponse({"findings": await asyncio.to_thread(lambda: list(store.check()))})
    except StoreError as exc:
        raise UnavailableError(str(exc)) from exc


@router.get("/store/backup", response_class=StreamingResponse, responses=_STREAM)
async def backup(request: Request) -> Response:
    """A copy of the store as of one moment, as a tar stream; rows are taken in meanwhile."""
    store = _embedded(request)
    view_of(request).holdings.limits.download(client_of(request))
    held = ExitStack()
    try:
        files = await asyncio.to_thread(lambda: held.enter_context(snapshot(store)))
    except StoreError as exc:
        raise UnavailableError(str(exc)) from exc
    headers = {"content-length": str(tar_bytes(files)), **attached("store.tar")}
    return StreamingResponse(_sent(held, tar(files)), media_type=_TAR, headers=headers)


def _embedded(request: Request) -> DuckDBStore:
    store = view_of(request).holdings.store
    if not isinstance(store, DuckDBStore):
        raise UnavailableError("the store is a server, expected the embedded one: the server has its own backup")
    return store


def _sent(held: ExitStack, pieces: Iterator[bytes]) -> Iterator[bytes]:
    with held:
        yield from pieces
