"""The address of a broker: ``mqtt://[user@]host[:port]``, or ``mqtts://`` for TLS; passwords come from elsewhere."""

import socket
import ssl
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from telemetry.host import check_host
from telemetry.tls import MACHINE_S_OWN, TlsError, TlsFiles, TlsSettings, explain

_PORTS: Final = {"mqtt": 1883, "mqtts": 8883}
_PROBE_S: Final = 3.0
_VERDICT_S: Final = 0.5
"""How long a broker may take to refuse our certificate: with TLS 1.3 it does so after the handshake."""
PASSWORD: Final = "PETREL_MQTT_PASSWORD"  # noqa: S105  # the name of the secret, for telemetry.settings.secret


@dataclass(frozen=True, slots=True)
class BrokerAddress:
    """Where a broker listens, and who we are to it."""

    host: str
    port: int
    tls: bool = False
    user: str | None = None
    files: TlsFiles = MACHINE_S_OWN
    """What to trust and who to be; for TLS only."""

    def context(self) -> ssl.SSLContext | None:
        """What TLS needs, None without TLS; raises TlsError."""
        return self.files.context() if self.tls else None

    def __str__(self) -> str:
        return f"{'mqtts' if self.tls else 'mqtt'}://{self.host}:{self.port}"


def parse_broker(text: str) -> BrokerAddress:
    """Read an address; raises ValueError saying what was found and expected, and never repeats a password."""
    expected = f"expected mqtt://[user@]host:port or mqtts://, the password in {PASSWORD}"
    try:
        url = urlsplit(text)
        port = url.port
    except ValueError as exc:
        raise ValueError(f"broker {text.rpartition('@')[2]!r}: {exc}, {expected}") from exc
    if url.password is not None:
        raise ValueError(f"broker {url.scheme}://...@{url.hostname}: holds a password, {expected}")
    if url.scheme not in _PORTS or not url.hostname or url.path not in ("", "/") or url.query or url.fragment:
        raise ValueError(f"broker {text!r}, {expected}")
    if port == 0:
        raise ValueError(f"broker {text!r} has port 0, {expected}")
    try:
        check_host(url.hostname)
    except ValueError as exc:
        raise ValueError(f"broker {text!r}: {exc}") from exc
    return BrokerAddress(url.hostname, port or _PORTS[url.scheme], url.scheme == "mqtts", url.username or None)


def secured(broker: BrokerAddress, tls: TlsSettings | None, folder: Path) -> BrokerAddress:
    """The address with the files of its TLS, which stand in ``folder``; raises ValueError when they can't be meant."""
    if tls is None:
        return broker
    if not broker.tls:
        raise ValueError(f"beside {broker}, expected mqtts://")
    return replace(broker, files=tls.files(folder))


def unreachable(broker: BrokerAddress) -> str | None:
    """One line on why no broker can be spoken to at an address, None where one can; waits a few seconds at most."""
    try:
        context = broker.context()
        with socket.create_connection((broker.host, broker.port), _PROBE_S) as line:
            if context is not None:
                _shake_hands(line, context, broker.host)
    except UnicodeError as exc:
        return f"{broker}: {exc}, expected a host name"
    except OSError as exc:
        found = explain(exc, broker.host) if broker.tls else None
        return f"{broker}: {found or _said(exc)}"
    return None


def _said(exc: OSError) -> str:
    return str(exc) if isinstance(exc, TlsError) else f"{exc.strerror or exc}, expected a broker that listens"


def _shake_hands(line: socket.socket, context: ssl.SSLContext, host: str) -> None:
    """Raises OSError when either side does not like the other; nothing is said once both are content."""
    with context.wrap_socket(line, server_hostname=host) as secure:
        secure.settimeout(_VERDICT_S)
        with suppress(TimeoutError):
            secure.recv(1)
