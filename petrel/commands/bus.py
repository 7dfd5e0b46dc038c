"""``petrel bus``: who is on a line, how well it is used, and what goes over it."""

import textwrap
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from petrel.commands.line import Echo, Json, Serial, SerialServer, Stop_, Tcp, reach
from petrel.commands.output import finished, print_json, print_line, print_table, progress, waiting
from petrel.errors import CommandError, in_one_line

if TYPE_CHECKING:
    from collections.abc import Coroutine

    from edge_agent.compiled import AnyBusPlan
    from gateway.tools import trace as tracing
    from gateway.tools.bench import BenchReport, DeviceSpeed
    from gateway.tools.reading import DeviceReading

app = typer.Typer(no_args_is_help=True, help="A line: who is on it, how well it is used, what goes over it.")
File = Annotated[Path, typer.Argument(help="The gateway's settings, gateway.yaml.")]
Bus = Annotated[str | None, typer.Option(help="Name of the bus; may be left out where there is one.")]
_FASTER: Final = 1.02
_WIDTH: Final = 80


@app.callback()
def group() -> None:
    """A line: who is on it, how well it is used, what goes over it."""


@app.command()
def scan(
    serial: Serial = None,
    serial_server: SerialServer = None,
    tcp: Tcp = None,
    units: Annotated[str, typer.Option(help="Modbus units to ask, like 1-32,100.")] = "1-32",
    baud: Annotated[str, typer.Option(metavar="BAUD,...", help="Rates to try; else the likeliest.")] = "",
    parity: Annotated[str, typer.Option(metavar="N,E,O", help="Parities to try; else the likeliest.")] = "",
    stop: Stop_ = None,
    addresses: Annotated[str, typer.Option(help="SDI-12 addresses to ask, like 0-9,a.")] = "0-9,A-Z,a-z",
    protocol: Annotated[str, typer.Option(help="modbus, dlt645, cjt188 or sdi12.")] = "modbus",
    profiles: Annotated[bool, typer.Option(help="Read who answers by every profile, to see which fit.")] = True,
    echo: Echo = False,
    timeout: Annotated[
        float | None,
        typer.Option(help="Wait for each answer to begin, in seconds; the protocol's, if not given.", min=0.02, max=5),
    ] = None,
    within: Annotated[float, typer.Option(help="Seconds that it may take at most.", min=1)] = 600.0,
    json: Json = False,
) -> None:
    """Ask who is on a line, and which profiles fit. Only reads; says beforehand how long it takes at most.

    At each setting every Modbus unit is asked for one register, every SDI-12 address whether it is there, meters for
    their address; the first setting at which somebody answers is the line's. Exit code 1 when nobody answers.
    """
    from petrel import bus_scan

    where = reach(serial=serial, serial_server=serial_server, tcp=tcp, stop=stop, echo=echo, timeout=timeout or 0.0)
    wanted = bus_scan.Wanted(
        protocol=protocol, units=units, addresses=addresses, bauds=baud, parities=parity, profiles=profiles,
        has_timeout=timeout is not None, within_s=within,
    )  # fmt: skip
    bus_scan.run(where, wanted, json=json)


@app.command()
def bench(
    file: File,
    bus: Bus = None,
    seconds: Annotated[float, typer.Option(help="How long to poll, in real seconds.", min=0.2, max=3600)] = 10.0,
    turnaround: Annotated[
        float, typer.Option(help="What a device may take to answer, in ms, in the possible.", min=0, max=1000)
    ] = 5.0,
    json: Json = False,
) -> None:
    """Poll the devices of a bus as fast as they answer, and say how much of the possible its line carries."""
    from edge_agent.compiled import PushedPlan
    from edge_agent.lines.line import LineDownError
    from gateway.tools import bench as tool

    plan = _bus(file, bus)
    if isinstance(plan, PushedPlan):
        raise CommandError(f"bus {plan.name}: its devices report by themselves, expected a bus that is polled", code=2)
    with in_one_line(LineDownError), progress(round(seconds)) as told:
        report = finished(tool.bench(plan, seconds, turnaround, told))
    if json:
        print_json(report)
    else:
        _tell_bench(report)
    if report.ended:
        raise CommandError(f"bus {plan.name}: ended after {report.took_s:.1f} of {seconds:g} s: {report.ended}")
    failing = [one for one in report.devices if one.failures]
    if failing:
        raise CommandError(f"bus {plan.name}: {failing[0].device}: {failing[0].last_failure}")


def _tell_bench(report: "BenchReport") -> None:
    print_line(f"bus        {report.bus}, {report.line}")
    print_line(f"carried    {report.requests} requests, {report.sent_bytes} bytes out, {report.heard_bytes} in")
    if report.use is not None:
        print_line(
            f"line use   {report.use:.1%} of the possible: {report.possible_s:.2f} s of {report.took_s:.2f} s, "
            f"at {report.turnaround_ms:g} ms turnaround"
        )
        if report.use > _FASTER:
            print_line(
                "finding    faster than such a line can be: it has no such rate, or the devices turn around sooner"
            )
    else:
        print_line(f"rate       {report.requests / report.took_s:.0f} requests/s; no line limits it")
    columns = ("device 设备", "address", "polls", "failed", "answer begins ms", "poll ms")
    print_table(columns, map(_speed_row, report.devices))


