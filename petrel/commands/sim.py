"""``petrel sim``: the scenarios that can be played."""

from typing import Annotated

import typer

from petrel.commands.output import print_json, print_table

app = typer.Typer(no_args_is_help=True, help="Simulation: the scenarios that `petrel up` can play.")


@app.callback()
def group() -> None:
    """Simulation: the scenarios that `petrel up` can play."""


@app.command("list")
def list_scenarios(json: Annotated[bool, typer.Option("--json", help="Machine output.")] = False) -> None:
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
