"""A centre as the command line sees it: its HTTP interface, read tolerantly, every failure one line."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, BinaryIO, Final, NamedTuple, TypeVar

import httpx
import msgspec

from petrel.errors import CommandError
from telemetry.host import check_host
from telemetry.series import Text

T = TypeVar("T")
_TIMEOUT_S: Final = 10.0
_DOWNLOAD_S: Final = 120.0
"""A Parquet file is made in full before its first byte."""
_PAGE: Final = 1_000
_MS_NS: Final = 1_000_000
_CONFLICT: Final = 409
_UNPROCESSABLE: Final = 422
Query = Mapping[str, str | int | list[str]]


class Alarm(msgspec.Struct, frozen=True, kw_only=True):
    """What a person needs to know of an alarm; a newer centre may say more."""

    id: str
    version: int
    level: int
    outcome: str
    state: str
    raised_at: str
    text: Text
    drill: bool
    acknowledged_by: str | None = None


class _Page(msgspec.Struct, frozen=True):
    items: tuple[msgspec.Raw, ...]
    next: str | None = None


class _Samples(NamedTuple):
    """Columns of samples."""

    time: list[int]
    value: list[float | None]
    quality: list[str]


class _RawPoints(msgspec.Struct, frozen=True):
    time: list[int]
    value: list[float | None]
    quality: list[str]


class _Points(msgspec.Struct, frozen=True):
    points: _RawPoints
    next: int | None = None


class _Problem(msgspec.Struct, frozen=True):
    detail: str


class _Key(msgspec.Struct, frozen=True):
    id: str
    updated_at: str


class Desk:
    """A connection to a centre; every method raises CommandError, one line, when it can't have an answer."""

    def __init__(self, client: httpx.Client) -> None:
        self._client = client

    def alarms(self, query: Query) -> list[msgspec.Raw]:
        """All alarms that a query asks for, newest change first, over all pages, as JSON.

        An alarm that changes while the pages are read moves to the first page: that one is read again at the end.
        """
        found: dict[str, msgspec.Raw] = {}
        page = self._page(query, found)
        if page.next is not None:
            while page.next is not None:
                page = self._page({**query, "cursor": page.next}, found)
            self._page(query, found)
        return sorted(found.values(), key=lambda raw: msgspec.json.decode(raw, type=_Key).updated_at, reverse=True)

    def acknowledge(self, alarm: str, version: int, by: str, note: str) -> Alarm:
        """Acknowledge a version of an alarm; the alarm as it is then."""
        body = {"version": version, "by": by, "note": note}
        return _decoded(self._ask("POST", f"/api/v1/alarms/{alarm}/ack", json=body), Alarm)

    def points(self, series: int, begin_ns: int, end_ns: int) -> tuple[list[int], list[float | None], list[str]]:
        """Samples of a series over all pages: milliseconds since 1970 UTC, values, names of qualities."""
        found = _Samples([], [], [])
        begin: int | None = begin_ns // _MS_NS
        while begin is not None:
            query = {"from": begin, "to": end_ns // _MS_NS}
            page = _decoded(self._ask("GET", f"/api/v1/series/{series}/points", params=query), _Points)
            found.time.extend(page.points.time)
            found.value.extend(page.points.value)
            found.quality.extend(page.points.quality)
            begin = page.next
        return found

    def read(self, path: str, query: Query, kind: type[T]) -> T:
        """What a path answers, decoded."""
        return _decoded(self._ask("GET", path, params=query), kind)

    def everything(self, path: str, query: Query) -> list[msgspec.Raw]:
        """All items of a list, over all its pages, as JSON."""
        page = self.read(path, query, _Page)
        found = list(page.items)
        while page.next is not None:
            page = self.read(path, {**query, "cursor": page.next}, _Page)
            found += page.items
        return found

    def keep(self, path: str, query: Query, into: BinaryIO, told: Callable[[int], None]) -> None:
        """Write a download as it comes; ``told`` hears how many bytes each piece has."""
        with self._outside(), self._client.stream("GET", path, params=query, timeout=_DOWNLOAD_S) as answer:
            if not answer.is_success:
                answer.read()
                raise _refusal(answer)
            for piece in answer.iter_bytes():
                into.write(piece)
                told(len(piece))

    def _page(self, query: Query, found: dict[str, msgspec.Raw]) -> _Page:
        page = _decoded(self._ask("GET", "/api/v1/alarms", params={**query, "limit": _PAGE}), _Page)
        for raw in page.items:
            found[msgspec.json.decode(raw, type=_Key).id] = raw
        return page

    def _ask(self, method: str, path: str, **content: Any) -> httpx.Response:
        with self._outside():
            answer = self._client.request(method, path, **content)
        if answer.is_success:
            return answer
        raise _refusal(answer)

    @contextmanager
    def _outside(self) -> Iterator[None]:
        """Say in one line why there is no answer, or no more of it."""
        try:
            yield
        except httpx.TimeoutException as exc:
            raise CommandError(f"{self._client.base_url}: no answer within {_TIMEOUT_S:g} s") from exc
        except httpx.HTTPError as exc:
            raise CommandError(
                f"{self._client.base_url}: no centre answers ({exc}), expected one that runs "
                "(petrel up, petrel centre run), or its address with --centre"
            ) from exc


@contextmanager
def desk(centre: str) -> Iterator[Desk]:
    """A desk at a centre's address for the length of a block; raises CommandError."""
    try:
        url = httpx.URL(centre)
    except httpx.InvalidURL as exc:
        raise CommandError(f"--centre {centre!r}: {exc}, expected http://host:port", code=2) from exc
    if url.scheme not in ("http", "https") or not url.host:
        raise CommandError(f"--centre {centre!r}, expected http://host:port", code=2)
    try:
        check_host(url.host)
    except ValueError as exc:
        raise CommandError(f"--centre {centre!r}: {exc}", code=2) from exc
    # No proxy: the address of a centre is meant as it stands.
    with httpx.Client(base_url=url, timeout=_TIMEOUT_S, trust_env=False) as client:
        yield Desk(client)


def _decoded(answer: httpx.Response, kind: type[T]) -> T:
    try:
        return msgspec.json.decode(answer.content, type=kind)
    except (msgspec.DecodeError, UnicodeDecodeError) as exc:
        found = answer.headers.get("content-type", "no media type")
        raise CommandError(f"{answer.url}: {found}, expected the answer of a Storm Petrel centre") from exc


def _refusal(answer: httpx.Response) -> CommandError:
    """What a centre refused, in its own words; a value that it can't take is a mistake of usage."""
    try:
        detail = msgspec.json.decode(answer.content, type=_Problem).detail
    except (msgspec.DecodeError, UnicodeDecodeError):
        return CommandError(f"{answer.url}: {answer.status_code}, expected the answer of a Storm Petrel centre")
    if answer.status_code == _CONFLICT:
        detail += "; look at it again (petrel alarm list), then acknowledge what you saw"
    return CommandError(detail, code=2 if answer.status_code == _UNPROCESSABLE else 1)
