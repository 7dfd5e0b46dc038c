"""Hosts and ports as people write them: what no resolver and no socket would take is refused where it is read.

The resolver of the standard library ends in UnicodeError, not OSError, on a name with an empty or too long label.
"""

import ipaddress
import re
from typing import Final

_LABEL: Final = re.compile(r"[A-Za-z0-9_]([A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?")
_LONGEST: Final = 253
_MOST_PORT: Final = 65_535
_EXPECTED: Final = "expected a host name or an address"


def check_host(host: str) -> None:
    """Refuse what can be neither a name (RFC 1123, 2.1, with underscores) nor an IP address; raises ValueError."""
    if ":" in host or host.replace(".", "").isdecimal():
        _check_address(host)
        return
    try:
        name = host.removesuffix(".").encode("idna").decode("ascii")
    except UnicodeError as exc:
        raise ValueError(f"host {host!r}: {exc.__cause__ or exc}, {_EXPECTED}") from exc
    if len(name) > _LONGEST or not all(map(_LABEL.fullmatch, name.split("."))):
        raise ValueError(f"host {host!r}, {_EXPECTED}")


def check_port(port: int, *, or_free: bool = False) -> None:
    """Refuse what is no TCP port; 0 passes only where it means any free one (``or_free``). Raises ValueError."""
    least = 0 if or_free else 1
    if not least <= port <= _MOST_PORT:
        raise ValueError(f"port {port}, expected {least} to {_MOST_PORT}")


def _check_address(text: str) -> None:
    try:
        ipaddress.ip_address(text)
    except ValueError as exc:
        raise ValueError(f"host {text!r}, {_EXPECTED}") from exc
