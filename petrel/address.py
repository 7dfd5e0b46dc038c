"""Addresses as people type them."""

from typing import Final

from petrel.errors import CommandError

_PORTS: Final = 65_536


def host_and_port(option: str, text: str) -> tuple[str, int]:
    """``HOST:PORT`` in its two parts; raises CommandError (exit code 2) that names the option."""
    host, _, port = text.rpartition(":")
    if not host or not port.isdecimal() or int(port) >= _PORTS:
        raise CommandError(f"{option} {text!r}, expected HOST:PORT", code=2)
    return host, int(port)
