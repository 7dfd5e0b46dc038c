"""One connection to a broker: the client, mended further where the field needs it. Nothing else here imports aiomqtt.

Nagle's algorithm holds a small publish back until the broker's TCP has acknowledged the one before, which costs 40 ms
now and then (13 to 17 ms at p99); so TCP_NODELAY is set. The broker needs the same for its own direction: nats-server
has it, mosquitto needs ``set_tcp_nodelay true``.
"""

import asyncio
import math
import socket
from collections.abc import Awaitable, Callable, Sequence
from contextlib import ExitStack, suppress
from types import TracebackType
from typing import Final, TypeVar, cast

from aiomqtt import Message, MqttError, Will
from paho.mqtt.reasoncodes import ReasonCode

from gateway.line import carried
from telemetry.broker import BrokerAddress
from telemetry.mqtt import Client

LOSSES: Final = (MqttError, TimeoutError)
"""What every method may raise: there is no connection, or no answer in time."""
_KEEPALIVE_S: Final = 20
_UNANSWERED: Final = 8
"""Messages of QoS 1 without the broker's receipt at most: an announcement and an answer may meet. Rows are QoS 0."""
_REFUSED: Final = 0x80
_SOCKET: Final = (
    (socket.IPPROTO_TCP, socket.TCP_NODELAY, 1),
    (socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, _KEEPALIVE_S * 1000),
)
T = TypeVar("T")


class MovedError(MqttError):
    """The broker is to be found elsewhere from now on."""


class Connection(Client):
    """A connection for the length of a block. What is received goes to ``take`` at once, in the event loop.

    ``take`` is given the topic, the payload, and whether the broker had retained it.

    aiomqtt 2.5.1 on its own keeps the socket of a broker that never answers, and loses a cancellation now and then
    (``asyncio.wait_for`` before Python 3.12).
    """

    def __init__(
        self,
        broker: BrokerAddress,
        identifier: str,
        password: str | None,
        *,
        will: tuple[str, bytes],
        take: Callable[[str, bytes, bool], None],
        deadline_s: float,
    ) -> None:
        """``will`` is the topic and payload that the broker publishes (retained) when we vanish."""
        super().__init__(
            broker,
            password,
            identifier=identifier,
            will=Will(*will, qos=1, retain=True),
            clean_session=True,
            timeout=math.inf,
            keepalive=_KEEPALIVE_S,
            queue_type=_passing_to(take),
            max_queued_outgoing_messages=_UNANSWERED,
            socket_options=_SOCKET,
        )
        self._deadline_s = deadline_s
        self._client.connect_timeout = deadline_s / 2  # the rest is for the handshake of MQTT

    async def __aenter__(self) -> "Connection":
        with ExitStack() as unless_open:
            unless_open.callback(self._client.disconnect)
            async with asyncio.timeout(self._deadline_s):
                await super().__aenter__()
            unless_open.pop_all()
        return self

    async def __aexit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Say goodbye; that this fails must hide neither an error nor a cancellation."""
        with suppress(*LOSSES):
            async with asyncio.timeout(self._deadline_s):
                await super().__aexit__(exc_type, exc, traceback)

    async def send(self, topic: str, payload: bytes, *, qos: int = 0, retain: bool = False) -> None:
        """Publish; returns once the socket (with qos 1 the broker) has taken it."""
        async with asyncio.timeout(self._deadline_s):
            await self.publish(topic, payload, qos=qos, retain=retain)

    async def listen(self, topics: Sequence[str]) -> list[str]:
        """Subscribe to topics, the first of which must be granted; returns the others that the broker refuses.

        Raises MqttError when it refuses the first one. Some brokers grant everything and hand on nothing.
        """
        async with asyncio.timeout(self._deadline_s):
            granted: Sequence[int | ReasonCode] = await self.subscribe([(topic, 1) for topic in topics])
        codes = [code if isinstance(code, int) else code.value for code in granted]
        refused = [topic for topic, code in zip(topics, codes, strict=True) if code >= _REFUSED]
        if topics[0] in refused:
            raise MqttError(
                f"the broker's access list refuses the subscription to {topics[0]}, expected it to be granted"
            )
        return refused

    def carried(self) -> int:
        """Bytes that this connection has cost the line so far (``gateway.line``); 0 where nobody counts them."""
        line = cast(socket.socket | None, self._client.socket())
        return (carried(line) or 0) if line is not None and line.fileno() >= 0 else 0

    async def lost(self) -> None:
        """Wait for the end of the connection, which raises."""
        async for message in self.messages:
            raise RuntimeError(f"{message.topic}: queued in the client, expected to be taken at once")

    async def _wait_for(self, fut: Awaitable[T], timeout: float | None) -> T:  # noqa: ASYNC109 # as in aiomqtt
        """The deadlines are ours; a future of the client outlives our patience, since its callbacks look at it."""
        return await (asyncio.shield(fut) if isinstance(fut, asyncio.Future) else fut)


def _passing_to(take: Callable[[str, bytes, bool], None]) -> type[asyncio.Queue[Message]]:
    class Passage(asyncio.Queue[Message]):
        """Keeps nothing: aiomqtt's own queue grows without bound or discards in silence, and costs a task a message."""

        def put_nowait(self, item: Message) -> None:
            take(str(item.topic), bytes(item.payload), bool(item.retain))

    return Passage


def reasons(group: BaseExceptionGroup[Exception]) -> str:
    """Why a connection was lost, each reason once."""
    return "; ".join(sorted({str(exc) or "no answer in time" for exc in _leaves(group)}))


def _leaves(group: BaseExceptionGroup[Exception]) -> list[Exception]:
    found: list[Exception] = []
    for exc in group.exceptions:
        found += _leaves(exc) if isinstance(exc, BaseExceptionGroup) else [exc]
    return found
