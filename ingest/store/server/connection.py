"""The way to a server: requests that nothing repeats in secret, and one line for whatever goes wrong there."""

import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final, cast

import httpx
from influxdb_client.client.influxdb_client import InfluxDBClient
from influxdb_client.client.write_api import SYNCHRONOUS
from influxdb_client.domain.write_precision import WritePrecision
from influxdb_client.rest import ApiException
from urllib3.exceptions import HTTPError

from ingest.store.protocol import StoreRefusedError
from ingest.store.server.address import Address

_MS: Final = cast("WritePrecision", WritePrecision.MS)  # its class declares it as plain text
WRITE_S: Final = 3.0
"""How long a request of some 20,000 rows may take; alarms wait behind it once, then rows are held (ADR 0005)."""
_READ_S: Final = 30.0
_LONGEST_ANSWER: Final = 200


class Connection:
    """Requests to one server, none of them repeated by itself; from any thread. Errors are StoreRefusedError."""

    def __init__(self, address: Address) -> None:
        """Nothing is sent yet; raises telemetry.tls.TlsError."""
        self.address = address
        context = address.context()
        self._writing = _client(address, context, WRITE_S)
        self._writer = self._writing.write_api(write_options=SYNCHRONOUS)
        self.querying = _client(address, context, _READ_S)
        bearer = address.token and address.user is None
        self._reader = httpx.Client(
            base_url=address.url,
            verify=True if context is None else context,
            auth=None if address.user is None else (address.user, address.token or ""),
            headers={"Authorization": f"Bearer {address.token}"} if bearer else {},
            timeout=_READ_S,
            trust_env=False,
        )

    def write(self, lines: bytes) -> None:
        """Send lines with times in milliseconds; returns once the server said that it has them."""
        with self.explained():
            self._writer.write(self.address.bucket, self.address.org, lines, write_precision=_MS)

    def get(self, path: str, timeout_s: float = _READ_S) -> httpx.Response:
        """Ask for something; the answer is a success."""
        with self.explained():
            return self._reader.get(path, timeout=timeout_s).raise_for_status()

    def post(self, path: str, form: dict[str, str]) -> httpx.Response:
        """Ask for something in a form, however long the question; the answer is a success."""
        with self.explained():
            return self._reader.post(path, data=form).raise_for_status()

    def close(self) -> None:
        """End all connections; closing again is nothing."""
        if self._writing.api_client is None:
            return
        for client in (self._writing, self.querying):
            client.api_client.rest_client.pool_manager.clear()  # closing the client leaves its connections open
        for one in (self._writer, self._writing, self.querying):
            one.close()  # type: ignore[no-untyped-call]  # the client has no types there
        self._reader.close()

    @contextmanager
    def explained(self) -> Iterator[None]:
        """Say in one line what went wrong with a request, without its headers."""
        try:
            yield
        except ApiException as exc:
            raise self._refused(f"{exc.status} {exc.reason}: {_brief(exc.body)}", "a server that takes rows") from exc
        except httpx.HTTPStatusError as exc:
            found = f"{exc.response.status_code} {exc.response.reason_phrase}: {_brief(exc.response.text)}"
            raise self._refused(found, "an answer") from exc
        except (HTTPError, httpx.HTTPError, httpx.InvalidURL) as exc:
            raise self._refused(_cause(exc), "a server that answers") from exc

    def _refused(self, found: str, expected: str) -> StoreRefusedError:
        return StoreRefusedError(f"{self.address.url}: {found}, expected {expected}")


def _client(address: Address, context: ssl.SSLContext | None, timeout_s: float) -> InfluxDBClient:
    """The client that tries nothing twice: it would do so out of our sight."""
    way: dict[str, Any] = {
        "org": address.org,
        "timeout": int(timeout_s * 1000),
        "ssl_context": context,
        "retries": False,
    }
    if address.user is None:
        return InfluxDBClient(address.url, address.token or "", **way)
    return InfluxDBClient(address.url, f"{address.user}:{address.token or ''}", auth_basic=True, **way)


def _brief(body: object) -> str:
    text = body.decode("utf-8", "replace") if isinstance(body, bytes) else str(body or "")
    return " ".join(text.split())[:_LONGEST_ANSWER] or "no word"


def _cause(exc: BaseException) -> str:
    """The innermost reason: libraries wrap one in another."""
    while (inner := exc.__cause__ or exc.__context__) is not None:
        exc = inner
    if isinstance(exc, OSError) and exc.strerror:
        return exc.strerror
    return _brief(exc) if str(exc) else type(exc).__name__
