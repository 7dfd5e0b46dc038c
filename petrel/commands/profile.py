"""``petrel profile``: what devices the product knows, and whether a profile of one's own is right."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from petrel.commands.output import print_json, print_line, print_table

if TYPE_CHECKING:
    from device_profiles.field_model import FieldPoint
    from device_profiles.model import Point
    from telemetry.settings import SettingsError

app = typer.Typer(no_args_is_help=True, help="Device profiles: list them, show one, check a file of your own.")
Json = Annotated[bool, typer.Option("--json", help="Machine output.")]


@app.command("list")
def list_profiles(json: Json = False) -> None:
    """List the device profiles in the package."""
    from device_profiles import registry

    profiles = [registry.load(name) for name in registry.names()]
    if json:
        print_json(
            [{"name": p.name, "title": p.title, "protocol": p.protocol, "transports": p.transports} for p in profiles]
        )
        return
    rows = [(p.name, p.protocol, len(p.points), p.title.en, p.title.zh) for p in profiles]
    print_table(("profile", "protocol", "points", "device", "设备"), rows)


@app.command()
def show(
    name: Annotated[str, typer.Argument(help="A profile's name, or the path of a .yaml file.")], json: Json = False
) -> None:
    """Show what a device measures and where it stands in its registers or messages."""
    from device_profiles import registry
    from device_profiles.model import Profile

    profile = registry.load(name)
    if json:
        print_json(profile)
        return
    print_line(f"{profile.name}: {profile.title.en} / {profile.title.zh}\nSource: {profile.source}")
    for defect in profile.defects:
        print_line(f"Defect: {defect}")
    where = "register" if isinstance(profile, Profile) else "field"
    print_table(("point", "quantity", "unit", where, "valid range"), map(_row, profile.points))
    for point in profile.points:
        for kind, named in (("code", point.states), ("bit", point.bits)):
            for number, words in sorted(named.items()):
                print_line(f"{point.name} {kind} {number}: {words.en} / {words.zh}")
    for name, one in profile.attributes.items() if isinstance(profile, Profile) else ():
        print_line(f"attribute {name}: {one.register or f'object {one.identification} of function 43/14'}")


@app.command()
def check(
    files: Annotated[list[Path], typer.Argument(help="Profile files.")],
    json: Json = False,
) -> None:
    """Check profile files: every mistake is one line with file, line, found and expected (exit code 2).

    What makes sense is tried: the drivers decode the golden frames, and the values of the file must come out.
    """
    from device_profiles import registry

    mistakes = {path: [str(one) for one in _mistakes(path)] for path in files}
    if json:
        print_json([{"file": str(path), "mistakes": found} for path, found in mistakes.items()])
    for path, found in mistakes.items():
        for one in found:
            print(f"petrel: {one}", file=sys.stderr)  # noqa: T201  # one line for each mistake
        if not found and not json:
            profile = registry.read(path)
            counts = f"{len(profile.points)} points, {len(profile.golden)} goldens decoded"
            print_line(f"{path}: {profile.name}: {counts}, all in order")
    if any(mistakes.values()):
        raise typer.Exit(2)


@app.command()
def schema() -> None:
    """Print the JSON Schema of a profile, for editors that complete and check while you write."""
    from device_profiles.schema import schema as profile_schema

    print_json(profile_schema())


def _mistakes(path: Path) -> "list[SettingsError]":
    """What is wrong in itself; where nothing is, what the drivers do not make of the goldens."""
    from device_profiles import registry
    from edge_agent import golden

    return registry.mistakes(path) or golden.mistakes(registry.placed(path))


def _row(point: "Point | FieldPoint") -> tuple[object, ...]:
    from device_profiles.model import Point

    where = point.register if isinstance(point, Point) else point.field
    return point.name, point.quantity, point.unit, where, f"{point.valid[0]:g} to {point.valid[1]:g}"
