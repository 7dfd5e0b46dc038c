"""``petrel centre``: check a centre's settings, run it."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from petrel.commands.output import print_line
from petrel.errors import in_one_line

if TYPE_CHECKING:
    from alerting.settings import CentreSettings
    from telemetry.settings import Document

app = typer.Typer(no_args_is_help=True, help="The centre: check its settings, run it.")
File = Annotated[Path, typer.Argument(help="The centre's settings, centre.yaml.")]


@app.command()
def check(file: File) -> None:
    """Check settings, site file, rule packs, broker, port, files and disk; exit code 1 on a finding.

    Says what would happen. Nothing is made; that a centre runs on these files is a finding, too.
    """
    from alerting.service import rulebook
    from alerting.settings import load_centre
    from alerting.site import load_site, register_of
    from petrel import surroundings

    settings = load_centre(file).settings
    document = load_site(file.parent / settings.site)
    site, register = document.settings, register_of(document)
    rulebook(settings, file.parent)
    broker = surroundings.of_broker(settings.address(file.parent))
    findings = [*broker, *surroundings.of_centre(settings, file.parent)]
    print_line(
        f"site {site.id} ({site.name.en}): {len(site.areas)} areas, {len(site.thresholds)} gauges with thresholds\n"
        f"register {site.register or 'none'}{', sample data' if register.sample else ''}: "
        f"{len(register.owners)} owners, {len(register.risks)} risk sources, "
        f"{sum(one.stations for one in register.planned)} stations planned\n"
        f"broker {settings.broker}; channels {', '.join(channel.name for channel in settings.channels) or 'none'}\n"
        f"store {settings.store.where()}, state {settings.state.path}; "
        f"console http://{settings.http.host}:{settings.http.port}; {'a drill' if settings.drill else 'live'}"
        + "".join(f"\nfinding: {finding}" for finding in findings)
    )
    if findings:
        raise typer.Exit(1)


@app.command()
def run(
    file: File,
    check_only: Annotated[bool, typer.Option("--check", help="Only check; start nothing.")] = False,
) -> None:
    """Ingest, decide, deliver and answer until SIGTERM or Ctrl-C."""
    if check_only:
        check(file)
        return
    from alerting.settings import load_centre
    from petrel import parts
    from petrel import run as process

    document = load_centre(file)
    process.configure_logs()
    with in_one_line(*parts.REFUSALS):
        process.run(_work(document))


async def _work(document: "Document[CentreSettings]") -> None:
    import numpy as np

    from alerting.api.server import listen
    from petrel import parts
    from petrel.systemd import supervised
    from telemetry.clock import SystemClock

    http = document.settings.http
    listener = listen(http.host, http.port)
    try:
        async with parts.centre(document, SystemClock(), np.random.default_rng()) as service:
            await supervised(
                lambda: parts.serve(service, listener),
                progress=service.progress,
                status=service.status,
                ready=service.ready,
            )
    finally:
        listener.close()
