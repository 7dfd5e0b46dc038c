"""``petrel bus scan``: what is asked of whom, said first; who answered, and what was left out."""

import textwrap
from dataclasses import dataclass, replace
from typing import Final

from edge_agent.lines.line import LineDownError
from gateway.tools import scan as tool
from gateway.tools.scan_plan import Found, Scan, ScanReport, duration, empty, not_tried
from gateway.tools.target import Reach
from gateway.tools.tries import TIMEOUTS_S, settings
from petrel import run as process
from petrel.commands.line import addresses_of, bauds_of, parities_of, protocol_of, units_of
from petrel.commands.output import print_json, print_line, print_table, progress
from petrel.errors import CommandError, in_one_line

_MOST_FITS: Final = 2
_WIDTH: Final = 80


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What stood on the command line."""

    protocol: str
    units: str
    addresses: str
    bauds: str
    parities: str
    profiles: bool
    has_timeout: bool
    within_s: float


def run(where: Reach, wanted: Wanted, *, json: bool) -> None:
    """Scan and tell; raises CommandError, also where nobody answers."""
    plan = _plan(where, wanted)
    if plan.longest_s > wanted.within_s:
        fewer = {"modbus": "--units", "sdi12": "--addresses"}.get(plan.protocol, "--baud")
        raise CommandError(
            f"{plan.questions} questions take up to {duration(plan.longest_s)}, expected at most "
            f"{duration(wanted.within_s)}: ask fewer {fewer}, or give it longer with --within",
            code=2,
        )
    if not json:
        print_line(str(plan))
    report = empty(plan)
    with in_one_line(LineDownError), progress(plan.questions) as told:
        is_interrupted = process.run(tool.scan(plan, report, told, wanted.within_s)) is None
    _tell(plan, report, json=json)
    if report.lost:
        raise CommandError(f"{where.end}: the line was gone in the middle: {report.lost}")
    if is_interrupted and not report.found:
        raise CommandError(f"{where.end}: interrupted after {report.asked} of {plan.questions} questions")
    if not report.found:
        raise CommandError(f"{where.end}: nobody answered; look at power, A and B, and what was not tried")


def _plan(where: Reach, wanted: Wanted) -> Scan:
    kind = protocol_of(wanted.protocol)
    if where.tcp is not None and (kind != "modbus" or wanted.bauds or wanted.parities):
        raise CommandError("--tcp with a protocol or setting of a serial line, expected Modbus alone", code=2)
    bauds, parities = bauds_of(wanted.bauds), parities_of(wanted.parities)
    return Scan(
        reach=where if wanted.has_timeout else replace(where, timeout_s=TIMEOUTS_S[kind]),
        protocol=kind,
        settings=() if where.tcp is not None else tuple(settings(where, kind, bauds, parities)),
        units=units_of(wanted.units) if kind == "modbus" else (),
        addresses=addresses_of(wanted.addresses) if kind == "sdi12" else (),
        try_profiles=wanted.profiles,
    )


def _tell(plan: Scan, report: ScanReport, *, json: bool) -> None:
    left = not_tried(plan, report)
    if json:
        print_json({**_facts(report), "not_tried": left})
        return
    if report.found:
        columns = ("who 设备", "setting", "said", "ms", "profiles that fit 匹配的型号")
        print_table(columns, map(_row, report.found))
    if report.garbled:
        _line("garbled", f"at {', '.join(report.garbled)}: something answers, not in such frames, or late (--timeout)")
    if report.unclear:
        where = ", ".join(report.unclear)
        _line("unclear", f"addresses {where}: garbled: two sensors, noise, or another that is late (--timeout)")
    _line("asked", f"{report.asked} questions in {report.took_s:.1f} s")
    for one in left:
        _line("not tried", one)


def _line(what: str, text: str) -> None:
    print_line(textwrap.fill(f"{what:<11}{text}", _WIDTH, subsequent_indent=" " * 11))


def _facts(report: ScanReport) -> dict[str, object]:
    return {
        "end": report.end,
        "protocol": report.protocol,
        "setting": report.setting,
        "found": report.found,
        "garbled": report.garbled,
        "unclear": report.unclear,
        "tried": report.tried,
        "refused": report.refused,
        "asked": report.asked,
        "took_s": report.took_s,
    }


def _row(found: Found) -> tuple[object, ...]:
    more = len(found.fits) - _MOST_FITS
    which = ", ".join(map(str, found.fits[:_MOST_FITS])) + (f" and {more} more" if more > 0 else "") or "-"
    return found.address, found.setting, found.said, f"{found.took_s * 1000:.0f}", which
