"""The command line ``petrel``: a thin front door; each group of commands is one file in ``petrel/commands``.

Exit codes: 0 success, 1 a finding or failure said in one line on stderr, 2 usage (also a configuration file that can't
be used). Machine output (``--json``) goes to stdout alone. Rooms are imported inside the commands, so that a gateway
without the centre's extra still has its own commands, and ``--help`` is quick.
"""

import io
import sys
from importlib.metadata import version
from typing import Annotated, Final

import typer

from petrel.commands import (
    alarm,
    bus,
    catalogue,
    centre,
    coverage,
    device,
    doctor,
    gateway,
    profile,
    rules,
    sim,
    store,
    tap,
    tide,
    up,
)
from petrel.commands.output import print_line, quiet
from petrel.errors import CommandError
from petrel.extras import missing
from telemetry.settings import SettingsError

FAILURE: Final = 1
USAGE: Final = 2

app = typer.Typer(
    name="petrel",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="Storm Petrel: from a register on a pole to the duty officer who must act on it.",
    epilog="Try `petrel up` first: a whole district on simulated devices, in one command.",
)


def _say_version(asked: bool) -> None:
    if asked:
        print_line(f"petrel {version('stormpetrel')}")
        raise typer.Exit


@app.callback()
def main(
    _version: Annotated[
        bool, typer.Option("--version", callback=_say_version, is_eager=True, help="Say the version, and end.")
    ] = False,
) -> None:
    """Whatever a command does, nothing that rooms log gets among what it says; one that runs on sets its own log."""
    quiet()


app.command("up")(up.up)
app.command("tap")(tap.tap)
app.command("coverage")(coverage.coverage)
app.command("doctor")(doctor.doctor)
for name, group in (
    ("gateway", gateway.app),
    ("centre", centre.app),
    ("device", device.app),
    ("bus", bus.app),
    ("profile", profile.app),
    ("rules", rules.app),
    ("alarm", alarm.app),
    ("catalogue", catalogue.app),
    ("store", store.app),
    ("sim", sim.app),
    ("tide", tide.app),
):
    app.add_typer(group, name=name)


def app_main() -> None:
    """Entry point: turns every expected failure into one line on stderr and an exit code."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # a terminal without Chinese gets escapes, not a traceback
    try:
        app()
    except SettingsError as exc:
        _end(str(exc), USAGE)
    except CommandError as exc:
        _end(str(exc), exc.code)
    except ModuleNotFoundError as exc:
        _end(missing(exc.name or "?"), FAILURE)
    except BrokenPipeError:
        sys.stderr.close()
        sys.exit(FAILURE)


def _end(line: str, code: int) -> None:
    print(f"petrel: {line}", file=sys.stderr)  # noqa: T201 - the one line that the contract promises
    sys.exit(code)
