"""Device's answer to webhook, in real time, beside the bare POST of the same body to the same receiver.

    python benchmarks/latency.py [--sensors 1000] [--seconds 15] [--crossings 20]

One process holds the gateway (coalescer, spool, uplink) and the receiver, another the centre (subscriber, quality
control, DuckDB, engine, SQLite, outbox, webhook); the broker is a third. Each sensor is answered once a second, in
polls of 20 sensors spread over the second; ``--crossings`` of them a second cross a threshold. Latency runs from the
moment that the poll's answer was complete, by the clock of the process that also receives the webhook.
"""

import argparse
import asyncio
import json
import multiprocessing
import os
import platform
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, Final

import httpx
import numpy as np
import structlog

sys.path.insert(0, str(Path(__file__).parents[1]))
from alerting.api.server import address, listen, serve_http
from alerting.service import open_service
from alerting.settings import parse_centre
from gateway.agent import Gateway
from gateway.settings import GatewayPlan, SpoolSettings
from ingest.store.duckdb import DuckDBStore
from petrel.broker import embedded_broker
from telemetry.batch import Batch, rows
from telemetry.broker import parse_broker
from telemetry.clock import SystemClock
from tests.unit.centre_world import SOURCE, gas_id, gas_series, write_files

_POLL: Final = 20
_SETTLE_S: Final = 3.0
_LATEST_S: Final = 10.0
_LEVELS: Final = (30.0, 60.0)


class Polls:
    """Answers of the sensors: 20 at a time, evenly over the second; some cross their next threshold in each round."""

    def __init__(self, sink: Callable[[Batch], None], options: argparse.Namespace) -> None:
        self.crossed_s: dict[tuple[str, float], float] = {}
        """(series, value) of a crossing to the moment of its answer."""
        self._sink = sink
        self._options = options
        self._ids = np.array([gas_id(i) for i in range(options.sensors)], np.int64)
        self._value = np.full(options.sensors, 1.0)

    async def run(self) -> None:
        """Poll for the stated seconds; the first rounds are quiet, so that everything is connected and warm."""
        begun_s, crossing = time.monotonic(), self._crossings()
        polls = self._options.sensors // _POLL
        for number in range(int((_SETTLE_S + self._options.seconds) * polls)):
            await asyncio.sleep(max(0.0, begun_s + number / polls - time.monotonic()))
            first = number % polls * _POLL
            warm = number >= _SETTLE_S * polls
            self._answer(np.arange(first, first + _POLL), next(crossing) if warm else 0)

    def _crossings(self) -> Iterator[int]:
        """How many sensors of each poll cross, so that the rate holds on average."""
        per_poll, due = self._options.crossings * _POLL / self._options.sensors, 0.0
        while True:
            due += per_poll
            yield int(due)
            due -= int(due)

    def _answer(self, sensors: np.ndarray, crossing: int) -> None:
        able = sensors[self._value[sensors] < _LEVELS[-1]][:crossing]
        now_s, now_ns = time.monotonic(), time.time_ns()
        for sensor in able.tolist():
            self._value[sensor] = next(level for level in _LEVELS if level > self._value[sensor])
            self.crossed_s[str(self._ids[sensor]), float(self._value[sensor])] = now_s
        self._sink(
            rows(
                SOURCE,
                self._ids[sensors],
                np.full(len(sensors), now_ns),
                self._value[sensors],
                quality=np.ones(len(sensors), np.uint8),
                answered_ns=now_ns,
            )
        )

    def devices(self) -> dict[str, str]:
        """All well."""
        return {}


class Receiver:
    """Takes webhooks: when, and what."""

    def __init__(self) -> None:
        self.received: list[tuple[float, dict[str, Any]]] = []

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """The ASGI application."""
        if scope["type"] != "http":
            return
        body = b""
        while True:
            message = await receive()
            body += message.get("body", b"")
            if not message.get("more_body"):
                break
        self.received.append((time.monotonic(), json.loads(body)))
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"0")]})
        await send({"type": "http.response.body", "body": b""})


def field(pipe: Connection, options: argparse.Namespace, folder: str) -> None:
    """The process of the gateway and the receiver: tells its URL, is told the broker's, sends latencies back."""
    _quiet()
    pipe.send(asyncio.run(_field(pipe, options, Path(folder))))


