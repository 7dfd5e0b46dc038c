"""``petrel up``: a whole district in one command, on simulated devices."""

import math
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from petrel.address import host_and_port
from petrel.commands.output import print_json, print_line
from petrel.errors import CommandError, in_one_line

if TYPE_CHECKING:
    from alerting.channels.webhook import WebhookSettings
    from petrel.drill import Options

DEFAULT_SPEED = 60.0
WEBHOOK_SECRET = "PETREL_WEBHOOK_SECRET"  # noqa: S105 - the name of the secret


def up(
    speed: Annotated[float, typer.Option(help="Seconds of data time in a real second.")] = DEFAULT_SPEED,
    scenario: Annotated[
        str, typer.Option(help="Name of a scenario (petrel sim list), or a .yaml file.")
    ] = "doksuri-2023",
    data: Annotated[
        Path | None, typer.Option(help="Folder to keep, new for --once; without it, everything is gone at the end.")
    ] = None,
    http: Annotated[str, typer.Option(help="Where the console answers; port 0 takes a free one.")] = "127.0.0.1:8460",
    broker: Annotated[str | None, typer.Option(help="Another broker than the embedded one, mqtt://host:port.")] = None,
    webhook: Annotated[
        str | None, typer.Option(help=f"Tell this address too; signed when {WEBHOOK_SECRET} is set.", metavar="URL")
    ] = None,
    once: Annotated[bool, typer.Option(help="Play to the end as fast as the work allows, report, exit.")] = False,
    json: Annotated[bool, typer.Option("--json", help="Machine output: one JSON object.")] = False,
    check: Annotated[bool, typer.Option(help="Say what would happen, and exit.")] = False,
) -> None:
    """Run everything: broker, simulated devices, gateway, centre, console. Whatever it sends is marked as a drill."""
    with _folder(data, make=not check) as folder:
        options = _options(scenario, folder, http, math.inf if once else speed, broker)
        options = replace(options, receiver=None if webhook is None else _receiver(webhook))
        if once:
            _refuse_former(folder)
        if check:
            _check(options)
        else:
            _play(options, once=once, json=json)


def _play(options: "Options", *, once: bool, json: bool) -> None:
    from gateway.spool import SpoolError
    from petrel import parts, run, show

    with _made(options.data):
        run.configure_logs(options.data / "petrel.log")
    with in_one_line(SpoolError, *parts.REFUSALS):
        if not once:
            run.run(show.live(options, _ready_json if json else _ready_line))
        elif (result := run.run(show.to_the_end(options))) is None:
            raise CommandError("stopped before the end of the scenario")
        else:
            (print_json if json else show.report)(result)


def _ready_json(url: str, _: "Options") -> None:
    print_json({"console": url})


def _ready_line(url: str, options: "Options") -> None:
    print_line(
        f"Storm Petrel is up: {options.scenario.name.en} at {options.speed:g}x, a drill. Console: {url}\n"
        f"海燕已启动:{options.scenario.name.zh},{options.speed:g} 倍速,演练。控制台:{url}\n"
        f"Log: {options.data / 'petrel.log'}. Ctrl-C stops."
    )


@contextmanager
def _folder(data: Path | None, *, make: bool) -> Iterator[Path]:
    """The folder of the run: the one that was named, or one that goes with the run; where none runs, none is made."""
    if not make:
        yield (data or Path(tempfile.gettempdir()) / "petrel").resolve()
        return
    if data is not None:
        with _made(data):
            data.mkdir(parents=True, exist_ok=True)
        yield data.resolve()
        return
    folder = Path(tempfile.mkdtemp(prefix="petrel-"))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def _made(path: Path) -> Iterator[None]:
    """Say in one line why something can't be made in the folder of a run."""
    try:
        yield
    except OSError as exc:
        raise CommandError(f"--data {path}: {exc.strerror}, expected a folder that can be made and written") from exc


def _options(scenario: str, folder: Path, http: str, speed: float, broker: str | None) -> "Options":
    from alerting.settings import check_bind
    from petrel.drill import Options
    from simulators.scenario import load_scenario
    from telemetry.broker import parse_broker

    host, port = host_and_port("--http", http, or_free=True)
    check_bind(host)
    if not speed > 0:
        raise CommandError(f"--speed {speed:g}, expected more than 0", code=2)
    if broker is not None:
        try:
            parse_broker(broker)
        except ValueError as exc:
            raise CommandError(f"--{exc}", code=2) from exc
    return Options(
        scenario=load_scenario(scenario).settings, data=folder, host=host, port=port, speed=speed, broker=broker
    )


def _refuse_former(folder: Path) -> None:
    """Play to the end only from a beginning: the same data time twice in one store is neither run."""
    from petrel.drill import former_run

    if (left := former_run(folder)) is not None:
        raise CommandError(
            f"--data {folder}: holds a run ({left.name}/), expected a new folder for --once; "
            "name another or delete it, or go on in it without --once"
        )


def _receiver(url: str) -> "WebhookSettings":
    """The channel to a receiver of one's own; it gets what any webhook gets, marked as a drill."""
    from alerting.channels.webhook import KIND, WebhookSettings
    from telemetry.settings import secret

    key = WEBHOOK_SECRET if secret(WEBHOOK_SECRET) else None
    settings = WebhookSettings(name="your-receiver", url=url, secret=key, drills=True, retry_for_s=30.0)
    if problem := KIND.problem(settings):
        raise CommandError(f"--webhook: {problem}", code=2)
    return settings


def _check(options: "Options") -> None:
    """Say what would happen, and what stands in the way (exit code 1)."""
    from petrel import drill

    findings = drill.findings(options)
    print_line(_would(options) + "".join(f"\nfinding: {finding}" for finding in findings))
    if findings:
        raise typer.Exit(1)


def _would(options: "Options") -> str:
    from alerting.settings import load_centre
    from gateway.settings import load_gateway
    from petrel import drill
    from petrel.sites import places

    site = places.folder(options.scenario.site)
    gateway, centre = load_gateway(site / "gateway.yaml").settings, load_centre(site / "centre.yaml").settings
    channels = ", ".join(channel.name for channel in (*centre.channels, *drill.channels(options, "")))
    devices = sum(len(bus.devices) for bus in gateway.buses)
    return (
        f"scenario {options.scenario.id}: {options.scenario.hours:g} h from {options.scenario.start}\n"
        f"gateway {gateway.site}/{gateway.node}: {len(gateway.stations)} stations, {devices} simulated devices on "
        f"{len(gateway.buses)} buses\n"
        f"broker {options.broker or 'embedded'}; channels {channels}\n"
        f"console http://{options.host}:{options.port}; nothing was started"
    )
