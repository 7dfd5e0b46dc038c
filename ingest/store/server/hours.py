"""Hours of many series: what a server sums up by itself is taken where its sums are ours, the rest is read by rows."""

from collections.abc import Callable
from typing import Final

import numpy as np

from ingest.store.hourly import Hours
from ingest.store.protocol import Points
from ingest.store.server.protocol import ServerHours
from ingest.store.server.rows import Rows, usable_per_group
from telemetry.batch import I64, MILLISECOND_NS, Mask
from telemetry.clock import HOUR_NS
from telemetry.quality import Quality

HOUR_MS: Final = HOUR_NS // MILLISECOND_NS


def summed(points: Points) -> Hours:
    """The hours of rows that are ordered by series and time, one for each (series, time)."""
    hour_ns = points.time_ns // HOUR_NS * HOUR_NS
    new = (np.diff(points.series, prepend=-1) != 0) | (np.diff(hour_ns, prepend=-1) != 0)
    cuts = np.flatnonzero(new)
    if not len(cuts):
        return _none()
    usable = usable_per_group(points, cuts)
    by_quality = np.zeros((len(cuts), len(Quality)), np.int64)
    np.add.at(by_quality, (np.cumsum(new) - 1, points.quality), 1)
    return Hours(
        series=points.series[cuts],
        time_ns=hour_ns[cuts],
        mean=usable.mean,
        maximum=usable.maximum,
        by_quality=by_quality,
    )


def completed(found: ServerHours, unsettled: Rows, samples: Callable[[I64, int, int], Points]) -> Hours:
    """All hours, those read by ``samples(series, from_ns, to_ns)`` of which the server counts what we don't.

    It knows no layers, takes bad values as good ones, and may not have what came last.
    """
    doubtful = (found.layer > 0) | (found.by_quality[:, Quality.BAD] > 0)
    series = np.append(found.series[doubtful], unsettled.series)
    hour_ms = np.append(found.hour_ms[doubtful], unsettled.time_ms // HOUR_MS * HOUR_MS)
    sure = ~_within(found.series, found.hour_ms, series, hour_ms)
    parts = [_of_server(found, sure)]
    for at_ms in np.unique(hour_ms).tolist():
        chosen, at_ns = np.unique(series[hour_ms == at_ms]), at_ms * MILLISECOND_NS
        parts.append(summed(samples(chosen, at_ns, at_ns + HOUR_NS)))
    columns = {name: np.concatenate([getattr(part, name) for part in parts]) for name in Hours.__slots__}
    order = np.lexsort((columns["time_ns"], columns["series"]))
    return Hours(**{name: column[order] for name, column in columns.items()})


def _of_server(found: ServerHours, sure: Mask) -> Hours:
    usable = found.by_quality[sure, : Quality.BAD].sum(axis=1) > 0
    return Hours(
        series=found.series[sure],
        time_ns=found.hour_ms[sure] * MILLISECOND_NS,
        mean=np.where(usable, found.mean[sure], np.nan),
        maximum=np.where(usable, found.maximum[sure], np.nan),
        by_quality=found.by_quality[sure],
    )


def _within(series: I64, hour_ms: I64, among: I64, among_hours_ms: I64) -> Mask:
    """Whether each (series, hour) is one of others."""
    place = np.unique(np.append(series, among), return_inverse=True)[1]
    hour = np.append(hour_ms, among_hours_ms) // HOUR_MS
    keys = place.astype(np.int64) * (int(hour.max(initial=0)) + 1) + hour
    return np.isin(keys[: len(series)], keys[len(series) :])


def _none() -> Hours:
    whole, real = np.zeros(0, np.int64), np.zeros(0)
    return Hours(series=whole, time_ns=whole, mean=real, maximum=real, by_quality=np.zeros((0, len(Quality)), np.int64))
