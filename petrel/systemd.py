"""What a long-lived process tells systemd: that it is ready, how it is, that it goes on, that it stops.

The protocol of sd_notify(3): lines ``NAME=value`` in datagrams to the socket that ``NOTIFY_SOCKET`` names. The watchdog
is tied to work that is done: a stuck event loop sends nothing, and neither does one whose work stands still.
"""

import asyncio
import os
import socket
import time
from collections.abc import Awaitable, Callable, Mapping
from typing import Final

import structlog

from telemetry.progress import Progress, Vigil

_LOG: Final = structlog.get_logger(room="systemd")
_TELL_S: Final = 10.0
_PINGS: Final = 4
"""Pings in the time after which systemd gives a silent process up: one may get lost, and one may be late."""


class Systemd:
    """The socket of systemd; without one nothing is told, and nobody waits for it."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        path = environment.get("NOTIFY_SOCKET", "")
        self._address = f"\0{path[1:]}" if path.startswith("@") else path
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) if path else None
        if self._socket is not None:
            self._socket.setblocking(False)
        self.watchdog_s = _watchdog_s(environment)
        """Silence after which systemd gives this process up; None: it does not."""

    @property
    def listens(self) -> bool:
        """Whether anybody wants to know."""
        return self._socket is not None

    @property
    def every_s(self) -> float:
        """How often to tell how things are."""
        return _TELL_S if self.watchdog_s is None else min(_TELL_S, self.watchdog_s / _PINGS)

    def tell(self, **words: str) -> None:
        """Send words such as READY="1". A socket that is full or gone costs the message alone."""
        if self._socket is None:
            return
        message = "".join(f"{name}={value}\n" for name, value in words.items())
        try:
            self._socket.sendto(message.encode(), self._address)
        except OSError as exc:
            _LOG.warning("systemd can't be told", reason=exc.strerror, words=", ".join(words))

    def close(self) -> None:
        """Let go of the socket."""
        if self._socket is not None:
            self._socket.close()


async def supervised(
    work: Callable[[], Awaitable[None]],
    *,
    progress: Callable[[], Mapping[str, Progress]],
    status: Callable[[], str],
    ready: asyncio.Event | None = None,
    systemd: Systemd | None = None,
) -> None:
    """Do the work and tell systemd of it. ``status`` is one line; READY waits for ``ready`` where one is given."""
    systemd = systemd or Systemd(os.environ)
    try:
        if not systemd.listens:
            await work()
            return
        async with asyncio.TaskGroup() as tasks:
            telling = tasks.create_task(_tell(systemd, progress, status, ready), name="systemd")
            await work()
            telling.cancel()
    finally:
        systemd.close()


async def _tell(
    systemd: Systemd,
    progress: Callable[[], Mapping[str, Progress]],
    status: Callable[[], str],
    ready: asyncio.Event | None,
) -> None:
    try:
        if ready is not None:
            await ready.wait()
        systemd.tell(READY="1")
        await _keep_telling(systemd, progress, status)
    finally:
        systemd.tell(STOPPING="1", STATUS="stopping")


async def _keep_telling(
    systemd: Systemd, progress: Callable[[], Mapping[str, Progress]], status: Callable[[], str]
) -> None:
    vigil, was = Vigil(), list[str]()
    while True:
        stuck = vigil.stuck(progress(), time.monotonic())
        if stuck:
            systemd.tell(STATUS="; ".join(stuck))
        else:
            systemd.tell(WATCHDOG="1", STATUS=status())
        if stuck and not was:
            _LOG.error("stands still", reason="; ".join(stuck))
        was = stuck
        await asyncio.sleep(systemd.every_s)


def _watchdog_s(environment: Mapping[str, str]) -> float | None:
    """``WATCHDOG_USEC``, where it is meant for this process."""
    micros, pid = environment.get("WATCHDOG_USEC", ""), environment.get("WATCHDOG_PID")
    if not micros.isdigit() or int(micros) == 0 or pid not in (None, str(os.getpid())):
        return None
    return int(micros) / 1e6
