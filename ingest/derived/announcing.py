"""What the centre announces of its own: every derived series, and where it comes from.

Provenance stands where that of a measured series does: in the deployments. The "instrument" of a derived series is its
method, since when, by which standard and clause, from which series of the station and how it is sampled.
"""

from collections.abc import Iterable
from hashlib import blake2b
from typing import Final

import msgspec

from ingest.derived.air import EDITIONS
from ingest.derived.plan import Group, Member, Plan, outputs_of, period_s, point_of, unit_of
from telemetry.codes import Codes, shared
from telemetry.deployment import Deployment, Zero
from telemetry.series import Series
from telemetry.wire import Announce

_ALWAYS: Final = "1990-01-01T00:00+08:00"
_EDITED: Final = "2026-03-01T00:00+08:00"
_LONGEST: Final = 200
_LONGEST_SOURCE: Final = 100
_LEVELS: Final = ("sea_level_reduced", "astronomical_tide")


def announcement(plan: Plan, *, drill: bool) -> Announce:
    """The derived series with their stations, code words and provenance."""
    series: list[Series] = []
    codes: list[Codes] = []
    devices: dict[str, tuple[Deployment, ...]] = {}
    stations = {}
    for group in plan.groups:
        for at, member in enumerate(group.members):
            device = _device(group, member)
            if device not in devices:
                devices[device] = tuple(_deployments(group, member))
            stations[member.station.id] = member.station
            series += _series(group, member, device)
            codes += _codes(group, at)
    bare = Announce(
        revision="",
        drill=drill,
        stations=tuple(stations.values()),
        series=tuple(series),
        codes=shared(codes),
        deployments=devices,
    )
    revision = blake2b(msgspec.msgpack.encode(bare), digest_size=8).hexdigest()
    return msgspec.structs.replace(bare, revision=revision)


def _series(group: Group, member: Member, device: str) -> Iterable[Series]:
    for output in outputs_of(group.method):
        yield Series(
            station=member.station.id,
            point=point_of(member, output),
            quantity=output.quantity,
            unit=unit_of(output),
            valid=output.valid,
            danger="both",
            period_s=period_s(group, member),
            device=device,
        )


def _codes(group: Group, at: int) -> Iterable[Codes]:
    for number, output in enumerate(group.method.outputs):
        if output.states or output.bits:
            identity = int(group.outputs[number, at])
            yield Codes(series=(identity,), states=dict(output.states or {}), bits=dict(output.bits or {}))


def _device(group: Group, member: Member) -> str:
    """One name for all members whose provenance reads the same."""
    return f"{group.rule.method}-{blake2b(_note(group, member).encode(), digest_size=4).hexdigest()}"


def _deployments(group: Group, member: Member) -> Iterable[Deployment]:
    source, note = (group.rule.source or "")[:_LONGEST], _note(group, member)
    if not group.rule.method.startswith("aqi_"):
        yield Deployment(since=_ALWAYS, serial=group.rule.method, by=source, note=note, zeros=_zeros(group, member))
        return
    for (year, _), since in zip(EDITIONS, (_ALWAYS, _EDITED), strict=True):
        yield Deployment(since=since, serial=f"{group.rule.method}, HJ 633-{year}", by=source, note=note)


def _zeros(group: Group, member: Member) -> dict[str, Zero]:
    """What derived levels count from, where that of a measured one stands; a residual counts from the tide."""
    if member.datum is None:
        return {}
    zero = Zero(height=0.0, datum=member.datum, surveyor="derived", date=_ALWAYS[:10])
    levels = [output for output in group.method.outputs if output.quantity in _LEVELS]
    return {f"{point_of(member, output)}/{output.quantity}": zero for output in levels}


def _note(group: Group, member: Member) -> str:
    """From which series of this station, over how long, sampled how often, and how sure the source is."""
    rule = group.rule
    names = (f"{entry.series.point} ({entry.series.quantity})" for entry in member.entries if entry is not None)
    over = f" over {rule.window}" if rule.window else ""
    least = f", {rule.below} below {rule.least:.0%}" if rule.window else ""
    if member.datum is not None:
        over = f" over {member.datum}"
    if member.tide is not None:
        over += f", constants: {member.tide.source}"[:_LONGEST_SOURCE]
    tail = f"{over}, a sample each {member.period_s:g} s{least}; source {rule.confidence}"
    named = "from " + ", ".join(names)
    return named[: _LONGEST - len(tail)] + tail
