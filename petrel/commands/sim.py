"""``petrel sim``: the scenarios that can be played, and recordings on simulated devices."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from petrel.commands.output import print_json, print_line, print_table

if TYPE_CHECKING:
    from petrel.sim_bus import Where
    from petrel.sim_run import Playback
    from simulators.devices import Endpoint

app = typer.Typer(no_args_is_help=True, help="Simulation: scenarios for `petrel up`, recordings on simulated devices.")
Json = Annotated[bool, typer.Option("--json", help="Machine output.")]


@app.callback()
def group() -> None:
    """Simulation: scenarios for `petrel up`, recordings on simulated devices."""


@app.command("list")
def list_scenarios(json: Json = False) -> None:
    """List the scenarios that come with the product."""
    from simulators import scenario

    found = [scenario.load_scenario(name).settings for name in scenario.names()]
    if json:
        print_json(found)
        return
    print_table(
        ("scenario", "hours", "from", "what happens", "内容"),
        [(s.id, f"{s.hours:g}", s.start, s.summary.en, s.summary.zh) for s in found],
    )


@app.command()
def run(
    data: Annotated[str, typer.Argument(help="A CSV file, or a sample: station-year, water-main.")],
    profile: Annotated[str | None, typer.Option(help="The device: a name (petrel profile list), or a file.")] = None,
    variant: Annotated[str | None, typer.Option(help="A variant of the device.")] = None,
    unit: Annotated[int | None, typer.Option(help="Its Modbus unit; the profile's, if not given.")] = None,
    tcp: Annotated[
        str | None, typer.Option(metavar="HOST:PORT", help="Answer on Modbus TCP; port 0 takes a free one.")
    ] = None,
    serial: Annotated[Path | None, typer.Option(help="Name for the serial line (a link to a pseudo-terminal).")] = None,
    column: Annotated[
        list[str] | None,
        typer.Option(metavar="HEADER=POINT[:UNIT]", help="Which column is which point; else those called so."),
    ] = None,
    time: Annotated[
        list[str] | None, typer.Option(metavar="HEADER", help="Of the times, `time` if not given; two are joined.")
    ] = None,
    time_format: Annotated[str | None, typer.Option(help="Of the times, like %Y/%m/%d %H:%M; else ISO 8601.")] = None,
    utc_offset: Annotated[float | None, typer.Option(help="Hours ahead of UTC of times that do not say it.")] = None,
    skip: Annotated[int, typer.Option(min=0, help="Lines before the header.")] = 0,
    missing: Annotated[
        list[str] | None, typer.Option(metavar="TEXT", help="Of a cell that holds no value, such as -9900.")
    ] = None,
    period: Annotated[float | None, typer.Option(help="Seconds a value holds; else the file's smallest step.")] = None,
    speed: Annotated[float, typer.Option(help="Recorded seconds in a real second.")] = 1.0,
    start: Annotated[str | None, typer.Option("--from", help="Recorded time to begin at, ISO 8601.")] = None,
    loop: Annotated[bool, typer.Option("--loop", help="Begin again at the end.")] = False,
    json: Annotated[bool, typer.Option("--json", help="Machine output: one JSON object with the address.")] = False,
    check: Annotated[bool, typer.Option("--check", help="Say what would happen, and exit.")] = False,
) -> None:
    """Play recorded observations through a simulated device, on a serial line or Modbus TCP."""
    from petrel import sim_run

    file = sim_run.File(
        columns=tuple(column or ()), time=tuple(time or ()), time_format=time_format, utc_offset=utc_offset,
        skip=skip, missing=tuple(missing or ()), period=period,
    )  # fmt: skip
    options = sim_run.Options(
        data=data, file=file, profile=profile, variant=variant, unit=unit, tcp=tcp, serial=serial, speed=speed,
        start=start, loop=loop,
    )  # fmt: skip
    found = sim_run.prepare(options)
    if check:
        _say(found, None, json=json)
    else:
        _play(found, json=json)


def _play(found: "Playback", *, json: bool) -> None:
    from petrel import run as process
    from petrel import sim_run

    process.configure_logs()
    is_over = process.run(sim_run.run(found, lambda endpoint: _say(found, endpoint, json=json)))
    if is_over and not json:
        print_line("the recording is over")


def _say(found: "Playback", endpoint: "Endpoint | None", *, json: bool) -> None:
    """Where the device answers and what it shows; nothing was started when there is no address."""
    facts = found.facts()
    if json:
        kind = "tcp" if found.line.transport == "tcp" else "serial"
        print_json(({} if endpoint is None else {kind: str(endpoint)}) | facts)
        return
    print_line(
        f"{facts['data']}: {facts['times']} times, played from {facts['from']} to {facts['to']}"
        f"{' again and again' if found.loop else ''}; each holds {facts['period_s']:g} s, at {facts['speed']:g}x\n"
        f"{facts['profile']} unit {facts['unit']} shows {', '.join(facts['points'])}"
    )
    if found.play.unrecorded:
        print_line(f"not recorded: {', '.join(found.play.unrecorded)} (0, or what lets the readings count)")
    print_line("nothing was started" if endpoint is None else f"answers at {endpoint}; Ctrl-C stops")


@app.command("bus")
def simulate_bus(
    file: Annotated[Path, typer.Argument(help="The gateway's settings, gateway.yaml.")],
    bus: Annotated[list[str] | None, typer.Option(metavar="NAME", help="Only this bus; may be repeated.")] = None,
    fault: Annotated[
        list[str] | None,
        typer.Option(
            metavar="DEVICE=KIND",
            help="A device out of order: dead, garbage, truncated, wrong_unit, wrong_values, slow; may be repeated.",
        ),
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="Machine output: one JSON list with the addresses.")] = False,
) -> None:
    """Stand in for all devices of a gateway.yaml: answer on its lines and ports, or call where it listens.

    They show ordinary values that move a little. On a serial line they are deaf at any other rate than the file's.
    """
    from petrel import run as process
    from petrel import sim_bus

    stage = sim_bus.prepare(file, bus or (), fault or ())
    process.configure_logs()
    process.run(sim_bus.run(stage, lambda found: print_json(found) if json else _say_bus(found)))


def _say_bus(found: "list[Where]") -> None:
    for one in found:
        print_line(f"{one.bus}: {one.end}")
        for device in one.devices:
            wrong = "" if device.fault is None else f", {device.fault}"
            print_line(f"  {device.address}: {device.device}, {device.profile}{wrong}")
    print_line("Ctrl-C stops")


@app.command()
def replay(
    recording: Annotated[Path, typer.Argument(help="A recording of petrel bus trace.")],
    tcp: Annotated[
        str | None, typer.Option(metavar="HOST:PORT", help="Answer at this address; port 0 takes a free one.")
    ] = None,
    serial: Annotated[Path | None, typer.Option(help="Name for the serial line (a link to a pseudo-terminal).")] = None,
    call: Annotated[
        str | None, typer.Option(metavar="HOST:PORT", help="Call this address, as devices do that report.")
    ] = None,
    speed: Annotated[float, typer.Option(help="Recorded seconds in a real second.", min=0.001, max=1000)] = 1.0,
    json: Annotated[bool, typer.Option("--json", help="Machine output: one JSON object with the address.")] = False,
) -> None:
    """Play a line that was recorded in the field: each request gets what it got then, as late as then."""
    from petrel import sim_replay

    options = sim_replay.options(recording, tcp=tcp, serial=serial, call=call, speed=speed)
    sim_replay.play(options, lambda where: print_json(where) if json else print_line(sim_replay.words(where)))
