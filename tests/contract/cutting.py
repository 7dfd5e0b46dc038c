"""A real TCP proxy that cuts connections where a test wants them cut."""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field


@dataclass
class Proxy:
    """Hands on bytes both ways. It cuts ``after`` more bytes of requests; without ``answers``, at the next answer."""

    target: int
    after: int | None = None
    answers: bool = True
    cuts: int = 0
    listener: socket.socket = field(default_factory=socket.socket)
    lines: list[socket.socket] = field(default_factory=list)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.listener.getsockname()[1]}"

    def heal(self) -> None:
        self.after, self.answers = None, True

    def serve(self) -> None:
        with suppress(OSError):  # the end of a test closes the listener
            while True:
                line, _ = self.listener.accept()
                threading.Thread(target=self._talk, args=(line,), daemon=True).start()

    def close(self) -> None:
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        for line in self.lines:
            _end(line)

    def _talk(self, line: socket.socket) -> None:
        try:
            far = socket.create_connection(("127.0.0.1", self.target), 5)
        except OSError:
            _end(line)
            return
        for one in (line, far):
            one.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.lines += [line, far]
        back = threading.Thread(target=self._answer, args=(far, line), daemon=True)
        back.start()
        with suppress(OSError):
            while found := line.recv(65536):
                if self.after is not None and len(found) >= self.after:
                    far.sendall(found[: self.after])
                    self.cuts += 1
                    self.after = 0
                    break
                if self.after is not None:
                    self.after -= len(found)
                far.sendall(found)
        _end(line)
        _end(far)
        back.join()

    def _answer(self, far: socket.socket, line: socket.socket) -> None:
        with suppress(OSError):
            while found := far.recv(65536):
                if not self.answers:
                    self.cuts += 1
                    break
                line.sendall(found)
        _end(line)
        _end(far)


def _end(line: socket.socket) -> None:
    with suppress(OSError):
        line.shutdown(socket.SHUT_RDWR)
    line.close()


@contextmanager
def cutting(target: int) -> Iterator[Proxy]:
    """A proxy before a port of loopback."""
    proxy = Proxy(target)
    proxy.listener.bind(("127.0.0.1", 0))
    proxy.listener.listen()
    thread = threading.Thread(target=proxy.serve, daemon=True)
    thread.start()
    try:
        yield proxy
    finally:
        proxy.close()
        thread.join()
