"""A segment: a stretch of the log with the index of its records in compact arrays (31 bytes a record)."""

import re
from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Iterator
from dataclasses import dataclass
from enum import IntEnum
from itertools import takewhile
from typing import Final

import numpy as np
from numpy.typing import NDArray

from gateway.spool import record
from gateway.spool.store import Store
from telemetry.batch import I64
from telemetry.wire import Lane


class State(IntEnum):
    """What became of a record since the last connection."""

    OPEN = 0
    """Not sent yet."""
    QUEUED = 1
    """Fresh: waits among the live ones, not among the backlog."""
    SENT = 2
    """On its way, not acknowledged."""
    GONE = 3
    """Acknowledged, refused or dropped."""
    HELD = 4
    """Judged by the centre, whose store can't take it now: kept, and sent again later (ADR 0005)."""


_GONE_RUN: Final = re.compile(rb"\x03+")
_KEPT: Final = re.compile(rb"[^\x03]")


Key = tuple[int, int]
"""Epoch and number of a batch."""


@dataclass(frozen=True, slots=True)
class Entry:
    """A batch in the spool."""

    epoch: int
    seq: int
    lane: Lane
    rows: int
    segment: "Segment"
    index: int

    @property
    def key(self) -> Key:
        """Its identity."""
        return self.epoch, self.seq

    @property
    def size(self) -> int:
        """Bytes of its message."""
        return self.segment.size_of(self.index)

    @property
    def is_gone(self) -> bool:
        """Whether it was acknowledged, refused or dropped meanwhile."""
        return self.segment.state[self.index] == State.GONE


class Segment:
    """Records of one epoch in ascending order of number, in one store."""

    def __init__(self, number: int, epoch: int, store: Store) -> None:
        self.number = number
        self.epoch = epoch
        self.store = store
        self.sealed = False
        self.size = 0
        self.open_records = 0
        self.open_rows = 0
        self.open_bytes = 0
        self.seq = array("Q")
        self.rows = array("H")
        self.oldest_ns = array("q")
        self._start = array("I")
        self._length = array("I")
        self._payload_crc = array("I")
        self.state = bytearray()

    def append(self, data: bytes, header: record.Header) -> int:
        """Write a record and index it; its index. Raises OSError and changes nothing when the store takes it not."""
        self.store.write(self.size, data)
        return self.index(self.size, header)

    def index(self, start: int, header: record.Header) -> int:
        """Take up a record that stands at ``start``; its index."""
        self.seq.append(header.seq)
        self.rows.append(header.rows)
        self.oldest_ns.append(header.oldest_ns)
        self._start.append(start)
        self._length.append(header.length)
        self._payload_crc.append(header.payload_crc)
        self.state.append(State.OPEN)
        self.size = start + record.HEADER_BYTES + header.length
        self.open_records += 1
        self.open_rows += header.rows
        self.open_bytes += header.length
        return len(self.state) - 1

    def index_all(self, starts: I64, headers: "NDArray[np.void]") -> None:
        """Take up the records of a whole file (``quick.read``)."""
        columns = {"seq": self.seq, "rows": self.rows, "oldest_ns": self.oldest_ns, "length": self._length}
        for name, column in (columns | {"payload_crc": self._payload_crc}).items():
            column.frombytes(headers[name].tobytes())
        self._start.frombytes(starts.astype("<u4").tobytes())
        self.state.extend(bytes(len(headers)))  # State.OPEN
        self.epoch = int(headers["epoch"][0])
        self.size = int(starts[-1]) + record.HEADER_BYTES + self._length[-1]
        self.open_records += len(headers)
        self.open_rows += int(headers["rows"].sum(dtype=np.int64))
        self.open_bytes += int(headers["length"].sum(dtype=np.int64))

    def entry(self, index: int, lane: Lane) -> Entry:
        """A record as it is handed out."""
        return Entry(self.epoch, self.seq[index], lane, self.rows[index], self, index)

    def payload(self, index: int) -> bytes | None:
        """The bytes to send, or None when they are not what was written. Raises OSError."""
        data = self.raw(index)[record.HEADER_BYTES :]
        return data if record.sound(data, self._payload_crc[index]) else None

    def raw(self, index: int) -> bytes:
        """The record as it stands. Raises OSError."""
        return self.store.read(self._start[index], record.HEADER_BYTES + self._length[index])

    def size_of(self, index: int) -> int:
        """Bytes to send."""
        return self._length[index]

    def release(self, index: int) -> None:
        """The record is not needed any more; releasing it again is a mistake of the caller."""
        self.state[index] = State.GONE
        self.open_records -= 1
        self.open_rows -= self.rows[index]
        self.open_bytes -= self._length[index]
        self.store.forget(self._start[index])

    def first(self, state: State) -> int | None:
        """The oldest record in a state."""
        index = self.state.find(state)
        return index if index >= 0 else None

    def between(self, first: int, last: int) -> Iterator[int]:
        """Records numbered ``first`` to ``last`` inclusive that are not gone."""
        for index in range(bisect_left(self.seq, first), bisect_right(self.seq, last)):
            if self.state[index] != State.GONE:
                yield index

    def find(self, seq: int) -> int | None:
        """The record numbered ``seq`` if it is not gone."""
        return next(self.between(seq, seq), None)

    def kept(self) -> list[int]:
        """Records that are not gone, oldest first."""
        return [found.start() for found in _KEPT.finditer(self.state)]

    def first_unsafe(self) -> int | None:
        """The number of the first record that is not gone and that a power cut may take."""
        kept = _KEPT.search(self.state, bisect_left(self._start, self.store.synced))
        return self.seq[kept.start()] if kept else None

    def move(self, store: Store) -> None:
        """Write what is not gone into another, empty store and stay there. Raises OSError and stays where it was."""
        starts, at = array("I"), 0
        for index in range(len(self.state)):
            starts.append(at)
            if self.state[index] != State.GONE:
                data = self.raw(index)
                store.write(at, data)
                at += len(data)
        self.store, self._start, self.size = store, starts, at

    def oldest(self) -> int | None:
        """The first record that is not gone."""
        kept = _KEPT.search(self.state)
        return kept.start() if kept else None

    def older(self, cutoff_ns: int) -> list[int]:
        """Records that are not gone, from the first one on while their data is older than a moment."""
        kept = (found.start() for found in _KEPT.finditer(self.state))
        return list(takewhile(lambda index: self.oldest_ns[index] < cutoff_ns, kept))

    def oldest_open_ns(self) -> int | None:
        """The data time of the first record that is not gone: records stand in order of arrival."""
        index = self.oldest()
        return None if index is None else self.oldest_ns[index]

    def hold(self, first: int, last: int) -> list[int]:
        """What was sent of the records numbered ``first`` to ``last`` inclusive is held from now on."""
        held = [index for index in self.between(first, last) if self.state[index] == State.SENT]
        for index in held:
            self.state[index] = State.HELD
        return held

    def unhold(self) -> None:
        """What was held is to be sent again."""
        self.state = self.state.replace(bytes([State.HELD]), bytes([State.OPEN]))

    def gone(self) -> Iterator[tuple[int, int]]:
        """Inclusive ranges of numbers that are gone, for the journal."""
        for run in _GONE_RUN.finditer(self.state):
            yield self.seq[run.start()], self.seq[run.end() - 1]

    def rewind(self) -> None:
        """What was sent or queued is to be sent again; what is held was heard, so it waits."""
        self.state = self.state.translate(_REWOUND)


_REWOUND: Final = bytes(state if state in (State.GONE, State.HELD) else State.OPEN for state in range(256))
