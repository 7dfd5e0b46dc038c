"""What a drill looks like on a terminal: a live table, or a progress bar; nothing of either in a pipe."""

import asyncio
import sys
import time
from collections.abc import Callable, Coroutine
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from rich.console import Console
from rich.live import Live
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeElapsedColumn
from rich.table import Table

from petrel.commands.output import print_line, print_table
from petrel.drill import Drill, Options, running
from petrel.report import Report
from telemetry.clock import HOUR_NS, MINUTE_NS, SECOND_NS

_REFRESH_S = 0.5
_ZONE = ZoneInfo("Asia/Shanghai")
_MARKS = ("blue 蓝", "yellow 黄", "orange 橙", "red 红")


async def to_the_end(options: Options) -> Report:
    """Play a scenario in lock step and report."""
    async with running(options) as drill:
        with Progress(
            TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TimeElapsedColumn(),
            console=Console(stderr=True), disable=not sys.stderr.isatty(),
        ) as bar:  # fmt: skip
            task = bar.add_task(options.scenario.id, total=options.scenario.hours)
            await _while_showing(drill.play(), lambda: bar.update(task, completed=_hours(drill)))
        return await drill.report()


async def live(options: Options, ready: Callable[[str, Options], None]) -> None:
    """Run a drill until cancelled; the console stays after the end of the scenario."""
    async with running(options) as drill:
        ready(drill.url, options)
        if not sys.stdout.isatty():
            await drill.play()
            await asyncio.Event().wait()
        with Live(refresh_per_second=4) as screen:
            rates = _Rates(drill)
            await _while_showing(drill.play(), lambda: screen.update(_table(drill, rates)))
            await _while_showing(asyncio.Event().wait(), lambda: screen.update(_table(drill, rates)))


async def _while_showing(work: Coroutine[Any, Any, Any], show: Callable[[], None]) -> None:
    """Do the work and show how far it is, until it ends."""

    async def keep_showing() -> None:
        while True:
            show()
            await asyncio.sleep(_REFRESH_S)

    async with asyncio.TaskGroup() as tasks:
        showing = tasks.create_task(keep_showing(), name="show")
        await work
        showing.cancel()
    show()


class _Rates:
    """Rows polled a real second, over the time between two looks."""

    def __init__(self, drill: Drill) -> None:
        self._drill = drill
        self._at_s, self._rows = time.monotonic(), drill.gateway.polled_rows

    def rows_per_s(self) -> float:
        """Since the last look."""
        now_s, rows = time.monotonic(), self._drill.gateway.polled_rows
        rate = (rows - self._rows) / max(now_s - self._at_s, 1e-3)
        self._at_s, self._rows = now_s, rows
        return rate


def _table(drill: Drill, rates: _Rates) -> Table:
    status = drill.gateway.status()
    failing = [name for name, state in status.devices.items() if state != "ok"]
    now = datetime.fromtimestamp(drill.clock.now_ns() // SECOND_NS, _ZONE)
    over = "  (scenario over)" if drill.clock.now_ns() >= drill.options.scenario.end_ns - MINUTE_NS else ""
    table = Table(box=None, pad_edge=False, show_header=False)
    table.add_row("data time", f"{now:%Y-%m-%d %H:%M:%S}{over}")
    table.add_row("devices", f"{len(status.devices) - len(failing)} of {len(status.devices)} ok  {', '.join(failing)}")
    table.add_row("rows", f"{status.polled_rows} polled in this run, {rates.rows_per_s():.0f}/s")
    table.add_row("backlog", f"{status.spool_batches} batches, {status.spool_rows} rows")
    table.add_row("alarms", _alarms(drill))
    table.add_row("console", drill.url)
    return table


def _alarms(drill: Drill) -> str:
    active = [alarm.level for alarm in drill.service.centre.board.alarms_by_id.values() if alarm.open]
    return "  ".join(f"{name} {active.count(level)}" for level, name in enumerate(_MARKS, start=1)) or "none"


def _hours(drill: Drill) -> float:
    return (drill.clock.now_ns() - drill.options.scenario.start_ns) / HOUR_NS


def report(result: Report) -> None:
    """A report for people."""
    print_line(
        f"polled {result.polled} rows, committed {result.committed}, lost {result.lost}, doubled {result.doubled}, "
        f"missing {result.missing_rows}; {result.deliveries} deliveries, latency p50 {result.latency_ms.p50} ms, "
        f"p99 {result.latency_ms.p99} ms; {result.wall_s} s, {result.peak_rss_mb} MB"
    )
    rows = [
        (line.hazard, line.subject, line.outcome, line.level, line.raised_at, line.cleared_at or "-")
        for line in result.alarms
    ]
    print_table(("hazard", "subject", "outcome", "level", "raised", "cleared"), rows)
