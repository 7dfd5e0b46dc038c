"""GET /api/v1/rows.csv and /api/v1/rows.parquet: rows for others, streamed."""

import asyncio
import threading
from collections.abc import AsyncIterator, Callable, Generator, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Annotated, Any, Final

from fastapi import APIRouter, Query, Request
from fastapi.responses import Response, StreamingResponse
from starlette.types import Receive, Scope, Send

from alerting.api.answers import invalid, view_of
from alerting.api.catalogue import Filters
from alerting.api.chosen import Chosen
from alerting.api.holdings import Holdings
from alerting.api.limits import client_of
from alerting.api.problems import documented
from alerting.api.series import TIMES, moment
from alerting.api.sheets import CSV, attached
from alerting.api.view import UnavailableError
from ingest.store import export
from ingest.store.export import Wanted
from ingest.store.protocol import Store, StoreError
from telemetry.clock import HOUR_NS

router: Final = APIRouter(prefix="/api/v1", tags=["rows"])
PARQUET: Final = "application/vnd.apache.parquet"
_DEFAULT_NS: Final = 24 * HOUR_NS
_LONGEST_S: Final = 1_800.0
Writer = Callable[[Store, Wanted, Path, Callable[[int], None]], Generator[bytes, None, None]]
Begin = Annotated[str | None, Query(alias="from", description=f"{TIMES} A day before the end by default.")]
End = Annotated[str | None, Query(alias="to", description=f"{TIMES} Now by default.")]


def _responses(media_type: str) -> dict[int | str, dict[str, Any]]:
    return {200: {"content": {media_type: {}}}, **documented(422, 429, 503)}


@router.get("/rows.csv", response_class=StreamingResponse, responses=_responses(CSV))
async def rows_csv(request: Request, filters: Filters, begin: Begin = None, end: End = None) -> Response:
    """Rows of the chosen series as CSV, with unit, quality and QARTOD flag, window of time by window of time."""
    return await _download(request, filters, begin, end, export.csv, CSV)


@router.get("/rows.parquet", response_class=StreamingResponse, responses=_responses(PARQUET))
async def rows_parquet(request: Request, filters: Filters, begin: Begin = None, end: End = None) -> Response:
    """The same as a Parquet file (zstd; times are UTC); it is made in full before its first byte is sent."""
    return await _download(request, filters, begin, end, export.parquet, PARQUET)


async def _download(
    request: Request, filters: Chosen, begin: str | None, end: str | None, write: Writer, media_type: str
) -> Response:
    view, holdings = view_of(request), view_of(request).holdings
    to_ns = view.now_ns() + 1 if end is None else moment(view, "to", end)
    from_ns = to_ns - _DEFAULT_NS if begin is None else moment(view, "from", begin)
    if not from_ns < to_ns:
        raise invalid("to", f"{end!r} is not after {begin!r}, expected a later time")
    wanted = await _wanted(holdings, filters, from_ns, to_ns)
    holdings.limits.download(client_of(request))
    with ExitStack() as taken:
        taken.enter_context(holdings.limits.place())
        pieces = _Pieces(lambda told: write(holdings.store, wanted, holdings.scratch, told))
        taken.callback(lambda: holdings.limits.later(pieces.close))
        try:
            first = await holdings.limits.run(pieces.next)  # what can't be read is an answer of its own, no torn file
        except StoreError as exc:
            raise UnavailableError(str(exc)) from exc
        name = f"rows.{'csv' if media_type == CSV else 'parquet'}"
        return _Download(_chunks(holdings, first, pieces), taken.pop_all(), media_type, attached(name))


async def _wanted(holdings: Holdings, filters: Chosen, from_ns: int, to_ns: int) -> Wanted:
    entries = await holdings.chosen(filters)
    most, expected = holdings.limits.settings.download_rows, holdings.rows_of(entries, from_ns, to_ns)
    if expected > most:
        raise invalid("from", f"about {expected} rows, expected at most {most}: fewer series or a shorter span")
    return holdings.wanted(entries, from_ns, to_ns)


async def _chunks(holdings: Holdings, first: bytes, pieces: "_Pieces") -> AsyncIterator[bytes]:
    """Each next piece, made in a thread of the heavy reads."""
    piece = first
    while piece:
        yield piece
        piece = await holdings.limits.run(pieces.next)


class UnwantedError(Exception):
    """Nobody waits for this download any more."""


class _Pieces:
    """A download being made; one thread at a time, also when its client leaves while one is at work."""

    def __init__(self, make: Callable[[Callable[[int], None]], Generator[bytes, None, None]]) -> None:
        self._made = make(self._told)
        self._lock = threading.Lock()
        self._unwanted = threading.Event()

    def next(self) -> bytes:
        """The next piece, empty after the last."""
        with self._lock:
            return next(self._made, b"")

    def close(self) -> None:
        """Stop, and remove what it was made in; waits for the piece that is being made."""
        self._unwanted.set()
        with self._lock:
            self._made.close()

    def _told(self, _rows: int) -> None:
        """Between two reads of the store: whether anybody still wants it."""
        if self._unwanted.is_set():
            raise UnwantedError


class _Download(StreamingResponse):
    """Gives its place and its scratch back however it ends; nobody keeps them longer than half an hour."""

    def __init__(
        self, chunks: AsyncIterator[bytes], taken: ExitStack, media_type: str, headers: Mapping[str, str]
    ) -> None:
        super().__init__(chunks, media_type=media_type, headers=headers)
        self._taken = taken

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        with self._taken:
            async with asyncio.timeout(_LONGEST_S):
                await super().__call__(scope, receive, send)
