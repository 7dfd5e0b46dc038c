"""The parts around the pipeline with a real store, without a broker."""

import asyncio
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from ingest.admission import Admission
from ingest.catalogue import Catalogue
from ingest.commit import Commit
from ingest.intake import Intake, Message
from ingest.pipeline import Pipeline
from ingest.presence import PresenceBook
from ingest.qc.control import QualityControl
from ingest.replies import Replies
from ingest.store.duckdb import DuckDBStore
from ingest.store.protocol import StoreRefusedError
from telemetry.topics import Channel
from telemetry.wire import Ack, Lane, encode, encode_batch
from tests.unit.ingest_data import SOURCE, HandClock, announce

DEADLINE_S = 5.0


class FullDisk:
    """A real store that can be told to refuse, with the error that it raises itself when the disk is full."""

    def __init__(self, store: DuckDBStore) -> None:
        self.store = store
        self.is_full = False

    def __getattr__(self, name):
        return getattr(self.store, name)

    def commit(self, batches):
        if self.is_full:
            raise StoreRefusedError("no space left on device")
        return self.store.commit(batches)


@dataclass
class Centre:
    """The parts around the pipeline, and what came out of them."""

    store: FullDisk
    clock: HandClock = field(default_factory=HandClock)
    catalogue: Catalogue = field(default_factory=lambda: Catalogue(site="demo", drill=False))
    intake: Intake = field(default_factory=Intake)
    replies: Replies = field(default_factory=Replies)
    presence: PresenceBook = field(default_factory=PresenceBook)
    commits: list[Commit] = field(default_factory=list)
    handed_on: asyncio.Event = field(default_factory=asyncio.Event)
    now_s: float = 1000.0
    pipeline: Pipeline = field(init=False)

    def __post_init__(self) -> None:
        self.intake = Intake(now_s=lambda: self.now_s)
        admission = Admission(self.catalogue, QualityControl(), self.clock, self.presence, now_s=lambda: self.now_s)
        announcements = self.store.announcements()
        admission.restore(announcements)
        self.pipeline = Pipeline(
            self.store,
            admission,
            self.intake,
            self.replies,
            self.presence,
            self.clock,
            self.take,
            saved=dict(announcements),
            now_s=lambda: self.now_s,
        )

    async def take(self, commit: Commit) -> None:
        self.commits.append(commit)
        self.handed_on.set()

    async def next_commit(self) -> Commit:
        async with asyncio.timeout(DEADLINE_S):
            while not self.commits:
                self.handed_on.clear()
                await self.handed_on.wait()
        return self.commits.pop(0)

    async def next_ack(self) -> Ack:
        """The next word on batches; that bundles are read is said after every announcement."""
        async with asyncio.timeout(DEADLINE_S):
            while not (acks := [ack for _, ack in await self.replies.next() if not ack.bundles]):
                pass
        (ack,) = acks
        return ack

    def announce(self, *series, source=SOURCE, **changes) -> None:
        self.intake.put(Message(source, Channel.ANNOUNCE, encode(announce(*series, **changes))))

    def send(self, *batches, source=SOURCE) -> None:
        for one in batches:
            self.intake.put(Message(source, Channel.DATA, encode_batch(one, Lane.LIVE)))


@asynccontextmanager
async def running(centre: Centre):
    async with asyncio.TaskGroup() as tasks:
        task = tasks.create_task(centre.pipeline.run())
        yield centre
        task.cancel()


def committed(ack: Ack) -> list[tuple[int, tuple[tuple[int, int], ...]]]:
    return [(epoch.epoch, epoch.committed) for epoch in ack.epochs]


def held(ack: Ack) -> list[tuple[int, tuple[tuple[int, int], ...]]]:
    return [(epoch.epoch, epoch.held) for epoch in ack.epochs]
