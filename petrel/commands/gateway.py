"""``petrel gateway``: check a gateway's settings, run it, ask how it is."""

import os
from pathlib import Path
from typing import Annotated

import typer

from petrel.commands import config, deployments, enrol, maintain, orders
from petrel.commands.line import (
    Baud,
    Parity_,
    Serial,
    SerialServer,
    Stop_,
    Tcp,
    addresses_of,
    protocol_of,
    units_of,
)
from petrel.commands.output import finished, print_json, print_line, print_looks, progress
from petrel.errors import CommandError, in_one_line

app = typer.Typer(no_args_is_help=True, help="The box in the field: check its settings, run it, ask how it is.")
File = Annotated[Path, typer.Argument(help="The gateway's settings, gateway.yaml.")]


@app.command()
def init(
    file: Annotated[Path, typer.Argument(help="The file to write.")] = Path("gateway.yaml"),
    site: Annotated[str | None, typer.Option(help="Id of the site.")] = None,
    node: Annotated[str | None, typer.Option(help="Name of this gateway; gw-1 if nobody can be asked.")] = None,
    broker: Annotated[str | None, typer.Option(help="mqtt://[user@]host:port or mqtts://.")] = None,
    station: Annotated[str | None, typer.Option(help="Id of the station that the devices stand at.")] = None,
    name_zh: Annotated[str | None, typer.Option(help="Its name in Chinese.")] = None,
    name_en: Annotated[str | None, typer.Option(help="Its name in English.")] = None,
    kind: Annotated[str | None, typer.Option(help="weather, tide, river, air, pipeline or gas.")] = None,
    lat: Annotated[float | None, typer.Option(help="Latitude, degrees WGS 84.")] = None,
    lon: Annotated[float | None, typer.Option(help="Longitude, degrees WGS 84.")] = None,
    town: Annotated[str | None, typer.Option(help="Code of the township-level unit.")] = None,
    tcp: Tcp = None,
    serial: Serial = None,
    serial_server: SerialServer = None,
    baud: Baud = None,
    parity: Parity_ = None,
    stop: Stop_ = None,
    device: Annotated[
        list[str] | None, typer.Option(metavar="UNIT=PROFILE", help="A device that is known; then nothing is scanned.")
    ] = None,
    protocol: Annotated[str, typer.Option(help="To scan in: modbus, dlt645, cjt188 or sdi12.")] = "modbus",
    units: Annotated[str, typer.Option(help="Modbus units to scan for.")] = "1-32",
    addresses: Annotated[str, typer.Option(help="SDI-12 addresses to scan for.")] = "0-9,A-Z,a-z",
    period: Annotated[float, typer.Option(help="Seconds from poll to poll.", min=0.01, max=86_400)] = 60.0,
    ask: Annotated[bool, typer.Option(help="Ask for what is not given; in a pipe nobody is asked.")] = True,
    force: Annotated[bool, typer.Option("--force", help="Write over the file.")] = False,
    add: Annotated[
        bool, typer.Option("--add", help="Put another line into a file that is there; comments stay.")
    ] = False,
) -> None:
    """Ask, scan the line, and write a gateway.yaml that passes the check. Nothing is written to a device.

    In a pipe, or with --no-ask, what is missing is named, and the profile that fits best is taken. With --add the line
    becomes another bus of a file that is there, and its devices stand at one of the stations in it.
    """
    from petrel.gateway_init import Given, set_up

    done = set_up(
        Given(
            file=file, site=site, node=node, broker=broker, station=station, zh=name_zh, en=name_en, kind=kind,
            lat=lat, lon=lon, town=town, tcp=tcp, serial=serial, serial_server=serial_server, baud=baud, parity=parity,
            stop=stop, devices=tuple(device or ()), protocol=protocol_of(protocol, tcp),
            units=units_of(units), addresses=addresses_of(addresses), period_s=period, ask=ask, force=force,
            add=add,
        )
    )  # fmt: skip
    print_line(f"{file}: {done}; next: petrel gateway check {file}")


@app.command()
def check(
    file: File,
    desk: Annotated[bool, typer.Option("--desk", help="Not on site: look at settings, disk and broker alone.")] = False,
    wait: Annotated[float, typer.Option(help="Longest wait for reports, in seconds.", min=0.1, max=86_400)] = 30.0,
    json: Annotated[bool, typer.Option("--json", help="Machine output.")] = False,
) -> None:
    """Say what works and what does not: settings, lines, each device read once, clock, disk, broker and its rights.

    Nothing is written to a device. While the gateway runs, it is asked about its devices. Exit code 1 when something is
    in the way.
    """
    _check(file, desk=desk, wait_s=wait, json=json)


def _check(file: Path, *, desk: bool, wait_s: float = 30.0, json: bool = False) -> None:
    from gateway import check as checking

    if desk:
        report = checking.check(file)
    else:
        with progress(1) as told:
            report = finished(checking.check_on_site(file, wait_s, told))
    if json:
        print_json(report)
    else:
        print_line(report.text())
        print_looks(report.looks)
        for finding in report.findings:
            print_line(f"finding    {finding}")
    if not report.is_well:
        raise typer.Exit(1)


@app.command()
def run(
    file: File,
    check_only: Annotated[bool, typer.Option("--check", help="Only check; start nothing.")] = False,
) -> None:
    """Poll, keep and deliver until SIGTERM or Ctrl-C."""
    if check_only:
        _check(file, desk=True)
        return
    import numpy as np

    from gateway.agent import Gateway
    from gateway.settings import compile_gateway, load_gateway
    from gateway.spool import SpoolError
    from gateway.timekeeping import LinuxMachine
    from petrel import run as process
    from petrel.systemd import supervised
    from telemetry.clock import SystemClock

    plan = compile_gateway(load_gateway(file))
    process.configure_logs()

    async def work() -> None:
        gateway = Gateway(plan, SystemClock(), np.random.default_rng(), machine=LinuxMachine())
        await supervised(gateway.run, progress=gateway.progress, status=gateway.summary)

    with in_one_line(SpoolError):
        process.run(work())


@app.command()
def status(file: File, json: Annotated[bool, typer.Option("--json", help="Machine output.")] = False) -> None:
    """Say how a gateway is, without starting or disturbing it."""
    from gateway.settings import compile_gateway, load_gateway
    from gateway.status import read_status, status_text
    from telemetry.disk import standing

    folder = compile_gateway(load_gateway(file)).spool_dir
    if not os.access(standing(folder), os.R_OK | os.X_OK):
        raise CommandError(f"{folder}: can't be looked at, expected the gateway's user, or root, to ask")
    if json:
        print_json(read_status(folder))
    else:
        print_line(status_text(folder))


app.command()(enrol.enrol)
app.command()(maintain.maintain)
app.command()(deployments.deployments)
app.command()(orders.key)
app.command()(orders.account)
app.add_typer(orders.command, name="command")
app.add_typer(config.app, name="config")
