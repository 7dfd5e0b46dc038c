"""``petrel device``: read one device now, or find out how its numbers are written."""

import re
from typing import TYPE_CHECKING, Annotated, Final

import typer

from petrel.commands.line import (
    Address,
    Baud,
    Echo,
    Json,
    Listen,
    Parity_,
    Serial,
    SerialServer,
    Stop_,
    Tcp,
    Timeout,
    Unit,
    Variant,
    reach,
)
from petrel.commands.output import finished, print_json, print_line, print_table, waiting
from petrel.errors import CommandError

if TYPE_CHECKING:
    from device_profiles.model import Point
    from gateway.tools.guess import Candidate, Guess
    from gateway.tools.reading import DeviceReading, Value
    from gateway.tools.target import Named, Reach

_NUMBER: Final = re.compile(r"[+-]?\d+(\.\d+)?")
_WHY: Final = {"display": "shows that 与显示一致", "range": "in range 在量程内", "no": "does not fit 不符"}
_DECLARED: Final = ", as declared"

app = typer.Typer(no_args_is_help=True, help="One device: read it now, or find out how its numbers are written.")
Profile = Annotated[str, typer.Argument(help="A profile's name (petrel profile list), or the path of a .yaml file.")]


@app.callback()
def group() -> None:
    """One device: read it now, or find out how its numbers are written."""


@app.command()
def read(
    profile: Profile,
    tcp: Tcp = None,
    serial: Serial = None,
    serial_server: SerialServer = None,
    listen: Listen = None,
    unit: Unit = None,
    address: Address = None,
    variant: Variant = None,
    baud: Baud = None,
    parity: Parity_ = None,
    stop: Stop_ = None,
    echo: Echo = False,
    timeout: Timeout = 0.5,
    wait: Annotated[float, typer.Option(help="Longest wait for a report, in seconds.", min=0.1, max=86400)] = 120.0,
    json: Json = False,
) -> None:
    """Read a device once: every point, beside what its own display should show. It is never written to.

    A device that reports by itself is listened for; its report is not acknowledged, so that it reports again.
    """
    from gateway.tools.target import Named

    where = reach(
        tcp=tcp, serial=serial, serial_server=serial_server, listen=listen, baud=baud, parity=parity, stop=stop,
        echo=echo, timeout=timeout,
    )  # fmt: skip
    named = Named(profile=profile, unit=unit, address=address, variant=variant)
    reading = _read(where, named, wait)
    if json:
        print_json(reading)
    elif reading.values:
        _show(profile, where, reading)
    if reading.problem is not None or not reading.values:
        problem = (reading.problem or "nothing").removeprefix(f"{reading.address}: ").removeprefix(f"{where.end}: ")
        raise CommandError(f"{where.end}, {reading.address}: {problem}{_hint(reading)}")


def _read(where: "Reach", named: "Named", wait_s: float) -> "DeviceReading":
    from edge_agent.compiled import PushedPlan
    from gateway.tools import reading as tool
    from gateway.tools.target import plan, points

    settings = named.settings()
    if where.listen is not None and not settings.address:
        raise CommandError(
            "--address is missing, expected the device's own name (its MN, its station number); with any that can be, "
            "who calls instead is said",
            code=2,
        )
    found = plan(where, settings)
    if isinstance(found, PushedPlan):
        waiting(f"waiting at {where.end} for a report, {wait_s:g} s at most")
    (reading,) = finished(tool.read_bus(found, wait_s=wait_s))
    return tool.as_displayed(reading, found.devices[0], points(named))


def _show(profile: str, where: "Reach", reading: "DeviceReading") -> None:
    """The readings for people: 80 columns."""
    requests = f" with {reading.requests} request{'s' * (reading.requests > 1)}" if reading.requests else ""
    print_line(f"{profile} at {where.end}, {reading.address}: answered{requests} in {reading.took_s * 1000:.0f} ms")
    print_table(("point", "测点", "value 数值", "display 仪表", "check 检查"), map(_row, reading.values))
    for name, text in reading.attributes.items():
        print_line(f"{name}: {text}")
    for name, reason in reading.refuses.items():
        print_line(f"{name}: not given, {reason}")


