"""A webhook receiver for drills: it takes what the centre sends, as a duty room's system would, and keeps the receipts.

Latency is real time from the device's answer (``answered_ns`` in the body, the gateway's real clock) to the receipt.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse

from alerting.api.server import address, listen, serve_http
from telemetry.clock import SystemClock


@dataclass(frozen=True, slots=True)
class Receipt:
    """One delivery; ``latency_ms`` is None when no reading caused it (silence, a timer)."""

    key: str
    alarm_id: str
    version: int
    latency_ms: float | None


@dataclass(slots=True)
class Receipts:
    """Everything received, by idempotency key; ``repeated`` counts deliveries of a key that was already there."""

    by_key: dict[str, Receipt] = field(default_factory=dict)
    repeated: int = 0

    def add(self, receipt: Receipt) -> None:
        """Keep the first delivery of a key."""
        if receipt.key in self.by_key:
            self.repeated += 1
        else:
            self.by_key[receipt.key] = receipt

    def latency_ms(self) -> dict[str, float | None]:
        """Median and 99th percentile over all receipts that have a latency."""
        known = [receipt.latency_ms for receipt in self.by_key.values() if receipt.latency_ms is not None]
        if not known:
            return {"p50": None, "p99": None}
        p50, p99 = np.percentile(known, [50, 99])
        return {"p50": round(float(p50), 2), "p99": round(float(p99), 2)}


@asynccontextmanager
async def webhook_receiver() -> AsyncIterator[tuple[str, Receipts]]:
    """Listen on a free port of loopback for the length of a block; yields the URL to post to, and the receipts."""
    receipts = Receipts()
    listener = listen("127.0.0.1", 0)
    async with asyncio.TaskGroup() as tasks:
        server = tasks.create_task(serve_http(_application(receipts), listener), name="webhook receiver")
        yield f"{address(listener)}/alarm", receipts
        server.cancel()


def _application(receipts: Receipts) -> FastAPI:
    app = FastAPI(openapi_url=None)
    real_time = SystemClock()

    @app.post("/alarm")
    async def receive(request: Request) -> JSONResponse:
        received_ns = real_time.now_ns()
        receipts.add(_receipt(await request.json(), request.headers.get("idempotency-key", ""), received_ns))
        return JSONResponse({"ok": True})

    return app


def _receipt(body: dict[str, Any], key: str, received_ns: int) -> Receipt:
    answered_ns = int(body.get("answered_ns") or 0)
    latency_ms = (received_ns - answered_ns) / 1e6 if answered_ns else None
    return Receipt(key, str(body["alarm_id"]), int(body["version"]), latency_ms)
