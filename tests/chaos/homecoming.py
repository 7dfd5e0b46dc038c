"""Gateways that come back after an outage: each drains a backlog in bundles, and sends what it reads meanwhile.

All of them are simulated in one process on one connection, with the window and the patience of a real one: 16,000 rows
or 1,024 batches of backlog, four live batches.
"""

import asyncio
import time
from dataclasses import dataclass, field
from itertools import islice
from typing import Final

import aiomqtt
import numpy as np

from gateway.flight import BACKLOG_ROWS, BUNDLED, WINDOW
from telemetry.batch import MAX_ROWS, Batch, rows
from telemetry.bundle import packed
from telemetry.clock import SECOND_NS
from telemetry.series import Series, Station, Text, series_id
from telemetry.topics import Channel, topic
from telemetry.wire import Ack, Announce, Lane, decode, encode, encode_batch

SITE: Final = "home"
_EPOCH: Final = 7
_LIVE_SEQ: Final = 10_000_000
_LIVE_ROWS: Final = 10
_POINTS: Final = 100
_RESEND_S: Final = 10.0


@dataclass(slots=True)
class Outcome:
    """What the gateways saw: rows of backlog and live batches, seconds until all was acknowledged, and live delays."""

    rows: int = 0
    seconds: float = 0.0
    live_s: list[float] = field(default_factory=list)


