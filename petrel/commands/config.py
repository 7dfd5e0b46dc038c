"""``petrel gateway config``: look at a gateway's configuration from afar, try another one, go back."""

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from petrel.commands.orders import LOOPBACK, Broker, By, Ca, Gateway, Json, KeyFile, address, moment, report, the_sender
from petrel.commands.output import print_json, print_line, print_table
from petrel.errors import CommandError

if TYPE_CHECKING:
    from petrel.orders import Correspondence, Sender
    from telemetry.broker import BrokerAddress
    from telemetry.orders import Answer, Change, ConfigOrder, Verb

app = typer.Typer(no_args_is_help=True, help="A gateway's configuration from afar: list, compare, push, go back.")
File = Annotated[Path, typer.Argument(help="The whole gateway.yaml as it is to be; profiles beside it go along.")]
Wait = Annotated[float, typer.Option(help="Longest wait for the end of the trial, in seconds.", min=1)]
_TTL_S = 60.0
_ANSWER_S = 30.0
Work = Callable[["Correspondence"], Awaitable["Answer"]]


@app.command("list")
def list_(
    gateway: Gateway, key: KeyFile, by: By = None, broker: Broker = LOOPBACK, ca: Ca = None, json: Json = False
) -> None:
    """List the versions that a gateway keeps: who sent each one when, and what became of it."""
    from telemetry.orders import Verb

    who = the_sender(gateway, key, by)
    answer = _run(address(broker, ca), who, lambda talk: talk.ask(_order(who, Verb.LIST), _ANSWER_S))
    if json:
        print_json(answer)
    else:
        print_table(
            ("version", "state", "key", "by", "since", "digest", "reason"),
            [
                (note.number, note.state, note.key or "-", note.by, moment(note.time_ns), note.digest, note.reason)
                for note in answer.versions
            ],
        )
    report(answer, gateway, quiet=True)


@app.command()
def diff(
    gateway: Gateway,
    file: File,
    key: KeyFile,
    by: By = None,
    broker: Broker = LOOPBACK,
    ca: Ca = None,
    json: Json = False,
) -> None:
    """Have a gateway check a configuration and say what it would change; nothing is changed."""
    from telemetry.orders import Verb

    who, (text, profiles) = the_sender(gateway, key, by), _read(file)
    order = _order(who, Verb.DRY_RUN, text=text, profiles=profiles)
    answer = _run(address(broker, ca), who, lambda talk: talk.ask(order, _ANSWER_S))
    _show(answer, gateway, json=json)


@app.command()
def push(
    gateway: Gateway,
    file: File,
    key: KeyFile,
    by: By = None,
    broker: Broker = LOOPBACK,
    ca: Ca = None,
    wait: Wait = 240.0,
    json: Json = False,
) -> None:
    """Put a configuration on trial for two minutes. Exit code 0 when it has proved itself and stays.

    It is rolled back when a device that answered before, or a new one, does not answer, or when no row arrives.
    """
    from telemetry.orders import Verb

    who, (text, profiles) = the_sender(gateway, key, by), _read(file)
    answer = _run(
        address(broker, ca),
        who,
        lambda talk: _change(talk, who, wait, json, Verb.PUSH, text=text, profiles=profiles),
    )
    _show(answer, gateway, json=json, brief=True)


@app.command()
def rollback(
    gateway: Gateway,
    version: Annotated[int, typer.Argument(help="The version to go back to (petrel gateway config list).", min=0)],
    key: KeyFile,
    by: By = None,
    broker: Broker = LOOPBACK,
    ca: Ca = None,
    wait: Wait = 240.0,
    json: Json = False,
) -> None:
    """Go back to an earlier version, which is put on trial like any other and gets a number of its own."""
    from telemetry.orders import Verb

    who = the_sender(gateway, key, by)
    answer = _run(address(broker, ca), who, lambda talk: _change(talk, who, wait, json, Verb.ROLLBACK, to=version))
    _show(answer, gateway, json=json, brief=True)


async def _change(
    talk: "Correspondence", who: "Sender", wait_s: float, quiet: bool, verb: "Verb", **what: Any
) -> "Answer":
    """Ask for the newest number, then for the change under the next one."""
    from telemetry.orders import Verb

    listed = await talk.ask(_order(who, Verb.LIST), _ANSWER_S)
    report(listed, who.source, quiet=True)
    told: list[Answer] = []

    def interim(answer: "Answer") -> None:
        told.append(answer)
        if not quiet:
            if answer.change is not None:
                print_line("\n".join(_lines(answer.change)))
            print_line(f"{who.source}: version {number}: {answer.reason}")

    number = max((note.number for note in listed.versions), default=-1) + 1
    try:
        return await talk.ask(_order(who, verb, number=number, **what), wait_s, interim)
    except CommandError as exc:
        if told and told[-1].change is not None and "broker" in told[-1].change.others:
            hint = "it went to another broker, which has its answer: petrel gateway config list --broker"
            raise CommandError(f"{who.source}: version {number}: {hint} ...") from exc
        raise


def _order(who: "Sender", verb: "Verb", **what: Any) -> "ConfigOrder":
    from petrel.orders import issued
    from telemetry.orders import ConfigOrder

    return issued(ConfigOrder, who, _TTL_S, verb=verb, **what)


def _run(broker: "BrokerAddress", who: "Sender", work: Work) -> "Answer":
    from petrel.orders import answered, correspondence

    async def run() -> "Answer":
        async with correspondence(broker, who) as talk:
            return await work(talk)

    return answered(run(), who.source)


def _read(file: Path) -> tuple[str, dict[str, str]]:
    """A gateway.yaml that could be one, and the profiles beside it that it names; raises SettingsError."""
    from gateway.settings import GatewaySettings
    from telemetry.settings import load

    settings = load(file, GatewaySettings).settings
    names = {device.profile for bus in settings.buses for device in bus.devices}
    beside = {name: file.parent / name for name in names if name.endswith(".yaml")}
    profiles = {name: path.read_text(encoding="utf-8") for name, path in beside.items() if path.exists()}
    return file.read_text(encoding="utf-8"), profiles


def _show(answer: "Answer", gateway: str, *, json: bool, brief: bool = False) -> None:
    """A change, and whether it stands; raises CommandError when it does not."""
    if json:
        print_json(answer)
    elif answer.change is not None and not brief:
        print_line("\n".join(_lines(answer.change)))
    report(answer, gateway, quiet=json)


def _lines(change: "Change") -> list[str]:
    parts = (
        ("kept", change.kept),
        ("replaced", change.replaced),
        ("added", change.added),
        ("removed", change.removed),
    )
    lines = [f"buses {what:9}{', '.join(names)}" for what, names in parts if names]
    if change.others:
        lines.append(f"also           {', '.join(change.others)}")
    return [*lines, change.diff]
