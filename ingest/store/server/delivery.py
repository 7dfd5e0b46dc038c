"""Delivery: groups on their way to the server, written down before, sent again while it may not have them."""

import threading
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Final

import structlog

from ingest.store.protocol import StoreRefusedError
from ingest.store.server import rows as columns
from ingest.store.server.journal import Entry, Journal
from ingest.store.server.layers import Layers
from ingest.store.server.lines import Names, bodies
from ingest.store.server.protocol import Server, UnfitError
from ingest.store.server.rows import Rows

_LOG: Final = structlog.get_logger(__name__)
_LOOK_S: Final = 2.0
"""How often the server is asked whether it is still the same."""
_LET_GO_S: Final = 60.0
"""How often the journal lets go of groups: it then writes all layers, some 50 bytes a series."""


@dataclass(slots=True, eq=False)
class _Sent:
    entry: Entry
    rows: Rows
    """With the layer of each as its rank."""
    at_s: float = 0.0
    """When the server took them."""


class Delivery:
    """One group at a time. A group that was begun is finished before another is, as it was written down.

    One thread delivers; ``unsettled`` and ``layers`` may be read by any.
    """

    def __init__(self, server: Server, journal: Journal, measurement: str, now_s: Callable[[], float]) -> None:
        self.names: Mapping[int, Names] = journal.names()
        self._server, self._journal, self._measurement, self._now_s = server, journal, measurement, now_s
        self._guard = threading.Lock()
        self._incarnation = ""
        self._looked_s = self._let_go_s = -float("inf")
        self._in_doubt = True
        self._passed = 0
        self._base_number, self._base = journal.layers()
        self.layers = self._base
        self._unsettled = deque(self._placed(entry) for entry in journal.entries(self._base_number))
        self._under_way: _Sent | None = None

    def ready(self, *, virgin: bool) -> Entry | None:
        """Bring the server to where the journal is; the group that was under way, if that is finished now.

        ``virgin``: nothing was ever committed here, so what the server holds already is learnt first. Raises
        StoreRefusedError.
        """
        if self._in_doubt:
            self._look(virgin=virgin)
            self._in_doubt = False
        elif self._is_due():
            self._look_in_passing()
        if self._under_way is None:
            return None
        return self._finish(self._under_way)

    def deliver(self, entry: Entry) -> None:
        """Write a group down, send it and note that it is committed; after an error ``ready`` finishes it."""
        rows = columns.of_batches(entry.batches, 0)
        layer, layers = self.layers.place(rows.series, rows.time_ms)
        self._journal.begin(entry)
        self.layers = layers
        self._under_way = _Sent(entry, replace(rows, rank=layer))
        self._finish(self._under_way)

    def unsettled(self) -> list[Rows]:
        """What was committed last and may not be found at the server yet, in order of commit; the rank is the layer."""
        with self._guard:
            return [sent.rows for sent in self._unsettled]

    def passed(self, number: int) -> None:
        """The engine needs no group up to this any more."""
        self._passed = number

    def _placed(self, entry: Entry) -> _Sent:
        rows = columns.of_batches(entry.batches, 0)
        layer, self.layers = self.layers.place(rows.series, rows.time_ms)
        return _Sent(entry, replace(rows, rank=layer))

    def _finish(self, sent: _Sent) -> Entry:
        self._send(sent)
        self._journal.finish(sent.entry.number, sent.entry.ranges())
        self._under_way = None
        with self._guard:
            self._unsettled.append(sent)
        return sent.entry

    def _send(self, sent: _Sent) -> None:
        self._in_doubt = True
        for body in bodies(sent.rows, self.names, self._measurement):
            self._server.write(body)
        self._in_doubt = False
        sent.at_s = self._now_s()

    def _is_due(self) -> bool:
        now_s = self._now_s()
        if now_s - self._looked_s < min(_LOOK_S, self._server.settle_s):
            return False
        return bool(self._unsettled) and now_s - self._unsettled[0].at_s >= self._server.settle_s

    def _look_in_passing(self) -> None:
        """A server that takes rows and is too busy to say since when is asked again later."""
        try:
            self._look(virgin=False)
        except UnfitError:
            self._in_doubt = True
            raise
        except StoreRefusedError as exc:
            self._looked_s = self._now_s()
            _LOG.info("server of rows does not say since when it runs", reason=str(exc))

    def _look(self, *, virgin: bool) -> None:
        """Is it the server that took what is unsettled? If not, it may have lost that: send it again."""
        incarnation = self._server.incarnation()
        self._looked_s = self._now_s()
        if virgin and not len(self.layers):
            self._learn()
        if incarnation != self._incarnation:
            for sent in self._unsettled:
                self._send(sent)
            if self._incarnation:
                _LOG.warning(
                    "server of rows was started anew", sent_again=sum(len(one.rows) for one in self._unsettled)
                )
            self._incarnation = incarnation
        else:
            self._settle()

    def _learn(self) -> None:
        """A new journal beside a server that has rows: go on above them."""
        ends = self._server.ends()
        if len(ends.series):
            self.layers = self._base = Layers.of_fronts(ends.series, ends.layer, ends.last_ms)
            self._journal.release(0, 0, self._base)
            _LOG.warning("the server has rows that this journal does not know", series=len(self.layers.newest()[0]))

    def _settle(self) -> None:
        settled = self._now_s() - self._server.settle_s
        while self._unsettled and self._unsettled[0].at_s <= settled:
            with self._guard:
                self._unsettled.popleft()
        if self._now_s() - self._let_go_s >= _LET_GO_S:
            self._release(min(self._passed, self._unsettled[0].entry.number - 1 if self._unsettled else self._passed))

    def _release(self, upto: int) -> None:
        layers, number = self._base, self._base_number
        for entry in self._journal.entries(number):
            if entry.number > upto:
                break
            rows = columns.of_batches(entry.batches, 0)
            layers, number = layers.place(rows.series, rows.time_ms)[1], entry.number
        if number > self._base_number:
            self._journal.release(number, number, layers)
            self._base, self._base_number, self._let_go_s = layers, number, self._now_s()
