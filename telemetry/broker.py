"""The address of a broker: ``mqtt://[user@]host[:port]``, or ``mqtts://`` for TLS; passwords come from elsewhere."""

import socket
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit

_PORTS: Final = {"mqtt": 1883, "mqtts": 8883}
_PROBE_S: Final = 3.0
PASSWORD: Final = "PETREL_MQTT_PASSWORD"  # noqa: S105  # the name of the secret, for telemetry.settings.secret


@dataclass(frozen=True, slots=True)
class BrokerAddress:
    """Where a broker listens, and who we are to it."""

    host: str
    port: int
    tls: bool = False
    user: str | None = None

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
    return BrokerAddress(url.hostname, port or _PORTS[url.scheme], url.scheme == "mqtts", url.username or None)


def unreachable(broker: BrokerAddress) -> str | None:
    """One line on why nothing answers at a broker's address, None where something does; waits at most 3 s."""
    try:
        with socket.create_connection((broker.host, broker.port), _PROBE_S):
            return None
    except OSError as exc:
        return f"{broker}: {exc.strerror or exc}, expected a broker that listens"
