"""The desk: takes signed orders, answers each of them, and keeps an account.

uplink --payload--> verify --> queue --> once? in time? allowed? --> journal, audit --> carried out --> answer, audit
"""

import asyncio
import re
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final, NamedTuple, Protocol

import structlog

from gateway.mailbox import Mailbox, Take
from gateway.outputs.outputs import Outputs
from gateway.remote.journal import Journal
from telemetry import audit
from telemetry.clock import Clock
from telemetry.orders import Answer, Command, ConfigOrder, Order, Outcome, Verb, brief, untimely
from telemetry.signing import Key, SignatureError, sign, verify
from telemetry.topics import Channel, topic
from telemetry.wire import decode, encode

_LOG = structlog.get_logger()
_WAITING: Final = 16
_AT_ONCE: Final = 16
_TELL_S: Final = 10.0
_WORDS: Final = 1000
"""Characters of anybody's words in the account."""
_REFUSED: Final = 1024
"""Refused orders that are known again, the newest."""
_FIXED: Final = "the configuration can't be changed from afar, expected remote.configuration: true"
_SEALED: Final = 31
"""Files of the account beside the one that grows, a megabyte each: about 30,000 orders."""
_ID: Final = re.compile(r"[0-9a-f]{32}")
_KINDS: Final[Mapping[Channel, type[Command] | type[ConfigOrder]]] = {
    Channel.COMMAND: Command,
    Channel.CONFIG: ConfigOrder,
}


class Configuration(Protocol):
    """Who changes the configuration."""

    @property
    def on_trial(self) -> int | None:
        """The version that is on trial."""

    async def carry_out(self, order: ConfigOrder, key: Key) -> Answer:
        """Answer a question, refuse a change, or see it through its trial."""


class _Received(NamedTuple):
    order: Command | ConfigOrder
    key: Key
    retained: bool


