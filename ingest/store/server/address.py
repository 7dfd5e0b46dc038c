"""The address of a server of rows: where it is, where in it rows go, and who we are to it; no passwords."""

import ssl
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import urlsplit

from telemetry.tls import MACHINE_S_OWN, TlsFiles

TOKEN: Final = "PETREL_STORE_TOKEN"  # noqa: S105  # the name of the secret, for telemetry.settings.secret


@dataclass(frozen=True, slots=True, kw_only=True)
class Address:
    """Where a server is, where in it rows go, and who we are to it; the token is in no text that is made of this."""

    url: str
    measurement: str = "petrel"
    org: str = "petrel"
    bucket: str = "petrel"
    user: str | None = None
    """With a user the token is his password (HTTP basic authentication)."""
    token: str | None = field(default=None, repr=False)
    files: TlsFiles = MACHINE_S_OWN

    def context(self) -> ssl.SSLContext | None:
        """What TLS needs, None without TLS; raises telemetry.tls.TlsError."""
        return self.files.context() if self.url.startswith("https:") else None


def check_url(text: str) -> str:
    """The address of a server without a slash at its end; raises ValueError, which never repeats a password."""
    expected = f"expected http://host:port or https://, the password in {TOKEN}"
    try:
        url = urlsplit(text)
        port = url.port
    except ValueError as exc:
        raise ValueError(f"{text.rpartition('@')[2]!r}: {exc}, {expected}") from exc
    if url.username is not None or url.password is not None:
        raise ValueError(f"{url.scheme}://...@{url.hostname}: holds a user or a password, {expected}")
    if url.scheme not in ("http", "https") or not url.hostname or url.query or url.fragment or port == 0:
        raise ValueError(f"{text!r}, {expected}")
    return text.rstrip("/")
