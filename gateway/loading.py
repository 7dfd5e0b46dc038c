"""Loading: batches of the spool as the messages to send."""

import asyncio
from collections.abc import Sequence

import structlog

from gateway.spool import Entry, Spool
from telemetry.bundle import packed

_LOG = structlog.get_logger()


async def messages(spool: Spool, entries: Sequence[Entry]) -> list[bytes]:
    """Their messages, bundled where there are several; what can't be read now is overdue later, and said."""
    if all(map(spool.is_fresh, entries)):
        found = _read(spool, entries)
    else:
        found = await asyncio.to_thread(_read, spool, entries)
    payloads = list[bytes]()
    for entry, payload in zip(entries, found, strict=True):
        if isinstance(payload, OSError):
            _LOG.error("batch can't be read now", epoch=entry.epoch, seq=entry.seq, reason=payload.strerror)
        elif payload is None:
            spool.spoil(entry)
        else:
            payloads.append(payload)
    return packed(payloads)


def _read(spool: Spool, entries: Sequence[Entry]) -> list[bytes | OSError | None]:
    """The disk may block, so this runs in a thread where it is asked."""
    found = list[bytes | OSError | None]()
    for entry in entries:
        try:
            found.append(spool.read(entry))
        except OSError as exc:
            found.append(exc)
    return found
