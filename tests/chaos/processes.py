"""Broker, gateway and centre as three processes that can be killed and started again, and their settings."""

import asyncio
import signal
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import httpx

from gateway.spool import peek
from petrel.broker import _die_with_parent
from tests.chaos.devices import Answer, Plant
from tests.integration.brokers import free_port, nats_binary

SITE, NODE, PERIOD_S = "chaos", "gw-1", 0.4
PETREL = Path(sys.executable).with_name("petrel")
UP_S, STOP_S = 60.0, 20.0
UNSPOOLED_S = 0.2
"""Readings that a kill of the gateway may take (docs/explanation/durability.md): those of so long before it."""
SLACK_S = 0.2
"""For a machine that is busy with starting processes."""
PROFILE = """\
name: counter
title: {zh: 计数器, en: Counting detector}
source: made up for this test
transports: [tcp]
points:
  - {name: count, quantity: flow_total, unit: m3, register: holding 0 u32, valid: [0, 4294967295], danger: none}
  - {name: gas, quantity: combustible_gas, unit: "%LEL", register: holding 2 u16, scale: 0.1, valid: [0, 100]}
golden:
  - {frame: tcp, exchange: [{request: "00", answer: "00"}], values: {}, source: none}
"""
SITE_FILE = """\
id: chaos
name: {zh: 试验, en: Test}
bounds: [118.9, 24.9, 119.7, 25.4]
areas:
  - {code: "1001", name: {zh: 东庄镇, en: Dongzhuang}}
"""
CENTRE = """\
site: site.yaml
broker: mqtt://127.0.0.1:{broker}
store: {{path: store.duckdb}}
state: {{path: state.db}}
http: {{port: {http}}}
channels:
  - {{kind: webhook, name: hook, url: "{hook}"}}
"""
GATEWAY = """\
site: {site}
node: {node}
broker: mqtt://127.0.0.1:{broker}
spool: {{dir: spool}}
stations:
{stations}
buses:
{buses}
"""
STATION = "  - {{id: {name}, name: {{zh: {name}, en: {name}}}, kind: gas, lat: 25.2, lon: 119.1, town: '1001'}}"
BUS = "  - name: bus-{number}\n    tcp: {{host: 127.0.0.1, port: {port}}}\n    devices:\n{devices}"
DEVICE = "      - {{name: {name}, profile: counter.yaml, station: {name}, unit: {unit}, period_s: {period_s}}}"
BROKER = """\
server_name: chaos
host: 127.0.0.1
port: -1
jetstream {{ store_dir: "{folder}/jetstream" }}
mqtt {{ host: 127.0.0.1, port: {broker} }}
"""


@dataclass
class Part:
    """One process and its lives, each from its start to its end by SIGKILL (UTC, ns)."""

    name: str
    command: list[str]
    log: Path
    ready: Callable[["Part"], Awaitable[bool]]
    started_ns: list[int] = field(default_factory=list)
    killed_ns: list[int] = field(default_factory=list)
    process: asyncio.subprocess.Process | None = None
    alive: asyncio.Event = field(default_factory=asyncio.Event)

    async def start(self) -> None:
        """Start, without waiting until it works."""
        self.started_ns.append(time.time_ns())
        with self.log.open("ab") as log:
            self.process = await asyncio.create_subprocess_exec(
                *self.command, stdout=log, stderr=log, preexec_fn=_die_with_parent
            )
        self.alive.set()

    async def start_after(self, down_s: float) -> None:
        """Start a while later."""
        await asyncio.sleep(down_s)
        await self.start()

    async def up(self) -> None:
        """Wait until it has been started and works."""

        async def works() -> bool:
            assert self._running().returncode is None, f"{self.name} ended by itself: see {self.log}"
            return await self.ready(self)

        await self.alive.wait()
        await until(works)

    async def kill(self) -> None:
        """SIGKILL, once it has been started; it must not have ended by itself."""
        await self.alive.wait()
        assert self._running().returncode is None, f"{self.name} ended by itself: see {self.log}"
        self._running().kill()
        self.killed_ns.append(time.time_ns())
        self.alive.clear()
        await self._running().wait()

    async def stop(self) -> int:
        """SIGTERM; the exit code."""
        process = self._running()
        if process.returncode is None:
            process.send_signal(signal.SIGTERM)
        try:
            async with asyncio.timeout(STOP_S):
                return await process.wait()
        except TimeoutError:
            process.kill()
            return await process.wait()

    def _running(self) -> asyncio.subprocess.Process:
        assert self.process is not None
        return self.process


