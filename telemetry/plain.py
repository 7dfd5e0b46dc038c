"""Texts of others, fit for a terminal, a log and a page: what a device says of itself is not ours to trust."""

from typing import Final

MOST: Final = 100
"""Characters that are kept of a text."""


def plain(text: str, most: int = MOST) -> str:
    """The text with everything that is not printable written as an escape, ``most`` characters at most.

    Not printable are control characters, marks that turn the direction of writing or take no room, lone surrogates.
    """
    shown = "".join(one if one.isprintable() else one.encode("unicode_escape").decode() for one in text[:most])
    return shown if len(shown) <= most and len(text) <= most else shown[: most - 1] + "…"
