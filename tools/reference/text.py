"""Markdown of the generated pages."""

import inspect
import re
from collections.abc import Iterable, Sequence
from typing import Final

_CODE: Final = re.compile(r"``(.+?)``")


def head(title: str, source: str, *lines: str) -> str:
    """The beginning of a generated page."""
    return "\n\n".join((f"# {title}", f"Made by `make docs` from {source}; do not edit.", *lines)) + "\n"


def table(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table; a cell is one line, and a bar in it is no column."""
    lines = [columns, ["---"] * len(columns), *rows]
    return "".join(f"| {' | '.join(_cell(cell) for cell in line)} |\n" for line in lines)


def prose(docstring: str | None) -> str:
    """A docstring as Markdown."""
    return _CODE.sub(r"`\1`", inspect.cleandoc(docstring or ""))


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")
