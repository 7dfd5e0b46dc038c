"""Look into a spool without touching it, also while a gateway uses it."""

from pathlib import Path

from gateway.spool import journal
from gateway.spool.account import Counts, Limits, Stats, summary
from gateway.spool.shelf import Shelf


def peek(folder: Path) -> Stats:
    """What a spool holds, read from its files; a directory without a spool holds nothing.

    Counts since start are the running gateway's and stay 0 here, but for damage that the next start will report.
    """
    if not folder.is_dir():
        return summary((), Counts())
    released, bad = journal.read(folder / "released")
    shelf = Shelf(folder, Limits(), 0, lose=lambda *_: None)
    damage = shelf.load(released, repair=False)
    counts = Counts(corrupt_pieces=damage.corrupt_pieces + bad, torn_bytes=damage.torn_bytes)
    return summary(shelf.logs, counts)
