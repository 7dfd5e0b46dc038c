"""The holdings of a centre: what the catalogue, the register and the book of days say, as the interface tells it."""

import asyncio
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from pathlib import Path
from typing import Final, NamedTuple

import numpy as np

from alerting.api import covering, dto, listing
from alerting.api.board import Board
from alerting.api.chosen import Chosen
from alerting.api.covering import Ground
from alerting.api.limits import Limits
from alerting.api.listing import Held
from alerting.api.times import iso
from alerting.api.view import UnavailableError
from alerting.register import Register
from ingest.catalogue import Entry
from ingest.commit import Commit
from ingest.coverage import rates
from ingest.coverage.book import DayBook, is_measured
from ingest.store.export import Label, Wanted
from ingest.store.protocol import Store, StoreError
from telemetry.batch import I64, U8
from telemetry.clock import SECOND_NS

_SPANS_S: Final = 600.0
"""How long what the store said of its spans is good for: it may look at every row to say it."""


_WRITE_S: Final = 60.0


class Days(NamedTuple):
    """The days from first to last that are asked for, and by what they are grouped."""

    first: date
    last: date
    by: str


@dataclass(slots=True, eq=False, kw_only=True)
class Holdings:
    """Answers the catalogue's part of the interface; nothing here changes what the centre does."""

    board: Board
    register: Register
    store: Store
    days: DayBook
    scratch: Path
    """Where downloads are made."""
    limits: Limits
    _ground: tuple[int, Ground] | None = None
    """With the revision of the catalogue that it is of."""
    _spans: dict[int, tuple[int, int]] = field(default_factory=dict)
    _held_s: float | None = None
    _asking: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def restore(self) -> None:
        """Count what an earlier run committed and did not write down; once, before the first commit."""
        await asyncio.to_thread(self.days.restore, self.store, self.now_ns())

    async def count(self, commit: Commit) -> None:
        """Count a commit that was just made."""
        now_ns = self.now_ns()
        await asyncio.to_thread(self.days.take, commit, now_ns, now_ns)

    async def run(self) -> None:
        """Write the book of days every minute until cancelled."""
        while True:
            await asyncio.sleep(_WRITE_S)
            await asyncio.to_thread(self.days.flush)

    def close(self) -> None:
        """Write what is counted, and let the files and threads go."""
        self.limits.close()
        self.days.close()

    def owners(self) -> dto.Owners:
        """Who owns data."""
        return listing.owners(self.board.catalogue.entries(), self.register)

    def quantities(self) -> dto.Quantities:
        """What can be measured."""
        return listing.quantities(self.board.catalogue.entries())

    async def chosen(self, chosen: Chosen) -> list[Entry]:
        """The announced series that a request chooses, by path."""
        return await self.limits.run(lambda: self._chosen(chosen))

    def _chosen(self, chosen: Chosen) -> list[Entry]:
        return sorted(chosen.of(self.board.catalogue.entries(), self.register), key=lambda entry: entry.path)

    def stations(self, groups: Sequence[Sequence[Entry]], held: Held) -> list[dto.CatalogueStation]:
        """Stations, each from its series."""
        return [listing.station(entries, self.register, self.board.place, held) for entries in groups]

    def series(self, entries: Sequence[Entry], held: Held) -> list[dto.CatalogueSeries]:
        """Series."""
        return [listing.series(entry, self.register, self.board.place, held) for entry in entries]

    async def risks(self) -> list[dto.Risk]:
        """The register of risk sources, each with what watches it, in the order of the register."""
        states = self._states()
        return await self.limits.run(lambda: self._risks(states))

    def _risks(self, by_place: U8) -> list[dto.Risk]:
        found = self._grounded()
        states, partly = found.watching.states(found.padded(by_place))
        return [
            listing.risk(watched, state, self.register, self.board.place, partly=part)
            for watched, state, part in zip(found.watching.watched, states.tolist(), partly.tolist(), strict=True)
        ]

    async def coverage(self) -> dto.Coverage:
        """Coverage now."""
        states, now_ns = self._states(), self.now_ns()
        return await self.limits.run(lambda: self._coverage(states, now_ns))

    def _coverage(self, by_place: U8, now_ns: int) -> dto.Coverage:
        found = self._grounded()
        states = found.padded(by_place)
        return dto.Coverage(
            at=iso(now_ns, self.board.place.timezone),
            sample=self.register.sample,
            network=covering.network(found, states, self.board.place),
            risks=covering.risk_coverage(found, states, self.board.place),
        )

    def completeness(self, days: Days, chosen: Chosen, after: tuple[str, str] | None) -> Iterator[dto.DayShare]:
        """Days in order, and the groups of each by key, after a (day, key); reads the book's file."""
        day = max(days.first, date.fromisoformat(after[0])) if after else days.first
        while day <= days.last:
            if self.days.is_counted(day, self.now_ns()):
                key = after[1] if after is not None and after[0] == day.isoformat() else ""
                counted = self._counted(day, chosen)
                yield from listing.day_shares(day, *counted, by=days.by, site=self.board.place, after=key)
            day += timedelta(days=1)

    def counting_since(self) -> str:
        """Since when days are counted."""
        return iso(self.days.since_ms * 1_000_000, self.board.place.timezone)

    def wanted(self, entries: Sequence[Entry], from_ns: int, to_ns: int) -> Wanted:
        """The rows of a download."""
        labels = {
            entry.id: Label(
                station=entry.series.station,
                point=entry.series.point,
                quantity=entry.series.quantity,
                unit=entry.series.unit,
            )
            for entry in entries
        }
        return Wanted(labels=labels, from_ns=from_ns, to_ns=to_ns, timezone=self.board.place.timezone)

    def now_ns(self) -> int:
        """Data time."""
        return self.board.clock.now_ns()

    async def held(self) -> Held:
        """From when to when rows of each series are held, a few minutes old at most; raises UnavailableError."""
        async with self._asking:
            if self._held_s is None or time.monotonic() - self._held_s > _SPANS_S:
                try:
                    spans = await self.limits.run(self.store.spans)
                except StoreError as exc:
                    raise UnavailableError(str(exc)) from exc
                ends = zip(spans.first_ns.tolist(), spans.last_ns.tolist(), strict=True)
                self._spans, self._held_s = dict(zip(spans.series.tolist(), ends, strict=True)), time.monotonic()
        return self._span

    def _span(self, entry: Entry) -> tuple[int, int] | None:
        """What the store said, and what came since."""
        span, newest_ns = self._spans.get(entry.id), self.board.latest.time_ns
        if entry.place >= len(newest_ns) or newest_ns[entry.place] <= 0:
            return span
        newest = int(newest_ns[entry.place])
        return (newest, newest) if span is None else (span[0], max(span[1], newest))

    def _counted(self, day: date, chosen: Chosen) -> tuple[list[Entry], I64]:
        """The chosen series of a day, and their counts (n, 4)."""
        series, counts = self.days.counts(day, self.now_ns())
        table = np.stack(counts, axis=1)
        known = self.board.catalogue.places(series) >= 0
        entries = [self.board.catalogue.entry(key) for key in series[known].tolist()]
        kept = chosen.of(entries, self.register)
        if len(kept) == len(entries):
            return entries, table[known]
        identities = {entry.id for entry in kept}
        return kept, table[known][[entry.id in identities for entry in entries]]

    def _grounded(self) -> Ground:
        revision = self.board.catalogue.revision
        known = self._ground
        if known is None or known[0] != revision:
            entries = [entry for entry in self.board.catalogue.entries() if is_measured(entry)]
            self._ground = known = (revision, covering.ground(entries, self.register))
        return known[1]

    def _states(self) -> U8:
        """The state of every series by place; only in the event loop, which changes what it is made of."""
        latest = self.board.latest
        return rates.states(latest.stale(self.now_ns()), latest.quality)

    def rows_of(self, entries: Sequence[Entry], from_ns: int, to_ns: int) -> int:
        """How many rows a span should hold by the announced periods."""
        return round(sum((to_ns - from_ns) / SECOND_NS / max(entry.series.period_s, 1e-3) for entry in entries))
