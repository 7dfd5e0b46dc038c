"""From what we know to what we say: domain objects into the DTOs of the interface."""

import math
from collections.abc import Iterable, Mapping, Sequence
from itertools import islice
from typing import Any, Final, Literal, cast

import msgspec

from alerting.alarms import Alarm, Outcome
from alerting.api import coded, dto
from alerting.api.latest import NEVER, Latest
from alerting.api.times import iso, iso_or_none
from alerting.channels import marked
from alerting.engine import StationLevel, ThresholdLine
from alerting.fusion import AreaLevel, HazardLevel
from alerting.site import Site
from ingest.catalogue import Entry
from ingest.presence import Heard
from telemetry.clock import SECOND_NS
from telemetry.deployment import Deployment
from telemetry.health import ClockHealth
from telemetry.plain import plain
from telemetry.quality import Cause, Quality
from telemetry.quantity import QUANTITIES
from telemetry.series import Text
from telemetry.wire import Presence, Status

LAYERS: Final = "/site/layers/"
_MOST_DEVICES: Final = 2_000
_MOST_ATTRIBUTES: Final = 32


def text(words: Text) -> dto.Text:
    """A text for people."""
    return dto.Text(zh=words.zh, en=words.en)


def site(place: Site, *, drill: bool, speed: float | None, now: str) -> dto.Site:
    """Where we are."""
    return dto.Site(
        id=place.id,
        name=text(place.name),
        timezone=place.timezone,
        drill=drill,
        speed=speed,
        now=now,
        bounds=place.bounds,
        areas=[
            dto.SiteArea(
                code=area.code,
                name=text(area.name),
                lon=area.lon,
                lat=area.lat,
                managed_by=None if area.managed_by is None else text(area.managed_by),
            )
            for area in place.areas
        ],
        layers=[
            dto.Layer(
                id=layer.id,
                url=f"{LAYERS}{layer.id}.geojson",
                crs=layer.crs,
                attribution=text(layer.attribution),
                sketch=layer.sketch,
            )
            for layer in place.layers
        ],
    )


def reading(
    entry: Entry, latest: Latest, now_ns: int, *, stale: bool, thresholds: Sequence[dto.Threshold], timezone: str
) -> dto.Reading:
    """The newest sample of a series; none where it is old and what comes meanwhile carries a time that can't be."""
    series, place = entry.series, entry.place
    doubted = bool(latest.doubted[place])
    unknown = doubted and stale
    quantity = QUANTITIES[series.quantity]
    time_ns = int(latest.time_ns[place])
    known = time_ns != NEVER
    return dto.Reading(
        series=str(entry.id),
        point=series.point,
        quantity=series.quantity,
        unit=series.unit,
        name=dto.Text(zh=quantity.zh, en=quantity.en),
        value=None if unknown else number(float(latest.value[place])),
        quality=quality_name(Quality.MISSING if unknown else int(latest.quality[place])),
        cause=causes((0 if unknown else int(latest.cause[place])) | (int(Cause.CLOCK) if doubted else 0)),
        time=iso(time_ns, timezone) if known else None,
        age_s=round((now_ns - time_ns) / SECOND_NS, 3) if known else None,
        stale=stale,
        valid=(number(series.valid[0]), number(series.valid[1])),
        thresholds=list(thresholds),
        meaning=None if unknown else coded.meaning(entry, float(latest.value[place])),
    )


def series(entry: Entry, timezone: str) -> dto.Series:
    """A series and its history."""
    found, quantity = entry.series, QUANTITIES[entry.series.quantity]
    return dto.Series(
        id=str(entry.id),
        station=found.station,
        point=found.point,
        quantity=found.quantity,
        name=dto.Text(zh=quantity.zh, en=quantity.en),
        unit=found.unit,
        gateway=entry.source,
        device=found.device,
        period_s=found.period_s,
        valid=(number(found.valid[0]), number(found.valid[1])),
        modulus=found.modulus,
        active=entry.active,
        datum=entry.datum,
        states=coded.states(entry),
        bits=coded.bits(entry),
        deployments=[_deployment(one, found.key, timezone) for one in entry.deployments],
    )


def _deployment(found: Deployment, key: str, timezone: str) -> dto.Deployment:
    zero = found.zeros.get(key)
    return dto.Deployment(
        since=iso(found.since_ns, timezone),
        serial=found.serial,
        by=found.by,
        note=found.note,
        zero=None if zero is None else dto.Zero(**msgspec.structs.asdict(zero)),
        baseline=found.baselines.get(key),
    )


def station(entry: Entry, readings: Sequence[dto.Reading], level: StationLevel | None) -> dto.Station:
    """A station; one that the engine does not know yet is unconfigured, never normal."""
    place = entry.station
    return dto.Station(
        id=place.id,
        name=text(place.name),
        kind=place.kind,
        lat=place.lat,
        lon=place.lon,
        town=place.town,
        gateway=entry.source,
        drill=entry.drill,
        readings=list(readings),
        outcome=Outcome.UNCONFIGURED if level is None else level.outcome,
        level=0 if level is None else cast(dto.Level, level.level),
        hazards={} if level is None else hazards(level.hazards),
    )


