"""The centre as one thing to run: settings in, everything wired, ``run`` until cancelled."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from fastapi import FastAPI

from alerting.api import create_app, dto, vitals
from alerting.api.app import package_version
from alerting.api.board import Board
from alerting.api.desk import Desk
from alerting.api.fanout import Fanout
from alerting.api.holdings import Holdings
from alerting.centre import Centre
from alerting.channels import ChannelSettings, kinds
from alerting.deriving import derived_part, make_stage
from alerting.engine import Engine
from alerting.hours import LongMemory
from alerting.lane import Lane
from alerting.outbox import Outbox, route
from alerting.parts import counters, engine_part, gateways_part, intake_parts, thresholds_part
from alerting.rules import Rulebook, load_packs
from alerting.settings import CentreSettings
from alerting.sharing import book_part, open_holdings
from alerting.site import load_site
from alerting.state import State
from alerting.upkeep import Housekeeping
from ingest.commit import Commit
from ingest.derivation.stage import Stage
from ingest.service import Ingest
from ingest.store.protocol import Store
from telemetry.broker import PASSWORD
from telemetry.clock import Clock, SystemClock
from telemetry.faults import Fault
from telemetry.progress import Progress
from telemetry.settings import Document, secret


@dataclass(frozen=True, slots=True, kw_only=True)
class Service:
    """One centre, wired; ``app`` answers for it (``alerting.api.server.serve_http``)."""

    centre: Centre
    ingest: Ingest
    stage: Stage
    memory: LongMemory
    housekeeping: Housekeeping
    holdings: Holdings
    app: FastAPI
    ready: asyncio.Event = field(default_factory=asyncio.Event)
    """Set once what happened before the start has been taken up."""

    async def run(self) -> None:
        """Take up where the last run ended, then ingest, decide, deliver and publish until cancelled."""
        await self.holdings.restore()
        await self.centre.restore()
        await asyncio.to_thread(self.stage.start)
        self.ready.set()
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self.centre.run(), name="centre")
            tasks.create_task(self.holdings.run(), name="book of days")
            tasks.create_task(self.ingest.run(), name="ingest")
            tasks.create_task(self.stage.run(), name="derived")
            tasks.create_task(self.memory.run(), name="hours")
            tasks.create_task(self.housekeeping.run(), name="closing of days")

    def progress(self) -> dict[str, Progress]:
        """What must not stand still while it runs: the way into the store, and the ticks of engine and state."""
        return {"store": self.ingest.progress(), "engine": self.centre.progress()}

    def status(self) -> str:
        """How it is, in one line."""
        told = ", ".join(f"{name}: {part.detail}" for name, part in intake_parts(self.ingest).items())
        return f"{told}, engine: {self.centre.figures.trouble or 'ticks'}"

    async def drained(self) -> None:
        """Wait until every delivery is final: a drill ends with it. Needs ``run`` under way."""
        await self.centre.outbox.drained()


@asynccontextmanager
async def open_service(
    document: Document[CentreSettings],
    *,
    store: Store,
    clock: Clock,
    rng: np.random.Generator,
    speed: float | None = 1.0,
) -> AsyncIterator[Service]:
    """Wire a centre around an open store; closes what it opened, and not the store.

    ``speed`` is what the console shows: seconds of data time in a real one, None when it follows the work. Raises
    SettingsError, StateError, and ValueError where a channel can't be opened.
    """
    settings, folder = document.settings, document.path.parent
    wall = SystemClock()
    engine = Engine(load_site(folder / settings.site).settings, rulebook(settings, folder))
    state = await State.open(folder / settings.state.path, route(settings.channels), wall)
    try:
        outbox = Outbox(state=state, lanes=lanes(settings.channels, folder), wall=wall, rng=rng)
        service = _wired(document, store, clock, rng, engine, outbox, speed)
        try:
            yield service
        finally:
            await asyncio.to_thread(service.holdings.close)
    finally:
        await state.close()


def rulebook(settings: CentreSettings, folder: Path) -> Rulebook:
    """The built-in rule packs and those that the settings name, oldest edition first; raises SettingsError."""
    return load_packs(extra=tuple(folder / pack for pack in settings.packs))


def lanes(channels: tuple[ChannelSettings, ...], folder: Path) -> dict[str, Lane]:
    """The channels of the settings, opened; raises ValueError where a secret is missing."""
    by_settings = {kind.settings: kind for kind in kinds().values()}
    return {
        channel.name: Lane(settings=channel, channel=by_settings[type(channel)].open(channel, folder))
        for channel in channels
    }


def _wired(
    document: Document[CentreSettings],
    store: Store,
    clock: Clock,
    rng: np.random.Generator,
    engine: Engine,
    outbox: Outbox,
    speed: float | None,
) -> Service:
    settings = document.settings
    address = settings.address(document.path.parent)

    async def on_commit(commit: Commit) -> None:
        await centre.on_commit(commit)
        await stage.on_commit(commit)

    ingest = Ingest(
        store,
        address,
        clock,
        on_commit,
        site=engine.site.id,
        drill=settings.drill,
        rng=rng,
        tests=engine.site.quality,
        password=secret(PASSWORD),
    )
    board = Board(
        place=engine.site,
        drill=settings.drill,
        clock=clock,
        catalogue=ingest.catalogue,
        judge=engine,
        presence=ingest.presence,
        speed=speed,
    )
    fanout, holdings = Fanout(board, rng), open_holdings(document, board, store)
    centre = Centre(
        clock=clock,
        wall=outbox.wall,
        store=store,
        engine=engine,
        state=outbox.state,
        outbox=outbox,
        board=board,
        fanout=fanout,
        on_learnt=lambda: ingest.watch(engine.marks()),
        counting=holdings.count,
    )
    stage = make_stage(settings, document.path.parent, ingest, engine, clock, rng)
    housekeeping = Housekeeping(store, ingest.catalogue, clock, settings.store.keep_days)
    desk = _desk(centre, ingest, engine, stage, holdings, housekeeping, (document.path.parent / settings.site).parent)
    memory = LongMemory(store=store, window=engine.window, clock=clock, turn=centre.turn)
    return Service(
        centre=centre,
        ingest=ingest,
        stage=stage,
        memory=memory,
        housekeeping=housekeeping,
        holdings=holdings,
        app=create_app(desk),
    )


def _desk(
    centre: Centre,
    ingest: Ingest,
    engine: Engine,
    stage: Stage,
    holdings: Holdings,
    housekeeping: Housekeeping,
    folder: Path,
) -> Desk:
    async def parts() -> Mapping[str, dto.Part]:
        own = {
            "engine": engine_part(centre, engine),
            "thresholds": thresholds_part(engine),
            "gateways": gateways_part(ingest.presence),
            "derived": derived_part(stage),
            "completeness": book_part(holdings),
        }
        if (days := housekeeping.part()) is not None:
            own["days"] = days
        return intake_parts(ingest) | own | await vitals.delivery(centre.outbox)

    async def counted() -> vitals.Counted:
        return vitals.Counted(
            counters=counters(centre, ingest, engine),
            gauges={
                "lag_seconds": centre.figures.lag_s,
                "waiting_seconds": ingest.waiting_s(),
                "commit_lag_seconds": ingest.stats.commit_lag_s,
                "consoles": centre.fanout.clients,
                "unrecorded_events": centre.figures.unrecorded,
            },
            depth=await centre.state.depth(),
            outbox=centre.outbox,
            alarms=centre.board.alarms_by_id.values(),
            parts=await parts(),
            refused={str(fault): ingest.faults[fault] for fault in Fault},
        )

    return Desk(
        board=centre.board,
        fanout=centre.fanout,
        store=centre.store,
        holdings=holdings,
        folder=folder,
        version=package_version(),
        parts=(parts,),
        counted=counted,
        lag_s=lambda: centre.figures.lag_s,
        acknowledging=centre.acknowledge,
    )