def _speed_row(one: "DeviceSpeed") -> tuple[object, ...]:
    begins = "-" if one.begins_ms is None else f"{one.begins_ms:g}"
    return one.device, one.address, one.polls, one.failures, begins, "-" if one.poll_ms is None else f"{one.poll_ms:g}"


@app.command()
def trace(
    file: File,
    bus: Bus = None,
    rounds: Annotated[int, typer.Option(help="How often to read every device.", min=1, max=100_000)] = 1,
    every: Annotated[float, typer.Option(help="Seconds between two rounds.", min=0, max=86_400)] = 1.0,
    wait: Annotated[float, typer.Option(help="Longest wait for reports, in seconds.", min=0.1, max=86_400)] = 120.0,
    overhear: Annotated[
        float | None, typer.Option(metavar="SECONDS", help="Send nothing: hear another Modbus master.", min=0.1)
    ] = None,
    out: Annotated[Path | None, typer.Option(help="File for a recording (petrel sim replay plays it).")] = None,
    json: Json = False,
) -> None:
    """Read the devices of a bus and show every frame, decoded; with --out as a recording, too.

    Reports of devices that send by themselves are shown and not acknowledged. With --overhear nothing is sent at all.
    """
    from edge_agent.compiled import PushedPlan
    from edge_agent.lines.line import LineDownError
    from gateway.tools import trace as tool
    from petrel import run as process
    from telemetry import recording
    from telemetry.clock import SystemClock

    plan = _bus(file, bus)
    ear = tool.tracer(plan, print_json if json else _tell_frame)
    head = tool.head(plan, _protocol(file, plan), SystemClock())
    failures: list[DeviceReading] = []

    def read(reading: "DeviceReading") -> None:
        if reading.problem is not None:
            failures.append(reading)
        print_json(reading) if json else _tell_reading(reading)

    if isinstance(plan, PushedPlan):
        waiting(f"waiting at {plan.name} for reports, {wait:g} s at most")
    work = tool.trace(plan, ear, read, rounds=rounds, every_s=every, wait_s=wait)
    try:
        with in_one_line(LineDownError):
            process.run(work if overhear is None else _overhearing(plan, ear, overhear))
    finally:
        work.close()
        if out is not None:
            with in_one_line(OSError):
                recording.write(out, head, ear.pieces)
    if out is not None and not json:
        played = f"petrel sim replay {out} {tool.where_played(plan)}"
        print_line(f"recorded   {len(ear.pieces)} pieces in {out}; play them with `{played}`")
    if failures:
        raise CommandError(f"bus {plan.name}: {failures[-1].device}: {failures[-1].problem}")


def _overhearing(plan: "AnyBusPlan", ear: "tracing.Tracer", seconds: float) -> "Coroutine[Any, Any, None]":
    from edge_agent.compiled import BusPlan
    from gateway.tools import overhear as tool

    if not isinstance(plan, BusPlan):
        raise CommandError(f"--overhear: bus {plan.name} does not speak Modbus, expected one that does", code=2)
    return tool.overhear(plan, ear, seconds)


def _tell_frame(line: "tracing.Line") -> None:
    arrow = "->" if line.way == "out" else "<-"
    print_line(_wrapped(f"{line.at_s:10.4f} {arrow} ", line.says))
    print_line(_wrapped("", bytes.fromhex(line.hex).hex(" ")))


def _tell_reading(reading: "DeviceReading") -> None:
    values = ", ".join(
        f"{one.point} {'-' if one.value is None else f'{one.value:.7g} {one.unit}'}" for one in reading.values
    )
    print_line(_wrapped(f"{'':10} == ", f"{reading.device}: {values or reading.problem}"))


def _wrapped(start: str, words: str) -> str:
    """Words behind a start, over as many lines of 80 columns as they need."""
    return textwrap.fill(words, _WIDTH, initial_indent=start.ljust(14), subsequent_indent=" " * 14)


def _protocol(file: Path, plan: "AnyBusPlan") -> str:
    from device_profiles import registry
    from gateway.settings import load_gateway

    (bus,) = (one for one in load_gateway(file).settings.buses if one.name == plan.name)
    return registry.load(bus.devices[0].profile, file.parent).protocol


def _bus(file: Path, name: str | None) -> "AnyBusPlan":
    """The plan of one bus of a gateway; raises CommandError (exit code 2)."""
    from gateway.settings import compile_gateway, load_gateway

    buses = {bus.name: bus for bus in compile_gateway(load_gateway(file)).buses}
    if name is None and len(buses) == 1:
        (name,) = buses
    if name not in buses:
        found = "--bus is missing" if name is None else f"--bus {name!r}"
        raise CommandError(f"{found}, expected one of {', '.join(buses)}", code=2)
    return buses[name]
