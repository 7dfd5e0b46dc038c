"""docs/reference/routes.md and metrics.md, asked of the application itself over a centre of the default site."""

import asyncio
import re
import tempfile
from functools import cache
from pathlib import Path
from typing import Any, Final

import httpx
import msgspec
import numpy as np

from alerting.settings import CentreSettings, StoreSettings, load_centre
from gateway.metrics import Figures, shown
from gateway.spool import Stats
from gateway.timing import UplinkCounts
from petrel import parts
from petrel.sites import places
from telemetry.clock import SystemClock
from telemetry.health import ClockHealth, LineUse
from telemetry.settings import Document
from telemetry.wire import Presence, Status
from tools.reference import text

_METRIC: Final = re.compile(r"# HELP (\S+) (.*)\n# TYPE \1 (\S+)")


def routes() -> str:
    """The page about the routes."""
    openapi, _ = _asked()
    intro = (
        "The summary of `/api/openapi.json`, which a running centre serves whole, with the schema of every answer. "
        "What holds for all routes stands in [http](http.md)."
    )
    head = text.head("Routes", "the application", intro)
    found = [
        (method.upper(), path, one) for path, methods in openapi["paths"].items() for method, one in methods.items()
    ]
    return head + "".join(_route(*one) for one in found)


def metrics() -> str:
    """The page about the metrics."""
    _, exposition = _asked()
    intro = "Answers are in the text format of Prometheus. Counters count from the start of the process."
    centre = "`GET /metrics` of a centre, beside its other [routes](routes.md)."
    gateway = (
        "`GET /metrics` of a gateway, at the address under [`metrics`](settings.md#gatewayyaml) in gateway.yaml; it "
        "needs no centre, no broker, and nobody is asked who they are."
    )
    head = text.head("Metrics", "the answers of a centre and of a gateway", intro)
    sections = (("Centre", centre, exposition), ("Gateway", gateway, _of_a_gateway()))
    return head + "".join(
        f"\n## {title}\n\n{about}\n\n{text.table(('metric', 'type', 'meaning'), _metrics(found))}"
        for title, about, found in sections
    )


def _metrics(exposition: str) -> list[tuple[str, str, str]]:
    return sorted((f"`{name}`", kind, meaning) for name, meaning, kind in _METRIC.findall(exposition))


def _of_a_gateway() -> str:
    status = Status(presence=Presence.ONLINE, clock=ClockHealth(), line=LineUse())
    spool = Stats(
        epoch=1,
        batches=0,
        rows=0,
        payload_bytes=0,
        disk_bytes=0,
        memory_batches=0,
        oldest_ns=None,
        hours_until_full=None,
    )
    return shown(Figures(status=status, spool=spool, uplink=UplinkCounts(), connected=False, buses={})).decode()


def _route(method: str, path: str, operation: dict[str, Any]) -> str:
    named = [one for one in operation.get("parameters", ()) if one["in"] == "query"]
    rows = [(f"`{one['name']}`", one.get("description", ""), _schema(one["schema"])) for one in named]
    answers = ", ".join(f"{status} {answer['description']}" for status, answer in operation["responses"].items())
    table = "\n" + text.table(("query", "meaning", "type and default"), rows) if rows else ""
    return f"\n## {method} {path}\n\n{text.prose(operation.get('description'))}\n\nAnswers: {answers}.\n{table}"


def _schema(schema: dict[str, Any]) -> str:
    options = [one.get("type", "text") for one in schema.get("anyOf", [schema]) if one.get("type") != "null"]
    bounds = [
        f"{word} {schema[key]}" for key, word in (("minimum", "at least"), ("maximum", "at most")) if key in schema
    ]
    default = [f"default `{schema['default']}`"] if "default" in schema else []
    return ", ".join([*options, *bounds, *default])


@cache
def _asked() -> tuple[dict[str, Any], str]:
    return asyncio.run(_ask())


async def _ask() -> tuple[dict[str, Any], str]:
    document = load_centre(places.folder("xiuyu") / "centre.yaml")
    with tempfile.TemporaryDirectory() as folder:
        centre = _in(document, Path(folder))
        async with parts.centre(centre, SystemClock(), np.random.default_rng(0)) as service:
            transport = httpx.ASGITransport(service.app)
            async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1") as client:
                openapi = await client.get("/api/openapi.json")
                exposition = await client.get("/metrics")
    return openapi.raise_for_status().json(), exposition.raise_for_status().text


def _in(document: Document[CentreSettings], folder: Path) -> Document[CentreSettings]:
    """The centre with its files in a folder of its own."""
    settings = msgspec.structs.replace(
        document.settings,
        site=str(document.path.parent / document.settings.site),
        store=StoreSettings(path=str(folder / "store.duckdb")),
        state=msgspec.structs.replace(document.settings.state, path=str(folder / "state.sqlite")),
    )
    return Document(document.path, settings, document.tree)
