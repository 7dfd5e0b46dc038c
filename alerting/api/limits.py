"""Limits of the heavy reads: a bucket of tokens per client, in a bounded table, and so many downloads at once.

Alarms, events, health and the picture never pass here. A client is an address; where the peer is this machine, a proxy
in front of us may say whom it speaks for.
"""

import asyncio
import math
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from http import HTTPStatus
from typing import Final, TypeVar

from fastapi import Request
from starlette.exceptions import HTTPException

from alerting.api.answers import view_of
from alerting.settings import LimitSettings

T = TypeVar("T")
_CLIENTS: Final = 1_024
_LONGEST_NAME: Final = 64
_THREADS: Final = 2


class Buckets:
    """Tokens per client: ``burst`` at most, ``per_s`` new ones a second; the longest unheard is forgotten first."""

    def __init__(
        self, per_s: float, burst: int, *, most: int = _CLIENTS, now_s: Callable[[], float] = time.monotonic
    ) -> None:
        self._per_s, self._burst, self._most, self._now_s = per_s, burst, most, now_s
        self._tokens: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def __len__(self) -> int:
        return len(self._tokens)

    def take(self, client: str) -> float:
        """Take a token; 0 when there was one, else the seconds until there is."""
        now_s = self._now_s()
        left, since_s = self._tokens.pop(client, (float(self._burst), now_s))
        left = min(self._burst, left + (now_s - since_s) * self._per_s)
        wait_s = max(0.0, (1 - left) / self._per_s)
        self._tokens[client] = (left if wait_s else left - 1, now_s)
        if len(self._tokens) > self._most:
            self._tokens.popitem(last=False)
        return wait_s


class Limits:
    """What heavy reads share: buckets, places for downloads, and two threads that nothing else waits for."""

    def __init__(self, settings: LimitSettings, now_s: Callable[[], float] = time.monotonic) -> None:
        self.settings = settings
        burst = max(1, math.floor(settings.downloads_per_minute))
        self._reads = Buckets(settings.reads_per_minute / 60, settings.reads_at_once, now_s=now_s)
        self._downloads = Buckets(settings.downloads_per_minute / 60, burst, now_s=now_s)
        self._under_way = 0
        self._threads = ThreadPoolExecutor(_THREADS, "heavy reads")
        self.refused = 0

    def read(self, client: str) -> None:
        """Let a heavy read pass, or raise 429."""
        self._pass(self._reads.take(client), f"more than {self.settings.reads_per_minute:g} heavy reads a minute")

    def download(self, client: str) -> None:
        """Let a download pass, or raise 429."""
        self._pass(self._downloads.take(client), f"more than {self.settings.downloads_per_minute:g} downloads a minute")

    @contextmanager
    def place(self) -> Iterator[None]:
        """One of the places for downloads, for the length of a block; raises 429 where all are taken."""
        if self._under_way >= self.settings.downloads_at_once:
            self._pass(1.0, f"{self._under_way} downloads under way")
        self._under_way += 1
        try:
            yield
        finally:
            self._under_way -= 1

    def run(self, work: Callable[[], T]) -> Awaitable[T]:
        """Do heavy work in a thread of our own, so that the ones that commits and events use stay free."""
        return asyncio.get_running_loop().run_in_executor(self._threads, work)

    def later(self, work: Callable[[], object]) -> None:
        """Do work that nobody waits for."""
        self._threads.submit(work)

    def close(self) -> None:
        """Let the threads go."""
        self._threads.shutdown(wait=False, cancel_futures=True)

    def _pass(self, wait_s: float, found: str) -> None:
        if not wait_s:
            return
        self.refused += 1
        seconds = math.ceil(wait_s)
        raise HTTPException(
            HTTPStatus.TOO_MANY_REQUESTS, f"{found}, expected again in {seconds} s", {"retry-after": str(seconds)}
        )


def client_of(request: Request) -> str:
    """Whom a request comes from; the server has put there what a proxy on this machine says (``X-Forwarded-For``)."""
    return request.client.host[:_LONGEST_NAME] if request.client else "unknown"


def limited(request: Request) -> None:
    """Count a heavy read, as a dependency of its route; raises 429 for a client that reads too much."""
    view_of(request).holdings.limits.read(client_of(request))
