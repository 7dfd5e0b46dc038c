"""Who is on a line: every likely setting and everybody is asked one read-only question, within a stated time.

A setting at which somebody answers is the line's; no other is tried after it. What was not tried is said.
"""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from edge_agent.compile.lines import AnyLine
from edge_agent.compiled import TcpPlan
from edge_agent.drivers.modbus.driver import Line
from edge_agent.drivers.modbus.rtu import RtuLine
from edge_agent.drivers.modbus.tcp import TcpLine
from edge_agent.lines.half_duplex import HalfDuplex
from edge_agent.lines.line import LineDownError
from edge_agent.opened import half_duplex
from gateway.tools.asker import Asker
from gateway.tools.ports import connect, facts
from gateway.tools.scan_plan import Progress, Scan, ScanReport
from gateway.tools.target import Reach
from gateway.tools.tries import Setting


async def scan(plan: Scan, report: ScanReport, progress: Progress, within_s: float) -> bool:
    """Ask, and note in ``report`` what comes, for ``within_s`` real seconds at most, or until cancelled.

    Gives whether it came to its end in that time. Raises LineDownError where there is no line.
    """
    began = time.monotonic()
    report.cut_off = True
    try:
        async with asyncio.timeout(within_s):
            await _scan(plan, report, progress)
            report.cut_off = False
    except TimeoutError:
        return False
    finally:
        report.took_s = round(time.monotonic() - began, 3)
    return True


async def _scan(plan: Scan, report: ScanReport, progress: Progress) -> None:
    for setting in plan.settings or (None,):
        name = "tcp" if setting is None else str(setting)
        before = len(report.found)
        try:
            await _at(setting, plan, report, progress)
        except LineDownError as exc:
            if _is_gone(plan.reach, report):
                report.lost = str(exc)
                return
            if not report.tried:
                raise
            report.refused.append(name)
            continue
        report.tried.append(name)
        if len(report.found) > before:
            report.setting = setting
            return


def _is_gone(reach: Reach, report: ScanReport) -> bool:
    """Whether a line that failed was pulled out, rather than not able to take a setting."""
    return report.asked > 0 and (reach.serial is None or not facts(reach.serial).exists)


async def _at(setting: Setting | None, plan: Scan, report: ScanReport, progress: Progress) -> None:
    """Everybody at one setting."""
    async with _connected(plan.reach, setting) as (line, shared):
        asker = Asker(plan, report, progress, setting)
        if plan.protocol == "modbus":
            await asker.units(line)
        elif shared is not None:
            ways = {"sdi12": asker.sensors, "dlt645": asker.meters, "cjt188": asker.one}
            await ways[plan.protocol](shared)


@asynccontextmanager
async def _connected(reach: Reach, setting: Setting | None) -> AsyncIterator[tuple[Line, HalfDuplex | None]]:
    """The line at a setting, as Modbus sees it and bare."""
    if setting is None:
        host, port = reach.tcp or ("", 0)
        line: Line = TcpLine(host, port, reach.timeout_s)
        shared = None
        where: AnyLine = TcpPlan(host, port)
    else:
        bare = setting.line(reach)
        shared, where = half_duplex(bare, reach.timeout_s), bare
        line = RtuLine(shared)
    await connect(line, where)
    try:
        yield line, shared
    finally:
        line.close()
