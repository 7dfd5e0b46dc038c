"""The two halves of the house, opened and run: a centre around its store, with its HTTP address, and a gateway."""

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import numpy as np

from alerting.api.server import ListenError, serve_http
from alerting.service import Service, open_service
from alerting.settings import CentreSettings
from alerting.state import StateError
from ingest.store.duckdb import DuckDBStore
from ingest.store.protocol import StoreError, StoreOpenError
from telemetry.clock import Clock
from telemetry.settings import Document

REFUSALS = (StoreError, StateError, ListenError)
"""Why a centre does not start or go on, besides its settings; each says so in one line."""


@asynccontextmanager
async def centre(
    document: Document[CentreSettings], clock: Clock, rng: np.random.Generator, speed: float | None = 1.0
) -> AsyncIterator[Service]:
    """A centre with its store open; the caller runs it. Raises what ``open_service`` raises, and StoreOpenError."""
    path = document.path.parent / document.settings.store.path
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as exc:
        raise StoreOpenError(f"{path}: {exc.strerror}, expected a folder that can be made") from exc
    keep_free = document.settings.store.keep_free_mb * 1_000_000
    store = await asyncio.to_thread(DuckDBStore, path, keep_free=keep_free)
    try:
        async with open_service(document, store=store, clock=clock, rng=rng, speed=speed) as service:
            yield service
    finally:
        await asyncio.to_thread(store.close)


async def serve(service: Service, listener: socket.socket) -> None:
    """Run a centre and answer at its address until cancelled."""
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(service.run(), name="centre")
        tasks.create_task(serve_http(service.app, listener), name="http")
