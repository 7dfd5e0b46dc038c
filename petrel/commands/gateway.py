"""``petrel gateway``: check a gateway's settings, run it, ask how it is."""

from pathlib import Path
from typing import Annotated

import typer

from petrel.commands.output import print_json, print_line
from petrel.errors import in_one_line

app = typer.Typer(no_args_is_help=True, help="The box in the field: check its settings, run it, ask how it is.")
File = Annotated[Path, typer.Argument(help="The gateway's settings, gateway.yaml.")]


@app.command()
def check(file: File) -> None:
    """Check the settings, the disk and the broker; says what would happen. Exit code 1 when something is in the way."""
    from gateway.check import check as check_gateway

    report = check_gateway(file)
    print_line(report.text())
    if report.findings:
        raise typer.Exit(1)


@app.command()
def run(
    file: File,
    check_only: Annotated[bool, typer.Option("--check", help="Only check; start nothing.")] = False,
) -> None:
    """Poll, keep and deliver until SIGTERM or Ctrl-C."""
    if check_only:
        check(file)
        return
    import numpy as np

    from gateway.agent import Gateway
    from gateway.settings import compile_gateway, load_gateway
    from gateway.spool import SpoolError
    from gateway.timekeeping import LinuxMachine
    from petrel import run as process
    from telemetry.clock import SystemClock

    plan = compile_gateway(load_gateway(file))
    process.configure_logs()

    async def work() -> None:
        await Gateway(plan, SystemClock(), np.random.default_rng(), machine=LinuxMachine()).run()

    with in_one_line(SpoolError):
        process.run(work())


@app.command()
def status(file: File, json: Annotated[bool, typer.Option("--json", help="Machine output.")] = False) -> None:
    """Say how a gateway is, without starting or disturbing it."""
    from gateway.settings import compile_gateway, load_gateway
    from gateway.status import read_status, status_text

    folder = compile_gateway(load_gateway(file)).spool_dir
    if json:
        print_json(read_status(folder))
    else:
        print_line(status_text(folder))
