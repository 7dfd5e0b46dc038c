"""The address of a broker: ``mqtt://host[:port]`` or ``mqtts://host[:port]`` for TLS; secrets come from elsewhere."""

from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit

_PORTS: Final = {"mqtt": 1883, "mqtts": 8883}


@dataclass(frozen=True, slots=True)
class BrokerAddress:
    """Where a broker listens."""

    host: str
    port: int
    tls: bool = False

    def __str__(self) -> str:
        return f"{'mqtts' if self.tls else 'mqtt'}://{self.host}:{self.port}"


def parse_broker(text: str) -> BrokerAddress:
    """Read an address; raises ValueError saying what was found and expected."""
    expected = "expected mqtt://host:port or mqtts://host:port, user and password from the environment"
    try:
        url = urlsplit(text)
        port = url.port
    except ValueError as exc:
        raise ValueError(f"broker {text!r}: {exc}, {expected}") from exc
    if url.scheme not in _PORTS or not url.hostname or url.path not in ("", "/") or url.query or url.fragment:
        raise ValueError(f"broker {text!r}, {expected}")
    if url.username is not None or url.password is not None:
        raise ValueError(f"broker {url.scheme}://...@{url.hostname}: holds a user or password, {expected}")
    return BrokerAddress(url.hostname, _PORTS[url.scheme] if port is None else port, url.scheme == "mqtts")
