"""``petrel gateway key``, ``account`` and ``command``: keys for orders, their account, and switching an output."""

import getpass
import secrets
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from petrel.commands.output import print_json, print_line, print_table
from petrel.errors import CommandError
from telemetry.span import SECOND_NS

if TYPE_CHECKING:
    from petrel.orders import Sender
    from telemetry.broker import BrokerAddress
    from telemetry.orders import Answer

command = typer.Typer(no_args_is_help=True, help="Outputs of a gateway: switch one, and wait until it reads back.")
_NUMBERS = {"on": 1.0, "off": 0.0}
Gateway = Annotated[str, typer.Argument(metavar="SITE/NODE", help="The gateway, as its gateway.yaml calls it.")]
KeyFile = Annotated[Path, typer.Option("--key", help="File with the key (petrel gateway key).")]
Broker = Annotated[str, typer.Option(help="The gateway's broker, mqtt://[user@]host[:port] or mqtts://.")]
Ca = Annotated[Path | None, typer.Option(help="With mqtts://, certificates to trust instead of the machine's.")]
By = Annotated[str | None, typer.Option(help="Who asks, for the account; the user of this computer otherwise.")]
Json = Annotated[bool, typer.Option("--json", help="Machine output.")]
LOOPBACK = "mqtt://127.0.0.1:1883"


def key(
    name: Annotated[str, typer.Argument(help="Whose key it is: lower-case letters, digits and hyphens.")],
    out: Annotated[Path, typer.Option(help="The file to write; one that is there is never written over.")],
) -> None:
    """Make a key for one gateway; the file goes to it (PETREL_GATEWAY_KEYS_FILE) and to whoever commands it."""
    from telemetry.signing import new_key, written

    try:
        made = new_key(name, secrets.token_bytes)
        out.touch(mode=0o600, exist_ok=False)
        out.write_text(written(made), encoding="ascii")
    except ValueError as exc:
        raise CommandError(str(exc), code=2) from exc
    except OSError as exc:
        raise CommandError(f"{out}: {exc.strerror}, expected a new file in a folder of yours") from exc
    print_line(f"{out}: key {name} ({made.id.hex()})")


def account(
    file: Annotated[Path, typer.Argument(help="KEYFILE.account.jsonl of a sender, or audit.jsonl of a gateway.")],
    json: Json = False,
) -> None:
    """Check that no line of an account of orders was changed, and show it, with what was sealed before it.

    Exit code 1 where one was changed, or is missing.
    """
    from telemetry.audit import LET_GO, entries
    from telemetry.chain import ChainError

    try:
        found = entries(file)
    except OSError as exc:
        raise CommandError(f"{file}: {exc.strerror}, expected an account of orders") from exc
    except ChainError as exc:
        raise CommandError(str(exc)) from exc
    if json:
        print_json(found)
        return
    print_table(("time", "what", "details"), [_row(entry) for entry in found])
    gone = max((entry["through"] for entry in found if entry["what"] == LET_GO), default=0)
    print_line(f"{len(found)} lines, none changed{f'; the {gone} before them were let go' if gone else ''}")


@command.command()
def send(
    gateway: Gateway,
    output: Annotated[str, typer.Argument(help="Name of the output in the gateway's list.")],
    value: Annotated[str, typer.Argument(help="A number, or on or off.")],
    key: KeyFile,
    live: Annotated[bool, typer.Option("--live", help="It is meant: the siren will sound.")] = False,
    drill: Annotated[
        bool, typer.Option("--drill", help="A drill: only outputs that take part in drills obey.")
    ] = False,
    ttl: Annotated[float, typer.Option(help="It counts for so many seconds, 600 at most.", min=1, max=600)] = 30.0,
    reason: Annotated[str, typer.Option(help="Why, for the account.")] = "",
    by: By = None,
    broker: Broker = LOOPBACK,
    ca: Ca = None,
    json: Json = False,
) -> None:
    """Switch an output, and say what it reads back. Exit code 0 only when the read-back proves it.

    One of --live and --drill must be given: nobody sounds a siren by leaving something out.
    """
    from petrel.orders import answered, issued
    from telemetry.orders import Command

    if live is drill:
        raise CommandError("expected either --live or --drill", code=2)
    number, who = _number(value), the_sender(gateway, key, by)
    order = issued(Command, who, ttl, output=output, value=number, drill=drill, reason=reason)
    answer = answered(_ask(address(broker, ca), who, order, ttl), gateway)
    if json:
        print_json(answer)
    report(answer, f"{gateway} {output} {value}", quiet=json)


async def _ask(broker: "BrokerAddress", who: "Sender", order: object, ttl_s: float) -> "Answer":
    from petrel.orders import GRACE_S, correspondence
    from telemetry.orders import Command

    assert isinstance(order, Command)  # noqa: S101  # as made above; the type is imported here only
    async with correspondence(broker, who) as talk:
        return await talk.ask(order, ttl_s + GRACE_S)


def report(answer: "Answer", what: str, *, quiet: bool = False) -> None:
    """Say an answer in a line; raises CommandError for one that is not DONE."""
    from telemetry.orders import Outcome

    line = f"{what}: {answer.outcome}: {answer.reason}{' (as answered before)' if answer.repeated else ''}"
    if answer.outcome is not Outcome.DONE:
        raise CommandError(line)
    if not quiet:
        print_line(line)


def the_sender(gateway: str, key: Path, by: str | None) -> "Sender":
    """Who sends to a gateway; raises CommandError for a name or a key file that can't be."""
    from petrel.orders import sender
    from telemetry.clock import SystemClock
    from telemetry.topics import is_name

    parts = gateway.split("/")
    if len(parts) != 2 or not all(map(is_name, parts)):
        raise CommandError(f"gateway {gateway!r}, expected SITE/NODE", code=2)
    return sender(gateway, key, by or getpass.getuser(), SystemClock())


def address(broker: str, ca: Path | None) -> "BrokerAddress":
    """The broker that an option names; raises CommandError."""
    from telemetry.broker import parse_broker, secured
    from telemetry.tls import TlsSettings

    try:
        return secured(parse_broker(broker), TlsSettings(ca=str(ca)) if ca else None, Path())
    except ValueError as exc:
        raise CommandError(f"--broker: {exc}", code=2) from exc


def _number(text: str) -> float:
    try:
        return _NUMBERS[text] if text in _NUMBERS else float(text)
    except ValueError as exc:
        raise CommandError(f"value {text!r}, expected a number, on or off", code=2) from exc


def _row(entry: dict[str, Any]) -> tuple[object, ...]:
    rest = {name: value for name, value in entry.items() if name not in ("time_ns", "what")}
    return moment(entry["time_ns"]), entry["what"], ", ".join(f"{name} {value}" for name, value in rest.items())


def moment(time_ns: int) -> str:
    """A time for people, in the zone of this computer."""
    return datetime.fromtimestamp(time_ns // SECOND_NS, UTC).astimezone().isoformat()
