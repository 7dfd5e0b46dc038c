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

from alerting.settings import CentreSettings, load_centre
from petrel import parts
from petrel.sites import places
from telemetry.clock import SystemClock
from telemetry.settings import Document
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
    intro = "`GET /metrics` answers in the text format of Prometheus. Counters count from the start of the centre."
    rows = sorted((f"`{name}`", kind, meaning) for name, meaning, kind in _METRIC.findall(exposition))
    return text.head("Metrics", "a centre's answer", intro) + "\n" + text.table(("metric", "type", "meaning"), rows)


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
        store=msgspec.structs.replace(document.settings.store, path=str(folder / "store.duckdb")),
        state=msgspec.structs.replace(document.settings.state, path=str(folder / "state.sqlite")),
    )
    return Document(document.path, settings, document.tree)
