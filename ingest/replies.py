"""Replies: what the gateways must be told, merged per gateway until the connection can send it."""

import asyncio
import secrets
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

from ingest.store.ranges import merged
from telemetry.topics import is_own
from telemetry.wire import Ack, EpochAck, Refusal

_MOST_REASON: Final = 500


@dataclass(slots=True)
class _Reply:
    committed: dict[int, set[int]] = field(default_factory=dict)
    refused: dict[int, dict[int, str]] = field(default_factory=dict)
    held: dict[int, set[int]] = field(default_factory=dict)
    announce: bool = False
    bundles: bool = False


class Answers:
    """What one round of the pipeline has to say; made in its thread, then posted in the event loop."""

    def __init__(self) -> None:
        self.replies: dict[str, _Reply] = {}
        """By gateway."""

    def committed(self, source: str, epoch: int, seq: int) -> None:
        """The batch is part of the record."""
        self._of(source).committed.setdefault(epoch, set()).add(seq)

    def refused(self, source: str, epoch: int, seq: int, reason: str) -> None:
        """The batch will never be taken."""
        self._of(source).refused.setdefault(epoch, {})[seq] = reason[:_MOST_REASON]

    def held(self, source: str, epoch: int, seq: int) -> None:
        """The engine has judged the batch, and the store can't take it now."""
        self._of(source).held.setdefault(epoch, set()).add(seq)

    def ask(self, source: str) -> None:
        """Ask the gateway to announce, and then to send what is open again."""
        self._of(source).announce = True

    def reads_bundles(self, source: str) -> None:
        """Tell the gateway, which has announced, that it may send several batches in one message."""
        self._of(source).bundles = True

    def merge(self, other: "Answers") -> None:
        """Add what another round says."""
        for source, reply in other.replies.items():
            mine = self._of(source)
            for epoch, numbers in reply.committed.items():
                mine.committed.setdefault(epoch, set()).update(numbers)
            for epoch, reasons in reply.refused.items():
                mine.refused.setdefault(epoch, {}).update(reasons)
            for epoch, numbers in reply.held.items():
                mine.held.setdefault(epoch, set()).update(numbers)
            mine.announce |= reply.announce
            mine.bundles |= reply.bundles

    def acks(self, run: int) -> list[tuple[str, Ack]]:
        """One message for each gateway, and one before it where something is held in this ``run`` of the centre."""
        return [
            (source, ack)
            for source, reply in self.replies.items()
            if not is_own(source)  # nobody listens there: its batches are looked up in the store
            for ack in _acks(reply, run)
        ]

    def __bool__(self) -> bool:
        return bool(self.replies)

    def _of(self, source: str) -> _Reply:
        return self.replies.setdefault(source, _Reply())


class Replies:
    """The answers that wait for the connection.

    Bounded by the windows of the gateways; without a connection they are forgotten, because gateways resend and are
    answered again. ``run`` names this run of the centre; it comes from the operating system, since a drill with a seed
    must not get the same number twice.
    """

    def __init__(self) -> None:
        self.run = secrets.randbelow(2**31 - 1) + 1
        self._answers = Answers()
        self._posted = asyncio.Event()

    def post(self, answers: Answers) -> None:
        """Add answers."""
        if answers:
            self._answers.merge(answers)
            self._posted.set()

    async def next(self) -> list[tuple[str, Ack]]:
        """Wait for answers and take them all."""
        await self._posted.wait()
        return self.clear()

    def clear(self) -> list[tuple[str, Ack]]:
        """Take all answers without waiting."""
        acks = self._answers.acks(self.run)
        self._answers = Answers()
        self._posted.clear()
        return acks


def _acks(reply: _Reply, run: int) -> Iterator[Ack]:
    """What is held comes first, so that the newer word stands, and alone, for gateways that can't read it.

    So is what this centre reads, last: what a gateway was told before it was asked to announce does not count.
    """
    held = tuple(EpochAck(epoch=epoch, held=tuple(merged(seqs))) for epoch, seqs in sorted(reply.held.items()))
    if held:
        yield Ack(epochs=held, run=run)
    epochs = sorted(reply.committed.keys() | reply.refused.keys())
    if epochs or reply.announce:
        yield Ack(epochs=tuple(_epoch(reply, epoch) for epoch in epochs), announce=reply.announce)
    if reply.bundles:
        yield Ack(bundles=True)


def _epoch(reply: _Reply, epoch: int) -> EpochAck:
    refused = reply.refused.get(epoch, {})
    return EpochAck(
        epoch=epoch,
        committed=tuple(merged(reply.committed.get(epoch, ()))),
        refused=tuple(Refusal(seq, reason) for seq, reason in sorted(refused.items())),
    )
