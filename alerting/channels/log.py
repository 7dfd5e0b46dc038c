"""A line in the log of the centre and, if asked for, in a file of JSON lines: for archives and other programs."""

import asyncio
import os
from pathlib import Path
from typing import Final

import msgspec
import structlog

from alerting.channels.contract import ChannelError, ChannelSettings, Message, Receipt, Sent, payload
from alerting.channels.registry import Kind


class LogSettings(ChannelSettings, frozen=True, kw_only=True, forbid_unknown_fields=True, tag="log"):
    """``path``: a file that grows by one JSON line a message."""

    path: str | None = None


class LogChannel:
    """Writes each message once to the log, and to the file so that it is on disk before it counts as delivered."""

    def __init__(self, settings: LogSettings, folder: Path) -> None:
        self._path = None if settings.path is None else folder / settings.path
        self._log = structlog.get_logger(channel=settings.name)

    async def send(self, message: Message) -> Sent:
        """Write a message."""
        if self._path is not None:
            await asyncio.to_thread(_append, self._path, msgspec.json.encode(payload(message)) + b"\n")
        event = message.event
        self._log.info(
            "alarm",
            key=message.key,
            kind=str(event.kind),
            level=event.level,
            subject=event.subject,
            text=message.text.en,
            drill=event.drill,
        )
        return Sent(receipt=Receipt.WRITTEN)

    async def close(self) -> None:
        """Nothing stays open between messages."""


def _append(path: Path, line: bytes) -> None:
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o640)
        try:
            os.write(descriptor, line)  # one write: lines of parallel attempts do not mix
            os.fdatasync(descriptor)
        finally:
            os.close(descriptor)
    except OSError as exc:
        raise ChannelError(f"{path}: {exc.strerror}") from exc


def _problem(settings: LogSettings) -> str | None:
    return "path: empty, expected the name of a file" if settings.path == "" else None


KIND: Final = Kind(name="log", settings=LogSettings, receipt=Receipt.WRITTEN, open=LogChannel, problem=_problem)
