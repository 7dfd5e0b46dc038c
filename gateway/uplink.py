"""The uplink: announces, publishes, listens to acknowledgements, comes back after every loss (DESIGN 4)."""

import asyncio
import math
import time
from collections.abc import Callable
from contextlib import suppress

import structlog
from numpy.random import Generator

from gateway.announced import Announced
from gateway.connection import LOSSES, Connection, MovedError, reasons
from gateway.flight import WINDOW, Flight, refusal
from gateway.line import SPARING_S, LineMeter
from gateway.loading import messages
from gateway.mailbox import Mailbox
from gateway.spool import Spool
from gateway.timing import Timing, UplinkCounts
from telemetry.broker import BrokerAddress
from telemetry.cancellation import Requests
from telemetry.topics import Channel, topic
from telemetry.wire import Ack, Announce, Lane, Presence, Status, decode, encode

_LOG = structlog.get_logger()


class Uplink:
    """One gateway's connection to its broker."""

    def __init__(
        self,
        source: str,
        broker: BrokerAddress,
        spool: Spool,
        *,
        password: str | None,
        announce: Announce,
        status: Callable[[Presence], Status],
        rng: Generator,
        timing: Timing | None = None,
        mailbox: Mailbox | None = None,
        meter: LineMeter | None = None,
    ) -> None:
        """``mailbox``: for what the centre sends besides acknowledgements, and what it is told besides rows.

        ``meter`` counts what the line carries; once its quota is used up only alarms go, and a live batch now and then.
        """
        self.connected = False
        self.trouble: str | None = "not connected yet"
        """Why nothing is delivered at present, for people; None when all is well."""
        self.refused: tuple[str, ...] = ()
        """Topics that the broker's access list keeps from us, though delivery does without them."""
        self.counts = UplinkCounts()
        self._source = source
        self.broker = broker
        self._password = password
        self._spool = spool
        self.announced = Announced(announce)
        self._mailbox = mailbox or Mailbox(source)
        self._status = status
        self._rng = rng
        self._timing = timing or Timing()
        self._flight = Flight(spool, self._timing.resend_s, self._timing.eager_s)
        self._wake, self._room = asyncio.Event(), asyncio.Event()
        self._moved = asyncio.Event()
        self._link: Connection | None = None
        self._held_text: str | None = None
        self._meter, self._carried = meter, 0
        self._live_s = -math.inf

    @property
    def lane(self) -> Lane:
        """The lane of a batch that is fresh now: without a connection, or a quota, it is backlog from the start."""
        spared = self._flight.sparing and time.monotonic() - self._live_s < SPARING_S
        return Lane.LIVE if self.connected and not spared else Lane.BACKLOG

    def unacknowledged_s(self) -> float:
        """How long the centre has answered nothing although we are connected and have sent something."""
        return self._flight.silent_s(time.monotonic()) if self.connected else 0.0

    def notify(self) -> None:
        """Something was appended to the spool."""
        self._wake.set()

    def redirect(self, announce: Announce, broker: BrokerAddress) -> None:
        """Announce this from now on, and there; what is open in the spool stays open."""
        self.announced.put(announce)
        if broker != self.broker:
            self.broker = broker
            self._moved.set()

    async def ready(self, timeout_s: float) -> None:
        """Wait until a live batch could leave at once, ``timeout_s`` at most."""
        if self._room.is_set():
            return
        with suppress(TimeoutError):
            async with asyncio.timeout(timeout_s):
                await self._room.wait()

    async def report(self) -> None:
        """Publish the status (retained) if there is a connection; a loss is noticed elsewhere."""
        if self._link is not None:
            with suppress(*LOSSES):
                await self._publish_status(self._link, Presence.ONLINE)

    async def run(self) -> None:
        """Stay connected until cancelled; the last word is a retained ``offline``."""
        shortest_s, longest_s = self._timing.reconnect_s
        delay_s, requests = shortest_s, Requests()
        while True:
            started_s = time.monotonic()
            try:
                await self._session()
            except* LOSSES as group:
                self._lost(group)
            requests.forget_newer()
            if time.monotonic() - started_s > self._timing.steady_s:
                delay_s = shortest_s
            with suppress(TimeoutError):
                async with asyncio.timeout(delay_s * self._rng.uniform(0.5, 1.0)):
                    await self._moved.wait()
            delay_s = shortest_s if self._moved.is_set() else min(2 * delay_s, longest_s)

    async def _session(self) -> None:
        self._moved.clear()
        async with self._connection() as link:
            try:
                await self._greet(link)
                async with asyncio.TaskGroup() as tasks:
                    ours = (self._until_moved, self._send, self._announce_when_asked, self._watch)
                    for part in (Connection.lost, *ours, self._mailbox.post):
                        tasks.create_task(part(link), name=f"uplink {part.__name__.strip('_')}")
            except asyncio.CancelledError:
                await self._farewell(link)
                raise
            finally:
                self._measure(link)
                self._leave()

    def _connection(self) -> Connection:
        will = (self._topic(Channel.STATUS), encode(Status(presence=Presence.OFFLINE)))
        name, wait_s = f"petrel-{self._source.replace('/', '-')}", self._timing.deadline_s
        return Connection(self.broker, name, self._password, will=will, take=self._receive, deadline_s=wait_s)

    async def _greet(self, link: Connection) -> None:
        """Listen first, so that no acknowledgement is missed; then say who we are; then send what is open.

        What this centre reads it says once it has heard who we are.
        """
        self._flight.bundling = False
        self.refused = tuple(await link.listen([self._topic(Channel.ACK), *self._mailbox.topics]))
        await self._publish(link, Channel.ANNOUNCE, self.announced.payload)
        self._flight.clear()
        self._link, self.connected, self.trouble = link, True, None
        await self._publish_status(link, Presence.ONLINE)
        self.counts.connections += 1
        self._settle()
        self._carried = 0
        self._measure(link)
        _LOG.info("uplink connected", broker=str(self.broker), refused=self.refused)

    def _measure(self, link: Connection) -> None:
        """Count what the connection has cost since the last time, and spare the line when that was too much."""
        if self._meter is None:
            return
        carried = link.carried()
        self._meter.count(max(carried - self._carried, 0))
        self._carried = max(carried, self._carried)
        if self._meter.used_up is not self._flight.sparing:
            self._flight.sparing = self._meter.used_up
            _LOG.warning("line", sparing=self._flight.sparing, use=self._meter.note())
            self._wake.set()

    def _leave(self) -> None:
        """Without a connection nothing is on its way, and what was live is backlog."""
        self._link, self.connected = None, False
        self._flight.clear()
        self._room.clear()

    async def _send(self, link: Connection) -> None:
        while True:
            entry = self._flight.next(time.monotonic())
            self._settle()
            if entry is None:
                await self._idle()
                continue
            entries = [entry, *self._flight.beside(entry, time.monotonic())]
            for payload in await messages(self._spool, entries):
                await self._publish(link, Channel.DATA, payload)
                self.counts.sent_bytes += len(payload)
            self.counts.sent_batches += len(entries)
            if entry.lane is Lane.LIVE:
                self._live_s = time.monotonic()

    async def _idle(self) -> None:
        """Wait for an append, an acknowledgement, or a batch that is overdue."""
        wait_s = self._flight.wait_s(time.monotonic())
        with suppress(TimeoutError):
            async with asyncio.timeout(wait_s):
                await self._wake.wait()
        self._wake.clear()

    async def _until_moved(self, link: Connection) -> None:
        await self._moved.wait()
        await self._farewell(link)
        raise MovedError(f"{self.broker} takes its place")

    def _receive(self, name: str, payload: bytes, retained: bool) -> None:
        """Hand on what came; on a topic that nobody asked for nothing comes."""
        if not self._mailbox.receive(name, payload, retained):
            self._take(payload)

    def _take(self, payload: bytes) -> None:
        """An acknowledgement; a malformed one is counted and ignored, since the next one may be good."""
        try:
            ack = decode(payload, Ack)
        except ValueError as exc:
            self.counts.malformed_acks += 1
            _LOG.warning("malformed acknowledgement ignored", reason=str(exc), n_bytes=len(payload))
            return
        if self._flight.take(ack, time.monotonic()):
            self.trouble = refusal(ack)
        self._tell_held()
        if ack.announce:
            self.announced.asked.set()
        self._settle()
        self._wake.set()

    def _tell_held(self) -> None:
        """Say it while the centre can't store what we send: it warns all the same, and the rows are safe here."""
        if not self._flight.holding:
            self._held_text = None
            return
        text = (
            f"the centre judges what is sent but its store takes nothing: {self._spool.held_batches()} batches are kept"
            " here and sent again later"
        )
        if self._held_text is None:
            _LOG.warning("held", trouble=text)
        self.trouble = self._held_text = text

    async def _announce_when_asked(self, link: Connection) -> None:
        """A centre that does not know us asks with every batch it gets: one answer a second is enough."""
        while True:
            await self.announced.asked.wait()
            self.announced.asked.clear()
            await self._publish(link, Channel.ANNOUNCE, self.announced.payload)
            self._flight.clear()
            self._wake.set()
            await asyncio.sleep(self._timing.reannounce_s)

    async def _watch(self, link: Connection) -> None:
        """Say it when we are connected and nobody acknowledges: with MQTT 3.1.1 a refused publish is silent (P14)."""
        while True:
            self._measure(link)
            silent_s = self._flight.silent_s(time.monotonic())
            if silent_s >= self._timing.silent_s and self.trouble in (None, self._held_text):
                self.trouble = (
                    f"connected to {self.broker} but not acknowledged for {silent_s:.0f} s: the centre is not running,"
                    f" or the broker's access list refuses {self._topic(Channel.DATA)} or {self._topic(Channel.ACK)}"
                    f" to {self.broker.user or 'an anonymous client'}"
                )
                _LOG.warning("not acknowledged", trouble=self.trouble)
            await asyncio.sleep(min(1.0, self._timing.silent_s / 4))

    async def _farewell(self, link: Connection) -> None:
        with suppress(*LOSSES):
            async with asyncio.timeout(self._timing.farewell_s):
                await self._publish_status(link, Presence.OFFLINE)

    async def _publish_status(self, link: Connection, presence: Presence) -> None:
        await self._publish(link, Channel.STATUS, encode(self._status(presence)))

    async def _publish(self, link: Connection, channel: Channel, payload: bytes) -> None:
        """Data needs no receipt from the broker; what is retained is for those who come later."""
        qos = 1 if channel is Channel.ANNOUNCE else 0
        await link.send(self._topic(channel), payload, qos=qos, retain=channel is not Channel.DATA)

    def _settle(self) -> None:
        """Tell who waits to append whether a live batch could leave now."""
        if self.connected and self._flight.count(Lane.LIVE) < WINDOW[Lane.LIVE]:
            self._room.set()
        else:
            self._room.clear()

    def _lost(self, group: BaseExceptionGroup[Exception]) -> None:
        trouble = f"no connection to {self.broker}: {reasons(group)}"
        if trouble != self.trouble:
            _LOG.warning("uplink lost", trouble=trouble)
        self.trouble = trouble

    def _topic(self, channel: Channel) -> str:
        return topic(self._source, channel)
