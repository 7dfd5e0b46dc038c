"""Opening a store whose rows are in a server, and what stands in the way of it."""

from collections.abc import Callable
from pathlib import Path
from typing import Final

from ingest.store.protocol import StoreError, StoreOpenError
from ingest.store.server.address import Address
from ingest.store.server.influxdb import InfluxDB
from ingest.store.server.protocol import Server
from ingest.store.server.store import ServerStore
from ingest.store.server.victoriametrics import VictoriaMetrics
from telemetry.disk import unwritable
from telemetry.tls import TlsError

SERVERS: Final[dict[str, Callable[[Address], Server]]] = {"victoriametrics": VictoriaMetrics, "influxdb": InfluxDB}


def open_store(kind: str, address: Address, path: Path, *, keep_free: int, now_ns: Callable[[], int]) -> ServerStore:
    """A store of one of ``SERVERS`` with its journal at ``path``; the server may come later. Raises StoreOpenError."""
    server = _server(kind, address)
    try:
        return ServerStore(
            server, path, measurement=address.measurement, place=address.url, keep_free=keep_free, now_ns=now_ns
        )
    except BaseException:
        server.close()
        raise


def trouble(kind: str, address: Address, path: Path) -> str | None:
    """One line on why rows could not be kept there now, None where they could; nothing is made or written."""
    if (found := unwritable(path.parent)) is not None:
        return found
    try:
        server = _server(kind, address)
    except StoreOpenError as exc:
        return str(exc)
    try:
        server.incarnation()
    except StoreError as exc:
        return str(exc)
    finally:
        server.close()
    return None


def _server(kind: str, address: Address) -> Server:
    try:
        return SERVERS[kind](address)
    except TlsError as exc:
        raise StoreOpenError(f"store: {exc}") from exc
