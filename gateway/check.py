"""``petrel gateway check``: validates the settings and says what a start would do, without starting anything."""

import os
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from gateway.settings import GatewayPlan, compile_gateway, load_gateway
from gateway.spool import holder
from telemetry.broker import unreachable

_ROW_BYTES: Final = 30
"""Of a row in the spool at worst: 27 on the wire, and its part of the headers."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckReport:
    """What a start would do, and what stands in its way (empty: nothing)."""

    source: str
    drill: bool
    stations: int
    buses: int
    devices: int
    series: int
    rows_per_minute: float
    broker: str
    spool_dir: str
    spool_hours: float
    """Outage that the spool survives at least, by its cap in bytes or age."""
    findings: tuple[str, ...]

    def text(self) -> str:
        """Lines for people."""
        lines = [
            f"gateway    {self.source}{' (drill)' if self.drill else ''}",
            f"polls      {self.buses} buses, {self.devices} devices at {self.stations} stations",
            f"sends      {self.series} series, {self.rows_per_minute:.1f} rows a minute, to {self.broker}",
            f"keeps      in {self.spool_dir}, an outage of {self.spool_hours:.1f} h at least",
        ]
        return "\n".join(lines + [f"finding    {finding}" for finding in self.findings])


def check(path: Path) -> CheckReport:
    """Check a gateway's settings and surroundings; raises SettingsError for the settings."""
    document = load_gateway(path)
    plan = compile_gateway(document)
    devices = [device for bus in plan.buses for device in bus.devices]
    per_minute = sum(len(device.series) * 60e9 / device.period_ns for device in devices)
    return CheckReport(
        source=plan.source,
        drill=plan.announce.drill,
        stations=len(plan.announce.stations),
        buses=len(plan.buses),
        devices=len(devices),
        series=len(plan.announce.series),
        rows_per_minute=per_minute,
        broker=str(plan.broker),
        spool_dir=str(plan.spool_dir),
        spool_hours=_spool_hours(plan, per_minute),
        findings=(*_spool_findings(plan), *filter(None, [unreachable(plan.broker)])),
    )


def _spool_hours(plan: GatewayPlan, per_minute: float) -> float:
    by_bytes = plan.limits.max_bytes / (per_minute * 60 * _ROW_BYTES) if per_minute else float("inf")
    return min(by_bytes, plan.limits.max_age_h)


def _spool_findings(plan: GatewayPlan) -> list[str]:
    place = plan.spool_dir
    while not place.exists() and place != place.parent:
        place = place.parent
    if not place.is_dir() or not os.access(place, os.W_OK | os.X_OK):
        return [f"{plan.spool_dir}: {place} can't be written, expected a directory of ours"]
    findings = []
    free = shutil.disk_usage(place).free
    if free < plan.limits.max_bytes:
        findings.append(f"{place}: {free} bytes free, expected at least the cap of the spool, {plan.limits.max_bytes}")
    if (process := holder(plan.spool_dir)) is not None:
        findings.append(f"{plan.spool_dir}: in use by process {process}, expected one gateway for each spool")
    return findings
