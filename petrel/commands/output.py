"""How commands print: a table for people, JSON for scripts; stdout carries nothing else."""

import logging
import sys
import textwrap
from collections.abc import Callable, Coroutine, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final, TypeVar

import msgspec
from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn, TransferSpeedColumn
from rich.table import Column, Table

from petrel.errors import CommandError

if TYPE_CHECKING:
    from gateway.tools.look import Look

T = TypeVar("T")
_WIDTH: Final = 80


def print_json(value: object) -> None:
    """One JSON document on stdout."""
    sys.stdout.write(msgspec.json.encode(value).decode() + "\n")
    sys.stdout.flush()


def print_line(text: str) -> None:
    """One line for people on stdout."""
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def print_table(columns: Sequence[str], rows: Iterable[Sequence[object]], *, title: str | None = None) -> None:
    """A table that fits the terminal; in a pipe it is as wide as its content."""
    console = Console(width=None if sys.stdout.isatty() else 160)
    # Fold, not cut: Chinese has no blanks to break at, and half a time or id is worse than two lines.
    # But the first column is a name that somebody will copy.
    headers = (Column(name, overflow="fold", no_wrap=at == 0) for at, name in enumerate(columns))
    table = Table(*headers, title=title, title_justify="left", box=None, pad_edge=False, header_style="bold")
    for row in rows:
        table.add_row(*(str(cell) for cell in row))
    console.print(table)


def print_looks(looks: "Iterable[Look]") -> None:
    """What was looked at: its state, what was seen, and what to do, in lines that fit the terminal."""
    for look in looks:
        for at, line in enumerate(look.lines()):
            indent = " " * (11 if at == 0 else 14)
            print_line(textwrap.fill(line, _WIDTH, subsequent_indent=indent, break_on_hyphens=False))


@contextmanager
def progress(total: int) -> Iterator[Callable[[int, int, str], None]]:
    """A bar on a terminal's stderr, nothing in a pipe; gives who is told how many are done of how many, and which."""
    with Progress(
        TextColumn("{task.description}"), BarColumn(), TextColumn("{task.completed}/{task.total}"),
        TimeRemainingColumn(), console=Console(stderr=True), disable=not sys.stderr.isatty(), transient=True,
    ) as bar:  # fmt: skip
        task = bar.add_task("", total=total)
        yield lambda done, of, what: bar.update(task, completed=done, total=of, description=what)


@contextmanager
def received() -> Iterator[Callable[[int], None]]:
    """Bytes so far on a terminal's stderr, nothing in a pipe; gives who is told how many more came."""
    with Progress(
        TextColumn("received"), DownloadColumn(), TransferSpeedColumn(),
        console=Console(stderr=True), disable=not sys.stderr.isatty(), transient=True,
    ) as bar:  # fmt: skip
        task = bar.add_task("", total=None)
        yield lambda more: bar.advance(task, more)


def waiting(text: str) -> None:
    """What is being waited for, on a terminal's stderr; nothing in a pipe."""
    if sys.stderr.isatty():
        sys.stderr.write(f"{text}; Ctrl-C stops\n")
        sys.stderr.flush()


def finished(work: Coroutine[Any, Any, T]) -> T:
    """The result of a tool; raises CommandError where a signal ended it before there was one."""
    from petrel.run import run

    done: list[T] = []

    async def kept() -> bool:
        done.append(await work)
        return True

    if run(kept()) is None:
        raise CommandError("interrupted")
    return done[0]


def quiet() -> None:
    """Keep to errors what rooms log, on stderr: a tool says in its own words what it finds."""
    from petrel.run import configure_logs

    configure_logs(level=logging.ERROR)
