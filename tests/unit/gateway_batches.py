"""Batches and clocks for tests of the gateway."""

import numpy as np

from gateway.spool import Entry, Spool
from telemetry.batch import Batch, rows
from telemetry.clock import SECOND_NS
from telemetry.wire import Lane, decode_batch

SOURCE = "demo/gw-1"
START_NS = 1_690_500_000 * SECOND_NS


class HandClock:
    """Data time that moves by hand, and counts who holds it."""

    def __init__(self) -> None:
        self.time_ns = START_NS
        self.holds = 0

    def now_ns(self) -> int:
        return self.time_ns

    async def sleep_until(self, time_ns: int) -> None:
        self.time_ns = max(self.time_ns, time_ns)

    def hold(self) -> None:
        self.holds += 1

    def release(self) -> None:
        assert self.holds > 0, "released more often than held"
        self.holds -= 1


def make_batch(n: int = 3, *, start: int = 0, time_ns: int = START_NS) -> Batch:
    """``n`` rows whose values count up from ``start``."""
    values = np.arange(start, start + n, dtype=float)
    return rows(SOURCE, np.arange(n, dtype=np.int64), np.full(n, time_ns, np.int64), values)


def drain(spool: Spool, *lanes: Lane) -> list[Entry]:
    """Take everything that is not sent yet, lane by lane."""
    entries = []
    for lane in lanes or tuple(Lane):
        while (entry := spool.next_unsent(lane)) is not None:
            entries.append(entry)
    return entries


def content(spool: Spool, entry: Entry) -> list[float]:
    """The values that would be sent."""
    payload = spool.read(entry)
    assert payload is not None
    batch, _ = decode_batch(payload, SOURCE)
    assert (batch.epoch, batch.seq) == entry.key
    return batch.value.tolist()
