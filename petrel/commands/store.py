"""``petrel store``: what a centre holds: look, check, back up, restore, hand on, take in."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from petrel.commands.output import print_json, print_line, progress, received
from petrel.errors import CommandError, in_one_line

if TYPE_CHECKING:
    from petrel.desk import Query

DEFAULT_CENTRE: Final = "http://127.0.0.1:8460"
app = typer.Typer(
    no_args_is_help=True,
    help="The store of a centre. Give its file; while a centre holds it, or without one, the centre is asked.",
)
File = Annotated[Path | None, typer.Argument(help="The store, e.g. petrel.duckdb.", metavar="[FILE]")]
Centre = Annotated[str, typer.Option(help="Where the centre answers.", metavar="URL")]
Json = Annotated[bool, typer.Option("--json", help="Machine output.")]


@app.command()
def info(file: File = None, centre: Centre = DEFAULT_CENTRE, json: Json = False) -> None:
    """Say how much the store holds and in which version; exit code 1 where rows can't be read."""
    found = _info(file, centre)
    if json:
        print_json(found)
    else:
        for key, value in found.items():
            if key != "troubles":
                print_line(f"{key.replace('_', ' '):11} {value}")
        for line in found["troubles"]:
            print_line(f"finding: {line}")
    if found["troubles"]:
        raise typer.Exit(1)


@app.command()
def check(file: File = None, centre: Centre = DEFAULT_CENTRE, json: Json = False) -> None:
    """Read everything again: checksums, counts, sums and ranges; exit code 1 on a finding."""
    from petrel import holding

    found: list[str] | None = None
    if file is not None:
        with holding.opened(file) as store:
            found = None if store is None else list(store.check())
    if found is None:
        found = holding.asked(centre, "/api/v1/store/check")["findings"]
    if json:
        print_json({"findings": found})
    else:
        print_line("\n".join(f"finding: {line}" for line in found) or "everything agrees")
    if found:
        raise typer.Exit(1)


@app.command()
def backup(
    target: Annotated[Path, typer.Argument(help="A folder to make.")],
    file: File = None,
    centre: Centre = DEFAULT_CENTRE,
) -> None:
    """Take a copy of the store as of one moment, while it runs, and check the copy; exit code 1 on a finding."""
    from petrel import holding

    if found := holding.take(file, centre, target):
        raise CommandError(f"{target}.part: {len(found)} findings in the copy; the first: {found[0]}")
    print_line(f"{target}: copied and checked")


@app.command()
def restore(
    folder: Annotated[Path, typer.Argument(help="The folder of a backup.")],
    file: Annotated[Path, typer.Argument(help="Where the store shall be; there must be none.")],
) -> None:
    """Check a backup, then put it where a store shall be; nothing is ever overwritten."""
    from ingest.store import backup as copies
    from ingest.store.protocol import StoreError

    with in_one_line(StoreError), progress(1) as told:
        copies.restore(folder, file, told)
    print_line(f"{file}: restored from {folder}")


@app.command("export")
def export_rows(
    target: Annotated[Path, typer.Argument(help="The file to make: .csv or .parquet.")],
    file: File = None,
    series: Annotated[list[str] | None, typer.Option(help="Identity; may be repeated.")] = None,
    station: Annotated[list[str] | None, typer.Option(help="Id of a station; may be repeated.")] = None,
    quantity: Annotated[list[str] | None, typer.Option(help="E.g. water_level; may be repeated.")] = None,
    begin: Annotated[str | None, typer.Option("--from", help="ISO 8601; without an offset in --timezone.")] = None,
    end: Annotated[str | None, typer.Option("--to", help="ISO 8601, not itself within.")] = None,
    timezone: Annotated[str, typer.Option(help="Of the times in CSV, e.g. UTC.")] = "Asia/Shanghai",
    centre: Centre = DEFAULT_CENTRE,
) -> None:
    """Write rows with station, unit, quality, QARTOD flag and cause; Parquet holds times in UTC."""
    from petrel import holding

    if target.suffix not in (".csv", ".parquet") or target.exists():
        found = "is there already" if target.exists() else f"{target.suffix!r}"
        raise CommandError(f"{target}: {found}, expected a new .csv or .parquet", code=2)
    named = {"series": series, "station": station, "quantity": quantity}
    filters: Query = {key: value for key, value in named.items() if value}
    times = {"from": begin, "to": end}
    if file is not None:
        with holding.opened(file) as store:
            if store is not None:
                _written(store, target, filters, [_moment(times, key, timezone) for key in times], timezone)
                return
    query: Query = {**filters, **{key: value for key, value in times.items() if value is not None}}
    _kept(centre, target, query)


@app.command("import")
def import_rows(
    source: Annotated[Path, typer.Argument(help="CSV or Parquet that `petrel store export` wrote.")],
    file: Annotated[Path, typer.Argument(help="The store; no centre may hold it.")],
    site: Annotated[str, typer.Option(help="Whose rows they are.")] = "import",
) -> None:
    """Take in rows of an export; the same file again adds nothing."""
    from petrel import holding

    if not source.is_file():
        raise CommandError(f"{source}: no file, expected CSV or Parquet of `petrel store export`")
    with holding.opened(file) as store:
        if store is None:
            raise CommandError(f"{file}: a centre holds it, expected none: stop it, then import")
        new, total = holding.take_in(store, source, f"{site}/import")
    print_line(f"{file}: {new} rows of {total} were new")


def _info(file: Path | None, centre: str) -> dict[str, Any]:
    from dataclasses import asdict

    from petrel import holding

    if file is not None:
        with holding.opened(file) as store:
            if store is not None:
                return {**asdict(store.info()), "days": len(store.days.by_day), "troubles": store.troubles()}
    return holding.asked(centre, "/api/v1/store")


def _written(store: Any, target: Path, filters: "Query", span: list[int | None], timezone: str) -> None:
    from ingest.store import export
    from petrel import holding

    wanted = holding.wanted(store, filters, span[0], span[1], timezone)
    write = export.csv if target.suffix == ".csv" else export.parquet
    part = target.with_name(target.name + ".part")
    rows = 0

    def told(more: int) -> None:
        nonlocal rows
        rows += more
        say(more)

    with in_one_line(OSError), received() as say, part.open("wb") as into:
        for piece in write(store, wanted, target.parent, told):
            into.write(piece)
    part.rename(target)
    print_line(f"{target}: {rows} rows of {len(wanted.labels)} series")


def _kept(centre: str, target: Path, query: "Query") -> None:
    from petrel.desk import desk

    part = target.with_name(target.name + ".part")
    with in_one_line(OSError), part.open("wb") as into, received() as told, desk(centre) as one:
        one.keep(f"/api/v1/rows{target.suffix}", query, into, told)
    part.rename(target)
    print_line(f"{target}: {target.stat().st_size} bytes")


def _moment(times: dict[str, str | None], key: str, timezone: str) -> int | None:
    from datetime import datetime
    from zoneinfo import ZoneInfo

    text = times[key]
    if text is None:
        return None
    try:
        found = datetime.fromisoformat(text)
        placed = found if found.tzinfo else found.replace(tzinfo=ZoneInfo(timezone))
    except (ValueError, KeyError) as exc:
        raise CommandError(f"--{key} {text!r}, expected ISO 8601 such as 2023-07-28T08:00:00+08:00", code=2) from exc
    return round(placed.timestamp() * 1000) * 1_000_000