def area(found: AreaLevel) -> dto.Area:
    """An area."""
    return dto.Area(
        code=found.code,
        name=text(found.name),
        level=cast(dto.Level, found.level),
        outcome=found.outcome,
        hazards=hazards(found.hazards),
        confidence=found.confidence,
        explanation=text(found.explanation),
    )


def hazards(found: Mapping[str, HazardLevel]) -> dict[str, dto.HazardLevel]:
    """Levels by hazard."""
    return {
        hazard: dto.HazardLevel(outcome=one.outcome, level=cast(dto.Level, one.level), alarms=list(one.alarms))
        for hazard, one in found.items()
    }


def thresholds(lines: Iterable[ThresholdLine]) -> list[dto.Threshold]:
    """The lines of a chart."""
    return [
        dto.Threshold(
            level=cast(dto.Level, line.level),
            value=line.value,
            op=line.op,
            name=text(line.name),
            hazard=line.hazard,
            rule=line.rule,
            edition=line.edition,
            source=line.source,
        )
        for line in lines
    ]


def alarm(found: Alarm, timezone: str) -> dto.Alarm:
    """An alarm; its text carries the mark of a drill (F16)."""
    return dto.Alarm(
        id=found.id,
        version=found.version,
        hazard=found.hazard,
        hazard_name=text(found.hazard_name),
        level=cast(dto.Level, found.level),
        peak_level=cast(dto.Level, found.peak_level),
        outcome=found.outcome,
        state=found.state,
        subject_kind=found.subject_kind,
        subject=found.subject,
        subject_name=text(found.subject_name),
        town=found.town,
        raised_at=iso(found.raised_ns, timezone),
        updated_at=iso(found.updated_ns, timezone),
        cleared_at=iso_or_none(found.cleared_ns, timezone),
        acknowledged_by=found.acknowledged_by,
        acknowledged_at=iso_or_none(found.acknowledged_ns, timezone),
        series=list(found.series),
        value=found.value,
        threshold=found.threshold,
        unit=found.unit,
        quality=found.quality,
        text=text(marked(found.text, drill=found.drill)),
        rule=found.rule,
        edition=found.edition,
        source=found.source,
        note=found.note,
        drill=found.drill,
    )


def gateway(heard: Heard, timezone: str, *, drill: bool) -> dto.Gateway:
    """A box in the field; one that has never spoken of itself is neither online nor offline."""
    status = heard.status or Status(presence=Presence.OFFLINE)
    seen_ns = heard.heard_ns or status.time_ns or None
    return dto.Gateway(
        source=heard.source,
        presence=_presence(heard.status),
        last_seen=iso_or_none(seen_ns, timezone),
        spool_batches=status.spool_batches,
        spool_rows=status.spool_rows,
        oldest=iso_or_none(status.oldest_ns, timezone),
        hours_until_full=status.hours_until_full,
        drain_rows_per_s=status.drain_rows_per_s,
        clock=_clock(status.clock),
        clock_steps=status.clock.steps if status.clock else 0,
        day_bytes=status.line.day_bytes if status.line else None,
        month_bytes=status.line.month_bytes if status.line else None,
        quota_bytes=status.line.quota_bytes if status.line else None,
        notes=list(status.notes),
        devices=dict(status.devices),
        attributes=_attributes(status.attributes),
        complaint=heard.complaint,
        drill=drill,
    )


def _attributes(said: Mapping[str, Mapping[str, str]]) -> dict[str, dict[str, str]]:
    """As a page may show them, whoever says so."""
    return {
        plain(device): {plain(name): plain(one) for name, one in islice(found.items(), _MOST_ATTRIBUTES)}
        for device, found in islice(said.items(), _MOST_DEVICES)
    }


def _clock(clock: ClockHealth | None) -> Literal["synchronised", "unsynchronised", "unset"] | None:
    if clock is None:
        return None
    if clock.synchronised:
        return "synchronised"
    return "unsynchronised" if clock.known else "unset"


def _presence(status: Status | None) -> Literal["online", "offline", "unknown"]:
    if status is None:
        return "unknown"
    return "online" if status.presence is Presence.ONLINE else "offline"


def quality_name(quality: int) -> dto.QualityName:
    """The name of a quality."""
    return cast(dto.QualityName, Quality(quality).name)


def causes(cause: int) -> list[str]:
    """The names of the causes of doubt."""
    return [str(one.name) for one in Cause(cause)]


def number(value: float) -> float | None:
    """A number, or None where there is none."""
    return value if math.isfinite(value) else None


def numbers(values: Any) -> list[float | None]:
    """Numbers of an array of shape (n,)."""
    return [number(value) for value in values.tolist()]
