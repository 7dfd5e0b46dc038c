"""``petrel centre``: check a centre's settings, run it."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from petrel.commands.output import print_line
from petrel.errors import CommandError

if TYPE_CHECKING:
    from alerting.settings import CentreSettings
    from telemetry.settings import Document

app = typer.Typer(no_args_is_help=True, help="The centre: check its settings, run it.")
File = Annotated[Path, typer.Argument(help="The centre's settings, centre.yaml.")]


@app.command()
def check(file: File) -> None:
    """Check the settings, the site file and the rule packs; says what would happen."""
    from alerting.service import rulebook
    from alerting.settings import load_centre
    from alerting.site import load_site

    settings = load_centre(file).settings
    site = load_site(file.parent / settings.site).settings
    rulebook(settings, file.parent)
    print_line(
        f"site {site.id} ({site.name.en}): {len(site.areas)} areas, {len(site.thresholds)} gauges with thresholds\n"
        f"broker {settings.broker}; channels {', '.join(channel.name for channel in settings.channels) or 'none'}\n"
        f"store {settings.store.path}, state {settings.state.path}; "
        f"console http://{settings.http.host}:{settings.http.port}; {'a drill' if settings.drill else 'live'}"
    )


@app.command()
def run(
    file: File,
    check_only: Annotated[bool, typer.Option("--check", help="Only check; start nothing.")] = False,
) -> None:
    """Ingest, decide, deliver and answer until SIGTERM or Ctrl-C."""
    if check_only:
        check(file)
        return
    from alerting.api.server import ListenError
    from alerting.settings import load_centre
    from alerting.state import StateError
    from ingest.store.protocol import StoreError
    from petrel import run as process

    document = load_centre(file)
    process.configure_logs()
    try:
        process.run(_work(document))
    except (StoreError, StateError, ListenError) as exc:
        raise CommandError(str(exc)) from exc


async def _work(document: "Document[CentreSettings]") -> None:
    import numpy as np

    from alerting.api.server import listen
    from petrel import parts
    from telemetry.clock import SystemClock

    http = document.settings.http
    listener = listen(http.host, http.port)
    try:
        async with parts.centre(document, SystemClock(), np.random.default_rng()) as service:
            await parts.serve(service, listener)
    finally:
        listener.close()
