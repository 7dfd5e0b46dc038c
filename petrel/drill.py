"""A whole district in one process: broker, simulated devices, gateway, centre and console, on one accelerated clock.

    world -> simulated devices -> gateway == broker ==> centre -> webhook receiver
                                                           |
                                                        console

Everything between the world and the receiver is what runs in the field: real sockets, pseudo-terminals, broker, files.
"""

import asyncio
import itertools
import resource
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import msgspec
import numpy as np

from alerting.api.server import address, listen, serve_http
from alerting.channels.webhook import WebhookSettings
from alerting.service import Service
from alerting.settings import CentreSettings, StoreSettings, load_centre
from gateway.agent import Gateway
from gateway.check import spool_trouble
from gateway.settings import GatewayPlan, GatewaySettings, compile_gateway, load_gateway
from gateway.timing import Timing
from petrel import parts, surroundings
from petrel.broker import BrokerError, embedded_broker
from petrel.receiver import Receipts, webhook_receiver
from petrel.report import Report, Start, report
from petrel.sites import places, twins
from simulators import devices, faults
from simulators.scenario import Scenario
from simulators.world.world import World, build
from telemetry.broker import parse_broker, unreachable
from telemetry.clock import LockstepClock
from telemetry.settings import Document

_BEGIN_S = 30.0
"""So long may a gateway take to find its broker before data time passes all the same."""
_SEED = 20260701
"""Of everything random that is not part of the world: jitter, client names."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What a person chose. ``speed``: seconds of data time in a real one; infinite runs as fast as the work allows."""

    scenario: Scenario
    data: Path
    host: str
    port: int
    speed: float
    broker: str | None = None
    receiver: WebhookSettings | None = None
    """Somebody's own receiver, told beside ours."""


@dataclass(slots=True, kw_only=True, eq=False)
class Drill:
    """A drill under way."""

    options: Options
    clock: LockstepClock
    gateway: Gateway
    plan: GatewayPlan
    service: Service
    receipts: Receipts
    url: str
    start: Start

    async def play(self) -> None:
        """Let data time pass to the end of the scenario, and whatever it caused come to its end.

        Simulated devices wait for their moments from the start on: alone they would let the first minutes pass.
        """
        await self.gateway.uplink.ready(_BEGIN_S)
        await self.clock.run(self.options.scenario.end_ns)
        await self.service.centre.outbox.drained()

    async def report(self) -> Report:
        """What was polled, kept and raised so far."""
        return await report(
            self.gateway,
            self.service,
            self.receipts,
            self.start,
            peak_rss_mb=_peak_rss_mb(),
        )


def former_run(data: Path) -> Path | None:
    """What a run has left in a folder; None in one in which nothing has run."""
    return next((data / room for room in ("store", "state", "spool") if (data / room).exists()), None)


@asynccontextmanager
async def running(options: Options) -> AsyncIterator[Drill]:
    """A district at work for the length of a block; data time stands still until somebody runs ``Drill.play``."""
    site = places.folder(options.scenario.site)
    settings = load_gateway(site / "gateway.yaml")
    world = build(options.scenario, settings.settings.stations)
    async with AsyncExitStack() as stack:
        listener = listen(options.host, options.port)
        stack.callback(listener.close)
        broker = await _broker(stack, options)
        clock = LockstepClock(options.scenario.start_ns, options.speed)
        pointed = await _devices(stack, options, settings, world, clock)
        url, receipts = await stack.enter_async_context(webhook_receiver())
        centre = _centre(load_centre(site / "centre.yaml"), options, broker, url)
        rng = np.random.default_rng(_SEED)
        service = await stack.enter_async_context(parts.centre(centre, clock, rng, _shown(options.speed)))
        plan = compile_gateway(pointed, broker=parse_broker(broker), spool_dir=options.data / "spool")
        gateway = Gateway(plan, clock, rng, timing=Timing(gather_s=0.0))
        start = Start(plan.source, service.ingest.store.last_commit(), gateway.spool.stats().rows, time.monotonic())
        tasks = await stack.enter_async_context(asyncio.TaskGroup())
        owned = [
            tasks.create_task(service.run(), name="centre"),
            tasks.create_task(serve_http(service.app, listener), name="http"),
            tasks.create_task(gateway.run(), name="gateway"),
        ]
        yield Drill(
            options=options, clock=clock, gateway=gateway, plan=plan, service=service, receipts=receipts,
            url=address(listener), start=start,
        )  # fmt: skip
        for task in owned:
            task.cancel()


async def _broker(stack: AsyncExitStack, options: Options) -> str:
    if options.broker is not None:
        if trouble := await asyncio.to_thread(unreachable, parse_broker(options.broker)):
            raise BrokerError(trouble)
        return options.broker
    return await stack.enter_async_context(embedded_broker(options.data / "broker"))


async def _devices(
    stack: AsyncExitStack, options: Options, settings: Document[GatewaySettings], world: World, clock: LockstepClock
) -> Document[GatewaySettings]:
    """Start the simulated devices; the gateway's settings, pointed at them."""
    buses = settings.settings.buses
    lines = twins.lines(buses, settings.path.parent)
    folder = options.data / "lines"
    folder.mkdir(parents=True, exist_ok=True)
    broken = faults.of(options.scenario.faults)
    served = devices.serve(lines, world.observe, clock, folder, broken=broken, seed=options.scenario.seed)
    endpoints = await stack.enter_async_context(served)
    pointed = msgspec.structs.replace(settings.settings, buses=twins.pointed_at(buses, endpoints), drill=True)
    return Document(settings.path, pointed, settings.tree)


def channels(options: Options, webhook: str) -> tuple[WebhookSettings, ...]:
    """The channels of a drill beside the site's: our receiver at ``webhook``, and one that was named."""
    ours = WebhookSettings(name="drill-receiver", url=webhook, drills=True)
    return (ours,) if options.receiver is None else (ours, options.receiver)


def _centre(
    document: Document[CentreSettings], options: Options, broker: str, webhook: str
) -> Document[CentreSettings]:
    """The site's centre with its files in the drill's folder, and the drill's receivers among its channels."""
    site, data = document.settings, options.data
    settings = msgspec.structs.replace(
        site,
        site=str((document.path.parent / site.site).resolve()),
        broker=broker,
        tls=None,
        store=StoreSettings(path=str(data / "store" / "petrel.duckdb"), keep_free_mb=site.store.keep_free_mb),
        state=msgspec.structs.replace(site.state, path=str(data / "state" / "petrel.sqlite")),
        drill=True,
        channels=(*site.channels, *channels(options, webhook)),
    )
    return Document(data / "centre.yaml", settings, document.tree)


def findings(options: Options) -> list[str]:
    """What stands in the way of a start, one line each; nothing is made."""
    site = places.folder(options.scenario.site)
    asked = None if options.broker is None else parse_broker(options.broker)
    centre = _centre(load_centre(site / "centre.yaml"), options, options.broker or "", "")
    http = msgspec.structs.replace(centre.settings.http, host=options.host, port=options.port)
    settings = msgspec.structs.replace(centre.settings, http=http)
    around = (
        surroundings.of_broker(asked),
        surroundings.of_centre(settings, options.data),
        filter(None, (spool_trouble(options.data / "spool"),)),
    )
    return list(itertools.chain(*around))


def _shown(speed: float) -> float | None:
    return None if speed == float("inf") else speed


def _peak_rss_mb() -> float:
    """Peak memory of this process (Linux reports kibibytes)."""
    return round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, 1)
