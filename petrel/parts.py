"""The two halves of the house, opened and run: a centre around its store, with its HTTP address, and a gateway."""

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import numpy as np

from alerting.api.server import ListenError, serve_http
from alerting.service import Service, open_service
from alerting.settings import CentreSettings, StoreSettings
from alerting.state import StateError
from ingest.store.duckdb import DuckDBStore
from ingest.store.protocol import Store, StoreError, StoreOpenError
from ingest.store.server.address import TOKEN
from telemetry.clock import Clock, SystemClock
from telemetry.settings import Document, secret

REFUSALS = (StoreError, StateError, ListenError)
"""Why a centre does not start or go on, besides its settings; each says so in one line."""


@asynccontextmanager
async def centre(
    document: Document[CentreSettings], clock: Clock, rng: np.random.Generator, speed: float | None = 1.0
) -> AsyncIterator[Service]:
    """A centre with its store open; the caller runs it. Raises what ``open_service`` raises, and StoreOpenError."""
    store = await asyncio.to_thread(_store, document.settings.store, document.path.parent)
    try:
        async with open_service(document, store=store, clock=clock, rng=rng, speed=speed) as service:
            yield service
    finally:
        await asyncio.to_thread(store.close)


def _store(settings: StoreSettings, folder: Path) -> Store:
    """The store that a centre has chosen; raises StoreOpenError."""
    path = folder / settings.path
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as exc:
        raise StoreOpenError(f"{path}: {exc.strerror}, expected a folder that can be made") from exc
    keep_free = settings.keep_free_mb * 1_000_000
    address = settings.address(folder)
    if address is None:
        return DuckDBStore(path, keep_free=keep_free)
    from ingest.store.server.opening import open_store

    known = replace(address, token=secret(TOKEN))
    return open_store(settings.kind, known, path, keep_free=keep_free, now_ns=SystemClock().now_ns)


async def serve(service: Service, listener: socket.socket) -> None:
    """Run a centre and answer at its address until cancelled."""
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(service.run(), name="centre")
        tasks.create_task(serve_http(service.app, listener), name="http")
