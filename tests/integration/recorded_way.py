"""The whole way of a recording: simulated device on a serial line, gateway and spool, broker, ingest, store file."""

import asyncio
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import duckdb
import numpy as np

from device_profiles import registry
from edge_agent.columns import PointSettings
from edge_agent.settings import BusSettings, DeviceSettings, SerialSettings
from gateway.agent import Gateway
from gateway.settings import GatewaySettings, SpoolSettings, compile_gateway
from gateway.timing import Timing
from ingest.commit import Commit
from ingest.qc.rows import Tolerance
from ingest.service import Ingest
from ingest.store.duckdb import DuckDBStore
from petrel.sites.twins import lines, pointed_at
from simulators.devices import serve
from simulators.recorded import Played, Recording
from telemetry.broker import parse_broker
from telemetry.clock import HOUR_NS, LockstepClock, SystemClock
from telemetry.series import Station, Text, series_id
from telemetry.settings import Document
from tests.integration.brokers import nats_server
from tests.integration.gateway_centre import until

SITE = "recorded"
STORE = "store.duckdb"
_AGES = Tolerance(behind_ns=100 * 366 * 24 * HOUR_NS)
_WAY_S = 110.0


@dataclass(frozen=True, kw_only=True)
class Part:
    """A recording, from its row ``first`` to before row ``end``, on a device of a gateway of its own."""

    station: str
    recording: Recording
    profile: str
    points: dict[str, PointSettings]
    timeout_s: float
    first: int = 0
    end: int | None = None

    @property
    def begins_ns(self) -> int:
        return int(self.recording.time_ns[self.first])

    @property
    def ends_ns(self) -> int:
        """When the next part begins, or the recording is over."""
        return self.recording.end_ns if self.end is None else int(self.recording.time_ns[self.end])

    def split(self, count: int) -> "list[Part]":
        """The same in parts that follow each other without a gap between them, to be played side by side.

        Each is a station of its own, called ``NAME-0`` and so on, since one gateway owns a series.
        """
        cuts = [*(len(self.recording.time_ns) * number // count for number in range(count)), None]
        return [
            replace(self, station=f"{self.station}-{number}", first=first, end=end)
            for number, (first, end) in enumerate(pairwise(cuts))
        ]

    def device(self) -> DeviceSettings:
        """Only what was recorded is read."""
        every = (point.name for point in registry.load(self.profile).points)
        points = {name: self.points.get(name, PointSettings(skip=True)) for name in every}
        return DeviceSettings(
            name=f"dev-{self.station}", profile=self.profile, station=self.station, period_s=3600, points=points
        )


class PolledStep(LockstepClock):
    """Data time waits for the polls that are due, but not for a centre that is away."""

    def hold(self) -> None:
        """The gateway has it; that is enough."""

    def release(self) -> None:
        """See ``hold``."""


async def live(part: Part, folder: Path) -> Path:
    """Play in lock step: the next poll waits until the store has the one before. The path of the store file."""
    clock = LockstepClock(part.begins_ns)
    with nats_server(folder) as broker:
        async with (
            asyncio.timeout(_WAY_S),
            _gateway(part, clock, broker.url, folder) as gateway,
            _centre(broker.url, folder),
        ):
            await clock.run(part.ends_ns - 1)
            await _acknowledged(gateway)
    return folder / STORE


async def away(parts: Sequence[Part], folder: Path) -> Path:
    """Play side by side, each on a gateway of its own, while the centre is away; then it comes and takes it all."""
    with nats_server(folder) as broker:
        async with asyncio.timeout(_WAY_S), AsyncExitStack() as stack:
            clocks = [PolledStep(part.begins_ns) for part in parts]
            gateways = [
                await stack.enter_async_context(_gateway(part, clock, broker.url, folder))
                for part, clock in zip(parts, clocks, strict=True)
            ]
            await asyncio.gather(*(c.run(p.ends_ns - 1) for c, p in zip(clocks, parts, strict=True)))
            async with _centre(broker.url, folder):
                await asyncio.gather(*map(_acknowledged, gateways))
    return folder / STORE


@asynccontextmanager
async def _centre(broker: str, folder: Path) -> AsyncIterator[None]:
    """Ingest and its store; observations may be as old as they like."""
    store = DuckDBStore(folder / STORE)
    try:
        ingest = Ingest(
            store, parse_broker(broker), SystemClock(), _no_engine, site=SITE, drill=True, rng=np.random.default_rng(1),
            tolerance=_AGES,
        )  # fmt: skip
        async with asyncio.TaskGroup() as tasks:
            running = tasks.create_task(ingest.run())
            await ingest.subscriber.connected.wait()
            yield
            running.cancel()
    finally:
        store.close()


async def _no_engine(_: Commit) -> None:
    """Only the record is of interest."""


@asynccontextmanager
async def _gateway(part: Part, clock: LockstepClock, broker: str, folder: Path) -> AsyncIterator[Gateway]:
    """A gateway with the simulated device on its serial line."""
    serial = SerialSettings(port="replaced", baud=115200)
    bus = BusSettings(name=f"line-{part.station}", devices=(part.device(),), serial=serial, timeout_s=part.timeout_s)
    async with serve(lines([bus]), Played(part.recording), clock, folder) as endpoints:
        plan = compile_gateway(_settings(part, pointed_at([bus], endpoints), broker, folder))
        gateway = Gateway(plan, clock, np.random.default_rng(1), timing=Timing(status_s=86_400.0, gather_s=0.0))
        async with asyncio.TaskGroup() as tasks:
            running = tasks.create_task(gateway.run())
            await until(lambda: gateway.uplink.connected)  # its bus waits for its first moment by then
            yield gateway
            running.cancel()


async def _acknowledged(gateway: Gateway) -> None:
    """Until the centre says that everything polled is in its store."""
    await until(lambda: gateway.spool.stats().acked_rows == gateway.polled_rows, seconds=_WAY_S)


def _settings(part: Part, buses: Sequence[BusSettings], broker: str, folder: Path) -> Document[GatewaySettings]:
    place = Station(id=part.station, name=Text(zh="站", en="Station"), kind="recorded", lat=25.3, lon=119.1, town="any")
    settings = GatewaySettings(
        site=SITE,
        node=part.station,
        broker=broker,
        spool=SpoolSettings(dir=f"spool-{part.station}", max_age_h=24.0 * 366),
        stations=(place,),
        buses=tuple(buses),
        drill=True,
    )
    return Document(folder / "gateway.yaml", settings, {})


@dataclass(frozen=True, eq=False)
class Stored:
    """Rows as they stand in the file, in time order."""

    time_ns: Any
    value: Any
    quality: Any
    cause: Any


class StoreFile:
    """A store file, read with plain SQL."""

    def __init__(self, database: duckdb.DuckDBPyConnection) -> None:
        self._database = database

    def series(self, stations: Sequence[str], point: str, quantity: str) -> Stored:
        """All rows of a quantity at some stations."""
        found = self._database.execute(
            "SELECT time_ms * 1000000, coalesce(value, 'nan'), quality, cause FROM samples "
            "WHERE list_contains(?, series) ORDER BY time_ms",
            [[series_id(SITE, station, point, quantity) for station in stations]],
        ).fetchnumpy()
        return Stored(*(np.ma.getdata(column) for column in found.values()))

    def count(self, stations: Sequence[str]) -> int:
        """All rows that the gateways of some stations brought."""
        (rows,) = self._database.execute(
            "SELECT count(*) FROM samples JOIN sources ON id = source WHERE list_contains(?, name)",
            [[f"{SITE}/{station}" for station in stations]],
        ).fetchall()[0]
        return int(rows)


@contextmanager
def store_file(path: Path) -> Iterator[StoreFile]:
    """Open a store that nobody runs any more."""
    with duckdb.connect(str(path), read_only=True) as database:
        yield StoreFile(database)
