"""A centre around the stage of derived series: a real store and pipeline, a hot window, and a clock moved by hand."""

import asyncio
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from ingest.admission import Admission
from ingest.catalogue import Catalogue
from ingest.commit import Commit
from ingest.derivation.courier import Courier
from ingest.derivation.stage import Stage
from ingest.derived.rules import load_rules
from ingest.derived.surroundings import Surroundings
from ingest.intake import Intake, Message
from ingest.pipeline import Pipeline
from ingest.presence import PresenceBook
from ingest.qc.control import QualityControl
from ingest.replies import Replies
from ingest.store.duckdb import DuckDBStore
from ingest.window import Window
from telemetry.batch import rows
from telemetry.clock import MINUTE_NS, SECOND_NS
from telemetry.series import Series, Station, Text, series_id
from telemetry.topics import Channel
from telemetry.wire import Announce, Lane, encode, encode_batch
from tests.unit.ingest_data import HandClock

SITE, SOURCE = "demo", "demo/gw-1"
START_NS = 1_690_473_600 * SECOND_NS  # 2023-07-28T00:00+08:00
UNITS = {"rain_total": "mm", "wind_speed": "m/s", "wind_direction": "deg", "water_level": "m", "sea_level": "m"}


def identity(station: str, point: str, quantity: str) -> int:
    return series_id(SITE, station, point, quantity)


def series(station: str, point: str, quantity: str, period_s: float = 60.0, **changes: object) -> Series:
    fields = {"unit": UNITS.get(quantity, "ug/m3"), "valid": (-1000.0, 10_000.0), "period_s": period_s, "device": "d1"}
    return Series(station=station, point=point, quantity=quantity, **(fields | changes))


def announcement(*found: Series, kind: str = "weather", **more: object) -> Announce:
    names = dict.fromkeys(one.station for one in found)
    stations = tuple(
        Station(id=name, name=Text(name, name), kind=kind, lat=25.0, lon=119.0, town="t") for name in names
    )
    return Announce(revision="r1", drill=False, stations=stations, series=found, **more)


@dataclass
class Place:
    """One life of a centre on the files in ``folder``."""

    folder: Path
    announced: Announce
    surroundings: Surroundings = field(default_factory=Surroundings)
    epoch: int = 1
    clock: HandClock = field(default_factory=HandClock)
    kept: frozenset[str] = frozenset({"rain_total"})
    seq: int = 0

    @asynccontextmanager
    async def running(self, now_ns: int):
        self.clock.time_ns = now_ns
        self.store = DuckDBStore(self.folder / "store.duckdb")
        self.catalogue = Catalogue(site=SITE, drill=False)
        self.intake, presence = Intake(), PresenceBook()
        self.window = Window(self.kept)
        self.seen: list[Commit] = []
        self.heard = asyncio.Event()
        admission = Admission(self.catalogue, QualityControl(), self.clock, presence)
        saved = self.store.announcements()
        admission.restore(saved)
        pipeline = Pipeline(
            self.store, admission, self.intake, Replies(), presence, self.clock, self.on_commit, saved=dict(saved)
        )
        self.stage = Stage(
            store=self.store,
            catalogue=self.catalogue,
            admission=admission,
            courier=Courier(f"{SITE}/derived", self.intake, self.store, np.random.default_rng(self.epoch)),
            window=self.window,
            kept=self.kept,
            clock=self.clock,
            rules=load_rules(),
            surroundings=self.surroundings,
            cursor_path=self.folder / "derived.json",
            monotonic_s=asyncio.get_running_loop().time,
        )
        self.warm(now_ns)
        await asyncio.to_thread(self.stage.start)
        async with asyncio.TaskGroup() as tasks:
            working = tasks.create_task(pipeline.run())
            self.intake.put(Message(SOURCE, Channel.ANNOUNCE, encode(self.announced)))
            yield self
            working.cancel()
        self.store.close()

    def warm(self, now_ns: int) -> None:
        for commit in self.store.recent(now_ns - 48 * 60 * MINUTE_NS):
            self.into_window(commit)

    def into_window(self, commit: Commit) -> None:
        self.window.announce({entry.id: entry.series for entry in self.catalogue.entries()})
        for batch in commit.batches:
            slots = self.window.slots(batch.series)
            known = slots >= 0
            self.window.insert(
                slots[known], batch.time_ns[known], batch.value[known], batch.quality[known], batch.cause[known]
            )

    async def on_commit(self, commit: Commit) -> None:
        self.into_window(commit)
        await self.stage.on_commit(commit)
        self.seen.append(commit)
        self.heard.set()

    async def send(self, identity: int, time_ns: np.ndarray, value: np.ndarray) -> None:
        """See rows committed and handed on; time goes on to the newest of them."""
        self.clock.time_ns = max(self.clock.time_ns, int(time_ns.max()) + SECOND_NS)
        for at in range(0, len(time_ns), 8000):
            self.seq += 1
            part = slice(at, at + 8000)
            found = rows(SOURCE, np.full(len(time_ns[part]), identity), time_ns[part], value[part])
            message = encode_batch(found.numbered(self.epoch, self.seq), Lane.LIVE)
            self.intake.put(Message(SOURCE, Channel.DATA, message))
            async with asyncio.timeout(10):
                while not any(found.source == SOURCE for commit in self.seen for found in commit.batches):
                    self.heard.clear()
                    await self.heard.wait()
            self.seen.clear()

    async def tick(self, now_ns: int) -> None:
        self.clock.time_ns = now_ns
        await self.stage.tick()

    async def settled(self) -> None:
        """Tick until nothing is owed."""
        async with asyncio.timeout(20):
            while self.stage.owed.members:
                await self.stage.tick()
        await self.stage.tick()

    def stored(self, station: str, point: str, quantity: str) -> dict[int, float]:
        """Values by minutes since START, the later commit winning."""
        found = self.store.samples(np.array([identity(station, point, quantity)]), 0, 2**62)
        return dict(zip(((found.time_ns - START_NS) // MINUTE_NS).tolist(), found.value.tolist(), strict=True))
