"""``petrel doctor``: whether this machine has what it needs, before anything is set up on it."""

from pathlib import Path
from typing import Annotated

import typer

from petrel.commands.line import Json
from petrel.commands.output import print_json, print_looks
from petrel.errors import CommandError


def doctor(
    folder: Annotated[Path, typer.Option("--data", help="Where data would go: a spool, a store.")] = Path(),
    json: Json = False,
) -> None:
    """Look at this machine: software, clock, disk, serial ports, permissions. Exit code 1 when something is wrong."""
    from gateway.tools import machine
    from gateway.tools.look import findings

    looks = machine.doctor(folder)
    if json:
        print_json({"looks": looks, "versions": machine.versions()})
    else:
        print_looks(looks)
        print_looks(machine.version_looks())
    if wrong := findings(looks):
        raise CommandError(f"{len(wrong)} finding(s), the first: {wrong[0].what}: {wrong[0].says}")
