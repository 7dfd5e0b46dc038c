"""The roll: which series are counted, since when and until when, how often they are due, and at which phase."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any, Final

import msgspec
import numpy as np

from ingest.catalogue import Entry
from ingest.coverage import slots
from ingest.coverage.day import Layout
from telemetry.batch import I64

EVER: Final = 2**62
_COLUMNS: Final = ("series", "since_ms", "until_ms", "width_ms", "phase_ms")


@dataclass(frozen=True, slots=True, eq=False)
class Roll:
    """Columns of shape (n,), by ascending identity; nobody is ever struck off."""

    series: I64
    since_ms: I64
    until_ms: I64
    width_ms: I64
    phase_ms: I64

    def called(self, entries: Iterable[Entry], now_ms: int) -> "Roll":
        """The roll after an announcement: newcomers count from now, those no longer announced count until now."""
        announced = list(entries)
        series = np.array([entry.id for entry in announced], np.int64)
        width = slots.widths([entry.series.period_s for entry in announced])
        order = np.argsort(series)
        series, width = series[order], width[order]
        grown = self._with(series[~np.isin(series, self.series)], now_ms)
        here = np.isin(grown.series, series)
        found = grown.width_ms.copy()
        found[here] = width
        return replace(
            grown,
            until_ms=np.where(here, EVER, np.minimum(grown.until_ms, now_ms)),
            width_ms=found,
            phase_ms=np.where(found == grown.width_ms, grown.phase_ms, slots.UNSET),
        )

    def places(self, series: I64) -> I64:
        """Where series stand in the roll, -1 for strangers. Shape (n,)."""
        if not len(self.series):
            return np.full(len(series), -1, np.int64)
        at = np.minimum(np.searchsorted(self.series, series), len(self.series) - 1)
        return np.where(self.series[at] == series, at, -1)

    def meet(self, place: I64, time_ms: I64) -> None:
        """Keep the phase of series, by place, that are read for the first time; the first reading of each counts."""
        fresh = np.flatnonzero(self.phase_ms[place] == slots.UNSET)
        if len(fresh):
            place, first = np.unique(place[fresh], return_index=True)
            phase = time_ms[fresh][first] % self.width_ms[place]
            by_minute = self.width_ms[place] == slots.MINUTE_MS
            self.phase_ms[place] = np.where(by_minute, slots.MINUTE_MS // 2, phase)

    def layout(self, begin_ms: int, end_ms: int, before: Layout | None) -> Layout:
        """What a day expects; a series that ``before`` holds keeps the width and phase that the day began with."""
        chosen = (self.since_ms < end_ms) & (self.until_ms > begin_ms)
        if before is not None:
            chosen |= np.isin(self.series, before.series)
        series, width = self.series[chosen], self.width_ms[chosen]
        phase = np.where(self.phase_ms[chosen] == slots.UNSET, width // 2, self.phase_ms[chosen])
        if before is not None and len(before.series):
            at = np.minimum(np.searchsorted(before.series, series), len(before.series) - 1)
            known = before.series[at] == series
            width = np.where(known, before.width_ms[at], width)
            phase = np.where(known, before.phase_ms[at], phase)
        first = slots.firsts(np.maximum(self.since_ms[chosen], begin_ms), phase, width)
        last = slots.firsts(np.minimum(self.until_ms[chosen], end_ms), phase, width)
        return Layout(series, width, phase, first, np.maximum(last - first, 0))

    def packed(self) -> bytes:
        """The roll as bytes."""
        return msgspec.msgpack.encode({name: getattr(self, name).tobytes() for name in _COLUMNS})

    def _with(self, series: I64, now_ms: int) -> "Roll":
        n = len(series)
        fresh: dict[str, I64] = {
            "series": series,
            "since_ms": np.full(n, now_ms),
            "until_ms": np.full(n, EVER),
            "width_ms": np.zeros(n, np.int64),
            "phase_ms": np.full(n, slots.UNSET),
        }
        columns = {name: np.concatenate([getattr(self, name), fresh[name]]) for name in _COLUMNS}
        order = np.argsort(columns["series"])
        return Roll(**{name: column[order] for name, column in columns.items()})


def nobody() -> Roll:
    """An empty roll."""
    return Roll(*(np.zeros(0, np.int64) for _ in _COLUMNS))


def unpacked(body: bytes) -> Roll:
    """A roll from its bytes; raises ValueError where they are none."""
    try:
        found: dict[str, Any] = msgspec.msgpack.decode(body)
        return Roll(**{name: np.frombuffer(found[name], np.int64).copy() for name in _COLUMNS})
    except (msgspec.DecodeError, KeyError, TypeError) as exc:
        raise ValueError(f"roll: {exc!r}, expected its columns") from exc
