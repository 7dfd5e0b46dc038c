"""TLS to a broker: which files it takes, what is wrong with them, and what a failed handshake means for people."""

import os
import re
import ssl
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import msgspec

from telemetry.certificate import ends_ns
from telemetry.clock import HOUR_NS, SECOND_NS, SystemClock

_OTHERS: Final = 0o077
"""Permissions of everybody but the owner."""
_ALERT: Final = re.compile(r"\[SSL: (\w+)\]")
_TRUST: Final = "set tls.ca to the certificate of the authority that signed the broker's"
_UNTRUSTED: Final = f"the broker's certificate is signed by nobody we trust: {_TRUST}"
_PORT: Final = "expected the broker's port for mqtts, or mqtt:// here"
_OURS: Final = (
    "the broker wants a certificate of ours: set tls.certificate and tls.key to one that its authority signed"
)
_VERIFIED: Final = {
    9: "the broker's certificate is not valid yet: set the clock of this machine, which says {now}",
    10: "the broker's certificate has expired: renew it, or set the clock of this machine, which says {now}",
    18: _UNTRUSTED,
    19: _UNTRUSTED,
    20: _UNTRUSTED,
    21: _UNTRUSTED,
    62: "the broker's certificate is not for {host}: write the address as the certificate names it, or renew it",
    64: "the broker's certificate is not for {host}: write the address as the certificate names it, or renew it",
}
"""What OpenSSL's verification found (X509_V_ERR_*) and what to do about it."""
_ALERTS: Final = {
    "CERTIFICATE_REQUIRED": _OURS,
    "HANDSHAKE_FAILURE": _OURS,
    "UNKNOWN_CA": "the broker does not trust our certificate: expected one that an authority of the broker signed",
    "CERTIFICATE_EXPIRED": "our certificate has expired: renew tls.certificate",
    "CERTIFICATE_REVOKED": "our certificate has been revoked: renew tls.certificate",
    "BAD_CERTIFICATE": "the broker refuses our certificate: renew tls.certificate",
    "WRONG_VERSION_NUMBER": f"no TLS is spoken at that port: {_PORT}",
}
"""What the other side said before it hung up (RFC 8446, 6.2), by the end of OpenSSL's name for it."""


BROKE_OFF: Final = (ConnectionResetError, BrokenPipeError, ssl.SSLEOFError)
"""The other side hung up, and left nothing to read."""


class TlsError(OSError):
    """A file of TLS that can't be used: one line with the setting, the file, what was found and what was expected."""


class TlsSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Files (PEM) for a broker at ``mqtts://``; paths are relative to the folder of the file."""

    ca: str | None = None
    """Authorities to trust, in the place of those that the machine trusts."""
    certificate: str | None = None
    """Our certificate and its chain, where the broker asks for one."""
    key: str | None = None
    """Its key without a passphrase, readable by its owner alone (mode 0600)."""

    def files(self, folder: Path) -> "TlsFiles":
        """Where they are; raises ValueError when the key or the certificate stands alone."""
        if (self.certificate is None) is not (self.key is None):
            alone, other = ("certificate", "key") if self.key is None else ("key", "certificate")
            raise ValueError(f"a {alone} and no {other}, expected both or neither")
        ca, certificate, key = (
            None if name is None else folder / name for name in (self.ca, self.certificate, self.key)
        )
        return TlsFiles(ca=ca, certificate=certificate, key=key)


_SOON_NS: Final = 60 * 24 * HOUR_NS
"""A certificate of a box in the hills is renewed by a visit, and those are planned."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TlsFiles:
    """What to trust and who to be; read again for every connection, so that a renewed certificate needs no restart."""

    ca: Path | None = None
    certificate: Path | None = None
    key: Path | None = None

    def context(self) -> ssl.SSLContext:
        """The context of one connection; raises TlsError."""
        context = ssl.create_default_context() if self.ca is None else _trusting(self.ca)
        context.sslsocket_class = _Socket
        if self.certificate is not None and self.key is not None:
            _check_secrecy(self.key)
            _identify(context, self.certificate, self.key)
        return context

    def running_out(self, now_ns: int) -> Iterator[str]:
        """A line for each certificate of ours that ends soon, or has ended; what can't be read is told elsewhere."""
        for setting, path in (("tls.ca", self.ca), ("tls.certificate", self.certificate)):
            end_ns = None if path is None else _end_ns(path)
            if end_ns is not None and end_ns - now_ns < _SOON_NS:
                when = datetime.fromtimestamp(end_ns // SECOND_NS, UTC).date().isoformat()
                yield f"{setting} {path} {'ends' if end_ns > now_ns else 'ended'} on {when}: renew it"


MACHINE_S_OWN: Final = TlsFiles()
"""Trusts what the machine trusts, and shows nothing."""


class _Socket(ssl.SSLSocket):
    """paho 2.1 forgets the socket of a handshake that fails, which then stays open."""

    def do_handshake(self, block: bool = False) -> None:
        try:
            super().do_handshake(block)
        except OSError:
            self.close()
            raise


def _end_ns(path: Path) -> int | None:
    with suppress(OSError, ValueError):
        return ends_ns(path.read_text(encoding="utf-8"))
    return None


def explain(problem: BaseException | str, host: str) -> str | None:
    """The cause of a failed handshake with ``host`` and what to do, in one line; None when it was something else."""
    code = getattr(problem, "verify_code", None)
    if code is not None:
        today = datetime.fromtimestamp(SystemClock().now_ns() // SECOND_NS, UTC).date().isoformat()
        unknown = f"the broker's certificate is refused: {getattr(problem, 'verify_message', '')}"
        return _VERIFIED.get(code, unknown).format(host=host, now=today)
    if isinstance(problem, BROKE_OFF):
        return f"the other side hung up in the middle of the handshake: {_PORT}"
    if (found := _ALERT.search(str(problem))) is None:
        return None
    alert = found[1]
    return next((text for name, text in _ALERTS.items() if alert.endswith(name)), f"TLS failed: {alert.lower()}")


def _trusting(ca: Path) -> ssl.SSLContext:
    _readable("tls.ca", ca)
    try:
        return ssl.create_default_context(cafile=str(ca))
    except ssl.SSLError as exc:
        raise TlsError(f"tls.ca {ca}: no certificate in it, expected some in PEM") from exc


def _identify(context: ssl.SSLContext, certificate: Path, key: Path) -> None:
    _readable("tls.certificate", certificate)
    try:
        context.load_cert_chain(certificate, key, password=_no_passphrase)
    except ssl.SSLError as exc:
        matching = "a certificate in PEM and the key that belongs to it, without a passphrase"
        reason = (exc.reason or str(exc)).lower().replace("_", " ")
        raise TlsError(f"tls.certificate {certificate}, tls.key {key}: {reason}, expected {matching}") from exc


def _no_passphrase() -> str:
    """Without it OpenSSL would ask at a terminal, and wait."""
    return ""


def _check_secrecy(key: Path) -> None:
    """Whoever can read the key can speak for this machine. Credentials of systemd are guarded by their folder."""
    _readable("tls.key", key)
    guarded = os.environ.get("CREDENTIALS_DIRECTORY")
    if guarded is not None and key.parent == Path(guarded):
        return
    mode = key.stat().st_mode & 0o777
    if mode & _OTHERS:
        raise TlsError(f"tls.key {key}: mode {mode:04o}, expected 0600 (chmod 600), since others can read it")


def _readable(setting: str, path: Path) -> None:
    try:
        with path.open("rb"):
            return
    except OSError as exc:
        raise TlsError(f"{setting} {path}: {exc.strerror}, expected a file that can be read") from exc
