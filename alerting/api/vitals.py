"""Health and metrics: how the parts of the centre are, in words and in figures."""

import sys
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric

from alerting.alarms import Alarm
from alerting.api import dto
from alerting.outbox import Outbox
from alerting.state.tables import Progress
from telemetry.exposition import exposition as exposition_of

PartSource = Callable[[], Awaitable[Mapping[str, dto.Part]]]
_ORDER: Final = (dto.Condition.OK, dto.Condition.DEGRADED, dto.Condition.DOWN)
Depth = Mapping[str, Mapping[Progress, int]]
_MEANINGS: Final = {
    "rows": "rows that arrived",
    "batches": "batches that arrived",
    "store_commits": "commits to the store",
    "duplicates": "batches that the store had already, dropped",
    "unstored_rows": "rows that were judged while the store refused them",
    "doubted_rows": "rows written again, since a later sample made them doubtful",
    "messages": "MQTT messages that arrived",
    "evaluated_commits": "commits that the rules judged",
    "evaluated_rows": "rows that the rules judged",
    "events": "transitions of alarms",
    "ticks": "ticks of the engine",
    "late_rows": "rows later than the allowed lateness: stored, never a fresh alarm",
    "misdated_rows": "rows whose time can't be: stored, and judged by nobody",
    "unknown_rows": "rows of series that nobody announced",
    "window_too_old_rows": "rows older than the window: stored, and in no sum",
    "window_replaced_rows": "rows that took the place of one of the same series and time in the window",
    "old_epoch_batches": "batches of an earlier epoch of their gateway: a backlog, or a gateway that was set back",
    "disordered_batches": "batches that came after a later one of their epoch",
    "waiting_seconds": "age of the oldest row that arrived and is not committed",
    "commit_lag_seconds": "real time from the arrival of the oldest row of the newest commit",
    "lag_seconds": "real time from the last commit to its judgement",
    "consoles": "consoles that listen",
    "unrecorded_events": "transitions of alarms that wait until the state can be written",
    "told_unrecorded": "messages sent of transitions before they could be recorded",
}


def worst(parts: Iterable[dto.Part]) -> dto.Condition:
    """The condition of a whole: that of its worst part."""
    return max((part.status for part in parts), key=_ORDER.index, default=dto.Condition.OK)


async def health(sources: Sequence[PartSource], *, version: str, lag_s: float | None) -> dto.Health:
    """How all parts are."""
    parts: dict[str, dto.Part] = {}
    for source in sources:
        parts |= await source()
    queues = {
        f"{part}.{key}": value
        for part, found in parts.items()
        for key, value in found.figures.items()
        if key.endswith("queued") and isinstance(value, int)
    }
    return dto.Health(
        status=worst(parts.values()),
        parts=parts,
        queues=queues,
        lag_ms=None if lag_s is None else lag_s * 1e3,
        versions={"stormpetrel": version, "python": sys.version.partition(" ")[0]},
    )


async def delivery(outbox: Outbox) -> dict[str, dto.Part]:
    """The outbox as a part: degraded while a channel fails or something was given up."""
    depth = await outbox.state.depth()
    troubles = {name: count.trouble for name, count in outbox.counts.items() if count.trouble}
    figures = {str(progress): total(depth, progress) for progress in Progress}
    detail = "; ".join(f"{name}: {trouble}" for name, trouble in sorted(troubles.items()))
    status = dto.Condition.DEGRADED if troubles else dto.Condition.OK
    return {"delivery": dto.Part(status=status, detail=detail or "every channel answers", figures=dict(figures))}


def total(depth: Depth, progress: Progress) -> int:
    """Deliveries in one state over all channels."""
    return sum(states.get(progress, 0) for states in depth.values())


@dataclass(frozen=True, slots=True, kw_only=True)
class Counted:
    """What a scrape shows."""

    counters: Mapping[str, int]
    gauges: Mapping[str, float]
    depth: Depth
    outbox: Outbox
    alarms: Iterable[Alarm]
    parts: Mapping[str, dto.Part]
    refused: Mapping[str, int] = field(default_factory=dict)
    """Batches and announcements by cause."""


def exposition(counted: Counted) -> bytes:
    """The text format of Prometheus, as it is asked for."""
    return exposition_of(
        [*_plain(counted), *_deliveries(counted), *_alarms(counted), _parts(counted), _refused(counted)]
    )


def _plain(counted: Counted) -> Iterable[Metric]:
    for name, count in counted.counters.items():
        yield CounterMetricFamily(f"petrel_{name}", _meaning(name), value=count)
    for name, value in counted.gauges.items():
        yield GaugeMetricFamily(f"petrel_{name}", _meaning(name), value=value)


def _meaning(name: str) -> str:
    return _MEANINGS.get(name, name.replace("_", " "))


def _deliveries(counted: Counted) -> Iterable[Metric]:
    rows = GaugeMetricFamily("petrel_outbox_rows", "deliveries by channel and state", labels=("channel", "state"))
    for channel, states in counted.depth.items():
        for progress, count in states.items():
            rows.add_metric((channel, str(progress)), count)
    sent = CounterMetricFamily("petrel_deliveries", "attempts by channel and result", labels=("channel", "result"))
    for channel, lane in counted.outbox.counts.items():
        for result in ("delivered", "retried", "dead"):
            sent.add_metric((channel, result), getattr(lane, result))
    return rows, sent


def _alarms(counted: Counted) -> Iterable[Metric]:
    metric = GaugeMetricFamily("petrel_alarms_open", "open alarms by level and state", labels=("level", "state"))
    found: dict[tuple[str, str], int] = {}
    for alarm in counted.alarms:
        if alarm.open:
            key = str(alarm.level), str(alarm.state)
            found[key] = found.get(key, 0) + 1
    for key, count in found.items():
        metric.add_metric(key, count)
    return (metric,)


def _refused(counted: Counted) -> Metric:
    metric = CounterMetricFamily(
        "petrel_refused", "batches and announcements that were refused, whole or in part, by cause", labels=("cause",)
    )
    for cause, count in counted.refused.items():
        metric.add_metric((cause,), count)
    return metric


def _parts(counted: Counted) -> Metric:
    metric = GaugeMetricFamily("petrel_part_up", "1 unless the part is down", labels=("part",))
    for name, part in counted.parts.items():
        metric.add_metric((name,), 0 if part.status is dto.Condition.DOWN else 1)
    return metric
