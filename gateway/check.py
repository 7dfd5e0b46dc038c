"""``petrel gateway check``: validates the settings and says what a start would do, without starting anything."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from edge_agent.compiled import BusPlan
from gateway.remote import remote
from gateway.settings import GatewayPlan, compile_gateway, load_gateway
from gateway.spool import holder
from gateway.tools import load
from gateway.tools.look import Look, State, findings
from gateway.tools.on_site import Progress, on_site
from gateway.tools.rights import rights
from telemetry.broker import BrokerAddress, unreachable
from telemetry.clock import SystemClock
from telemetry.disk import free_bytes, standing, unwritable

_IN_USE: Final = "in use by process"
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
    looks: tuple[Look, ...] = ()
    """What was looked at on site, and on the lines by their settings."""

    @property
    def is_well(self) -> bool:
        """Whether nothing stands in the way."""
        return not self.findings and not findings(self.looks)

    def text(self) -> str:
        """What it is and does, in lines for people; the looks and findings come after it."""
        lines = [
            f"gateway    {self.source}{' (drill)' if self.drill else ''}",
            f"polls      {self.buses} buses, {self.devices} devices at {self.stations} stations",
            f"sends      {self.series} series, {self.rows_per_minute:.1f} rows a minute, to {self.broker}",
            f"keeps      in {self.spool_dir}, an outage of {self.spool_hours:.1f} h at least",
        ]
        return "\n".join(lines)


def check(path: Path) -> CheckReport:
    """Check a gateway's settings and surroundings, but no device; raises SettingsError for the settings."""
    return _desk(compile_gateway(load_gateway(path)))


async def check_on_site(path: Path, wait_s: float, progress: Progress) -> CheckReport:
    """As ``check``, and read each device once; see ``gateway.tools.on_site``. Raises SettingsError."""
    plan = compile_gateway(load_gateway(path))
    report = _desk(plan)
    is_there = not any(one.startswith(str(plan.broker)) for one in report.findings)
    looks = await on_site(plan, wait_s, progress)
    if is_there:
        looks += await rights(plan.broker, plan.source, orders=plan.remote is not None)
    running = holder(plan.spool_dir) is not None
    kept = tuple(one for one in report.findings if not (running and _IN_USE in one))
    return replace(report, findings=kept, looks=(*report.looks, *looks))


def _desk(plan: GatewayPlan) -> CheckReport:
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
        findings=(*_spool_findings(plan), *remote.findings(plan.remote), *filter(None, [unreachable(plan.broker)])),
        looks=(*(load.look(bus) for bus in plan.buses if isinstance(bus, BusPlan)), *_certificates(plan.broker)),
    )


def _certificates(broker: BrokerAddress) -> Iterator[Look]:
    for line in broker.files.running_out(SystemClock().now_ns()):
        yield Look(what="certificate", state=State.NOTE, says=line)


def _spool_hours(plan: GatewayPlan, per_minute: float) -> float:
    by_bytes = plan.limits.max_bytes / (per_minute * 60 * _ROW_BYTES) if per_minute else float("inf")
    return min(by_bytes, plan.limits.max_age_h)


def _spool_findings(plan: GatewayPlan) -> list[str]:
    found = list(filter(None, (spool_trouble(plan.spool_dir),)))
    free, place = free_bytes(plan.spool_dir), standing(plan.spool_dir)
    if free < plan.limits.max_bytes:
        found.append(f"{place}: {free} bytes free, expected at least the cap of the spool, {plan.limits.max_bytes}")
    return found


def spool_trouble(folder: Path) -> str | None:
    """One line on why a gateway could not keep its spool in a folder; nothing is made, None where it could."""
    if (trouble := unwritable(folder)) is not None:
        return trouble
    process = holder(folder)
    return None if process is None else f"{folder}: {_IN_USE} {process}, expected one gateway for each spool"
