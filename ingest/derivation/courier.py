"""The courier: derived rows on their way into the store, numbered like a gateway's and carried until they are there."""

from collections import deque
from dataclasses import dataclass
from typing import Final, Protocol

import numpy as np
import structlog

from ingest.derived.rows import Rows
from ingest.intake import Message
from telemetry.batch import MAX_ROWS, Batch
from telemetry.topics import Channel
from telemetry.wire import Lane, encode_batch

_LOG: Final = structlog.get_logger(__name__)
_MOST_TRIES: Final = 20
MOST_AT_ONCE: Final = 16
"""Batches under way: the window of a source has room for twice as many."""


class Door(Protocol):
    """Where batches go in (``ingest.intake.Intake``)."""

    def put(self, message: Message) -> bool:
        """Queue a message; False when there is no room."""


class Ledger(Protocol):
    """Who knows what is committed (``ingest.store.protocol.Store``)."""

    def is_committed(self, source: str, epoch: int, seq: int) -> bool:
        """Whether a batch is part of the record."""


@dataclass(slots=True)
class _Parcel:
    """A batch under way, and how often it was handed in."""

    message: Message
    rows: Rows
    tries: int


class Courier:
    """``epoch`` is random at each start, as that of a gateway. Used in the event loop alone."""

    def __init__(self, source: str, door: Door, ledger: Ledger, rng: np.random.Generator) -> None:
        self.lost_rows = 0
        """Rows that were not taken, however often they were handed in."""
        self._source, self._door, self._ledger = source, door, ledger
        self._epoch = int(rng.integers(1, 2**62))
        self._seq = 0
        self._waiting: deque[tuple[Rows, Lane]] = deque()
        self._under_way: dict[int, _Parcel] = {}

    @property
    def idle(self) -> bool:
        """Whether everything that was given is in the store."""
        return not self._waiting and not self._under_way

    def give(self, rows: Rows, lane: Lane) -> None:
        """Take rows to be carried."""
        for at in range(0, len(rows), MAX_ROWS):
            self._waiting.append((rows.take(slice(at, at + MAX_ROWS)), lane))

    def carry(self) -> list[Rows]:
        """Note what has arrived, and hand in what there is room for; call it now and then until ``idle``.

        Gives what it has given up: who sent it may compute it again.
        """
        for seq in [seq for seq in self._under_way if self._ledger.is_committed(self._source, self._epoch, seq)]:
            del self._under_way[seq]
        while self._waiting and len(self._under_way) < MOST_AT_ONCE:
            self._pack(*self._waiting.popleft())
        lost = [seq for seq, parcel in self._under_way.items() if parcel.tries >= _MOST_TRIES]
        given_up = [self._under_way.pop(seq).rows for seq in lost]
        if given_up:
            self.lost_rows += sum(map(len, given_up))
            _LOG.error("derived rows were not taken", source=self._source, batches=len(given_up), tries=_MOST_TRIES)
        return given_up

    def again(self) -> None:
        """Hand in once more whatever is not in the store yet; what is there twice counts once."""
        for parcel in self._under_way.values():
            parcel.tries += self._door.put(parcel.message)

    def _pack(self, rows: Rows, lane: Lane) -> None:
        self._seq += 1
        batch = Batch(
            source=self._source,
            epoch=self._epoch,
            seq=self._seq,
            series=rows.series,
            time_ns=rows.time_ns,
            value=rows.value,
            quality=rows.quality,
            cause=np.zeros(len(rows), np.uint16),
        )
        message = Message(self._source, Channel.DATA, encode_batch(batch, lane))
        self._under_way[self._seq] = _Parcel(message, rows, int(self._door.put(message)))
