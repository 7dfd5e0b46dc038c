"""The running stack, and Debian's Chromium looking at it."""

import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest
from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page, Request, sync_playwright

CHROMIUM = Path("/usr/bin/chromium")
PETREL = Path(sys.executable).parent / "petrel"
SPEED = 120
READY_S = 60.0
STOP_S = 20.0
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-dev-shm-usage",
    "--use-gl=angle",  # the map needs WebGL, here in software
    "--use-angle=swiftshader",
    "--enable-unsafe-swiftshader",
]
DRIVER_NOISE = "GL Driver Message"
COUNT = Path(__file__).with_name("colours.mjs").read_text(encoding="utf-8")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    here = Path(__file__).parent
    skip = pytest.mark.skip(reason=f"{CHROMIUM} is absent: apt-get install chromium fonts-noto-cjk")
    for item in items:
        if here in item.path.parents:
            item.add_marker(pytest.mark.browser)
            if not CHROMIUM.exists():
                item.add_marker(skip)


@dataclass
class Stack:
    """`petrel up` as a process of its own, on one port and one data folder for as long as it lives."""

    folder: Path
    port: int
    process: subprocess.Popen[bytes] | None = None
    scenario: str = "doksuri-2023"

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/"

    def start(self) -> None:
        command = [PETREL, "up", "--data", self.folder, "--http", f"127.0.0.1:{self.port}", "--speed", str(SPEED)]
        command += ["--scenario", self.scenario]
        with (self.folder / "up.log").open("ab") as log:
            self.process = subprocess.Popen([str(part) for part in command], stdout=log, stderr=log)
        deadline = time.monotonic() + READY_S
        while not self._answers():
            assert self.process.poll() is None, f"petrel up ended with {self.process.returncode}:\n{self.log()}"
            assert time.monotonic() < deadline, f"petrel up gave no answer in {READY_S} s:\n{self.log()}"
            time.sleep(0.1)

    def stop(self) -> None:
        if self.process is not None:
            self.process.send_signal(signal.SIGCONT)
            self.process.terminate()
            try:
                self.process.wait(STOP_S)
            finally:
                self.process.kill()
                self.process = None

    def freeze(self) -> None:
        assert self.process is not None
        self.process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        assert self.process is not None
        self.process.send_signal(signal.SIGCONT)

    def get(self, path: str) -> Any:
        return httpx.get(self.url + path, timeout=10).raise_for_status().json()

    def alarm(self, identity: str) -> dict[str, Any]:
        return next(a for a in self.get("api/v1/alarms?limit=200")["items"] if a["id"] == identity)

    def acknowledge(self, identity: str, by: str) -> None:
        """As another officer would: look again when it changed meanwhile."""
        for _ in range(10):
            body = {"version": self.alarm(identity)["version"], "by": by}
            answer = httpx.post(f"{self.url}api/v1/alarms/{identity}/ack", json=body, timeout=10)
            if answer.status_code != httpx.codes.CONFLICT:
                answer.raise_for_status()
                return
        raise AssertionError(f"alarm {identity} changes faster than it can be acknowledged")

    def log(self) -> str:
        return (self.folder / "up.log").read_text(errors="replace")[-4000:]

    def _answers(self) -> bool:
        try:
            return httpx.get(f"{self.url}api/v1/health", timeout=2).status_code == httpx.codes.OK
        except httpx.TransportError:
            return False


@dataclass
class Watched:
    """A page, and everything that it did which it should not have."""

    page: Page
    origin: str
    complaints: list[str] = field(default_factory=list)
    strangers: list[str] = field(default_factory=list)

    def on_console(self, message: ConsoleMessage) -> None:
        if message.type in ("error", "warning") and DRIVER_NOISE not in message.text:
            self.complaints.append(f"{message.type}: {message.text}")

    def on_request(self, request: Request) -> None:
        if not request.url.startswith(self.origin):
            self.strangers.append(request.url)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """A stack that the tests of a file share; one that stops it starts it again."""
    shared = Stack(tmp_path_factory.mktemp("stack"), free_port())
    shared.start()
    yield shared
    shared.stop()


@pytest.fixture(scope="module")
def console_url(stack: Stack) -> str:
    return stack.url


# Playwright keeps an event loop in this thread while it is open, so it is closed at the end of each file.
@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield browser
        browser.close()


@pytest.fixture
def pictures(tmp_path: Path, request: pytest.FixtureRequest) -> Callable[[str], Path]:
    """Where a screenshot goes: the folder in PETREL_SCREENSHOTS, else the test's own."""
    folder = Path(os.environ.get("PETREL_SCREENSHOTS", tmp_path))
    folder.mkdir(parents=True, exist_ok=True)
    test = re.sub(r"\W+", "-", request.node.name)
    return lambda name: folder / f"{test}-{name}.png"


@pytest.fixture
def contexts(chromium: Browser) -> Iterator[Callable[..., BrowserContext]]:
    """Browser contexts that are closed with the test."""
    opened: list[BrowserContext] = []

    def make(width: int = 1440, height: int = 900) -> BrowserContext:
        opened.append(chromium.new_context(viewport={"width": width, "height": height}, locale="zh-CN"))
        return opened[-1]

    yield make
    for context in opened:
        context.close()


@pytest.fixture
def open_page(contexts: Callable[..., BrowserContext]) -> Callable[..., Watched]:
    """Open the console of a stack in a fresh browser, watched from its first request."""

    def go(stack: Stack, view: str = "", *, width: int = 1440, height: int = 900) -> Watched:
        context = contexts(width, height)
        watched = Watched(context.new_page(), stack.url)
        context.on("request", watched.on_request)
        watched.page.on("console", watched.on_console)
        watched.page.on("pageerror", lambda error: watched.complaints.append(f"uncaught: {error}"))
        watched.page.goto(stack.url + view)
        return watched

    return go


@pytest.fixture
def count_colour(contexts: Callable[..., BrowserContext]) -> Callable[[bytes, str], int]:
    """How many pixels of a PNG have a colour (#rrggbb), within a hair; the browser decodes it on a blank page."""
    page = contexts().new_page()

    def count(png: bytes, colour: str) -> int:
        return int(page.evaluate(COUNT, [list(png), colour]))

    return count
