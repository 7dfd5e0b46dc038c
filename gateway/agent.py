"""The gateway: acquisition, coalescer, spool and uplink in one task group.

buses --poll--> Acquisition --Batch--> Coalescer --> Spool (disk) --> Uplink == MQTT ==> centre
                                                       ^------------- acknowledgement -----'
"""

import asyncio
import math
import time
from collections.abc import Callable
from typing import Final, Protocol

import structlog
from numpy.random import Generator

from edge_agent.acquisition import Acquisition
from edge_agent.screen import screen_of
from gateway.coalescer import Coalescer
from gateway.deployed import Deployed
from gateway.line import SPARING_S, LineMeter
from gateway.mailbox import Mailbox
from gateway.maintenance import Maintenance
from gateway.metrics import Figures, Scraped
from gateway.nameplates import Nameplates
from gateway.outputs.outputs import Outputs
from gateway.remote.configuration import Parts, RemoteConfiguration
from gateway.remote.desk import Desk
from gateway.remote.remote import Remote, RemoteError, open_remote
from gateway.settings import GatewayPlan
from gateway.spool import Spool, Stats, keep_synced
from gateway.status import read_status, write_status
from gateway.timekeeping import Machine, Timekeeper
from gateway.timing import Timing
from gateway.uplink import Uplink
from telemetry.batch import Batch
from telemetry.broker import PASSWORD
from telemetry.clock import SECOND_NS, Clock
from telemetry.progress import Progress
from telemetry.settings import secret
from telemetry.topics import Channel
from telemetry.wire import Lane, Presence, Status, Watch, decode

_LOG = structlog.get_logger()
_TELL_S: Final = 0.2
_WRITE_S: Final = 1.0


class Source(Protocol):
    """Where batches come from: the acquisition, or anything like it."""

    async def run(self) -> None:
        """Hand batches to the sink until cancelled."""

    def devices(self) -> dict[str, str]:
        """Per device ``ok``, or the reason of its last failure."""


