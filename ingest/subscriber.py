"""The subscriber: the centre's connection to the broker.

aiomqtt 2.5.1 keeps incoming messages in a queue of its own, which either grows without bound or discards in silence
when full, and wakes a task for each message. Its ``queue_type`` lets us give it a queue that keeps nothing: every
message goes to our intake in the same call, and iterating over the client only tells us when the connection ends.
"""

import asyncio
import math
import socket
import time
from collections.abc import Callable, Sequence
from typing import Final

import aiomqtt
import numpy as np
import structlog
from paho.mqtt.reasoncodes import ReasonCode

from ingest.intake import Intake, Message
from ingest.presence import PresenceBook
from ingest.replies import Answers, Replies
from ingest.watches import Watches
from telemetry.broker import BrokerAddress
from telemetry.cancellation import Requests
from telemetry.clock import Clock
from telemetry.mqtt import Client
from telemetry.topics import Channel, is_own, parse, topic
from telemetry.wire import Status, decode, encode

_LOG: Final = structlog.get_logger(__name__)
_CHANNELS: Final = ((Channel.ANNOUNCE, 1), (Channel.STATUS, 1), (Channel.DATA, 0))
_RETAINED: Final = (Channel.ANNOUNCE, Channel.STATUS)
"""An empty payload clears what the broker keeps of these: nothing is said by it (MQTT 3.1.1, 3.3.1.3)."""
_REFUSED: Final = 0x80
_BACKOFF_S: Final = (0.2, 30.0)
_DEADLINE_S: Final = 10.0
_OURS: Final = math.inf
"""No deadline of the client's own: it can swallow a cancellation on Python 3.11, so ours stands around the call."""
_KEEPALIVE_S: Final = 20
_SOCKET: Final = (
    (socket.IPPROTO_TCP, socket.TCP_NODELAY, 1),  # else an acknowledgement waits for the broker's delayed TCP ACK
    (socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, 1000 * _KEEPALIVE_S),
)


class Subscriber:
    """Connects for ever, fills the intake from the gateways of one site, sends the replies.

    ``rng`` spreads reconnections and names the client.
    """

    def __init__(
        self,
        broker: BrokerAddress,
        site: str,
        intake: Intake,
        replies: Replies,
        presence: PresenceBook,
        clock: Clock,
        rng: np.random.Generator,
        *,
        watches: Watches | None = None,
        password: str | None = None,
    ) -> None:
        self.connected = asyncio.Event()
        self.problem = "not connected yet"
        """Why there is no connection; empty while there is one."""
        self.messages = 0
        self._broker = broker
        self._site = site
        self._topics = [(topic(f"{site}/+", channel), qos) for channel, qos in _CHANNELS]
        self._intake = intake
        self._replies = replies
        self._presence = presence
        self._clock = clock
        self._rng = rng
        self._watches = watches or Watches()
        self._password = password

    async def run(self) -> None:
        """Stay connected until cancelled; waits 0.2 to 30 s between attempts, jittered."""
        delay_s, requests = _BACKOFF_S[0], Requests()
        while True:
            started_s = time.monotonic()
            try:
                await self._session()
            except* (aiomqtt.MqttError, OSError) as group:
                self.problem = f"{self._broker}: {_first(group)}"
            requests.forget_newer()
            self.connected.clear()
            self._replies.clear()
            if time.monotonic() - started_s > _DEADLINE_S:
                delay_s = _BACKOFF_S[0]
            _LOG.warning("no broker", broker=str(self._broker), reason=self.problem, again_s=round(delay_s, 1))
            await asyncio.sleep(delay_s * self._rng.uniform(0.5, 1.0))
            delay_s = min(2 * delay_s, _BACKOFF_S[1])

    async def _session(self) -> None:
        async with self._client() as client:
            async with asyncio.timeout(_DEADLINE_S):
                granted: Sequence[int | ReasonCode] = await client.subscribe(self._topics, timeout=_OURS)
            if refused := [name for (name, _), code in zip(self._topics, granted, strict=True) if _is_refused(code)]:
                raise aiomqtt.MqttError(f"subscription refused: {', '.join(refused)}; check the broker's access list")
            self.problem = ""
            self.connected.set()
            _LOG.info("connected", broker=str(self._broker))
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(_until_lost(client), name="watch the connection")
                tasks.create_task(self._reply(client), name="send acknowledgements")
                tasks.create_task(self._watch(client), name="send watches")

    async def _reply(self, client: aiomqtt.Client) -> None:
        while True:
            for source, ack in await self._replies.next():
                async with asyncio.timeout(_DEADLINE_S):
                    await client.publish(topic(source, Channel.ACK), encode(ack), qos=0, timeout=_OURS)

    async def _watch(self, client: aiomqtt.Client) -> None:
        self._watches.again()
        while True:
            source, watch = await self._watches.next()
            async with asyncio.timeout(_DEADLINE_S):
                await client.publish(topic(source, Channel.WATCH), encode(watch), qos=1, retain=True, timeout=_OURS)

    def _client(self) -> Client:
        return Client(
            self._broker,
            self._password,
            identifier=f"petrel-centre-{self._rng.integers(2**32):08x}",
            queue_type=_passing_to(self._receive),
            timeout=_DEADLINE_S,
            keepalive=_KEEPALIVE_S,
            socket_options=_SOCKET,
        )

    def _receive(self, message: aiomqtt.Message) -> None:
        """Sort one message; never raises, since that would end the connection for all gateways."""
        self.messages += 1
        try:
            address = parse(str(message.topic))
        except ValueError as exc:
            _LOG.warning("ignored", reason=str(exc))
            return
        if address.site != self._site:
            _LOG.warning("ignored", source=address.source, reason=f"expected a gateway of {self._site}")
            return
        payload = bytes(message.payload)
        if not payload and address.channel in _RETAINED:
            _LOG.info("cleared at the broker", source=address.source, channel=address.channel)
            return
        if is_own(address.source):
            _LOG.warning("ignored", source=address.source, reason="expected a gateway, this name is the centre's own")
            return
        if not message.retain:
            self._presence.heard(address.source, time.monotonic(), self._clock.now_ns())
        if address.channel is Channel.STATUS:
            self._status(address.source, payload)
            return
        if message.retain and address.channel is Channel.ANNOUNCE:
            self._ask(address.source)
        self._intake.put(Message(address.source, address.channel, payload))

    def _ask(self, source: str) -> None:
        """A gateway that was there before us has sent into the void: it need not wait until its batches are overdue."""
        answers = Answers()
        answers.ask(source)
        self._replies.post(answers)

    def _status(self, source: str, payload: bytes) -> None:
        try:
            self._presence.status(source, decode(payload, Status))
        except ValueError as exc:
            self._presence.malformed(source, f"status: {exc}")


async def _until_lost(client: aiomqtt.Client) -> None:
    """Wait for the end of the connection, which raises MqttError."""
    async for message in client.messages:
        raise RuntimeError(f"{message.topic}: queued in the client, expected in the intake")


def _passing_to(receive: Callable[[aiomqtt.Message], None]) -> type[asyncio.Queue[aiomqtt.Message]]:
    class Passage(asyncio.Queue[aiomqtt.Message]):
        """A queue that keeps nothing."""

        def put_nowait(self, item: aiomqtt.Message) -> None:
            receive(item)

    return Passage


def _is_refused(granted: int | ReasonCode) -> bool:
    return (granted if isinstance(granted, int) else granted.value) >= _REFUSED


def _first(group: BaseException) -> str:
    while isinstance(group, BaseExceptionGroup):
        group = group.exceptions[0]
    return str(group) or type(group).__name__
