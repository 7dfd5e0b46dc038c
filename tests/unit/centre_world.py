"""A small centre with real parts: gas detectors in two towns, DuckDB, SQLite, the built-in rule packs."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import httpx
import numpy as np

from alerting import service as wiring
from alerting.rules import load_packs
from alerting.service import Service, open_service
from alerting.settings import parse_centre
from ingest.commit import Commit
from ingest.store.duckdb import DuckDBStore
from telemetry.batch import Batch, rows
from telemetry.clock import SECOND_NS, Clock
from telemetry.series import Series, Station, Text, series_id
from telemetry.wire import Announce
from tests.unit.centre_things import START_NS, HandWall

SITE = """\
id: demo
name: {zh: 示范, en: Demo}
bounds: [118.9, 24.9, 119.7, 25.4]
areas:
  - {code: "1001", name: {zh: 东庄镇, en: Dongzhuang}, lon: 119.0, lat: 25.2, managed_by: {zh: 秀屿区, en: Xiuyu}}
  - {code: "1002", name: {zh: 南日镇, en: Nanri}}
layers:
  - {id: land, file: land.geojson, crs: "EPSG:4326", attribution: {zh: 测试, en: test}, sketch: true}
"""
CENTRE = """\
site: site.yaml
broker: {broker}
store: {{path: store.duckdb}}
state: {{path: state.db}}
drill: {drill}
channels: [{channels}]
"""
wiring.load_packs = cache(load_packs)  # reading the packs takes longer than most tests
LAYER = '{"type": "FeatureCollection", "features": []}'
SOURCE = "demo/gw-1"


def gas_series(stations: int, period_s: float = 1.0) -> Announce:
    """An announcement of gas detectors, one a station, alternating between the two towns."""
    return Announce(
        revision="r1",
        drill=False,
        stations=tuple(
            Station(
                id=f"gas-{i}",
                name=Text(f"气体 {i}", f"Gas {i}"),
                kind="gas",
                lat=25.2,
                lon=119.1,
                town=("1001", "1002")[i % 2],
            )
            for i in range(stations)
        ),
        series=tuple(
            Series(
                station=f"gas-{i}",
                point="g1",
                quantity="combustible_gas",
                unit="%LEL",
                valid=(0.0, 100.0),
                period_s=period_s,
            )
            for i in range(stations)
        ),
    )


def gas_id(station: int) -> int:
    return series_id("demo", f"gas-{station}", "g1", "combustible_gas")


@dataclass
class World:
    """A service that is fed by hand: each ``poll`` is stored, and handed to the centre as the pipeline would."""

    service: Service
    store: DuckDBStore
    clock: Clock
    seq: int = 0

    async def poll(self, values: dict[int, float], time_ns: int | None = None, answered_ns: int = 0) -> Commit:
        self.seq += 1
        moment = self.clock.now_ns() if time_ns is None else time_ns
        batch = self.batch(values, moment, answered_ns).numbered(7, self.seq)
        number = self.store.commit([batch]).number
        commit = Commit(number=number, batches=(batch,), stored=True)
        await self.service.centre.on_commit(commit)
        return commit

    def batch(self, values: dict[int, float], time_ns: int, answered_ns: int = 0) -> Batch:
        return rows(
            SOURCE,
            np.array([gas_id(i) for i in values], np.int64),
            np.full(len(values), time_ns, np.int64),
            np.array(list(values.values()), float),
            quality=np.ones(len(values), np.uint8),
            answered_ns=answered_ns,
        )

    def client(self, base: str = "http://127.0.0.1:8460") -> httpx.AsyncClient:
        return httpx.AsyncClient(transport=httpx.ASGITransport(self.service.app), base_url=base)


def write_files(
    folder: Path,
    *,
    channels: str = "",
    broker: str = "mqtt://127.0.0.1:1",
    drill: bool = False,
    register: str = "",
    settings: str = "",
) -> Path:
    (folder / "site.yaml").write_text(SITE + ("register: register.yaml\n" if register else ""), encoding="utf-8")
    if register:
        (folder / "register.yaml").write_text(register, encoding="utf-8")
    (folder / "land.geojson").write_text(LAYER, encoding="utf-8")
    path = folder / "centre.yaml"
    text = CENTRE.format(channels=channels, broker=broker, drill=str(drill).lower())
    path.write_text(text + settings, encoding="utf-8")
    return path


@asynccontextmanager
async def world(
    folder: Path,
    *,
    stations: int = 4,
    channels: str = "",
    clock: Clock | None = None,
    run: bool = True,
    period_s: float = 1.0,
    register: str = "",
    settings: str = "",
) -> AsyncIterator[World]:
    """A world whose centre runs, but for its connection to a broker."""
    path = write_files(folder, channels=channels, register=register, settings=settings)
    clock = clock or HandWall(START_NS)
    store = DuckDBStore(folder / "store.duckdb")
    document = parse_centre(path.read_text(encoding="utf-8"), path)
    async with open_service(document, store=store, clock=clock, rng=np.random.default_rng(3)) as service:
        service.ingest.catalogue.announce(SOURCE, gas_series(stations, period_s))
        await service.holdings.restore()
        await service.centre.restore()
        async with asyncio.TaskGroup() as tasks:
            work: Sequence = [service.centre.outbox.run(), service.centre.fanout.run()] if run else []
            running = [tasks.create_task(one) for one in work]
            yield World(service, store, clock, seq=store.last_commit())
            for task in running:
                task.cancel()
    store.close()


SECOND = SECOND_NS
