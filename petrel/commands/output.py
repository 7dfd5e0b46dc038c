"""How commands print: a table for people, JSON for scripts; stdout carries nothing else."""

import sys
from collections.abc import Iterable, Sequence

import msgspec
from rich.console import Console
from rich.table import Column, Table


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
    headers = (Column(name, overflow="fold") for name in columns)
    table = Table(*headers, title=title, title_justify="left", box=None, pad_edge=False, header_style="bold")
    for row in rows:
        table.add_row(*(str(cell) for cell in row))
    console.print(table)