class Desk:
    """One gateway's desk for orders. ``folder`` is its own."""

    def __init__(self, source: str, keys: tuple[Key, ...], folder: Path, clock: Clock, mailbox: Mailbox) -> None:
        """Raises OSError when the folder can't be used."""
        self._source, self._keys, self._clock, self._mailbox = source, keys, clock, mailbox
        self._journal = Journal(folder / "orders.jsonl", clock.now_ns())
        self._audit = folder / "audit.jsonl"
        self._queue: asyncio.Queue[_Received] = asyncio.Queue(_WAITING)
        self._places = asyncio.Semaphore(_AT_ONCE)
        self._unsigned, self._told_s = 0, -_TELL_S
        self._refused_ids: dict[str, None] = {}

    def inbox(self) -> Mapping[Channel, Take]:
        """Who takes what comes on which channel."""
        return {channel: self._taker(channel) for channel in _KINDS}

    async def run(self, outputs: Outputs, configuration: Configuration | None, fixed: str | None = None) -> None:
        """Carry out orders until cancelled. ``fixed``: why there is no configuration that can be changed."""
        self._outputs, self._configuration, self._fixed = outputs, configuration, fixed or _FIXED
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(outputs.run(), name="outputs")
            while True:
                received = await self._queue.get()
                if (answer := self._turned_away(received)) is not None:
                    await self._reply(answer, received.key, received.order)
                    continue
                await self._accept(received)
                await self._places.acquire()
                tasks.create_task(self._carry_out(received), name=f"order {received.order.id}")

    def note(self, entry: Mapping[str, object]) -> None:
        """Add a line to the account; a disk that takes nothing stops no siren, but is said."""
        line = {"time_ns": self._clock.now_ns(), **{name: _short(value) for name, value in entry.items()}}
        try:
            audit.record(self._audit, line, sealed=_SEALED)
        except (OSError, ValueError) as exc:
            _LOG.error("not in the account", trouble=str(exc), **entry)

    async def reply(self, answer: Answer, key: Key) -> None:
        """Tell the centre what became of an order, and remember it."""
        self._mailbox.tell(Channel.RESULT, sign(encode(answer), key, topic(self._source, Channel.RESULT)))
        await asyncio.to_thread(self._settle, answer)

    def _taker(self, channel: Channel) -> Take:
        name, kind = topic(self._source, channel), _KINDS[channel]

        def take(payload: bytes, retained: bool) -> None:
            try:
                body, key = verify(payload, self._keys, name)
                order = decode(body, kind)
            except ValueError as exc:
                self._refuse_unsigned(name, exc)
                return
            self._enqueue(_Received(order, key, retained))

        return take

    def _refuse_unsigned(self, name: str, exc: ValueError) -> None:
        """Who can't sign gets no answer, no line in the account, and not more of the log than this."""
        self._unsigned += isinstance(exc, SignatureError)
        if time.monotonic() - self._told_s >= _TELL_S:
            self._told_s = time.monotonic()
            _LOG.warning("order ignored", topic=name, reason=str(exc), unsigned=self._unsigned)

    def _enqueue(self, received: _Received) -> None:
        try:
            self._queue.put_nowait(received)
        except asyncio.QueueFull:
            answer = self._refused(received.order, f"busy: {_WAITING} orders wait already")
            name = topic(self._source, Channel.RESULT)
            self._mailbox.tell(Channel.RESULT, sign(encode(answer), received.key, name))

    def _turned_away(self, received: _Received) -> Answer | None:
        """The answer to an order that is not to be carried out; None for one that is."""
        order, now_ns = received.order, self._clock.now_ns()
        if _ID.fullmatch(order.id) is None:
            return self._refused(order, f"id {order.id[:40]!r}, expected 32 hexadecimal digits")
        if received.retained:
            return self._refused(order, "the broker had retained it, expected an order that is not")
        if (earlier := self._journal.answer(order)) is not None:
            return earlier
        if (reason := untimely(order, now_ns) or self._journal.too_old(order)) is not None:
            return self._refused(order, reason)
        if self._journal.is_full(now_ns):
            return self._refused(order, "too many orders within an hour, expected fewer")
        if isinstance(order, Command):
            reason = self._outputs.refusal(order)
        elif self._configuration is None:
            reason = self._fixed
        return None if reason is None else self._refused(order, reason)

    async def _accept(self, received: _Received) -> None:
        entry = {"what": "order", "key": received.key.name, **brief(received.order)}
        _LOG.info("order", **entry)
        await asyncio.to_thread(self._remember, received.order, entry)

    def _remember(self, order: Order, entry: Mapping[str, object]) -> None:
        if not _only_asks(order):
            try:
                self._journal.accept(order)
            except OSError as exc:
                _LOG.error("order not in the journal", id=order.id, reason=exc.strerror)
        self.note(entry)

    async def _carry_out(self, received: _Received) -> None:
        try:
            answer = await self._answer(received)
            await self._reply(answer, received.key, received.order)
        finally:
            self._places.release()

    async def _answer(self, received: _Received) -> Answer:
        order = received.order
        if isinstance(order, ConfigOrder):
            if self._configuration is None:
                raise RuntimeError("an order for a configuration that nobody changes, expected it to be refused")
            return await self._configuration.carry_out(order, received.key)
        effect, switched = await self._outputs.carry_out(order, self._lateness(order))
        return Answer(
            id=order.id,
            outcome=effect.outcome,
            reason=effect.reason,
            time_ns=self._clock.now_ns(),
            switched=switched,
        )

    async def _reply(self, answer: Answer, key: Key, order: Order) -> None:
        entry = {"what": "answer", "id": answer.id, "outcome": answer.outcome, "reason": answer.reason}
        if self._is_news(answer):
            _LOG.info("answer", **entry)
            extra = {} if answer.outcome is not Outcome.REFUSED else {"key": key.name, **brief(order)}
            await asyncio.to_thread(self.note, {**extra, **entry})
        await self.reply(answer, key)

    def _is_news(self, answer: Answer) -> bool:
        """Whether it belongs in the account: whoever repeats recorded orders fills neither the disk nor the log."""
        if answer.repeated or answer.outcome is not Outcome.REFUSED:
            return not answer.repeated
        known = answer.id in self._refused_ids
        self._refused_ids[answer.id] = None
        if len(self._refused_ids) > _REFUSED:
            del self._refused_ids[next(iter(self._refused_ids))]
        return not known

    def _settle(self, answer: Answer) -> None:
        if answer.repeated or not answer.final:
            return
        try:
            self._journal.settle(answer)
        except OSError as exc:
            _LOG.error("answer not in the journal", id=answer.id, reason=exc.strerror)

    def _refused(self, order: Order, reason: str) -> Answer:
        return Answer(id=order.id, outcome=Outcome.REFUSED, reason=reason, time_ns=self._clock.now_ns())

    def _lateness(self, order: Order) -> Callable[[], str | None]:
        return lambda: untimely(order, self._clock.now_ns())


def _short(value: object) -> object:
    """A value for the account: what somebody wrote may be as long as a message, and is quoted in the answer."""
    return value if not isinstance(value, str) or len(value) <= _WORDS else f"{value[:_WORDS]}..."


def _only_asks(order: Order) -> bool:
    return isinstance(order, ConfigOrder) and order.verb in (Verb.LIST, Verb.DRY_RUN)
