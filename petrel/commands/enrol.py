"""``petrel gateway enrol``: a user at the broker for one gateway, and what it may do there."""

import secrets
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from petrel.commands.output import print_json, print_line
from petrel.errors import CommandError

if TYPE_CHECKING:
    from gateway.tools.enrol import Enrolled


def enrol(
    gateway: Annotated[str, typer.Argument(metavar="SITE/NODE", help="The gateway, as its gateway.yaml calls it.")],
    out: Annotated[Path, typer.Option(help="The folder of the lists; the same for all gateways of a broker.")] = Path(
        "broker"
    ),
    certificate: Annotated[
        bool, typer.Option("--certificate", help="A key and a certificate request in the place of a password.")
    ] = False,
    renew: Annotated[bool, typer.Option("--renew", help="A new password or key, although there is one.")] = False,
    json: Annotated[bool, typer.Option("--json", help="Machine output.")] = False,
) -> None:
    """Make a user for one gateway at a mosquitto broker, who may speak for it and for nobody else.

    Writes an access list and a password file for the broker and a secret for the gateway, and says what to copy where.
    Again, it changes nothing. The site's centre and desk get their users on the way.
    """
    from gateway.tools.enrol import EnrolError, enrol
    from telemetry.topics import is_name

    site, _, node = gateway.partition("/")
    if not (is_name(site) and is_name(node)):
        raise CommandError(f"{gateway!r}, expected SITE/NODE, each lower-case letters, digits and hyphens", code=2)
    try:
        done = enrol(out, site, node, secrets.token_bytes, certificate=certificate, renew=renew)
    except EnrolError as exc:
        raise CommandError(str(exc)) from exc
    except OSError as exc:
        raise CommandError(f"{exc.filename or out}: {exc.strerror}, expected a folder of yours") from exc
    if json:
        print_json([{"user": one.user, "added": one.added, "secret": one.secret, "new": one.is_new} for one in done])
        return
    for one in done:
        print_line(f"{one.user:12s} {_did(one)}")
    _copies(out, done[0], certificate=certificate)


def _did(one: "Enrolled") -> str:
    rights = f"{one.added} rights added" if one.added else "rights unchanged"
    if one.secret is None:
        return f"{rights}, its password was made before and is not here (--renew makes another)"
    return f"{rights}, {'new' if one.is_new else 'known'}: {one.request or one.secret}"


def _copies(out: Path, one: "Enrolled", *, certificate: bool) -> None:
    from gateway.tools.enrol import ACL, PASSWORDS

    lists = f"{out / ACL}" if certificate else f"{out / ACL} {out / PASSWORDS}"
    print_line(f"to the broker: install -o mosquitto -m 600 {lists} /etc/mosquitto/ && systemctl reload mosquitto")
    if certificate:
        print_line(f"to the authority: {one.request}, to be signed; to the gateway: the certificate and {one.secret}")
        print_line(f"gateway.yaml: tls: {{certificate: {one.user}.crt, key: {one.user}.key}}")
        return
    if one.secret is not None:
        print_line(f"to the gateway: {one.secret} as /etc/stormpetrel/mqtt-password; then delete it here")
    print_line(f"gateway.yaml: broker: mqtts://{one.user}@BROKER")
