"""A scripted centre for tests of the gateway: a plain paho client in its own thread, told batch by batch what to do."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from typing import Any

import msgspec
import numpy as np
import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion

from telemetry.batch import Batch
from telemetry.bundle import parts
from telemetry.topics import Channel, parse, topic
from telemetry.wire import Ack, Announce, EpochAck, Lane, Refusal, Status, Watch, decode, decode_batch, encode

Key = tuple[int, int]
Script = Callable[[Batch], str]
"""What to do with a batch: ``ack``, ``twice``, ``refuse``, ``ask`` for the announcement, or stay ``silent``."""


async def until(condition: Callable[[], Any], hint: asyncio.Event | None = None, seconds: float = 30.0) -> None:
    """Wait until a condition holds; looks whenever ``hint`` is set, and every 10 ms."""
    hint = hint or asyncio.Event()
    async with asyncio.timeout(seconds):
        while not condition():
            hint.clear()
            with suppress(TimeoutError):
                async with asyncio.timeout(0.01):
                    await hint.wait()


def always(deed: str) -> Script:
    """The same for every batch."""
    return lambda _: deed


ALL_WELL = always("ack")


@asynccontextmanager
async def scripted_centre(port: int, source: str) -> AsyncIterator["ScriptedCentre"]:
    """A centre that hears everything from now on, for the length of a block."""
    centre = ScriptedCentre(port, source)
    try:
        await centre.until(lambda: centre.hears)
        yield centre
    finally:
        await asyncio.to_thread(centre.close)


class ScriptedCentre:
    """Keeps what it gets; the first copy of a batch counts as committed when it is acknowledged."""

    def __init__(self, port: int, source: str, script: Script = ALL_WELL) -> None:
        self.source = source
        self.script = script
        self.arrivals: list[Key] = []
        self.lanes: list[Lane] = []
        self.committed: dict[Key, list[float]] = {}
        self.announcements: list[Announce] = []
        self.statuses: list[Status] = []
        self.reads_bundles = False
        """Whether it is a centre that reads bundles, and says so; an older one can't make anything of them."""
        self.messages: list[int] = []
        """Of each message of data, how many batches it held; 0 for one that could not be read."""
        self.hears = False
        """Whether it has subscribed: what is published before, it never gets."""
        self._loop = asyncio.get_running_loop()
        self._changed = asyncio.Event()
        self._client = mqtt.Client(CallbackAPIVersion.VERSION2, protocol=mqtt.MQTTv311)
        self._client.reconnect_delay_set(0.05, 0.2)  # type: ignore[arg-type]  # floats are fine: it only waits so long
        self._client.on_connect = self._subscribe
        self._client.on_subscribe = self._hears
        self._client.on_message = self._take
        self._client.connect("127.0.0.1", port)
        self._client.loop_start()

    def close(self) -> None:
        self._client.disconnect()
        self._client.loop_stop()

    def say(self, message: Ack | bytes) -> None:
        """Send an acknowledgement, or any bytes in the place of one."""
        payload = message if isinstance(message, bytes) else encode(message)
        self._client.publish(topic(self.source, Channel.ACK), payload, qos=1)

    def watch(self, watch: Watch | None) -> None:
        """Tell the gateway what to watch; None clears what the broker has retained."""
        payload = b"" if watch is None else encode(watch)
        self._client.publish(topic(self.source, Channel.WATCH), payload, qos=1, retain=True)

    def acknowledge(self, *keys: Key) -> None:
        """Acknowledge batches later than they came."""
        for epoch, seq in keys:
            self.say(Ack(epochs=(EpochAck(epoch=epoch, committed=((seq, seq),)),)))

    async def until(self, condition: Callable[[], Any]) -> None:
        """Wait until a condition on what arrived, or on anything that follows from it, holds."""
        await until(condition, self._changed)

    def _subscribe(self, client: mqtt.Client, *_: object) -> None:
        heard = (Channel.ANNOUNCE, Channel.STATUS, Channel.DATA)
        client.subscribe([(topic(self.source, channel), 1) for channel in heard])

    def _hears(self, *_: object) -> None:
        self.hears = True

    def _take(self, _client: mqtt.Client, _userdata: object, message: mqtt.MQTTMessage) -> None:
        channel, payload = parse(message.topic).channel, bytes(message.payload)
        if channel is Channel.ANNOUNCE:
            self.announcements.append(decode(payload, Announce))
            if self.reads_bundles:
                self.say(Ack(bundles=True))
        elif channel is Channel.STATUS:
            self.statuses.append(decode(payload, Status))
        else:
            self._data(payload)
        self._loop.call_soon_threadsafe(self._changed.set)

    def _data(self, payload: bytes) -> None:
        found = parts(payload)
        readable = len(found) == 1 or self.reads_bundles
        self.messages.append(len(found) if readable else 0)
        said = [ack for part in (found if readable else ()) for ack in self._answer(*decode_batch(part, self.source))]
        if len(found) > 1 and said:  # a bundle is answered as one: a broker drops what it queues beyond a thousand
            said = [
                Ack(announce=any(ack.announce for ack in said), epochs=tuple(e for ack in said for e in ack.epochs))
            ]
        for ack in said:
            self.say(ack)

    def _answer(self, batch: Batch, lane: Lane) -> list[Ack]:
        key = (batch.epoch, batch.seq)
        self.arrivals.append(key)
        self.lanes.append(lane)
        deed = self.script(batch)
        if deed in ("ack", "twice"):
            first = self.committed.setdefault(key, batch.value.tolist())
            assert np.array_equal(first, batch.value, equal_nan=True)
        empty = EpochAck(epoch=batch.epoch)
        committed = Ack(epochs=(msgspec.structs.replace(empty, committed=((batch.seq, batch.seq),)),))
        refused = Ack(epochs=(msgspec.structs.replace(empty, refused=(Refusal(batch.seq, "poison"),)),))
        return {
            "ack": [committed],
            "twice": [committed, committed],
            "refuse": [refused],
            "ask": [Ack(announce=True)],
            "silent": [],
        }[deed]