class Gateway:
    """One gateway. ``run`` owns everything it opens and ends with a clean stop when it is cancelled."""

    def __init__(
        self,
        plan: GatewayPlan,
        clock: Clock,
        rng: Generator,
        *,
        timing: Timing | None = None,
        source: Callable[[Callable[[Batch], None]], Source] | None = None,
        machine: Machine | None = None,
    ) -> None:
        """Open the spool; raises SpoolError. ``source`` makes what hands batches to a sink: usually the acquisition.

        ``machine`` is whose clock stamps the rows; in a drill nobody's does, so nothing is said of it.
        """
        self._plan = plan
        self._clock = clock
        timing = timing or Timing()
        self._status_ns = round(timing.status_s * SECOND_NS)
        self._trial_s = timing.trial_s
        self.polled_rows = 0
        self.spool = Spool.open(plan.spool_dir, plan.limits, clock)
        before = read_status(plan.spool_dir)
        self._meter = LineMeter(clock, plan.quota, before.status.line if before else None)
        self._mailbox = Mailbox(plan.source, {Channel.WATCH: self._watch})
        self.uplink = Uplink(
            plan.source,
            plan.broker,
            self.spool,
            password=secret(PASSWORD),
            announce=plan.announce,
            status=self.status,
            rng=rng,
            timing=timing,
            mailbox=self._mailbox,
            meter=self._meter,
        )
        self._maintenance = Maintenance(plan.spool_dir)
        self._nameplates = Nameplates(plan.spool_dir)
        self._deployed = Deployed(plan.buses, plan.spool_dir)
        self._screen = screen_of(plan.buses)
        self._time: Timekeeper | None = None
        if machine is not None:
            self._time = Timekeeper(machine, plan.spool_dir / "untimed", plan.source, self._screen.set_back)
        self._coalescer = Coalescer(clock, self._append, self.uplink.ready, timing.gather_s)
        self._source = source(self._sink) if source else self._acquisition(int(rng.integers(2**32)))
        self._deaf: str | None = None
        """Why no orders are taken although they should be."""
        self._scraped = Scraped(plan.metrics, self._figures) if plan.metrics else None
        self._remote = self._open_remote()

    async def run(self) -> None:
        """Poll, keep and deliver until cancelled; what was polled is on disk when this returns."""
        try:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self.uplink.run(), name="uplink")
                tasks.create_task(keep_synced(self.spool), name="sync")
                tasks.create_task(self._coalescer.run(), name="coalescer")
                tasks.create_task(self._report(), name="status")
                tasks.create_task(self._source.run(), name="acquisition")
                if self._scraped is not None:
                    tasks.create_task(self._scraped.run(), name="metrics")
                if self._remote is not None:
                    tasks.create_task(self._remote.run(), name="orders")
                if self._time is not None:
                    tasks.create_task(self._time.run(self.spool, self.uplink.notify), name="clock")
        finally:
            self._coalescer.flush()
            write_status(self._plan.spool_dir, self.status(Presence.OFFLINE), self.uplink.trouble)
            if self._time is not None:
                self._time.close()
            self.spool.close()
            _LOG.info("gateway stopped", source=self._plan.source)

    def status(self, presence: Presence = Presence.ONLINE) -> Status:
        """The health of this moment, as it is published."""
        stats = self.spool.stats()
        return Status(
            presence=presence,
            time_ns=self._clock.now_ns(),
            epoch=stats.epoch,
            spool_batches=stats.batches,
            spool_rows=stats.rows,
            spool_bytes=stats.disk_bytes,
            oldest_ns=stats.oldest_ns,
            hours_until_full=stats.hours_until_full,
            unacknowledged_s=self.uplink.unacknowledged_s(),
            polled_rows=self.polled_rows,
            acked_rows=stats.acked_rows,
            dropped_rows=stats.dropped_rows,
            refused_batches=stats.refused_batches,
            sent_bytes=self.uplink.counts.sent_bytes,
            devices=self._source.devices(),
            attributes=self._nameplates.shown(),
            drain_rows_per_s=stats.drain_rows_per_s,
            clock=self._time.health() if self._time else None,
            line=self._meter.use(),
            notes=self._notes(stats),
        )

    def _figures(self) -> Figures:
        buses = self._source.stats() if isinstance(self._source, Acquisition) else {}
        return Figures(
            status=self.status(),
            spool=self.spool.stats(),
            uplink=self.uplink.counts,
            connected=self.uplink.connected,
            buses=buses,
        )

    def progress(self) -> dict[str, Progress]:
        """What must not stand still while it runs: each bus, and the syncs of the spool."""
        buses = self._source.progress() if isinstance(self._source, Acquisition) else {}
        return {**buses, "spool": self.spool.syncs.progress()}

    def summary(self) -> str:
        """How it is, in one line."""
        stats = self.spool.stats()
        return f"{self.polled_rows} rows polled, {stats.rows} wait, delivery {self.uplink.trouble or 'ok'}"

    def _notes(self, stats: Stats) -> tuple[str, ...]:
        found = [self._meter.note(), self._time.note() if self._time else None, self._deaf]
        found += [self._scraped.trouble] if self._scraped else []
        now_ns = self._clock.now_ns()
        found += [
            *stats.notes,
            *self._maintenance.notes(now_ns),
            *self._nameplates.notes(now_ns, self._deployed.serials(now_ns)),
        ]
        found += [f"the broker's access list refuses the subscription to {name}" for name in self.uplink.refused]
        found += self._remote.notes() if self._remote is not None else []
        found += self.uplink.broker.files.running_out(self._clock.now_ns())
        return tuple(note for note in found if note is not None)

    def _acquisition(self, seed: int) -> Source:
        return Acquisition(self._plan.source, self._plan.buses, self._clock, self._sink, kept=self._kept, seed=seed)

    def _open_remote(self) -> Remote | None:
        """A gateway that can't take orders still polls and delivers, and says what is wrong."""
        if self._plan.remote is None or not isinstance(self._source, Acquisition):
            return None
        try:
            return open_remote(
                self._plan,
                self._plan.remote,
                self._clock,
                self._mailbox,
                self._source,
                lambda device, series: self._maintenance.work(device, series, self._clock.now_ns()),
                self._changeable,
            )
        except RemoteError as exc:
            self._deaf = f"no orders are taken: {exc}"
            _LOG.error("no orders are taken", reason=str(exc))
            return None

    def _changeable(self, desk: Desk, outputs: Outputs) -> RemoteConfiguration | None:
        remote, acquisition = self._plan.remote, self._source
        if remote is None or remote.document is None or not isinstance(acquisition, Acquisition):
            return None
        parts = Parts(
            acquisition=acquisition,
            screen=self._screen,
            deployed=self._deployed,
            uplink=self.uplink,
            outputs=outputs,
            mailbox=self._mailbox,
            spool=self.spool.stats,
        )
        return RemoteConfiguration(self._plan, remote, self._clock, parts, desk.reply, self._trial_s)

    def _sink(self, batch: Batch) -> None:
        """Screen what was read; what is urgent takes along everything that has not left, and goes first."""
        marked = self._maintenance.mark(batch, self._clock.now_ns())
        admitted = marked if self._time is None else self._time.admit(marked)
        if admitted is None:
            return
        placed = self._deployed.place(admitted)
        passed = self._screen.take(placed.batch)
        if passed.batch is None:
            return
        self.polled_rows += len(passed.batch)
        self._coalescer.put(passed.batch)
        if passed.urgent or placed.urgent:
            self._coalescer.flush(self._append_urgent)

    async def _kept(self) -> None:
        """Wait until everything that was read so far survives a power cut, on this disk or at the centre."""
        self._coalescer.flush()
        if self._time is not None:
            await self._time.kept()
        await self.spool.kept()

    def _append_urgent(self, batch: Batch) -> None:
        self.spool.append(batch, Lane.ALARM)
        self.uplink.notify()

    def _watch(self, payload: bytes, _: bool) -> None:
        """What the centre watches from now on, with an empty message nothing; a malformed one changes nothing."""
        try:
            watch = decode(payload, Watch) if payload else Watch(marks={})
            marks = {int(series): values for series, values in watch.marks.items()}
        except ValueError as exc:
            _LOG.warning("malformed watch ignored", reason=str(exc), n_bytes=len(payload))
            return
        self._screen.watch(marks)
        self.uplink.announced.understood(watch.reads)
        _LOG.info("watching", series=len(marks))

    def _append(self, batch: Batch) -> None:
        self.spool.append(batch, self.uplink.lane)
        self.uplink.notify()

    async def _learn(self) -> None:
        """Look at what devices have said of themselves meanwhile."""
        if not isinstance(self._source, Acquisition):
            return
        if self._nameplates.take(self._source.attributes(), self._source.devices(), self._clock.now_ns()):
            await asyncio.to_thread(self._nameplates.keep)

    async def _report(self) -> None:
        """Tell the centre and people nearby; a drill at full speed must not spend its time on that."""
        told_s = written_s = -math.inf
        while True:
            now_s = time.monotonic()
            await self._learn()
            if now_s - written_s >= _WRITE_S:
                written_s = now_s
                write_status(self._plan.spool_dir, self.status(), self.uplink.trouble)
            if now_s - told_s >= (SPARING_S if self._plan.quota else _TELL_S):
                told_s = now_s
                await self.uplink.report()
            await self._clock.sleep_until(self._clock.now_ns() + self._status_ns)
