"""The desk: answers the interface from the board, the store, and the figures of the parts."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from alerting.api import coded, dto, vitals, words
from alerting.api.board import Board
from alerting.api.fanout import Fanout
from alerting.api.holdings import Holdings
from alerting.api.view import Acknowledgement, Span, UnavailableError, UnknownError
from ingest.catalogue import Entry
from ingest.store.protocol import Buckets, Points, Store, StoreError

_MOST_ROWS: Final = 50_000
_MS_NS: Final = 1_000_000
_LONGEST_ID: Final = 20


@dataclass(slots=True, eq=False, kw_only=True)
class Desk:
    """Implements ``CentreView``."""

    board: Board
    fanout: Fanout
    store: Store
    folder: Path
    """Where the files of the site's layers are."""
    version: str
    parts: Sequence[vitals.PartSource]
    counted: Callable[[], Awaitable[vitals.Counted]]
    lag_s: Callable[[], float]
    holdings: Holdings
    acknowledging: Callable[[str, Acknowledgement], Awaitable[dto.Alarm]]

    @property
    def timezone(self) -> str:
        """In which times are written."""
        return self.board.place.timezone

    def now_ns(self) -> int:
        """Data time."""
        return self.board.clock.now_ns()

    def site(self) -> dto.Site:
        """The site."""
        return self.board.site()

    def layer(self, name: str) -> bytes:
        """A map layer; only names that the site file lists reach the disk."""
        files = {f"{layer.id}.geojson": layer.file for layer in self.board.place.layers}
        if name not in files:
            raise UnknownError(f"no layer {name!r}, expected one of {', '.join(files) or 'none: the site has none'}")
        try:
            return (self.folder / files[name]).read_bytes()
        except OSError as exc:
            raise UnavailableError(f"layer {name}: {exc.strerror}") from exc

    def stations(self) -> list[dto.Station]:
        """All stations, by identity."""
        return self.board.stations()

    def gateways(self) -> list[dto.Gateway]:
        """All gateways, by source."""
        return self.board.gateways()

    def areas(self) -> list[dto.Area]:
        """All areas, in the order of the site file."""
        return self.board.areas()

    def alarms(self) -> list[dto.Alarm]:
        """All alarms, newest change first."""
        return self.board.alarms()

    def alarm(self, identity: str) -> dto.Alarm:
        """One alarm."""
        return self.board.alarm(identity)

    async def acknowledge(self, identity: str, seen: Acknowledgement) -> dto.Alarm:
        """Acknowledge the version that was seen."""
        return await self.acknowledging(identity, seen)

    def series(self, identity: str) -> dto.Series:
        """What is known of a series."""
        return words.series(self._entry(identity), self.timezone)

    async def points(self, series: str, span: Span) -> dto.SeriesPoints:
        """Samples of a series; raw ones are cut after the first 50,000, and the answer says from where to go on."""
        entry = self._entry(series)
        try:
            if span.every_ns:
                buckets = await asyncio.to_thread(self.store.buckets, entry.id, *span)
                return _answer(entry, _buckets(buckets))
            rows = await asyncio.to_thread(self.store.points, entry.id, span.from_ns, span.to_ns, _MOST_ROWS + 1)
        except StoreError as exc:
            raise UnavailableError(str(exc)) from exc
        return _answer(entry, _points(rows), following=int(rows.time_ns[-1]) if len(rows) > _MOST_ROWS else None)

    async def health(self) -> dto.Health:
        """How the parts are."""
        return await vitals.health(self.parts, version=self.version, lag_s=self.lag_s())

    async def metrics(self) -> bytes:
        """Everything that is counted."""
        return vitals.exposition(await self.counted())

    def _entry(self, series: str) -> Entry:
        known = series.isascii() and series.isdigit() and len(series) < _LONGEST_ID
        try:
            return self.board.catalogue.entry(int(series) if known else -1)
        except KeyError as exc:
            raise UnknownError(f"no series {series!r}, expected the identity of one that was announced") from exc


def _answer(
    entry: Entry, points: dto.RawPoints | dto.BucketPoints, *, following: int | None = None
) -> dto.SeriesPoints:
    """``following``: the time of the first sample that was left out, in nanoseconds."""
    return dto.SeriesPoints(
        series=str(entry.id),
        unit=entry.series.unit,
        points=points,
        truncated=following is not None,
        states=coded.states(entry),
        bits=coded.bits(entry),
        next=None if following is None else following // _MS_NS,
    )


def _points(rows: Points) -> dto.RawPoints:
    return dto.RawPoints(
        time=(rows.time_ns[:_MOST_ROWS] // _MS_NS).tolist(),
        value=words.numbers(rows.value[:_MOST_ROWS]),
        quality=[words.quality_name(one) for one in rows.quality[:_MOST_ROWS].tolist()],
    )


def _buckets(rows: Buckets) -> dto.BucketPoints:
    return dto.BucketPoints(
        time=(rows.time_ns // _MS_NS).tolist(),
        min=words.numbers(rows.minimum),
        mean=words.numbers(rows.mean),
        max=words.numbers(rows.maximum),
        count=rows.count.tolist(),
        quality=[words.quality_name(one) for one in rows.quality.tolist()],
    )
