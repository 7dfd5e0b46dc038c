"""Enrolling a gateway at a mosquitto broker: its user, its secret or certificate request, and what it may do there.

Everything is kept in one folder, whose two lists go to the broker as they are. Doing it again changes nothing. Formats:
mosquitto.conf(5) ``acl_file``, and the entries of mosquitto_passwd(1): ``user:$7$iterations$salt$hash``, PBKDF2 with
SHA-512 and base64.
"""

import base64
import hashlib
import hmac
import re
import shutil
import subprocess
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from telemetry.topics import PREFIX, Channel

ACL, PASSWORDS = "petrel.acl", "petrel.passwd"
_WRITES: Final = (Channel.ANNOUNCE, Channel.DATA, Channel.STATUS, Channel.RESULT)
_READS: Final = (Channel.ACK, Channel.WATCH, Channel.COMMAND, Channel.CONFIG)
_CENTRE: Final = {
    "read": (Channel.ANNOUNCE, Channel.DATA, Channel.STATUS),
    "write": (Channel.ACK, Channel.WATCH),
}
_DESK: Final = {"write": (Channel.COMMAND, Channel.CONFIG), "read": (Channel.RESULT,)}
OFFICES: Final = {"centre": _CENTRE, "desk": _DESK}
"""Users of every site, ``demo-centre`` and so on: its centre, and whoever switches outputs and changes gateways."""
_HEAD: Final = "# Who may do what at the broker. Kept by `petrel gateway enrol`; lines that you add stay.\n"
_USER: Final = re.compile(r"(?m)^(?=user )")
_ITERATIONS: Final = 101
"""As mosquitto_passwd does: a secret of 192 random bits needs no slow hash, and the broker hashes at each connect."""
_SECRET_BYTES, _SALT_BYTES = 24, 12
_OPENSSL_S: Final = 30.0


class EnrolError(RuntimeError):
    """It can't be enrolled: one line."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Enrolled:
    """What was done for one user; ``secret`` is its password or key, None where it was taken away already."""

    user: str
    added: int
    secret: Path | None
    request: Path | None
    is_new: bool


Random = Callable[[int], bytes]


def enrol(
    folder: Path, site: str, node: str, random: Random, *, certificate: bool = False, renew: bool = False
) -> list[Enrolled]:
    """Enrol a gateway, the first of what is returned, and its site's offices; raises EnrolError and OSError."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    who = {node: _topics(f"{site}/{node}", (("write", _WRITES), ("read", _READS)))}
    if node in (offices := {f"{site}-{office}": may for office, may in OFFICES.items()}):
        raise EnrolError(f"{node}: a user of that name is the site's own, expected another name of the gateway")
    who |= {user: _topics(f"{site}/+", may.items()) for user, may in offices.items()}
    done = []
    for user, topics in who.items():
        added = _allow(folder / ACL, user, topics)
        home = folder / site / user
        for part in (home.parent, home):
            part.mkdir(mode=0o700, exist_ok=True)
        done.append(
            _credential(folder, home, user, added, random, certificate=certificate, renew=renew and user == node)
        )
    return done


def _topics(source: str, may: Iterable[tuple[str, tuple[Channel, ...]]]) -> list[str]:
    return [f"topic {right} {PREFIX}/{source}/{channel}" for right, channels in may for channel in channels]


def _allow(path: Path, user: str, topics: list[str]) -> int:
    """Add what is missing in a user's block of the access list; how many lines that were."""
    head, *blocks = _USER.split(path.read_text(encoding="utf-8") if path.exists() else _HEAD)
    at = next((at for at, block in enumerate(blocks) if block.split("\n", 1)[0].split() == ["user", user]), None)
    block = f"user {user}\n" if at is None else blocks[at]
    _same_site(path, user, block, topics)
    missing = [line for line in topics if line not in block.splitlines()]
    if missing:
        whole = "\n".join([block.rstrip("\n"), *missing]) + "\n"
        blocks[len(blocks) if at is None else at : len(blocks) if at is None else at + 1] = [whole]
        _write(path, "\n".join(part.rstrip("\n") + "\n" for part in (head, *blocks)), 0o640)
    return len(missing)