class Gateway:
    """One gateway that was away: everything it will send, in order."""

    def __init__(self, number: int, batches: int, size: int) -> None:
        n = min(size, _POINTS)
        self.source = f"{SITE}/gw{number}"
        station = Station(id="st", name=Text("站", "Station"), kind="water", lat=25.3, lon=119.1, town="demo")
        points = [f"g{number}-{at}" for at in range(n)]
        series = tuple(
            Series(station="st", point=p, quantity="flow", unit="m3/h", valid=(0.0, 20.0), period_s=1.0) for p in points
        )
        self.announce = encode(Announce(revision="1", drill=False, stations=(station,), series=series))
        self._ids = np.array([series_id(SITE, "st", point, "flow") for point in points], np.int64)
        each = size // n
        begin_ns = time.time_ns() - (each * batches + 60) * SECOND_NS
        polls = ((seq, self._poll(seq, begin_ns + each * seq * SECOND_NS, each)) for seq in range(1, batches + 1))
        self.unsent = {seq: encode_batch(batch, Lane.BACKLOG) for seq, batch in polls}
        self.open: dict[int, tuple[bytes, float]] = {}
        """What nobody has answered, and when it is overdue."""
        self.live: dict[int, float] = {}
        self._size = size
        self._live_seq = _LIVE_SEQ

    def _poll(self, seq: int, begin_ns: int, polls: int, most: int = _POINTS) -> Batch:
        """So many polls of all points (``most`` of them), a second apart, with the resolution of a register."""
        series = np.tile(self._ids[:most], polls)
        second = np.repeat(np.arange(polls), len(series) // polls)
        value = np.round(5 + np.sin((seq + second) / 50 + np.arange(len(series)) % 7), 3)
        return rows(self.source, series, begin_ns + second * SECOND_NS, value).numbered(_EPOCH, seq)

    @property
    def is_done(self) -> bool:
        return not (self.unsent or self.open or self.live)

    def next_messages(self, now_s: float) -> list[bytes]:
        """As much of the backlog as the window lets through, and what nobody has answered for a while."""
        overdue = self._overdue(now_s)
        room = min(BUNDLED, BACKLOG_ROWS // self._size) - len(self.open)
        some = list(islice(self.unsent, min(room, MAX_ROWS // self._size))) if room > 0 else []
        found = [self.unsent.pop(seq) for seq in some]
        self.open |= {seq: (payload, now_s + _RESEND_S) for seq, payload in zip(some, found, strict=True)}
        return [*overdue, *packed(found)]

    def _overdue(self, now_s: float) -> list[bytes]:
        found = {seq: payload for seq, (payload, due_s) in self.open.items() if due_s < now_s}
        self.open |= {seq: (payload, now_s + 2 * _RESEND_S) for seq, payload in found.items()}
        return list(found.values())

    def read(self, now_s: float) -> bytes | None:
        """A live batch, where the window has room for it."""
        if len(self.live) >= WINDOW[Lane.LIVE]:
            return None
        self._live_seq += 1
        self.live[self._live_seq] = now_s
        return encode_batch(self._poll(self._live_seq, time.time_ns(), 1, _LIVE_ROWS), Lane.LIVE)

    def hear(self, ack: Ack, outcome: Outcome) -> None:
        """Let go what is committed."""
        now_s = time.monotonic()
        for epoch in ack.epochs:
            assert not epoch.refused, epoch.refused[0].reason
            for first, last in epoch.committed:
                for seq in range(first, last + 1):
                    if seq > _LIVE_SEQ:
                        if (sent_s := self.live.pop(seq, None)) is not None:
                            outcome.live_s.append(now_s - sent_s)
                    elif self.open.pop(seq, None) is not None:
                        outcome.rows += self._size


class Homecoming:
    """All gateways on one connection; ``every_s`` is how often each has read something."""

    def __init__(self, gateways: int, batches: int, size: int, every_s: float) -> None:
        self._gateways = [Gateway(number, batches, size) for number in range(gateways)]
        self._by_source = {one.source: one for one in self._gateways}
        self._every_s = every_s
        self._outcome = Outcome()
        self._progress = asyncio.Event()

    async def run(self, port: int) -> Outcome:
        """Come back, and return when everything is acknowledged."""
        async with aiomqtt.Client("127.0.0.1", port) as client:
            await client.subscribe(f"petrel/1/{SITE}/+/ack")
            async with asyncio.TaskGroup() as tasks:
                helpers = [tasks.create_task(self._listen(client))]
                await self._known(client)
                begun_s = time.monotonic()
                await self._announce(client)
                helpers.append(tasks.create_task(self._read(client)))
                await self._drain(client)
                self._outcome.seconds = time.monotonic() - begun_s
                for one in helpers:
                    one.cancel()
        return self._outcome

    async def _announce(self, client: aiomqtt.Client) -> None:
        for one in self._gateways:
            await client.publish(topic(one.source, Channel.ANNOUNCE), one.announce, qos=1)

    async def _known(self, client: aiomqtt.Client) -> None:
        """Before the outage: the centre knows all of them, and has taken a batch of each."""
        await self._announce(client)
        for one in self._gateways:
            await client.publish(topic(one.source, Channel.DATA), one.read(time.monotonic()))
        async with asyncio.timeout(60):
            while any(one.live for one in self._gateways):
                self._progress.clear()
                await self._progress.wait()
        self._outcome.live_s.clear()

    async def _drain(self, client: aiomqtt.Client) -> None:
        while any(one.unsent or one.open for one in self._gateways):
            for one in self._gateways:
                for payload in one.next_messages(time.monotonic()):
                    await client.publish(topic(one.source, Channel.DATA), payload)
                    await asyncio.sleep(0)
            self._progress.clear()
            try:
                async with asyncio.timeout(0.2):
                    await self._progress.wait()
            except TimeoutError:
                continue

    async def _read(self, client: aiomqtt.Client) -> None:
        """Each gateway in its turn, spread over the period."""
        while True:
            for one in self._gateways:
                payload = one.read(time.monotonic())
                if payload is not None:
                    await client.publish(topic(one.source, Channel.DATA), payload)
                await asyncio.sleep(self._every_s / len(self._gateways))

    async def _listen(self, client: aiomqtt.Client) -> None:
        async for message in client.messages:
            source = "/".join(str(message.topic).split("/")[2:4])
            self._by_source[source].hear(decode(bytes(message.payload), Ack), self._outcome)
            self._progress.set()
