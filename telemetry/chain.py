"""Hash chain: each line of a log carries the hash of the line before it, so that no line changes unnoticed."""

from collections.abc import Iterable, Iterator
from hashlib import sha256
from typing import Final, NamedTuple

GENESIS: Final = "0" * 64


class ChainError(ValueError):
    """A log that was changed after it was written: the table, the line, what was found and what was expected."""


class Link(NamedTuple):
    """One line of a chained log."""

    seq: int
    body: str
    prev: str
    sha256: str


def digest(prev: str, body: str) -> str:
    """The hash of a line: SHA-256 over the hash before it and the line itself."""
    return sha256(f"{prev}\n{body}".encode()).hexdigest()


def extend(seq: int, prev: str, bodies: Iterable[str]) -> Iterator[Link]:
    """The links of new lines after the head ``(seq, prev)``."""
    for body in bodies:
        seq += 1
        link = Link(seq, body, prev, digest(prev, body))
        yield link
        prev = link.sha256


def verify(table: str, links: Iterable[Link], head: tuple[int, str], begin: tuple[int, str] = (0, GENESIS)) -> int:
    """Check every line up to the head; the number of its last one. Raises ChainError at the first that does not fit.

    ``begin`` is the line before the first of them, where a chain does not begin at its beginning.
    """
    seq, prev = begin
    for link in links:
        if link.seq != seq + 1:
            raise ChainError(f"{table}: line {link.seq} follows line {seq}, expected line {seq + 1}")
        if link.prev != prev:
            raise ChainError(f"{table}: line {link.seq} was chained to {link.prev[:12]}, expected {prev[:12]}")
        if link.sha256 != digest(prev, link.body):
            raise ChainError(f"{table}: line {link.seq} does not match its hash {link.sha256[:12]}: it was changed")
        seq, prev = link.seq, link.sha256
    if (seq, prev) != head:
        raise ChainError(f"{table}: ends with line {seq} ({prev[:12]}), expected line {head[0]} ({head[1][:12]})")
    return seq
