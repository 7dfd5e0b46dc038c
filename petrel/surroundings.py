"""What stands in the way of a start around the settings: port, broker, files, disk. Nothing is made or started."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from alerting.api.server import ListenError, listen
from alerting.settings import CentreSettings, StoreSettings
from alerting.state import look as state
from ingest.store import look as store
from ingest.store.server.address import TOKEN
from petrel.broker import BrokerError, server_path
from telemetry.broker import BrokerAddress, unreachable
from telemetry.disk import free_bytes, standing
from telemetry.settings import secret


def of_centre(settings: CentreSettings, folder: Path) -> Iterator[str]:
    """One line each on its port, store, state and disk; ``folder`` is where its relative paths start."""
    try:
        listen(settings.http.host, settings.http.port).close()
    except ListenError as exc:
        yield str(exc)
    kept, told = folder / settings.store.path, folder / settings.state.path
    yield from filter(None, (_rows(settings.store, folder), state.trouble(told)))
    least, free = settings.store.keep_free_mb * 1_000_000, free_bytes(kept.parent)
    if free < least:
        yield f"{standing(kept.parent)}: {free} bytes free, expected at least what rows leave to the alarms, {least}"


def _rows(settings: StoreSettings, folder: Path) -> str | None:
    address = settings.address(folder)
    if address is None:
        return store.trouble(folder / settings.path)
    from ingest.store.server import opening

    return opening.trouble(settings.kind, replace(address, token=secret(TOKEN)), folder / settings.path)


def of_broker(address: BrokerAddress | None) -> Iterator[str]:
    """One line on why a broker can't be spoken to; None is the embedded one."""
    if address is not None:
        yield from filter(None, (unreachable(address),))
        return
    try:
        server_path()
    except BrokerError as exc:
        yield str(exc)