@dataclass(frozen=True, kw_only=True)
class Stack:
    """The three parts, in the order in which they are killed in turn."""

    folder: Path
    broker: Part
    gateway: Part
    centre: Part
    client: httpx.AsyncClient

    @property
    def parts(self) -> tuple[Part, Part, Part]:
        """All of them."""
        return self.broker, self.gateway, self.centre

    async def flows(self) -> None:
        """Wait until all work and rows pass through them into the store."""
        for one in self.parts:
            await one.up()
        before = await figures(self.client, "store")

        async def grows() -> bool:
            return (await figures(self.client, "store"))["rows"] > before["rows"]

        await until(grows)

    async def idle(self) -> bool:
        """Whether the outbox has nothing to send."""
        found = await figures(self.client, "delivery")
        return not found["queued"] and not found["leased"]

    def may_take(self, answer: Answer) -> bool:
        """Whether a kill of the gateway may have taken an answer, because it was not in the spool yet."""
        lives = zip(self.gateway.killed_ns, self.gateway.started_ns[1:], strict=True)
        early_ns = round((UNSPOOLED_S + SLACK_S) * 1e9)
        return any(kill_ns - early_ns <= answer.at_ns <= start_ns for kill_ns, start_ns in lives)

    async def delivered(self, until_ns: int) -> None:
        """Wait until the gateway's spool has held the rows of a time up to ``until_ns``, and holds them no more."""

        async def later() -> bool:
            oldest_ns = (await asyncio.to_thread(peek, self.folder / "spool")).oldest_ns
            return oldest_ns is None or oldest_ns > until_ns

        await asyncio.sleep(UNSPOOLED_S)  # rows may be gathered still: nobody sees that from outside
        await until(later, 2 * UP_S)


async def until(holds: Callable[[], Awaitable[bool]], within_s: float = UP_S) -> None:
    """Look again and again, since what is waited for lives in other processes; raises TimeoutError."""
    async with asyncio.timeout(within_s):
        while not await holds():  # noqa: ASYNC110  # as above
            await asyncio.sleep(0.03)


@asynccontextmanager
async def stack(folder: Path, plant: Plant, hook: str) -> AsyncIterator[Stack]:
    """Write the settings, start all three, and end what still runs at the end."""
    http, broker = free_port(), free_port()
    settle(folder, plant, broker=broker, http=http, hook=hook)
    client = httpx.AsyncClient(base_url=f"http://127.0.0.1:{http}", trust_env=False, timeout=2.0)
    made = Stack(
        folder=folder,
        broker=part("broker", folder, [str(nats_binary()), "-c", "nats.conf"], lambda _: listens(broker)),
        gateway=part("gateway", folder, [str(PETREL), "gateway", "run", "gateway.yaml"], lambda me: polls(plant, me)),
        centre=part("centre", folder, [str(PETREL), "centre", "run", "centre.yaml"], lambda _: well(client)),
        client=client,
    )
    try:
        for one in made.parts:
            await one.start()
        await made.flows()
        yield made
    finally:
        for one in reversed(made.parts):
            await one.stop()
        await client.aclose()


def part(name: str, folder: Path, command: list[str], ready: Callable[[Part], Awaitable[bool]]) -> Part:
    """A part whose last argument is its file in ``folder``."""
    return Part(name, [*command[:-1], str(folder / command[-1])], folder / f"{name}.log", ready)


def settle(folder: Path, plant: Plant, *, broker: int, http: int, hook: str) -> None:
    """Write the settings of all three."""
    stations = "\n".join(STATION.format(name=device.station) for device in plant.devices)
    buses = "\n".join(
        BUS.format(
            number=number,
            port=plant.ports[number],
            devices="\n".join(DEVICE.format(name=d.station, unit=d.unit, period_s=PERIOD_S) for d in bus),
        )
        for number, bus in enumerate(plant.buses)
    )
    gateway = GATEWAY.format(site=SITE, node=NODE, broker=broker, stations=stations, buses=buses)
    files = {
        "nats.conf": BROKER.format(folder=folder, broker=broker),
        "counter.yaml": PROFILE,
        "gateway.yaml": gateway,
        "site.yaml": SITE_FILE,
        "centre.yaml": CENTRE.format(broker=broker, http=http, hook=hook),
    }
    for name, text in files.items():
        (folder / name).write_text(text, encoding="utf-8")


async def listens(port: int) -> bool:
    """Whether somebody accepts connections."""
    with suppress(OSError):
        _, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.close()
        return True
    return False


async def polls(plant: Plant, gateway: Part) -> bool:
    """Whether the gateway has polled in its present life."""
    return any(device.answers for device in plant.devices) and plant.spoke_ns > gateway.started_ns[-1]


async def well(client: httpx.AsyncClient) -> bool:
    """Whether every part of the centre is well."""
    with suppress(httpx.HTTPError):
        return (await client.get("/api/v1/health")).status_code == 200
    return False


async def figures(client: httpx.AsyncClient, part: str) -> dict[str, int]:
    """What the centre has counted in its present life."""
    answer = await client.get("/api/v1/health")
    return answer.json()["parts"][part]["figures"]