async def _field(pipe: Connection, options: argparse.Namespace, folder: Path) -> dict[str, Any]:
    receiver, listener = Receiver(), listen("127.0.0.1", 0)
    pipe.send(address(listener))
    broker = await asyncio.to_thread(pipe.recv)
    plan = GatewayPlan(
        source=SOURCE,
        broker=parse_broker(broker),
        spool_dir=folder / "spool",
        limits=SpoolSettings(dir="spool").limits,
        buses=(),
        announce=gas_series(options.sensors),
    )
    polls: list[Polls] = []

    def source(sink: Callable[[Batch], None]) -> Polls:
        polls.append(Polls(sink, options))
        return polls[0]

    async with asyncio.TaskGroup() as tasks:
        gateway = Gateway(plan, SystemClock(), np.random.default_rng(1), source=source)
        owned = [tasks.create_task(serve_http(receiver, listener)), tasks.create_task(gateway.run())]
        await _arrived(receiver, polls[0], options)
        found = _latencies(receiver, polls[0])
        found["floor_ms"] = await _floor(address(listener), receiver.received[0][1])
        for task in owned:
            task.cancel()
    return found


async def _arrived(receiver: Receiver, polls: Polls, options: argparse.Namespace) -> None:
    """Wait for the end of the polls, then until every crossing has come, for some seconds at most."""
    await asyncio.sleep(_SETTLE_S + options.seconds)
    for _ in range(int(_LATEST_S * 20)):
        if len(receiver.received) >= len(polls.crossed_s):
            return
        await asyncio.sleep(0.05)


def _latencies(receiver: Receiver, polls: Polls) -> dict[str, Any]:
    alarms = [(at_s, body["alarm"]) for at_s, body in receiver.received]
    keys = [(alarm["series"][0], alarm["value"]) for _, alarm in alarms]
    if len(set(keys)) != len(keys):
        raise RuntimeError(f"{len(keys)} webhooks for {len(set(keys))} crossings, expected one for each")
    latency = [(at_s - polls.crossed_s[key]) * 1e3 for (at_s, _), key in zip(alarms, keys, strict=True)]
    return {"latency_ms": latency, "crossings": len(polls.crossed_s)}


async def _floor(url: str, body: dict[str, Any]) -> list[float]:
    """The bare POST: what the HTTP client and the receiver take by themselves."""
    took = []
    content = json.dumps(body).encode()
    async with httpx.AsyncClient(trust_env=False) as client:
        for _ in range(300):
            begun_s = time.monotonic()
            await client.post(url, content=content)
            took.append((time.monotonic() - begun_s) * 1e3)
    return took


async def centre(pipe: Connection, folder: Path) -> dict[str, Any]:
    """This process: the broker's child and the centre."""
    url = await asyncio.to_thread(pipe.recv)
    async with embedded_broker(folder / "broker") as broker:
        hook = f'{{kind: webhook, name: hook, url: "{url}"}}'
        path = write_files(folder, channels=hook, broker=broker)
        store = DuckDBStore(folder / "store.duckdb")
        document = parse_centre(path.read_text(encoding="utf-8"), path)
        async with open_service(document, store=store, clock=SystemClock(), rng=np.random.default_rng(2)) as service:
            async with asyncio.TaskGroup() as tasks:
                running = tasks.create_task(service.run())
                await service.ingest.subscriber.connected.wait()
                pipe.send(broker)
                found: dict[str, Any] = await asyncio.to_thread(pipe.recv)
                running.cancel()
            found["rows"] = store.count()
        store.close()
    return found


def table(found: dict[str, Any], options: argparse.Namespace) -> str:
    """The result for people, and for docs/benchmarks.md."""
    lines = [
        f"{options.sensors} sensors at 1 s, {options.crossings} crossings/s for {options.seconds} s; "
        f"{os.cpu_count()} cores, Python {platform.python_version()}, load {os.getloadavg()[0]:.1f}",
        f"delivered {len(found['latency_ms'])} of {found['crossings']} crossings; {found['rows']} rows stored",
        "",
        "| what | p50 ms | p99 ms | max ms |",
        "|---|---|---|---|",
    ]
    for what, key in (("device's answer to webhook", "latency_ms"), ("bare POST (floor)", "floor_ms")):
        p50, p99, most = np.percentile(found[key], [50, 99, 100])
        lines.append(f"| {what} | {p50:.1f} | {p99:.1f} | {most:.1f} |")
    return "\n".join(lines)


def _quiet() -> None:
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(40))


def _run(main: Any) -> Any:
    try:
        import uvloop
    except ModuleNotFoundError:
        return asyncio.run(main)
    return uvloop.run(main)


def main() -> None:
    """Measure, and print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sensors", type=int, default=1_000)
    parser.add_argument("--seconds", type=int, default=15)
    parser.add_argument("--crossings", type=int, default=20)
    options = parser.parse_args()
    _quiet()
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        ours, theirs = multiprocessing.Pipe()
        child = multiprocessing.get_context("spawn").Process(target=field, args=(theirs, options, str(folder)))
        child.start()
        try:
            print(table(_run(centre(ours, folder)), options))
        finally:
            child.join(5)
            child.kill()


if __name__ == "__main__":
    main()
