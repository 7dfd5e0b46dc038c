"""Addresses as people type them."""

from petrel.errors import CommandError
from telemetry.host import check_host, check_port


def host_and_port(option: str, text: str, *, or_free: bool = False) -> tuple[str, int]:
    """``HOST:PORT`` in its two parts, an IPv6 host in brackets; raises CommandError (exit code 2) naming the option.

    Port 0 passes only where it means any free one (``or_free``).
    """
    host, _, port = text.rpartition(":")
    if not host or not port.isdecimal():
        raise CommandError(f"{option} {text!r}, expected HOST:PORT", code=2)
    try:
        check_port(int(port), or_free=or_free)
        check_host(host[1:-1] if host.startswith("[") and host.endswith("]") else host)
    except ValueError as exc:
        raise CommandError(f"{option} {text!r}: {exc}", code=2) from exc
    return host, int(port)
