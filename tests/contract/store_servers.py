"""Real servers of time series for tests: Debian's VictoriaMetrics on a free port of loopback."""

import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final
from urllib.request import urlopen

import pytest

_READY_S: Final = 10.0
FLAGS: Final = ("-retentionPeriod=100y", "-dedup.minScrapeInterval=1ms", "-memory.allowedBytes=100MB")


@dataclass
class Metrics:
    """A VictoriaMetrics that can be killed and started again on the same port and the same files."""

    folder: Path
    port: int
    flags: tuple[str, ...] = FLAGS
    scheme: str = "http"
    started_s: float = 0.0
    process: "subprocess.Popen[bytes] | None" = field(default=None, repr=False)

    @property
    def url(self) -> str:
        return f"{self.scheme}://127.0.0.1:{self.port}"

    def start(self) -> None:
        """Start, and return once it listens."""
        command = ["victoria-metrics", f"-storageDataPath={self.folder}", f"-httpListenAddr=127.0.0.1:{self.port}"]
        with (self.folder / "log").open("ab") as log:
            self.process = subprocess.Popen([*command, *self.flags], stdout=log, stderr=log)
        self.started_s = time.monotonic()
        deadline = time.monotonic() + _READY_S
        while not _listens(self.port):
            if self.process.poll() is not None or time.monotonic() > deadline:
                self.kill()
                raise RuntimeError(f"no VictoriaMetrics: {(self.folder / 'log').read_text()[-2000:]}")
            time.sleep(0.01)

    def kill(self) -> None:
        """SIGKILL, as a power cut would; harmless when it is dead already."""
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            self.process = None

    def restart(self) -> None:
        """SIGKILL and start, in another second than before: it tells its starts apart by seconds."""
        self.kill()
        time.sleep(max(0.0, self.started_s + 1.0 - time.monotonic()))
        self.start()

    def show(self) -> None:
        """Let reads see what was written a moment ago."""
        urlopen(f"{self.url}/internal/force_flush", timeout=10).close()


def _listens(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), 1).close()
    except OSError:
        return False
    return True


def free_port() -> int:
    """A port of loopback that nobody has now."""
    with socket.socket() as line:
        line.bind(("127.0.0.1", 0))
        return line.getsockname()[1]


@contextmanager
def victoria_metrics(folder: Path, flags: tuple[str, ...] = FLAGS) -> Iterator[Metrics]:
    """A server of its own; skips the test where it is not installed."""
    if shutil.which("victoria-metrics") is None:
        pytest.skip("needs victoria-metrics (Debian)")
    folder.mkdir(exist_ok=True)
    server = Metrics(folder, free_port(), flags)
    server.start()
    try:
        yield server
    finally:
        server.kill()
