"""``petrel gateway maintain``: switch a point or a device to maintenance for a while."""

import re
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from petrel.commands.output import print_json, print_line
from petrel.errors import CommandError
from telemetry.span import SECOND_NS

if TYPE_CHECKING:
    from gateway.settings import GatewayPlan

_UNITS: Final = {"s": 1, "m": 60, "h": 3600}
_SPAN: Final = re.compile(r"(\d{1,6})([smh])")
_LEAST_S, _MOST_S = 10, 24 * 3600


def maintain(
    file: Annotated[Path, typer.Argument(help="The gateway's settings, gateway.yaml.")],
    target: Annotated[
        str | None, typer.Argument(metavar="STATION/POINT|DEVICE", help="What is worked on; without it, all that is.")
    ] = None,
    for_: Annotated[str, typer.Option("--for", help="How long: 90s, 30m, 2h; 24 hours at most.")] = "30m",
    end: Annotated[bool, typer.Option("--end", help="The work has ended.")] = False,
    by: Annotated[str, typer.Option(help="Who works there.")] = "",
    note: Annotated[str, typer.Option(help="What is done.")] = "",
    json: Annotated[bool, typer.Option("--json", help="Machine output.")] = False,
) -> None:
    """Mark the rows of a point or device as MANUAL while it is tested: recorded, but no alarm and no message.

    On the gateway itself, running or not. It counts at once, survives a restart and ends by itself.
    """
    from gateway import maintenance
    from gateway.settings import compile_gateway, load_gateway
    from telemetry.clock import SystemClock

    plan = compile_gateway(load_gateway(file))
    now_ns = SystemClock().now_ns()
    try:
        if target is not None:
            _switch(plan, target, 0 if end else _seconds(for_), now_ns, (by, note))
        works = [work for work in maintenance.read_works(plan.spool_dir) if work.lasts(now_ns)]
    except (OSError, ValueError) as exc:
        raise CommandError(f"{plan.spool_dir}: {exc}") from exc
    if json:
        print_json(works)
        return
    for work in works:
        print_line(work.text())
    if not works:
        print_line("nothing under maintenance")


def _switch(plan: "GatewayPlan", target: str, seconds: int, now_ns: int, why: tuple[str, str]) -> None:
    """Begin, or with 0 seconds end."""
    from gateway import maintenance

    known = maintenance.targets(plan.buses)
    if target not in known:
        raise CommandError(f"{target!r}, expected one of {', '.join(sorted(known))}", code=2)
    if not seconds:
        if not maintenance.end(plan.spool_dir, target, now_ns):
            raise CommandError(f"{target}: not under maintenance, expected one that is")
        return
    work = maintenance.Work(
        target=target,
        series=known[target],
        since_ns=now_ns,
        until_ns=now_ns + seconds * SECOND_NS,
        by=why[0],
        note=why[1],
    )
    maintenance.begin(plan.spool_dir, work)


def _seconds(span: str) -> int:
    found = _SPAN.fullmatch(span)
    seconds = int(found[1]) * _UNITS[found[2]] if found else 0
    if not _LEAST_S <= seconds <= _MOST_S:
        raise CommandError(f"--for: {span!r}, expected 10s to 24h, as in 90s, 30m, 2h", code=2)
    return seconds
