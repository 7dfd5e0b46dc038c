"""The ingest service: subscriber, pipeline and catalogue around one store, as one thing to run."""

import asyncio
from collections import Counter, abc
from collections.abc import Awaitable, Callable, Mapping

import numpy as np
import structlog

from ingest.admission import Admission
from ingest.catalogue import Catalogue
from ingest.commit import Commit
from ingest.intake import Intake
from ingest.pipeline import Pipeline, PipelineStats
from ingest.presence import PresenceBook
from ingest.qc.control import QualityControl
from ingest.qc.parameters import AnyTest
from ingest.qc.rows import Tolerance
from ingest.replies import Replies
from ingest.sequence import Sequence
from ingest.store.protocol import Store, StoreRefusedError
from ingest.subscriber import Subscriber
from ingest.watches import Watches
from telemetry.broker import BrokerAddress
from telemetry.clock import Clock
from telemetry.codes import READS
from telemetry.faults import Fault
from telemetry.progress import Progress
from telemetry.wire import Watch

_LOG = structlog.get_logger(__name__)


class Ingest:
    """Everything between the broker and the engine.

    ``site`` is the only one whose gateways are heard. Once made, ``catalogue`` knows what earlier runs knew, so that
    the engine can be warmed before ``run`` begins. ``tests`` are those of the site file.
    """

    def __init__(
        self,
        store: Store,
        broker: BrokerAddress,
        clock: Clock,
        on_commit: Callable[[Commit], Awaitable[None]],
        *,
        site: str,
        drill: bool,
        rng: np.random.Generator,
        tolerance: Tolerance | None = None,
        tests: abc.Sequence[AnyTest] = (),
        password: str | None = None,
    ) -> None:
        self.store = store
        self.catalogue = Catalogue(site=site, drill=drill)
        self.presence = PresenceBook()
        self.intake = Intake()
        replies = Replies()
        self._clock = clock
        self._admission = admission = Admission(self.catalogue, QualityControl(tolerance, tests), clock, self.presence)
        announcements = store.announcements()
        admission.restore(announcements)
        self._pipeline = Pipeline(
            store, admission, self.intake, replies, self.presence, clock, on_commit, saved=dict(announcements)
        )
        self._watches = Watches()
        self.subscriber = Subscriber(
            broker,
            site,
            self.intake,
            replies,
            self.presence,
            clock,
            rng,
            watches=self._watches,
            password=password,
        )

    @property
    def admission(self) -> Admission:
        """Where the centre announces what it derives."""
        return self._admission

    @property
    def stats(self) -> PipelineStats:
        """Counts since start."""
        return self._pipeline.stats

    @property
    def faults(self) -> Counter[Fault]:
        """Batches and announcements that were refused since start, whole or in part, by cause."""
        return self._admission.faults

    @property
    def sequence(self) -> Sequence:
        """In which order batches came."""
        return self._pipeline.sequence

    def waiting_s(self) -> float:
        """How long the oldest row has waited that arrived and is not committed, in real seconds; 0: none waits."""
        return self._pipeline.waiting_s()

    def progress(self) -> Progress:
        """How far rows have come."""
        return self._pipeline.progress()

    def watch(self, marks: Mapping[int, tuple[float, ...]]) -> None:
        """Tell each gateway the values of its series whose crossing is worth hurrying; what is said already is not."""
        by_source: dict[str, dict[str, tuple[float, ...]]] = {}
        for entry in self.catalogue.entries():
            words = by_source.setdefault(entry.source, {})
            if entry.id in marks:
                words[str(entry.id)] = marks[entry.id]
        for source, found in by_source.items():
            self._watches.put(source, Watch(marks=found, reads=READS))

    async def run(self) -> None:
        """Work until cancelled."""
        await asyncio.to_thread(self._warm)
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self.subscriber.run(), name="subscriber")
            tasks.create_task(self._pipeline.run(), name="pipeline")

    def _warm(self) -> None:
        """Rows that are stored already are what the next ones are compared with."""
        try:
            self._admission.warm(self.store.recent(self._clock.now_ns() - self._admission.memory_ns))
        except StoreRefusedError as exc:
            _LOG.warning("quality control begins without what came before", reason=str(exc))
