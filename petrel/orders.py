"""Sending signed orders to a gateway through its broker, and waiting for the answers; the centre's account of them."""

import asyncio
import secrets
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, TypeVar

import aiomqtt

from petrel import run as process
from petrel.commands.output import waiting
from petrel.errors import CommandError
from telemetry import audit
from telemetry.broker import PASSWORD, BrokerAddress
from telemetry.clock import SECOND_NS, Clock
from telemetry.mqtt import Client
from telemetry.orders import ID_BYTES, Answer, Command, ConfigOrder, Order, brief
from telemetry.settings import secret
from telemetry.signing import Key, parse_keys, sign, verify
from telemetry.topics import Channel, topic
from telemetry.wire import decode, encode

_CONNECT_S: Final = 10.0
_RESEND_S: Final = 5.0
"""A gateway that had no connection for a moment hears it the next time; it carries nothing out twice."""
GRACE_S: Final = 5.0
OrderT = TypeVar("OrderT", bound=Order)
Interim = Callable[[Answer], None]


@dataclass(frozen=True, slots=True)
class Sender:
    """Who sends: a key, a name, and the file that keeps account of it."""

    source: str
    key: Key
    by: str
    account: Path
    clock: Clock


def sender(source: str, key_file: Path, by: str, clock: Clock) -> Sender:
    """A sender with the first key of a file; raises CommandError."""
    try:
        if key_file.stat().st_mode & 0o077:
            raise CommandError(f"{key_file}: others can read it, expected mode 0600 (chmod 600)", code=2)
        key, *_ = parse_keys(key_file.read_text(encoding="utf-8"))
    except OSError as exc:
        raise CommandError(f"{key_file}: {exc.strerror}, expected a key file (petrel gateway key)", code=2) from exc
    except ValueError as exc:
        raise CommandError(f"{key_file}: {exc}", code=2) from exc
    return Sender(source, key, by, key_file.with_name(f"{key_file.name}.account.jsonl"), clock)


def issued(kind: type[OrderT], who: Sender, ttl_s: float, **what: Any) -> OrderT:
    """An order that counts from now on."""
    now_ns = who.clock.now_ns()
    expires_ns = now_ns + round(ttl_s * SECOND_NS)
    return kind(id=secrets.token_hex(ID_BYTES), by=who.by, issued_ns=now_ns, expires_ns=expires_ns, **what)


class Correspondence:
    """A connection to a gateway's broker, on which its answers are heard."""

    def __init__(self, client: Client, who: Sender) -> None:
        self._client, self._who = client, who

    async def ask(self, order: Command | ConfigOrder, wait_s: float, interim: Interim | None = None) -> Answer:
        """Send an order and wait for its final answer; raises CommandError when none comes in time."""
        _account(self._who, {"what": "sent", "to": self._who.source, "key": self._who.key.name, **brief(order)})
        channel = Channel.COMMAND if isinstance(order, Command) else Channel.CONFIG
        name = topic(self._who.source, channel)
        message = sign(encode(order), self._who.key, name)
        try:
            answer = await self._talk(name, message, order.id, wait_s, interim or _ignore)
        except asyncio.CancelledError:
            _account(self._who, {"what": "interrupted", "id": order.id})
            raise
        except TimeoutError as exc:
            line = f"{self._who.source}: no answer within {wait_s:g} s: whether the order was carried out is unknown"
            _account(self._who, {"what": "no answer", "id": order.id, "within_s": wait_s})
            hint = (
                "is the gateway connected, does its file have `remote`, does it know the key, is its clock right "
                "(its log says)?"
            )
            raise CommandError(f"{line}; {hint}") from exc
        entry = {"what": "answer", "id": answer.id, "outcome": answer.outcome, "reason": answer.reason}
        _account(self._who, entry)
        return answer

    async def _talk(self, name: str, message: bytes, id_: str, wait_s: float, interim: Interim) -> Answer:
        """Send it until something comes, and listen all the while: aiomqtt loses what comes as a wait is given up."""
        try:
            async with asyncio.timeout(wait_s), asyncio.TaskGroup() as tasks:
                sending = tasks.create_task(self._send(name, message), name="order")
                async for heard in self._client.messages:
                    if (answer := self._answer(heard, id_)) is None:
                        continue
                    sending.cancel()
                    if answer.final:
                        return answer
                    interim(answer)
        except ExceptionGroup as group:
            raise group.exceptions[0] from group
        raise RuntimeError("messages have an end, expected an error of the connection")

    async def _send(self, name: str, message: bytes) -> None:
        while True:
            await self._client.publish(name, message, qos=1, timeout=_CONNECT_S)
            await asyncio.sleep(_RESEND_S)

    def _answer(self, message: aiomqtt.Message, id_: str) -> Answer | None:
        """The answer to our order in a message; whatever else comes is none."""
        try:
            body, _ = verify(bytes(message.payload), [self._who.key], topic(self._who.source, Channel.RESULT))
            answer = decode(body, Answer)
        except ValueError:
            return None
        return answer if answer.id == id_ else None


def answered(work: Coroutine[Any, Any, Answer], source: str) -> Answer:
    """The answer that some correspondence ends with; raises CommandError where Ctrl-C ended it.

    What was sent may be carried out all the same, and nobody must think otherwise.
    """
    waiting(f"waiting for {source}")
    answer = process.run(work)
    if answer is None:
        line = f"{source}: interrupted: whether an order that was sent is carried out is unknown"
        raise CommandError(f"{line}; ask again, or look at the output")
    return answer


@asynccontextmanager
async def correspondence(broker: BrokerAddress, who: Sender) -> AsyncIterator[Correspondence]:
    """A connection for the length of a block; raises CommandError when there is none."""
    try:
        async with Client(broker, secret(PASSWORD), timeout=_CONNECT_S) as client:
            await client.subscribe(topic(who.source, Channel.RESULT), qos=1)
            yield Correspondence(client, who)
    except aiomqtt.MqttError as exc:
        raise CommandError(f"{broker}: {exc}") from exc


def _account(who: Sender, entry: Mapping[str, object]) -> None:
    """Whoever uses a key leaves a trace beside it, or does not use it."""
    try:
        audit.record(who.account, {"time_ns": who.clock.now_ns(), "by": who.by, **entry})
    except (OSError, ValueError) as exc:
        raise CommandError(f"{who.account}: {exc}, expected a file of orders that can be written") from exc


def _ignore(_: Answer) -> None:
    """Nobody waits for what is not final."""
