"""What a drill came to, as the one JSON object of ``petrel up --once --json``."""

import asyncio
import time
from collections.abc import Iterable
from datetime import datetime
from typing import NamedTuple
from zoneinfo import ZoneInfo

import msgspec

from alerting.alarms import Event, Kind
from alerting.service import Service
from gateway.agent import Gateway
from petrel.receiver import Receipts
from telemetry.clock import SECOND_NS


class AlarmLine(msgspec.Struct, frozen=True, kw_only=True):
    """One alarm: ``level`` is the highest that it reached; times ISO 8601 with offset."""

    hazard: str
    subject_kind: str
    subject: str
    outcome: str
    level: int
    raised_at: str
    cleared_at: str | None


class Latency(msgspec.Struct, frozen=True, kw_only=True):
    """Real milliseconds from the device's answer to the webhook's receipt; null when nothing was delivered."""

    p50: float | None
    p99: float | None


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """Rows of this run by fate: ``lost`` were polled and are not in the store, ``doubled`` stand there twice."""

    polled: int
    committed: int
    lost: int
    doubled: int
    missing_rows: int
    alarms: tuple[AlarmLine, ...]
    deliveries: int
    repeated_deliveries: int
    latency_ms: Latency
    wall_s: float
    peak_rss_mb: float


class Start(NamedTuple):
    """Where the figures of a run begin: its gateway; the last commit, the rows in the spool and real time then."""

    source: str
    commit: int
    spooled_rows: int
    begun_s: float


async def report(gateway: Gateway, service: Service, receipts: Receipts, start: Start, *, peak_rss_mb: float) -> Report:
    """Count in the store itself, not in what acknowledgements said; nothing that was there before the run began.

    What a former run left, in the store or in the spool, would else stand in for rows that this one lost. Left in the
    spool, it can't be told apart once it is committed: it is asked for, too.
    """
    found = await asyncio.to_thread(service.ingest.store.tally, start.source, start.commit)
    events = [event async for event in service.centre.state.events()]
    return Report(
        polled=gateway.polled_rows,
        committed=found.rows,
        lost=gateway.polled_rows + start.spooled_rows - found.distinct,
        doubled=found.rows - found.distinct,
        missing_rows=found.missing,
        alarms=tuple(lines(events, ZoneInfo("Asia/Shanghai"))),
        deliveries=len(receipts.by_key),
        repeated_deliveries=receipts.repeated,
        latency_ms=Latency(**receipts.latency_ms()),
        wall_s=round(time.monotonic() - start.begun_s, 2),
        peak_rss_mb=peak_rss_mb,
    )


def lines(events: Iterable[Event], zone: ZoneInfo) -> list[AlarmLine]:
    """One line an alarm, in the order in which they were raised."""
    stories: dict[str, list[Event]] = {}
    for event in events:
        stories.setdefault(event.alarm_id, []).append(event)
    return [_line(story, zone) for story in stories.values() if story[0].kind is Kind.RAISED]


def _line(story: list[Event], zone: ZoneInfo) -> AlarmLine:
    first, worst = story[0], max(story, key=lambda event: event.level)
    cleared = next((event for event in reversed(story) if event.kind is Kind.CLEARED), None)
    return AlarmLine(
        hazard=first.hazard,
        subject_kind=first.subject_kind,
        subject=first.subject,
        outcome=worst.outcome,
        level=worst.level,
        raised_at=_moment(first.time_ns, zone),
        cleared_at=None if cleared is None else _moment(cleared.time_ns, zone),
    )


def _moment(time_ns: int, zone: ZoneInfo) -> str:
    return datetime.fromtimestamp(time_ns // SECOND_NS, zone).isoformat()
