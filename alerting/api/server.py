"""Serving the interface inside the centre's own event loop."""

import contextlib
import errno
import socket
from collections.abc import Generator
from typing import Final

import uvicorn
from starlette.types import ASGIApp

from alerting.settings import check_bind

_STOP_S: Final = 2
_BACKLOG: Final = 128


class ListenError(OSError):
    """The address can't be listened on: which, and why, in one line."""


class _Server(uvicorn.Server):
    """Leaves signals to the composition root, which stops everything in order."""

    @contextlib.contextmanager
    def capture_signals(self) -> Generator[None, None, None]:
        yield


def listen(host: str, port: int) -> socket.socket:
    """A listening socket; port 0 takes a free one. Raises SettingsError for an address that others can reach, and
    ListenError when the port is taken."""
    check_bind(host)
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host.strip("[]"), port))
        listener.listen(_BACKLOG)
    except OSError as exc:
        listener.close()
        taken = "the port is in use, expected a free one (another centre?)" if exc.errno == errno.EADDRINUSE else exc
        raise ListenError(f"http: {host}:{port}: {taken}") from exc
    listener.setblocking(False)
    return listener


def address(listener: socket.socket) -> str:
    """The URL that a listening socket answers at."""
    host, port = listener.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


async def serve_http(app: ASGIApp, listener: socket.socket) -> None:
    """Answer requests until cancelled; open streams get two seconds to end."""
    server = _Server(
        uvicorn.Config(
            app,
            lifespan="off",
            log_config=None,
            access_log=False,
            server_header=False,
            timeout_graceful_shutdown=_STOP_S,  # without it a console that stays connected would keep the server alive
        )
    )
    try:
        await server.serve(sockets=[listener])
    finally:
        if server.started and not server.should_exit:
            await server.shutdown(sockets=[listener])