def _same_site(path: Path, user: str, block: str, topics: list[str]) -> None:
    """Two gateways of one name would share a user, and with it each other's topics."""
    mine = topics[0].rsplit("/", 1)[0].split()[-1]
    for line in block.splitlines():
        found = line.split()[-1].rsplit("/", 1)[0] if line.startswith(f"topic write {PREFIX}/") else mine
        if found != mine and found.endswith(f"/{user}"):
            raise EnrolError(f"{path}: user {user} speaks for {found[len(PREFIX) + 1 :]}, expected a name of its own")


def _credential(
    folder: Path, home: Path, user: str, added: int, random: Random, *, certificate: bool, renew: bool
) -> Enrolled:
    if certificate:
        key, request, is_new = _request(home, user, renew=renew)
        return Enrolled(user=user, added=added, secret=key, request=request, is_new=is_new)
    secret, is_new = _password(folder / PASSWORDS, home / "mqtt-password", user, random, renew=renew)
    return Enrolled(user=user, added=added, secret=secret, request=None, is_new=is_new)


def _password(path: Path, secret: Path, user: str, random: Random, *, renew: bool) -> tuple[Path | None, bool]:
    """A user's password and its entry. One that was taken to its gateway and deleted here is not made again."""
    entries = dict(line.split(":", 1) for line in _lines(path) if ":" in line)
    known = entries.get(user)
    if known is not None and not secret.exists() and not renew:
        return None, False
    is_new = renew or not secret.exists()
    if is_new:
        _write(secret, base64.urlsafe_b64encode(random(_SECRET_BYTES)).decode() + "\n", 0o600)
    password = secret.read_text(encoding="ascii").strip()
    if known is None or not matches(known, password):
        entries[user] = hashed(password, random(_SALT_BYTES))
        _write(path, "".join(f"{name}:{entry}\n" for name, entry in entries.items()), 0o640)
    return secret, is_new


def _lines(path: Path) -> list[str]:
    return path.read_text(encoding="utf-8").splitlines() if path.exists() else []


def hashed(password: str, salt: bytes, iterations: int = _ITERATIONS) -> str:
    """The entry of a password as mosquitto 2 reads it."""
    digest = hashlib.pbkdf2_hmac("sha512", password.encode(), salt, iterations)
    return f"$7${iterations}${base64.b64encode(salt).decode()}${base64.b64encode(digest).decode()}"


def matches(entry: str, password: str) -> bool:
    """Whether an entry is that of a password; False for one of another kind."""
    try:
        _, kind, iterations, salt, _ = entry.split("$")
        made = hashed(password, base64.b64decode(salt, validate=True), int(iterations))
    except ValueError:
        return False
    return kind == "7" and hmac.compare_digest(made, entry)


def _request(home: Path, user: str, *, renew: bool) -> tuple[Path, Path, bool]:
    """A key and a request for a certificate that names the user; the key never leaves the folder by itself."""
    key, request = home / f"{user}.key", home / f"{user}.csr"
    if key.exists() and request.exists() and not renew:
        return key, request, False
    openssl = shutil.which("openssl")
    if openssl is None:
        raise EnrolError("openssl is not installed, expected it for a certificate request (apt-get install openssl)")
    key.unlink(missing_ok=True)
    key.touch(mode=0o600)
    command = [openssl, "req", "-new", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
    command += ["-subj", f"/CN={user}", "-keyout", str(key), "-out", str(request)]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=_OPENSSL_S, check=False)  # noqa: S603  # names that were checked
    except subprocess.TimeoutExpired as exc:
        raise EnrolError(f"openssl: no answer in {_OPENSSL_S:g} s") from exc
    if done.returncode:
        raise EnrolError(f"openssl: {done.stderr.strip().splitlines()[-1]}")
    return key, request, True


def _write(path: Path, text: str, mode: int) -> None:
    """Put a file whole into its place, readable by nobody else at any moment."""
    fresh = path.with_name(f"{path.name}.new")
    fresh.unlink(missing_ok=True)
    fresh.touch(mode=mode)
    fresh.write_text(text, encoding="utf-8")
    fresh.replace(path)