def _row(value: "Value") -> tuple[object, ...]:
    from telemetry.quantity import QUANTITIES

    number = "-" if value.value is None else f"{value.value:.7g} {value.unit}"
    said = value.shows_unit if value.says is None else f"{value.says.en} {value.says.zh}"
    shows = "-" if value.shows is None else f"{value.shows:.7g} {said}"
    check = "ok" if value.in_range else " ".join((value.quality, *value.cause))
    return value.point, QUANTITIES[value.quantity].zh, number, shows, check


@app.command()
def guess(
    profile: Profile,
    tcp: Tcp = None,
    serial: Serial = None,
    serial_server: SerialServer = None,
    unit: Unit = None,
    variant: Variant = None,
    point: Annotated[str | None, typer.Option(help="The point to look at; all of them, if not given.")] = None,
    shows: Annotated[str | None, typer.Option(metavar="NUMBER", help="What the device's display shows now.")] = None,
    most: Annotated[int, typer.Option(help="Candidates shown of each point.", min=1, max=1000)] = 8,
    baud: Baud = None,
    parity: Parity_ = None,
    stop: Stop_ = None,
    echo: Echo = False,
    timeout: Timeout = 0.5,
    json: Json = False,
) -> None:
    """Find out how a device writes its numbers: byte orders, types, scales and places near the declared one, ranked.

    Ranked by the number on the display, or else by the declared range. Only reads. Exit code 1 when nothing fits.
    """
    from gateway.tools.target import Named

    where = reach(
        tcp=tcp, serial=serial, serial_server=serial_server, baud=baud, parity=parity, stop=stop, echo=echo,
        timeout=timeout,
    )  # fmt: skip
    found = _guess(where, Named(profile=profile, unit=unit, variant=variant), point, shows)
    if json:
        print_json(found)
    else:
        for one in found:
            _show_guess(one, most)
    misfits = [one.point for one in found if not one.candidates or one.candidates[0].fits == "no"]
    if misfits:
        raise CommandError(
            f"{where.end}: nothing fits {', '.join(misfits)}; is it another register, or another display?"
        )


def _guess(where: "Reach", named: "Named", point: str | None, shows: str | None) -> "list[Guess]":
    from device_profiles import registry
    from edge_agent.compiled import BusPlan
    from edge_agent.lines.line import LineDownError, LineError
    from gateway.tools import guess as tool
    from gateway.tools.target import plan

    profile = registry.modbus(named.profile)
    chosen = _chosen(named, point, shows)
    found = plan(where, named.settings())
    if not isinstance(found, BusPlan):
        raise CommandError(f"{named.profile} speaks {profile.protocol}, expected a device that speaks Modbus", code=2)
    try:
        return finished(tool.guess(found, profile, chosen, None if shows is None else tool.Shown(text=shows)))
    except LineDownError as exc:
        raise CommandError(str(exc)) from exc
    except LineError as exc:
        raise CommandError(f"{where.end}, {found.devices[0].address}: {exc}") from exc


def _chosen(named: "Named", point: str | None, shows: str | None) -> "list[Point]":
    """The points to look at; raises CommandError (exit code 2) for what can't be."""
    from device_profiles.model import Point
    from gateway.tools.target import points

    known = {one.name: one for one in points(named) if isinstance(one, Point)}
    if point is not None and point not in known:
        raise CommandError(f"--point {point!r}, expected one of {', '.join(known)}", code=2)
    if shows is not None and not _NUMBER.fullmatch(shows):
        raise CommandError(f"--shows {shows!r}, expected a number as the display writes it, like 3.42", code=2)
    chosen = [known[point]] if point is not None else list(known.values())
    if shows is not None and len(chosen) > 1:
        raise CommandError(f"--shows needs --point, expected one of {', '.join(known)}", code=2)
    return chosen


def _show_guess(found: "Guess", most: int) -> None:
    print_line(f"{found.point}: {len(found.candidates)} ways to read it")
    rows = [
        (at, one.register, f"{one.scale:g}", f"{one.value:.7g} {one.unit}", _why(one))
        for at, one in enumerate(found.candidates[:most], start=1)
    ]
    print_table(("", "register", "scale", "reads 读数", "why 依据"), rows)


def _why(one: "Candidate") -> str:
    unit = f" in {one.shows_unit}" if one.shows_unit else ""
    return _WHY[one.fits] + unit + _DECLARED * one.declared


def _hint(reading: "DeviceReading") -> str:
    """What to look at next, where nothing came at all."""
    if reading.values or reading.problem is None or "no answer" not in reading.problem:
        return ""
    return "; look at power, A and B, baud and unit (petrel bus scan)"
