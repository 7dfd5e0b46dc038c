"""Serial lines without a wire: the far end of a pseudo-terminal, behind a name that stays the same."""

import asyncio
import fcntl
import os
import struct
import termios
import time
import tty
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Final, Protocol

_CHUNK: Final = 4096
_CARRIED_S: Final = 0.05
_INPUT_SPEED: Final = 4
"""Of what ``tcgetattr`` gives."""


class Receiver(Protocol):
    """The part of an asyncio protocol that a line needs."""

    def connection_made(self, transport: asyncio.BaseTransport, /) -> None:
        """The line is there."""

    def data_received(self, data: bytes, /) -> None:
        """Bytes came."""


class SerialLine:
    """A pseudo-terminal in raw mode; the gateway opens ``path``, the devices hold the other end.

    The near end stays open here too, so that a gateway that closes it and comes back finds the same line. With a
    ``baud``, devices are deaf as long as the gateway's end is set to another rate. (The kernel keeps no parity for a
    pseudo-terminal.)
    """

    def __init__(self, path: Path, baud: int | None = None) -> None:
        self.path = path
        self._speed = None if baud is None else getattr(termios, f"B{baud}", None)
        self.far, self._near = os.openpty()
        tty.setraw(self._near)
        os.set_blocking(self.far, False)
        path.unlink(missing_ok=True)
        path.symlink_to(os.ttyname(self._near))

    def is_attended(self) -> bool:
        """Whether a gateway has the port: it locks it for itself, as pyserial does for exclusive use."""
        try:
            fcntl.flock(self._near, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        fcntl.flock(self._near, fcntl.LOCK_UN)
        return False

    def is_at_rate(self) -> bool:
        """Whether both ends are set to the same rate; a rate that has no number of its own passes for any."""
        return self._speed is None or termios.tcgetattr(self._near)[_INPUT_SPEED] == self._speed

    def put(self, data: bytes) -> None:
        """Send bytes, and stay until the kernel has carried them over; it does so by itself, in microseconds.

        What does not fit is lost, as on a wire.
        """
        with suppress(BlockingIOError):
            os.write(self.far, data)
        latest_s = time.monotonic() + _CARRIED_S
        while not self._waiting() and time.monotonic() < latest_s:
            continue

    def is_read(self) -> bool:
        """Whether the gateway has read all that was put on the line."""
        return self._waiting() == 0

    def _waiting(self) -> int:
        """Bytes that nobody has read yet."""
        (waiting,) = struct.unpack("i", fcntl.ioctl(self._near, termios.FIONREAD, bytes(4)))
        return int(waiting)

    def close(self) -> None:
        """Take the line away; the name goes too."""
        self.path.unlink(missing_ok=True)
        os.close(self.far)
        os.close(self._near)


class LineTransport(asyncio.Transport):
    """The devices' end of a line, as an asyncio transport.

    What does not fit the line's buffer (4 KiB: sixteen frames that nobody took) is lost, as on a wire.
    """

    def __init__(self, line: SerialLine, protocol: Receiver) -> None:
        super().__init__()
        self._loop = asyncio.get_running_loop()
        self._line, self._protocol = line, protocol
        self._open = True
        self._loop.add_reader(line.far, self._read)
        self._loop.call_soon(protocol.connection_made, self)

    def write(self, data: bytes | bytearray | memoryview) -> None:
        """Put bytes on the line; an empty write is silence."""
        if not data or not self._open:
            return
        try:
            os.write(self._line.far, data)
        except BlockingIOError:
            return

    def close(self) -> None:
        """Let go of the line; it stays open for the next."""
        if self._open:
            self._open = False
            self._loop.remove_reader(self._line.far)

    def abort(self) -> None:
        """Let go at once."""
        self.close()

    def is_closing(self) -> bool:
        """Whether it has been let go of."""
        return not self._open

    def _read(self) -> None:
        try:
            data = os.read(self._line.far, _CHUNK)
        except BlockingIOError:
            return
        if self._line.is_at_rate():
            self._protocol.data_received(data)


Factory = Callable[[], Receiver]


async def connect(line: SerialLine, factory: Factory) -> tuple[LineTransport, Receiver]:
    """A protocol on the devices' end, in the shape of asyncio's ``create_connection``."""
    protocol = factory()
    return LineTransport(line, protocol), protocol
