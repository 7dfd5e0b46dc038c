"""The parts of the centre as the health shows them, and what it counts."""

from typing import Final

from alerting.api import dto
from alerting.centre import Centre
from alerting.engine import Engine
from ingest.presence import PresenceBook
from ingest.service import Ingest

_SHOWN: Final = 5
_LATE_S: Final = 5.0
"""Real seconds from arrival to commit that are still usual: a busy store takes one."""


def intake_part(ingest: Ingest) -> dto.Part:
    """What has arrived and waits: degraded while the oldest row of it is older than live rows may be."""
    waiting_s, stats = ingest.waiting_s(), ingest.stats
    late = waiting_s > _LATE_S
    detail = f"rows wait {waiting_s:.0f} s for the store, expected at most {_LATE_S:g} s; gateways keep what is more"
    return dto.Part(
        status=dto.Condition.DEGRADED if late else dto.Condition.OK,
        detail=detail if late else "rows are stored as they come",
        figures={
            "waiting_ms": round(waiting_s * 1e3),
            "commit_lag_ms": round(stats.commit_lag_s * 1e3),
            "refused": ingest.faults.total(),
        },
    )


def intake_parts(ingest: Ingest) -> dict[str, dto.Part]:
    """Broker, intake and store as parts of the health."""
    stats, problem = ingest.stats, ingest.subscriber.problem
    return {
        "broker": _part(
            problem,
            "connected",
            {
                "messages": ingest.subscriber.messages,
                "intake_queued": len(ingest.intake),
                "intake_dropped": sum(ingest.intake.dropped.values()),
            },
        ),
        "intake": intake_part(ingest),
        "store": _part(
            stats.store_problem,
            "takes rows",
            {
                "rows": stats.rows,
                "commits": stats.commits,
                "duplicates": stats.duplicates,
                "unstored_rows": stats.unstored_rows,
            },
        ),
    }


def gateways_part(presence: PresenceBook) -> dto.Part:
    """The gateways: degraded while the announcement of one, or a part of it, does not count."""
    heard = presence.all()
    refused = [f"{one.source}: {one.refused}" for one in heard if one.refused]
    return dto.Part(
        status=dto.Condition.DEGRADED if refused else dto.Condition.OK,
        detail="; ".join(refused[:_SHOWN]) or "every announcement counts",
        figures={"heard": len(heard), "refused": len(refused)},
    )


def thresholds_part(engine: Engine) -> dto.Part:
    """The site's thresholds: degraded while one can't be compared with its gauge."""
    aside = engine.set_aside
    return dto.Part(
        status=dto.Condition.DEGRADED if aside else dto.Condition.OK,
        detail="; ".join(aside[:_SHOWN]) or "every threshold counts from the datum of its gauge",
        figures={"set_aside": len(aside)},
    )


def engine_part(centre: Centre, engine: Engine) -> dto.Part:
    """The engine and its log: down while events can't be recorded, since then a restart would lose them."""
    figures = centre.figures
    return _part(
        figures.trouble or "",
        "evaluates every commit",
        {
            "events": figures.events,
            "unrecorded": figures.unrecorded,
            "ticks": figures.ticks,
            "late_rows": engine.late_rows,
            "misdated_rows": engine.misdated_rows,
            "unknown_rows": engine.unknown_rows,
        },
    )


def counters(centre: Centre, ingest: Ingest, engine: Engine) -> dict[str, int]:
    """What only grows, for Prometheus."""
    stats = ingest.stats
    return {
        "rows": stats.rows,
        "batches": stats.batches,
        "store_commits": stats.commits,
        "duplicates": stats.duplicates,
        "unstored_rows": stats.unstored_rows,
        "doubted_rows": stats.doubted_rows,
        "messages": ingest.subscriber.messages,
        "evaluated_commits": centre.figures.commits,
        "evaluated_rows": centre.figures.rows,
        "events": centre.figures.events,
        "ticks": centre.figures.ticks,
        "late_rows": engine.late_rows,
        "misdated_rows": engine.misdated_rows,
        "unknown_rows": engine.unknown_rows,
        "window_too_old_rows": engine.window.too_old,
        "old_epoch_batches": ingest.sequence.old_epochs,
        "disordered_batches": ingest.sequence.disordered,
        "told_unrecorded": centre.outbox.unrecorded.told,
    }


def _part(problem: str, well: str, figures: dict[str, int]) -> dto.Part:
    status = dto.Condition.DOWN if problem else dto.Condition.OK
    return dto.Part(status=status, detail=problem or well, figures=dict(figures))
