"""Wiring of what a centre tells others: its catalogue, its register and its book of days."""

from pathlib import Path

from alerting.api import dto
from alerting.api.board import Board
from alerting.api.holdings import Holdings
from alerting.api.limits import Limits
from alerting.settings import CentreSettings
from alerting.site import load_site, register_of
from ingest.coverage.book import DayBook
from ingest.store.protocol import Store
from telemetry.settings import Document


def open_holdings(document: Document[CentreSettings], board: Board, store: Store) -> Holdings:
    """The holdings of a centre, its book of days beside the state; raises SettingsError."""
    settings, folder = document.settings, document.path.parent
    book = book_path(settings, folder)
    book.parent.mkdir(parents=True, exist_ok=True)
    timely_ms = round(settings.coverage.timely_s * 1000)
    return Holdings(
        board=board,
        register=register_of(load_site(folder / settings.site)),
        store=store,
        days=DayBook(book, board.catalogue, board.place.timezone, timely_ms),
        scratch=book.parent,
        limits=Limits(settings.http.limits),
    )


def book_part(holdings: Holdings) -> dto.Part:
    """The book of days, and the limits: degraded while the book can't be written, since a restart forgets arrivals."""
    trouble = holdings.days.trouble
    return dto.Part(
        status=dto.Condition.DEGRADED if trouble else dto.Condition.OK,
        detail=trouble or "completeness is written",
        figures={"refused_reads": holdings.limits.refused},
    )


def book_path(settings: CentreSettings, folder: Path) -> Path:
    """Where the book of days is kept."""
    state = folder / settings.state.path
    return state.with_name(f"{state.stem}.days.sqlite")
